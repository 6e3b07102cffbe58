"""Asking for a promotion, rejecting and cancelling it: what people say about one promotion, approvals apart.

Comment, button, gate, and later portal, API and command line end in these functions. Each re-reads what it decides on,
asks `bot.domain.policy`, and writes rows; nothing here touches Azure. Causes make streams, so a delivery that comes
twice tells the same story once. Whether it may begin is asked again by `bot.services.admitting`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot import telemetry
from bot.context import Miso
from bot.domain import evidence, policy
from bot.domain import preview as previews
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision
from bot.domain.identity import Deed, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import Actor, Application, Ban, Environment, NewRow, Release, Status, Untrusted
from bot.domain.preview import Preview
from bot.domain.promotion import VERSION, Kind, Promotion, Request, request_as_body
from bot.domain.rules import Concurrency
from bot.services import access, authorization, carrying, choosing, history, holds, journal, knowledge
from bot.services.access import Origin, Place
from bot.services.knowledge import Known

log = telemetry.logger("promotions")

HOUR_US = 3_600_000_000
OPEN = (Status.REQUESTED, Status.APPROVED)
"""Nothing has begun yet: what people say still counts."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a door hands over."""

    cause: str
    principal: Principal
    origin: Origin
    release: Release | None
    rollback: bool = False
    break_glass: str = ""
    pull_request: int = 0
    comment_id: int = 0
    comment_hash: str = ""

    @property
    def actor(self) -> Actor:
        return self.principal.actor


@dataclass(frozen=True, kw_only=True)
class Word:
    """What somebody said, and by what: enough to see at the effect whether they still say it (rule 4)."""

    principal: Principal
    cause: str
    comment_id: int = 0
    comment_hash: str = ""

    @property
    def actor(self) -> Actor:
        return self.principal.actor


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a request or an approval: the promotion where there is one, and the decision with its reasons."""

    promotion: Promotion | None = None
    decision: Decision | None = None
    preview: Preview | None = None
    """What it would change in what runs there now."""


async def request(miso: Miso, ask: Ask, place: Place, application: Application, environment: Environment) -> Outcome:
    """Ask for a release in an environment. Recorded when the policy allows it, at once or after approval."""
    deed = Deed.ROLL_BACK if ask.rollback else Deed.PROMOTE
    asking = await authorization.authorize(
        miso, ask.principal, deed, authorization.about(environment, ask.release), place=place
    )
    stream = journal.stream_id("promotion", ask.cause, environment.id)
    existing = await journal.load(miso, stream)
    if existing is not None:
        # Perhaps somebody died between the request and this: it is told again, which changes nothing the second time.
        await _make_way(miso, environment, existing)
        asked_for = existing.request
        return Outcome(promotion=existing, preview=previews.of(environment, asked_for.previous_plan, asked_for.plan))
    asked = _asked(ask, application, environment, stream)
    known = await knowledge.gather(miso, asked, place.repository, access.ready(place), permission=asking.permission)
    decision = known.decide(miso, asked, miso.clock.now_us())
    await history.remember(miso, asked, known.facts, decision, known.effective, miso.clock.now_us())
    shown = _preview(environment, known)
    row = await _requested(miso, ask, asked, known, decision)
    if row is None:
        return Outcome(decision=decision, preview=shown)
    kept = await carrying.over(miso, asked, known, decision, row)
    done = await journal.record(
        miso, stream, lambda now: [row, *kept] if now is None else [], inbox_done=ask.origin.delivery
    )
    if done.promotion is not None:
        await _make_way(miso, environment, done.promotion)
        if ask.break_glass and done.rows:
            log.warning("alarm.break_glass", environment=environment.id, stage=environment.stage, stream=stream)
    return Outcome(promotion=done.promotion, decision=decision, preview=shown)


async def explain(miso: Miso, ask: Ask, place: Place, application: Application, environment: Environment) -> Decision:
    """The very decision that `request` would take now, without asking for anything."""
    asked = _asked(ask, application, environment, "")
    seen = place.seen(ask.actor)
    known = await knowledge.gather(miso, asked, place.repository, access.ready(place), permission=seen)
    return known.decide(miso, asked, miso.clock.now_us())


def _asked(ask: Ask, application: Application, environment: Environment, stream: str) -> Asked:
    return Asked(
        requester=ask.actor,
        application=application,
        environment=environment,
        release=ask.release,
        rollback=ask.rollback,
        break_glass=ask.break_glass,
        stream=stream,
    )


def _preview(environment: Environment, known: Known) -> Preview | None:
    if known.facts.plan is None:
        return None
    return previews.of(environment, known.facts.running_plan, known.facts.plan)


async def _requested(miso: Miso, ask: Ask, asked: Asked, known: Known, decision: Decision) -> NewRow | None:
    """The row of a request that was allowed, with everything that an approver is shown; None for any other."""
    environment, demanded, planned = asked.environment, known.policy, known.facts.plan
    if decision.refused or ask.release is None or planned is None or demanded is None:
        return None
    skipped = tuple(sorted(rule.rule for rule in decision.skipped))
    parts = policy.evidence_of(asked, known.facts, demanded, miso.rules, skipped)
    if parts is None:
        raise refusal(Code.STATE_UNKNOWN)
    longest = demanded.wait_hours * HOUR_US
    if ask.break_glass:
        longest = known.policies.break_glass_minutes * 60_000_000
    state = await miso.store.environment_state(environment.id)
    previous, previous_plan = await choosing.last_verified(miso, state.last_verified)
    body = Request(
        cause=ask.cause,
        rollback=ask.rollback,
        release=ask.release,
        previous=previous,
        previous_plan=previous_plan,
        plan=planned,
        policy_hash=policy.policy_hash(demanded, miso.rules),
        evidence_hash=evidence.hash_of(parts),
        evidence=parts,
        approvals_needed=decision.approvals_needed,
        excluded=_excluded(ask, decision),
        requester=ask.actor,
        installation_id=ask.origin.installation_id,
        pull_request=ask.pull_request,
        comment_id=ask.comment_id,
        comment_hash=ask.comment_hash,
        policy=demanded,
        policy_version=known.effective.version,
        break_glass=ask.break_glass,
        tree=known.facts.commit.tree if known.facts.commit is not None else "",
        skipped=skipped,
        rules=decision.rules,
        deadline_us=miso.clock.now_us() + longest,
    )
    return replace(row_of(Kind.REQUESTED, ask.actor, environment, request_as_body(body)), v=VERSION)


def _excluded(ask: Ask, decision: Decision) -> tuple[int, ...]:
    """Rule 9, and whoever started the workflow that asks: it asks in their place."""
    grant = ask.principal.grant
    started = {grant.started_by} if grant is not None and grant.started_by else set()
    return tuple(sorted({*decision.excluded, *started}))


async def _make_way(miso: Miso, environment: Environment, newest: Promotion) -> None:
    """The newest request of an environment is the one that counts; older ones that have not begun are told so.

    Where the policy lets requests queue, they stay.
    """
    if newest.request.policy.concurrency is Concurrency.QUEUE and not newest.request.rollback:
        return
    for older in await miso.store.open_promotions(environment_id=environment.id):
        if older.stream == newest.stream or older.status not in OPEN or older.requested_us > newest.requested_us:
            continue

        def decide(now: Promotion | None) -> Sequence[NewRow]:
            if now is None or now.status not in OPEN:
                return []
            return [row_of(Kind.SUPERSEDED, newest.request.requester, environment, {"by": newest.stream})]

        await journal.record(miso, older.stream, decide)


async def reject(miso: Miso, stream: str, word: Word, origin: Origin, reason: str) -> Outcome:
    """Refuse this request. Anybody who might approve may reject, the author too: it can only stop something."""
    promotion, environment = await waiting(miso, stream)
    if promotion is None or environment is None:
        raise refusal(Code.NOTHING_TO_REJECT)
    resource = authorization.about(environment, promotion.request.release, stream=stream)
    await authorization.authorize(miso, word.principal, Deed.REJECT, resource, origin=origin)

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or now.status not in OPEN:
            return []
        return [row_of(Kind.REJECTED, word.actor, environment, {"reason": reason, "login": word.actor.login})]

    done = await journal.record(miso, stream, decide)
    if not done.rows:
        raise refusal(Code.NOTHING_TO_REJECT)
    return Outcome(promotion=done.promotion)


async def reject_release(
    miso: Miso, application: Application, release: Release, word: Word, origin: Origin, reason: Untrusted
) -> Ban:
    """Reject a release for good, wherever it might go, and every request for it that has not begun."""
    resource = Resource(application_id=application.id, repository_id=application.repository_id, commit=release.commit)
    await authorization.authorize(miso, word.principal, Deed.BAN, resource, origin=origin)
    ban = await holds.ban(miso, application, release, word.actor, reason, word.cause)
    for row in await miso.store.promotions(application_id=application.id, commit_prefix=release.commit, limit=200):
        if row.open and row.status in OPEN:
            await reject(miso, row.stream, word, origin, reason)
    return ban


async def cancel(miso: Miso, stream: str, word: Word, origin: Origin, reason: str) -> Outcome:
    """Withdraw a request that has not begun: one's own, or anybody's for an operator."""
    promotion, environment = await waiting(miso, stream)
    if promotion is None or environment is None:
        raise refusal(Code.NOTHING_TO_CANCEL)
    deed = Deed.CANCEL if word.actor == promotion.request.requester else Deed.CANCEL_OTHERS
    resource = authorization.about(environment, promotion.request.release, stream=stream)
    await authorization.authorize(miso, word.principal, deed, resource, origin=origin)

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or now.status not in OPEN:
            return []
        return [row_of(Kind.CANCELLED, word.actor, environment, {"reason": reason, "login": word.actor.login})]

    done = await journal.record(miso, stream, decide)
    if not done.rows:
        raise refusal(Code.NOTHING_TO_CANCEL)
    return Outcome(promotion=done.promotion)


async def asked_again(miso: Miso, promotion: Promotion, environment: Environment) -> Asked:
    """What the journal says was asked, to be decided on anew. Raises Refused when the application is gone."""
    application = await miso.store.application(promotion.application_id)
    if application is None:
        raise refusal(Code.GUID_NOT_BOUND)
    request = promotion.request
    return Asked(
        requester=request.requester,
        application=application,
        environment=environment,
        release=request.release,
        rollback=request.rollback,
        break_glass=request.break_glass,
        stream=promotion.stream,
    )


async def waiting(miso: Miso, stream: str) -> tuple[Promotion | None, Environment | None]:
    """A promotion and its environment, as they stand; None where there is none."""
    promotion = await journal.load(miso, stream)
    if promotion is None:
        return None, None
    return promotion, await miso.store.environment(promotion.environment_id)


def text_hash(text: str) -> str:
    """What a comment said when it was heard, to see at the effect whether it still does (rule 4)."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "replace")).hexdigest()


def row_of(kind: Kind, actor: Actor, environment: Environment, body: Mapping[str, object]) -> NewRow:
    return NewRow(
        kind=kind,
        actor=actor,
        application_id=environment.application_id,
        environment_id=environment.id,
        body=body,
    )
