"""The part of the table of reason codes that is about the command, the person, approvals, rollbacks and holds.

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
    Code.CARD_OUT_OF_DATE: Entry(
        "This card is out of date",
        "Something happened after this button was drawn, so the click was not used.",
        "Reload the page, look again, and click the new button.",
        Fixer.REQUESTER,
    ),
    # approval
    Code.NEEDS_APPROVAL: Entry(
        "It waits for approval",
        "This still needs {needs}.",
        "Somebody who did not write, merge or request it may type `/approve`.",
        Fixer.APPROVER,
    ),
    Code.AUTHOR_IS_APPROVER: Entry(
        "Your own work needs somebody else's approval",
        "You asked for this, or your work is in it, so your approval does not count.",
        "Ask a colleague to look at it and type `/approve`.",
        Fixer.APPROVER,
    ),
    Code.UNKNOWN_AUTHOR: Entry(
        "An author is not known",
        "Not everybody whose work is in this release is known to GitHub, so nobody can be told apart from its "
        "authors in {stage}.",
        "Merge it again with commits whose authors have GitHub accounts, and no co-authors by address alone.",
        Fixer.WRITER,
    ),
    Code.ALREADY_APPROVED: Entry(
        "You approved this already",
        "You approved this already; each person counts once.",
        "It still waits for somebody else.",
        Fixer.APPROVER,
    ),
    Code.NOTHING_TO_APPROVE: Entry(
        "Nothing waits for approval", "Nothing waits for approval here.", "`/status` shows what runs where.",
        Fixer.NOBODY,
    ),
    Code.NOTHING_TO_REJECT: Entry(
        "Nothing can be rejected",
        "Nothing waits here that could still be rejected.",
        "If something already runs, `/rollback` takes it back.",
        Fixer.NOBODY,
    ),
    Code.APPROVAL_EXPIRED: Entry(
        "The approval is too old",
        "An approval counts for {hours} and this one is older.",
        "Ask for it again: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.PLAN_CHANGED: Entry(
        "The plan is not what was approved",
        "What would be deployed is no longer what was asked for and shown to those who approve.",
        "Ask for it again, so that they see the new plan: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.POLICY_CHANGED: Entry(
        "The policy changed",
        "The rules for this environment changed after this was asked for.",
        "Ask for it again under the new rules: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    # rollback and holds
    Code.NOTHING_TO_ROLL_BACK_TO: Entry(
        "There is nothing to go back to",
        "No earlier release was seen healthy in {stage}.",
        "Promote a release that works, or bring the service back by hand.",
        Fixer.WRITER,
    ),
    Code.ROLLBACK_TARGET_NOT_VERIFIED: Entry(
        "It was never seen healthy there",
        "{commit} was never seen healthy in {stage}, so Miso does not go back to it.",
        "Choose one that was; {command} shows what ran.",
        Fixer.REQUESTER,
        "/status",
    ),
    Code.NOT_HELD: Entry("Nothing is held", "No release of {commit} is held.", "There is nothing to clear.",
                         Fixer.NOBODY),
    Code.REASON_MISSING: Entry(
        "A reason is missing",
        "Letting a release try again needs a reason, for those who read the record later.",
        "Type {command}.",
        Fixer.REQUESTER,
        "/clear @sha <reason>",
    ),
}  # fmt: skip
"""Codes of command, person and approval, in the order of `Code`."""
