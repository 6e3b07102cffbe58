"""Answers to commands, one to each. Plain Markdown; the report loop puts a hidden marker above it with `with_marker`.

Called by `bot.services.commands`. An answer that refuses ends with its stable code in small print, for scripts and for
the documentation's table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.codes import Code
from bot.domain.commands import USAGE, Verb
from bot.domain.decision import Decision, Verdict
from bot.domain.messages.approvals import break_glass, changes_table
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import digest, end
from bot.domain.messages.escape import quote, vouched
from bot.domain.messages.refusals import refusal_of
from bot.domain.messages.rules_text import rules_markdown
from bot.domain.messages.sticky import Standing, marker, table
from bot.domain.messages.words import (
    approvals_wanted,
    groups_wanted,
    missing,
    next_step,
    person,
    waits_for_people,
)
from bot.domain.model import Actor, Ban, Environment, Lock, Release
from bot.domain.promotion import Promotion
from bot.domain.release_story import CLEAR_HOURS
from bot.errors import Refused

_HELP: Mapping[Verb, str] = {
    Verb.PROMOTE: "carry this pull request's release, or that of a commit, to `dev`, `test` or `production`; with "
    "`--break-glass` past rules that two people may go past",
    Verb.APPROVE: "let what waits here go on, if you are not one of its authors",
    Verb.REVOKE: "take your own approval back, as long as nothing has begun",
    Verb.REJECT: "stop what waits here; with a commit, reject that release for good",
    Verb.CANCEL: "take back what you asked for, as long as nothing has begun",
    Verb.ROLLBACK: "go back to the release before, or to one that was healthy there",
    Verb.CLEAR: "let a held or rejected release try again, once operators agree",
    Verb.LOCK: "keep an environment as it is, for `30m`, `2h`, `3d` or until you take it off",
    Verb.UNLOCK: "take a lock off; somebody else's only with a reason",
    Verb.WHY: "show which rules are met and which are not, without asking for anything",
    Verb.POLICY: "show the policy that counts; its administrators `accept` or `reject` a looser one",
    Verb.LINK: "say that you are whoever was shown this code on the account page",
    Verb.STATUS: "show what runs where",
    Verb.HELP: "show this list",
}
HELP: Mapping[Verb, str] = _HELP
"""What each command does, as a phrase."""


def reply_marker(comment_id: int | str) -> str:
    """Marker of the one answer to a comment, or to a click."""
    return marker("reply", comment_id)


def with_marker(mark: str, markdown: str) -> str:
    """A comment that can be found again."""
    return f"{mark}\n{markdown}"


def reply_refused(no: Refused) -> str:
    """Nothing was done, and why."""
    said = " ".join(part for part in (vouched(no.sentence), vouched(no.hint) if no.hint else "") if part)
    return f"{said}\n\n{_small(no.code)}"


def reply_decision(decision: Decision, environment: Environment) -> str:
    """The policy said no: what stands in the way, all of it, and who can change that."""
    obstacles = [result for result in decision.obstacles if result.code is not None]
    if len(obstacles) < 2:
        return reply_refused(refusal_of(decision))
    return f"Not yet: {len(obstacles)} rules for {environment.stage} are not met.\n\n{rules_markdown(obstacles)}"


def reply_requested(promotion: Promotion, environment: Environment, *, preview: str = "") -> str:
    """A promotion or rollback was accepted; what happens next. `preview`: what it changes, as Markdown."""
    request, release = promotion.request, promotion.request.release
    this = f"{short(release.commit)} (image {digest(release.digest)})"
    if request.rollback:
        what = f"{environment.stage} is to go back to {this}."
    else:
        instead = (
            f" in place of {short(request.previous.commit)}" if request.previous else ", as the first release there"
        )
        what = f"{this} is to go to {environment.stage}{instead}."
    starts = "It starts in a moment; its check run and Miso's comment on the pull request follow it."
    follows = _waits(promotion, environment) if waits_for_people(promotion) else starts
    shown = f"**What would change**\n\n{preview}" if preview else ""
    return "\n\n".join(part for part in (break_glass(promotion), what, shown, follows) if part)


def _waits(promotion: Promotion, environment: Environment) -> str:
    """For what, for whom, until when, and the line to type."""
    request = promotion.request
    text = f"It waits for {approvals_wanted(promotion)}. {next_step(promotion, environment)}"
    groups = groups_wanted(request.policy)
    text += f" Among those who approve must be {groups}." if groups else ""
    return f"{text} Without a decision it ends at {end(request.deadline_us)}." if request.deadline_us else text


def reply_approved(promotion: Promotion, environment: Environment, actor: Actor) -> str:
    """An approval was counted."""
    needed, given = promotion.request.approvals_needed, len(promotion.approvals)
    what = f"{person(actor)} approved {short(promotion.request.release.commit)} for {environment.stage}: "
    count = f"{given} of {needed}."
    if missing(promotion):
        return f"{what}{count} It still waits for {approvals_wanted(promotion)}, from somebody else."
    return f"{what}{count} It starts in a moment. Until then `/revoke` takes the approval back."


def reply_changed(promotion: Promotion) -> str:
    """What was shown is no longer what would happen: the request ended, and this is what is different."""
    why = reply_refused(Refused(promotion.code, promotion.sentence, promotion.hint))
    return f"{changes_table(promotion)}\n\n{why}"


def reply_revoked(promotion: Promotion, environment: Environment, actor: Actor) -> str:
    """An approval was taken back."""
    what = (
        f"{person(actor)} took the approval of {short(promotion.request.release.commit)} for {environment.stage} back."
    )
    if not waits_for_people(promotion):
        return f"{what} The other approvals are still enough."
    return f"{what} Nothing was deployed. {_waits(promotion, environment)}"


def reply_rejected(promotion: Promotion, environment: Environment, actor: Actor) -> str:
    """A promotion was stopped."""
    return _stopped(promotion, environment, f"{person(actor)} rejected")


def reply_cancelled(promotion: Promotion, environment: Environment, actor: Actor) -> str:
    """Whoever asked for a promotion, or an operator, wants it no more."""
    return _stopped(promotion, environment, f"{person(actor)} cancelled")


def _stopped(promotion: Promotion, environment: Environment, who_did: str) -> str:
    reason = f" Reason: {quote(promotion.sentence, 500)}." if promotion.sentence else ""
    what = f"{who_did} {short(promotion.request.release.commit)} for {environment.stage}.{reason}"
    return f"{what} Nothing was deployed. {next_step(promotion, environment)}".strip()


def reply_banned(ban: Ban) -> str:
    """A release was rejected for good."""
    return (
        f"{person(ban.by)} rejected {short(ban.commit)} (image {digest(ban.digest)}) for good. "
        f"Reason: {quote(ban.reason, 500)}.\n\n"
        "Neither this commit nor this image goes to any environment any more. Where it runs already, it stays: "
        "`/rollback <environment>` goes back. If it was a mistake, operators lift it with "
        f"`/clear @{_typed(ban.commit)} <reason>`."
    )


def reply_clear_asked(commit: str, actor: Actor, reason: str, needs: int) -> str:
    """One operator wants a held or rejected release to try again; others must agree."""
    others = "one more operator agrees" if needs == 1 else f"{needs} more operators agree"
    return (
        f"{person(actor)} wants to let {short(commit)} try again. Reason: {quote(reason, 500)}.\n\n"
        f"Nothing is lifted before {others}: `/clear @{_typed(commit)} <reason>`. "
        f"Without that, this word no longer counts after {CLEAR_HOURS} hours.\n\n{_small(Code.CLEAR_NEEDS_SECOND)}"
    )


def reply_cleared(commit: str, by: Sequence[Actor], reason: str) -> str:
    """Holds and bans were lifted."""
    people = " and ".join(person(actor) for actor in by[:5]) or "Somebody"
    return f"{people} let {short(commit)} try again. Reason: {quote(reason, 500)}. Promote it when you are ready."


def _typed(commit: str) -> str:
    return commit[:12] if re.fullmatch(r"[0-9a-f]{12,40}", commit) else "sha"


def reply_locked(environment: Environment, lock: Lock) -> str:
    """An environment is kept as it is."""
    until = f"until {end(lock.until_us)}" if lock.until_us else "until the lock is taken off"
    return (
        f"{person(lock.owner)} locked {environment.stage} {until}. Reason: {quote(lock.reason, 500)}.\n\n"
        f"Nobody else's promotion or rollback begins there meanwhile; what has begun is finished. "
        f"`/unlock {environment.stage}` takes it off; others than {person(lock.owner)} give a reason."
    )


def reply_unlocked(environment: Environment, lock: Lock, actor: Actor, reason: str) -> str:
    """A lock was taken off."""
    whose = "the lock" if lock.owner == actor else f"the lock of {person(lock.owner)}"
    why = f" Reason: {quote(reason, 500)}." if reason else ""
    return f"{person(actor)} took {whose} off {environment.stage}.{why} Promotions begin there again."


def reply_linked(actor: Actor) -> str:
    """An account was proven to be somebody who signed in. Who that is, and by which code, stands nowhere here."""
    return (
        f"{person(actor)} is linked to the sign-in that was shown this code: whoever signs in so acts as this account"
        " from now on. If that is not you, tell an administrator of Miso at once."
    )


def reply_status(standings: Sequence[Standing], *, now_us: int = 0) -> str:
    """What runs where."""
    return table(standings, now_us=now_us)


def reply_why(decision: Decision, environment: Environment, release: Release | None) -> str:
    """Every rule with its outcome, who can change it and the line to type. Asks for nothing."""
    what = short(release.commit) if release else "a release that Miso does not know"
    if decision.verdict is Verdict.ALLOW:
        verdict = f"Yes: {what} may go to {environment.stage} now. Type `/promote {environment.stage}`."
    elif decision.verdict is Verdict.NEEDS_APPROVAL:
        count = decision.approvals_needed
        people = "one more person has" if count == 1 else f"{count} more people have"
        verdict = f"Almost: {what} may go to {environment.stage} once {people} approved it. "
        verdict += f"Type `/promote {environment.stage}`; then somebody else types `/approve`."
    else:
        verdict = f"Not yet: {what} may not go to {environment.stage}."
        verdict += "" if decision.rules else f" {refusal_of(decision).sentence}"
    bare = decision.code and not decision.obstacles and decision.refused
    code = _small(decision.code) if decision.code and bare else ""
    return "\n\n".join(part for part in (f"**{verdict}**", rules_markdown(decision.rules), code) if part)


def reply_help() -> str:
    """The commands."""
    lines = "\n".join(f"| `{USAGE[verb]}` | {_HELP[verb]} |" for verb in Verb)
    return (
        "Write one command as the first line of a comment.\n\n"
        f"| Type | To |\n|---|---|\n{lines}\n\n"
        "`@sha` is `@` and at least 12 digits of a commit. `prod`, `pro`, `tst`, `testing` and `development` are "
        "understood, and so is `/miso` before any command without its slash."
    )


def reply_apology(delivery: str) -> str:
    """For a fault of ours: calm, with the number under which it is found."""
    return (
        f"Something went wrong on Miso's side, and this was not carried out. Whoever runs Miso finds it under "
        f"{quote(delivery, 80)}.\n\n{_small('handler_failed')}"
    )


def _small(code: str) -> str:
    return f"<sub>{quote(code, 60)}</sub>"
