"""The words for a promotion: what it is doing, what is known of it and what somebody may type next.

Used by the report, the sticky comment and the replies, so that all of them say the same of the same state. A headline
is plain text of at most 140 characters (GitHub's limit for a deployment's description); the rest is Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.codes import Code
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import minutes, moment
from bot.domain.messages.escape import bare, plain, quote, vouched
from bot.domain.messages.refusals import explain
from bot.domain.model import Actor, ActorKind, Environment, Release, Stage, Status
from bot.domain.promotion import Promotion, is_open
from bot.domain.rules import Policy, Who

DESCRIPTION_LIMIT = 140

_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,60}(?:\[bot\])?")
AFTER: Mapping[Stage, Stage] = {stage.before: stage for stage in Stage if stage.before is not None}
"""The stage that comes next; production has none."""


def name_of(actor: Actor | None) -> str:
    """Plain name of an actor. Never with an `@`: Miso calls nobody out of bed."""
    if actor is None:
        return "somebody"
    if actor.kind is ActorKind.WORKFLOW:
        return "a green build"
    if actor.kind is ActorKind.SYSTEM:
        return "Miso"
    return actor.login if _LOGIN.fullmatch(actor.login) else f"account {actor.id}"


def person(actor: Actor | None) -> str:
    """The same as Markdown."""
    shown = name_of(actor)
    return quote(shown, 60) if actor is not None and shown == actor.login else shown


def who_may(who: Who) -> str:
    """A set of people as a phrase, by the numbers that the policy has: nobody is called by it."""
    if not who.named:
        return f"anybody with at least the role {quote(who.role, 40)}"
    teams = f"a member of team {_either(who.teams)}" if who.teams else ""
    users = f"account {_either(who.users)}" if who.users else ""
    floor = "" if who.role == Who().role else f" (with at least the role {quote(who.role, 40)})"
    return " or ".join(part for part in (teams, users) if part) + floor


def _either(ids: Sequence[int]) -> str:
    told = [str(each) for each in ids[:_NAMED]] + ([f"{len(ids) - _NAMED} more"] if len(ids) > _NAMED else [])
    return " or ".join(part for part in (", ".join(told[:-1]), told[-1]) if part)


_NAMED = 6
"""So many are told one by one."""


def who_approves(policy: Policy) -> str:
    """The same for approvals, with the groups of which some must be. Whose work it is, never counts (rule 9)."""
    return "; ".join(part for part in (who_may(policy.approve), groups_wanted(policy)) if part)


def groups_wanted(policy: Policy) -> str:
    """How many of the approvers must be of which group; empty where the policy names none."""
    return ", ".join(
        f"at least {group.count} of {quote(group.name, 60)} ({who_may(group.who)})" for group in policy.groups[:5]
    )


def asked_because(promotion: Promotion, environment: Environment) -> str:
    """Why Miso asked by itself, as a phrase; empty when somebody else asked."""
    before = environment.stage.before
    if promotion.request.requester.kind is not ActorKind.SYSTEM or before is None:
        return ""
    soaked = promotion.request.policy.soak_minutes
    return f"because it was healthy in {before}" + (f" for {minutes(soaked)}" if soaked else "")


def duration(from_us: int, to_us: int) -> str:
    seconds = max(to_us - from_us, 0) / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def missing(promotion: Promotion) -> int:
    """How many more people must approve."""
    return max(promotion.request.approvals_needed - len(promotion.approvals), 0)


def waits_for_people(promotion: Promotion) -> bool:
    return promotion.status is Status.REQUESTED and missing(promotion) > 0


def approvals_wanted(promotion: Promotion) -> str:
    count = missing(promotion)
    more = " more" if promotion.approvals else ""
    return f"{count}{more} approval{'' if count == 1 else 's'}"


def headline(promotion: Promotion, *, now_us: int = 0) -> str:
    """What it is doing, in a few plain words without full stop."""
    line = _headline(promotion)
    if is_open(promotion) and promotion.paused_until_us > now_us > 0:
        line = f"Waits until {moment(promotion.paused_until_us)}: {_title(promotion)}"
    return plain(f"{BREAK_GLASS_MARK} · {line}" if promotion.request.break_glass else line, DESCRIPTION_LIMIT)


BREAK_GLASS_MARK = "⚠ break-glass"
"""Stands for ever before whatever is said of a promotion that went past rules."""


def _headline(promotion: Promotion) -> str:
    back, this = _short(promotion.request.previous), _short(promotion.request.release)
    match promotion.status:
        case Status.REQUESTED:
            gone = f"; {len(promotion.voided)} given no longer counts" if promotion.voided else ""
            return f"Waits for {approvals_wanted(promotion)}{gone}" if missing(promotion) else _ACCEPTED
        case Status.APPROVED if not promotion.request.approvals_needed:
            return _ACCEPTED
        case Status.DEPLOYING:
            verb = "Going back to" if promotion.request.rollback else "Deploying"
            return f"{verb} {this}" + (f", attempt {promotion.attempt}" if promotion.attempt > 1 else "")
        case Status.UNHEALTHY:
            return f"Not healthy; going back to {back}" if back else "Not healthy, and there is nothing to go back to"
        case Status.FAILED:
            return f"The deployment failed; going back to {back}" if back else "The deployment failed"
        case Status.REFUSED if promotion.code in (Code.WAIT_EXPIRED, Code.BREAK_GLASS_EXPIRED):
            return f"Ended: {_title(promotion)}"
        case Status.LIVE:
            done = f"Rolled back to {this}: live" if promotion.request.rollback else "Live"
            return f"{done}, by Azure's word alone" if promotion.evidence == "platform" else f"{done} and healthy"
        case _:
            return _FIXED[promotion.status].format(
                back=back or "the release before", who=name_of(promotion.actor), title=_title(promotion)
            )


_ACCEPTED = "Accepted, starts in a moment"
_FIXED: Mapping[Status, str] = {
    Status.APPROVED: "Approved, starts in a moment",
    Status.DEPLOYED: "Deployed; now asking whether it is healthy",
    Status.ROLLING_BACK: "Going back to {back}",
    Status.ROLLED_BACK: "Did not work; {back} runs again",
    Status.STUCK: "Needs a person: going back did not work either",
    Status.REJECTED: "Rejected by {who}",
    Status.CANCELLED: "Cancelled by {who}",
    Status.REFUSED: "Refused: {title}",
    Status.SUPERSEDED: "A newer release took its place",
    Status.NEWER: "A newer version of Miso is looking after this",
}


def _title(promotion: Promotion) -> str:
    title = explain(Code(promotion.code)).title if promotion.code in set(Code) else "see below"
    return title[0].lower() + title[1:] if title[1:2].islower() and not title.startswith(_NAMES) else title


_NAMES = ("Azure", "GitHub", "Miso")


def _short(release: Release | None) -> str:
    return bare(short(release.commit)) if release else ""


def why(promotion: Promotion) -> str:
    """Why it is not live, as one Markdown paragraph; empty when there is nothing to explain."""
    if promotion.status in (Status.REJECTED, Status.CANCELLED):
        said = f": {quote(promotion.sentence, 500)}" if promotion.sentence else ", without giving a reason."
        return f"{person(promotion.actor)} {promotion.status} it{said}"
    if promotion.status is Status.SUPERSEDED:
        said = "A newer release was asked for before this one began, so nothing of it was deployed."
        return f"{said} <sub>`{Code.SUPERSEDED}`</sub>"
    if promotion.code not in set(Code) or promotion.status in (Status.LIVE, Status.SUPERSEDED, Status.NEWER):
        return ""
    said = vouched(promotion.sentence) if promotion.sentence else explain(Code(promotion.code)).sentence
    hint = vouched(promotion.hint) if promotion.hint else ""
    return " ".join(part for part in (said, hint, f"<sub>`{promotion.code}`</sub>") if part)


def _approver(who: Who) -> str:
    if not who.named and who.role == Who().role:
        return "Somebody"
    said = who_may(who).replace("anybody", "somebody")
    return said[0].upper() + said[1:]


def next_step(promotion: Promotion, environment: Environment, waiting_for: Sequence[str] = ()) -> str:
    """Who may do what now and the exact line to type, as Markdown; empty when nobody needs to do anything."""
    stage, commit = environment.stage, promotion.request.release.commit[:12]
    if waits_for_people(promotion):
        people = ", ".join(quote(name, 60) for name in waiting_for[:10])
        who = people or f"{_approver(promotion.request.policy.approve)} who did not write, merge or request it"
        return f"{who} can type `/approve`, or `/reject` with a reason."
    if is_open(promotion):
        return ""
    again = f"`/rollback {stage} to @{commit}`" if promotion.request.rollback else f"`/promote {stage} @{commit}`"
    match promotion.status:
        case Status.LIVE:
            later = AFTER.get(stage)
            onward = f"`/promote {later}` carries it on. " if later and not promotion.request.rollback else ""
            back = f"`/rollback {stage}` goes back." if promotion.request.previous is not None else ""
            return f"{onward}{back}".strip()
        case Status.STUCK:
            return f"Look at the resource in Azure. Then `/rollback {stage}` or another release puts it right."
        case Status.REJECTED | Status.CANCELLED:
            return f"{again} asks for it again."
        case _ if promotion.held:
            return f"It is held. Once its cause is understood: `/clear @{commit} <reason>`."
        case Status.FAILED | Status.UNHEALTHY | Status.ROLLED_BACK:
            return f"{again} tries it again."
        case _:
            return ""
