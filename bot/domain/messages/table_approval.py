"""The part of the table of reason codes that is about approvals, rollbacks, holds and locks.

Read through `bot.domain.messages.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.codes import Code
from bot.domain.decision import Fixer
from bot.domain.messages.entry import Entry

APPROVAL: Mapping[Code, Entry] = {
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
        "What would be deployed is no longer what was asked for and shown to those who approve{was}{now}.",
        "Ask for it again, so that they see the new plan: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.POLICY_CHANGED: Entry(
        "The policy changed",
        "The rules for {stage} changed after this was asked for{was}{now}.",
        "Ask for it again under the new rules: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.CHECKS_CHANGED: Entry(
        "The checks are not what was approved",
        "The required checks are no longer what was shown to those who approve{was}{now}.",
        "Ask for it again, so that they see the new results: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.COMMITS_CHANGED: Entry(
        "Other commits would go along",
        "The commits between what runs and this release are no longer those that were shown to those who "
        "approve{was}{now}.",
        "Ask for it again, so that they see what goes along: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.SOAK_CHANGED: Entry(
        "The proof from the stage before changed",
        "The proof of its health one stage earlier is no longer the one that was shown to those who approve{was}{now}.",
        "Ask for it again, so that they see the new one: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.SKIPPED_CHANGED: Entry(
        "Other rules would be gone past",
        "The rules that would be gone past are no longer those that were shown to the second person{was}{now}.",
        "Ask for it again, so that all of them are seen: type {command}.",
        Fixer.WRITER,
        "/promote <environment> --break-glass <reason>",
    ),
    Code.QUORUM_MISSING: Entry(
        "Somebody of a certain group must approve",
        "This still needs {needs} from {team}.",
        "One of them may type `/approve`.",
        Fixer.APPROVER,
    ),
    Code.APPROVAL_REVOKED: Entry(
        "The approval was taken back",
        "Whoever approved this took the approval back.",
        "It waits for another one: somebody who did not write, merge or request it may type `/approve`.",
        Fixer.APPROVER,
    ),
    Code.OTHER_RELEASE_WAITS: Entry(
        "Another release waits here",
        "What waits in {stage} is {commit}, and not the commit that you named.",
        "Look at it first; then type {command}.",
        Fixer.REQUESTER,
        "/approve",
    ),
    Code.NOTHING_TO_REVOKE: Entry(
        "There is no approval of yours to take back",
        "No approval of yours waits here that could still be taken back.",
        "If it already runs, `/rollback` takes it back.",
        Fixer.NOBODY,
    ),
    Code.NOTHING_TO_CANCEL: Entry(
        "Nothing can be cancelled",
        "Nothing waits here that could still be cancelled.",
        "If something already runs, `/rollback` takes it back.",
        Fixer.NOBODY,
    ),
    Code.WAIT_EXPIRED: Entry(
        "Nobody decided in time",
        "It waited for {hours} and nobody decided, so it ended.",
        "Ask for it again when somebody has time to look at it: type {command}.",
        Fixer.WRITER,
        "/promote <environment>",
    ),
    Code.BREAK_GLASS_OFF: Entry(
        "The policy allows no break-glass",
        "The policy of {stage} lets nobody go past its rules.",
        "`/why` shows the rules that stand in the way.",
        Fixer.OPERATOR,
    ),
    Code.BREAK_GLASS_EXPIRED: Entry(
        "The break-glass request ran out",
        "Going past rules must be approved and begin within {minutes}, and that is over.",
        "If it is still needed, ask again: type {command}.",
        Fixer.WRITER,
        "/promote <environment> --break-glass <reason>",
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
    Code.CLEAR_NEEDS_SECOND: Entry(
        "Another operator must agree",
        "Letting the release of {commit} try again needs the word of another operator as well.",
        "Another operator types {command}.",
        Fixer.APPROVER,
        "/clear @sha <reason>",
    ),
    Code.ALREADY_LOCKED: Entry(
        "It is locked already",
        "{stage} is locked already by {who}, until {until}{reason}.",
        "Ask {who} first, or take that lock off with a reason: {command}.",
        Fixer.WRITER,
        "/unlock <environment> <reason>",
    ),
    Code.NOT_LOCKED: Entry("It is not locked", "{stage} is not locked.", "There is nothing to take off.", Fixer.NOBODY),
    Code.REASON_MISSING: Entry(
        "A reason is missing",
        "This needs a reason, for those who read the record later.",
        "Write it again with the reason at the end; {command} shows how.",
        Fixer.REQUESTER,
    ),
}  # fmt: skip
"""Codes of approvals, rollbacks, holds and locks, in the order of `Code`."""
