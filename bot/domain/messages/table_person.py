"""The part of the table of reason codes that is about the command and the person.

Read through `bot.domain.messages.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.codes import Code
from bot.domain.decision import Fixer
from bot.domain.messages.entry import Entry

PERSON: Mapping[Code, Entry] = {
    # the command and the person
    Code.COMMAND_UNKNOWN: Entry(
        "Unknown command", "{word} is not a command that Miso knows.", "Type {command}.", Fixer.REQUESTER
    ),
    Code.COMMAND_ARGUMENTS: Entry(
        "The command does not fit",
        "This command is not written as it should be, so nothing was done.",
        "Type {command}.",
        Fixer.REQUESTER,
    ),
    Code.COMMAND_TWICE: Entry(
        "More than one command",
        "There is more than one command in this comment, so none was run.",
        "Write one command in each comment.",
        Fixer.REQUESTER,
    ),
    Code.COMMAND_NOT_ASCII: Entry(
        "A letter is not what it seems",
        "{word} holds a character that is invisible or only looks like a plain letter, so nothing was done.",
        "Type it by hand: {command}.",
        Fixer.REQUESTER,
    ),
    Code.STAGE_UNKNOWN: Entry(
        "Unknown environment",
        "{word} is not an environment; there are `dev`, `test` and `production`.",
        "Type {command}.",
        Fixer.REQUESTER,
        "/promote <environment>",
    ),
    Code.COMMAND_LIMIT: Entry(
        "Too many commands",
        "That is more than {limit} of one person in an hour; further ones are not read until the hour is over.",
        "Wait a while.",
        Fixer.WAIT,
    ),
    Code.EDITED_COMMENT: Entry(
        "The comment was edited",
        "Commands count only as they were first written, and this comment was edited.",
        "Write the command in a new comment.",
        Fixer.REQUESTER,
    ),
    Code.NOT_MERGED: Entry(
        "The pull request is not merged",
        "Only merged work is built and carried on, and this pull request is not merged yet.",
        "Merge it; once its build is green, try again.",
        Fixer.WRITER,
    ),
    Code.FORK_REFUSED: Entry(
        "This comes from a fork",
        "Work that lives in a fork is not deployed.",
        "Merge it first: then it is a commit of this repository.",
        Fixer.WRITER,
    ),
    Code.SHA_MALFORMED: Entry(
        "That is not a commit",
        "{word} does not name a commit; Miso needs `@` and 12 to 40 hexadecimal digits.",
        "Type {command}.",
        Fixer.REQUESTER,
    ),
    Code.SHA_AMBIGUOUS: Entry(
        "More than one release fits",
        "More than one release begins with {commit}.",
        "Write more digits of the commit.",
        Fixer.REQUESTER,
    ),
    Code.PERMISSION_DENIED: Entry(
        "Not enough access",
        "This needs {role} access to the repository.",
        "Ask somebody who has it, or an administrator of the repository for the role.",
        Fixer.MAINTAINER,
    ),
    Code.PERMISSION_UNKNOWN: Entry(
        "GitHub did not confirm the access",
        "GitHub did not say what access you have, so Miso assumes none.",
        "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.BOT_REFUSED: Entry(
        "A person must ask for this",
        "Apps and workflows may not do this; it takes a person.",
        "Let a person type the command.",
        Fixer.WRITER,
    ),
    Code.NOT_IN_TEAM: Entry(
        "The policy names others for this",
        "The policy of {stage} names those who may do this, and you are not among them.",
        "Ask one of them. Whoever runs Miso can change whom the policy names.",
        Fixer.OPERATOR,
    ),
    Code.TEAM_UNKNOWN: Entry(
        "GitHub did not say who is in a team",
        "GitHub did not say who is in a team that the policy of {stage} names, so nobody counts as one of its members.",
        "Try again in a minute. If it stays so, the team is gone or the App lacks the permission to read members.",
        Fixer.WAIT,
    ),
    Code.DURATION_MALFORMED: Entry(
        "That is not a time",
        "{word} is not a time that a lock can last; Miso needs minutes, hours or days, from `1m` to `30d`.",
        "Type {command}.",
        Fixer.REQUESTER,
        "/lock <environment> for 2h <reason>",
    ),
    Code.FLAG_UNKNOWN: Entry("Unknown flag", "{word} is not a flag that Miso knows here.", "Type {command}.",
                             Fixer.REQUESTER),
    Code.NOT_ADMINISTRATOR: Entry(
        "This is for the policy's administrators",
        "Only those whom the policy names as its administrators may accept or reject a looser one.",
        "Ask one of them; `/policy` shows what waits.",
        Fixer.OPERATOR,
    ),
    Code.NOT_YOURS: Entry(
        "It is somebody else's",
        "Somebody else asked for this or put it there, and you are none of the operators whom the policy names.",
        "Ask whoever it was, or an operator.",
        Fixer.OPERATOR,
    ),
    Code.CARD_OUT_OF_DATE: Entry(
        "This card is out of date",
        "Something happened after this button was drawn, so the click was not used.",
        "Reload the page, look again, and click the new button.",
        Fixer.REQUESTER,
    ),
}  # fmt: skip
"""Codes of command and person, in the order of `Code`."""
