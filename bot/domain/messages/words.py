"""The words for a promotion: what it is doing, what is known of it and what somebody may type next.

Used by the report, the sticky comment and the replies, so that all of them say the same of the same state. A headline
is plain text of at most 140 characters (GitHub's limit for a deployment's description); the rest is Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.codes import Code
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import moment
from bot.domain.messages.escape import bare, plain, quote, vouched
from bot.domain.messages.refusals import explain
from bot.domain.model import Actor, ActorKind, Environment, Release, Stage, Status
from bot.domain.promotion import Promotion, is_open

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
    if promotion.paused_until_us > now_us > 0:
        return plain(f"Waits until {moment(promotion.paused_until_us)}: {_title(promotion)}", DESCRIPTION_LIMIT)
    return plain(_headline(promotion), DESCRIPTION_LIMIT)


def _headline(promotion: Promotion) -> str:
    back, this = _short(promotion.request.previous), _short(promotion.request.release)
    match promotion.status:
        case Status.REQUESTED:
            return f"Waits for {approvals_wanted(promotion)}" if missing(promotion) else _ACCEPTED
        case Status.APPROVED if not promotion.request.approvals_needed:
            return _ACCEPTED
        case Status.DEPLOYING:
            verb = "Going back to" if promotion.request.rollback else "Deploying"
            return f"{verb} {this}" + (f", attempt {promotion.attempt}" if promotion.attempt > 1 else "")
        case Status.UNHEALTHY:
            return f"Not healthy; going back to {back}" if back else "Not healthy, and there is nothing to go back to"
        case Status.FAILED:
            return f"The deployment failed; going back to {back}" if back else "The deployment failed"
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
    if promotion.status is Status.REJECTED:
        said = f": {quote(promotion.sentence, 500)}" if promotion.sentence else ", without giving a reason."
        return f"{person(promotion.actor)} rejected it{said}"
    if promotion.code not in set(Code) or promotion.status in (Status.LIVE, Status.SUPERSEDED, Status.NEWER):
        return ""
    said = vouched(promotion.sentence) if promotion.sentence else explain(Code(promotion.code)).sentence
    hint = vouched(promotion.hint) if promotion.hint else ""
    return " ".join(part for part in (said, hint, f"<sub>`{promotion.code}`</sub>") if part)


def next_step(promotion: Promotion, environment: Environment, waiting_for: Sequence[str] = ()) -> str:
    """Who may do what now and the exact line to type, as Markdown; empty when nobody needs to do anything."""
    stage, commit = environment.stage, promotion.request.release.commit[:12]
    if waits_for_people(promotion):
        people = ", ".join(quote(name, 60) for name in waiting_for[:10])
        who = people or "Somebody who did not write, merge or request it"
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
        case Status.REJECTED:
            return f"{again} asks for it again."
        case _ if promotion.held:
            return f"It is held. Once its cause is understood: `/clear @{commit} <reason>`."
        case Status.FAILED | Status.UNHEALTHY | Status.ROLLED_BACK:
            return f"{again} tries it again."
        case _:
            return ""
