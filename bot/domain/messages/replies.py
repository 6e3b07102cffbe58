"""Answers to commands, one to each. Plain Markdown; the report loop puts a hidden marker above it with `with_marker`.

Called by `bot.services.commands`. An answer that refuses ends with its stable code in small print, for scripts and for
the documentation's table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.commands import USAGE, Verb
from bot.domain.decision import Decision, Fixer, RuleResult, Verdict
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import digest
from bot.domain.messages.escape import quote, vouched
from bot.domain.messages.refusals import WHO, explain_rule, refusal_of
from bot.domain.messages.sticky import Standing, marker, table
from bot.domain.messages.words import approvals_wanted, missing, next_step, person, waits_for_people
from bot.domain.model import Actor, Environment, Hold, Release
from bot.domain.promotion import Promotion
from bot.errors import Refused

RULES: Mapping[str, str] = {
    "requester": "whoever asks may ask",
    "identity": "the repository is the registered one",
    "release": "there is a release of this commit",
    "registry": "the image comes from an allowed registry",
    "image": "the image still exists",
    "tag": "the tag still points to it",
    "order": "it was healthy one stage earlier",
    "target": "it was healthy here before",
    "holds": "it is not held",
    "fence": "nothing newer runs here",
    "settings": "its settings come with a new image",
    "duplicate": "it is not here or on its way already",
    "authors": "everybody whose work it is, is known",
    "open": "it still waits for approval",
    "request": "it is what was asked for",
    "evidence": "it is what was shown to those who approve",
    "policy": "the rules are those that it was asked under",
    "approver": "whoever approves may approve",
    "second_person": "whoever approves is somebody else",
    "approvals": "the approvals still count",
    "config": "the repository's own configuration is in order",
    "source": "the image comes from where the policy wants it from",
    "branch": "builds of its branch may come here",
    "checks": "the required checks succeeded",
    "soak": "it was healthy one stage earlier for long enough",
    "availability": "what it runs on is as much as the policy demands",
    "probe": "its health is proved as strongly as the policy demands",
    "freeze": "nothing is frozen here now",
    "lock": "nobody else keeps it locked",
    "turn": "nothing older goes first",
    "break_glass": "nobody goes past rules who may not",
}
"""What each rule of the policy demands, in a few words."""

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
    lines = "\n".join(_rule(result) for result in obstacles)
    return f"Not yet: {len(obstacles)} rules for {environment.stage} are not met.\n\n{lines}"


def reply_requested(promotion: Promotion, environment: Environment) -> str:
    """A promotion or rollback was accepted; what happens next."""
    request, release = promotion.request, promotion.request.release
    this, waits = f"{short(release.commit)} (image {digest(release.digest)})", waits_for_people(promotion)
    if request.rollback:
        what = f"{environment.stage} is to go back to {this}."
    else:
        instead = (
            f" in place of {short(request.previous.commit)}" if request.previous else ", as the first release there"
        )
        what = f"{this} is to go to {environment.stage}{instead}."
    if waits:
        return f"{what}\n\nIt waits for {approvals_wanted(promotion)}. {next_step(promotion, environment)}"
    return f"{what}\n\nIt starts in a moment; its check run and Miso's comment on the pull request follow it."


def reply_approved(promotion: Promotion, environment: Environment, actor: Actor) -> str:
    """An approval was counted."""
    needed, given = promotion.request.approvals_needed, len(promotion.approvals)
    what = f"{person(actor)} approved {short(promotion.request.release.commit)} for {environment.stage}: "
    count = f"{given} of {needed}."
    if missing(promotion):
        return f"{what}{count} It still waits for {approvals_wanted(promotion)}, from somebody else."
    return f"{what}{count} It starts in a moment."


def reply_rejected(promotion: Promotion, environment: Environment, actor: Actor) -> str:
    """A promotion was stopped."""
    reason = f" Reason: {quote(promotion.sentence, 500)}." if promotion.sentence else ""
    what = f"{person(actor)} rejected {short(promotion.request.release.commit)} for {environment.stage}.{reason}"
    return f"{what} Nothing was deployed. `/promote {environment.stage}` asks for it again."


def reply_cleared(lifted: Sequence[Hold], actor: Actor, reason: str) -> str:
    """Holds were lifted."""
    releases = ", ".join(dict.fromkeys(short(hold.commit) for hold in lifted)) or "It"
    return f"{person(actor)} let {releases} try again. Reason: {quote(reason, 500)}. Promote it when you are ready."


def reply_status(standings: Sequence[Standing], *, now_us: int = 0) -> str:
    """What runs where."""
    return table(standings, now_us=now_us)


def reply_why(decision: Decision, environment: Environment, release: Release | None) -> str:
    """Every rule with its outcome, who can change it and the line to type. Asks for nothing."""
    what = short(release.commit) if release else "a release that Miso does not know"
    obstacles, met = decision.obstacles, [result for result in decision.rules if result.passed]
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
    lines = "\n".join(_rule(result) for result in obstacles)
    passed = "\n".join(f"- {_demand(result)}" for result in met)
    title = f"{len(met)} rule{'' if len(met) == 1 else 's'} met"
    folded = f"<details><summary>{title}</summary>\n\n{passed}\n\n</details>" if met else ""
    code = _small(decision.code) if decision.code and not obstacles and decision.refused else ""
    return "\n\n".join(part for part in (f"**{verdict}**", lines, folded, code) if part)


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


def _rule(result: RuleResult) -> str:
    said = explain_rule(result)
    who = f" Who can change it: {WHO[result.fixer]}." if result.fixer not in (Fixer.NOBODY, Fixer.WAIT) else ""
    return f"- **{said.title}.** {said.sentence} {said.hint}{who} {_small(said.code)}"


def _demand(result: RuleResult) -> str:
    return RULES.get(result.rule) or quote(result.rule, 40)


def _small(code: str) -> str:
    return f"<sub>{quote(code, 60)}</sub>"
