"""Asking for a promotion, approving, rejecting, rolling back, clearing a hold: the verbs behind every door.

Comment, button, gate, and later portal, API and command line end in these functions. Each re-reads what it decides on,
asks `bot.domain.policy`, and writes rows; nothing here touches Azure. Causes make streams, so a delivery that comes
twice tells the same story once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.context import Miso, Repository
from bot.domain import plan as plans
from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.conditions import person_may
from bot.domain.decision import Asked, Decision, RuleState
from bot.domain.messages import refusal, refusal_of
from bot.domain.model import (
    Actor,
    ActorKind,
    Application,
    Environment,
    Hold,
    NewRow,
    PromotionRow,
    Release,
    Stage,
    Status,
)
from bot.domain.promotion import Kind, Promotion, Request, previous_as_body, request_as_body
from bot.domain.rules import Policy
from bot.errors import Refused, Transient
from bot.services import access, journal, knowledge
from bot.services.access import Origin, Place

MOST_PAUSES = 60
"""So often the facts are asked for again before what cannot be established is a refusal: about nine hours."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a door hands over."""

    cause: str
    actor: Actor
    origin: Origin
    release: Release | None
    rollback: bool = False
    pull_request: int = 0
    comment_id: int = 0
    comment_hash: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a request or an approval: the promotion where there is one, and the decision with its reasons."""

    promotion: Promotion | None = None
    decision: Decision | None = None


async def request(miso: Miso, ask: Ask, place: Place, application: Application, environment: Environment) -> Outcome:
    """Ask for a release in an environment. Recorded when the policy allows it, at once or after approval."""
    stream = journal.stream_id("promotion", ask.cause, environment.id)
    existing = await journal.load(miso, stream)
    if existing is not None:
        # Perhaps somebody died between the request and this: it is told again, which changes nothing the second time.
        await _supersede(miso, environment, stream)
        return Outcome(promotion=existing)
    decision, row = await _decide(miso, ask, place, application, environment, stream)
    if row is None:
        return Outcome(decision=decision)
    done = await journal.record(miso, stream, lambda now: [row] if now is None else [], inbox_done=ask.origin.delivery)
    await _supersede(miso, environment, stream)
    return Outcome(promotion=done.promotion, decision=decision)


async def explain(miso: Miso, ask: Ask, place: Place, application: Application, environment: Environment) -> Decision:
    """The very decision that `request` would take now, without asking for anything."""
    decision, _ = await _decide(miso, ask, place, application, environment, stream="")
    return decision


async def _decide(
    miso: Miso, ask: Ask, place: Place, application: Application, environment: Environment, stream: str
) -> tuple[Decision, NewRow | None]:
    asked = Asked(
        requester=ask.actor,
        application=application,
        environment=environment,
        release=ask.release,
        rollback=ask.rollback,
        stream=stream,
    )
    facts = await knowledge.gather(miso, asked, place.repository)
    facts = replace(facts, identity=place.identity, binding=place.binding)
    stage_policy = miso.rules.policies.get(environment.stage)
    decision = policy.decide(asked, facts, stage_policy, miso.rules, miso.clock.now_us())
    if decision.refused or ask.release is None or facts.plan is None or stage_policy is None:
        return decision, None
    policy_hash = policy.policy_hash(stage_policy, miso.rules)
    state = await miso.store.environment_state(environment.id)
    previous, previous_plan = await last_verified(miso, state.last_verified)
    body = Request(
        cause=ask.cause,
        rollback=ask.rollback,
        release=ask.release,
        previous=previous,
        previous_plan=previous_plan,
        plan=facts.plan,
        policy_hash=policy_hash,
        evidence_hash=policy.evidence_hash(ask.release, facts.plan, policy_hash, environment.id),
        approvals_needed=decision.approvals_needed,
        excluded=decision.excluded,
        requester=ask.actor,
        installation_id=ask.origin.installation_id,
        pull_request=ask.pull_request,
        comment_id=ask.comment_id,
        comment_hash=ask.comment_hash,
    )
    return decision, _row(Kind.REQUESTED, ask.actor, environment, request_as_body(body))


async def _supersede(miso: Miso, environment: Environment, by: str) -> None:
    """The newest request of an environment is the one that counts; older ones that have not begun are told so."""
    newest = await journal.load(miso, by)
    for older in await miso.store.open_promotions(environment_id=environment.id):
        if older.stream == by or older.status not in (Status.REQUESTED, Status.APPROVED) or newest is None:
            continue
        if older.requested_us > newest.requested_us:
            continue

        def decide(now: Promotion | None) -> Sequence[NewRow]:
            if now is None or now.status not in (Status.REQUESTED, Status.APPROVED):
                return []
            return [_row(Kind.SUPERSEDED, newest.request.requester, environment, {"by": by})]

        await journal.record(miso, older.stream, decide)


async def approve(miso: Miso, stream: str, actor: Actor, origin: Origin, cause: str) -> Outcome:
    """Count one person's approval, if rule 9 lets it count. The same function for all five doors."""
    promotion, environment = await _waiting(miso, stream)
    if promotion is None or environment is None:
        raise refusal(Code.NOTHING_TO_APPROVE)
    if any(a.actor == actor and a.cause == cause for a in promotion.approvals):
        return Outcome(promotion=promotion)
    repository = access.facts_of(miso, origin)
    permission = await access.permission(repository, actor.login, actor.id)
    stage_policy = miso.rules.policies.get(environment.stage)
    plan = plans.build(environment, promotion.request.release, controller=miso.rules.controller)

    def judge(now: Promotion) -> Decision:
        return policy.decide_approval(
            now,
            actor,
            permission,
            environment=environment,
            plan=plan,
            policy=stage_policy,
            rules=miso.rules,
            now_us=miso.clock.now_us(),
        )

    decision = judge(promotion)

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or not judge(now).allowed:
            return []
        body = {"evidence": now.request.evidence_hash, "login": actor.login, "cause": cause}
        return [_row(Kind.APPROVED, actor, environment, body)]

    done = await journal.record(miso, stream, decide)
    if not done.rows and done.promotion is not None:
        # Somebody else moved it on in between: what is told is the decision over what stands there now.
        decision = judge(done.promotion)
    return Outcome(promotion=done.promotion, decision=decision)


async def reject(miso: Miso, stream: str, actor: Actor, origin: Origin, reason: str) -> Outcome:
    """Refuse this request. Anybody who might approve may reject, the author too: it can only stop something."""
    promotion, environment = await _waiting(miso, stream)
    if promotion is None or environment is None:
        raise refusal(Code.NOTHING_TO_REJECT)
    await _person_who_writes(miso, actor, origin)

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or now.status not in (Status.REQUESTED, Status.APPROVED):
            return []
        return [_row(Kind.REJECTED, actor, environment, {"reason": reason, "login": actor.login})]

    done = await journal.record(miso, stream, decide)
    if not done.rows:
        raise refusal(Code.NOTHING_TO_REJECT)
    return Outcome(promotion=done.promotion)


async def clear(
    miso: Miso, application: Application, commit: str, actor: Actor, origin: Origin, reason: str
) -> tuple[Hold, ...]:
    """Lift every hold on this release, with a name and a reason in the journal."""
    await _person_who_writes(miso, actor, origin)
    lifted: list[Hold] = []
    for environment in await miso.store.environments(application.id):
        state = await miso.store.environment_state(environment.id)
        for hold in state.held:
            if not hold.commit.startswith(commit):
                continue
            body = {"reason": reason, "login": actor.login, "commit": hold.commit}
            row = _row(Kind.HOLD_CLEARED, actor, environment, body)

            def decide(now: Promotion | None, row: NewRow = row) -> Sequence[NewRow]:
                return [row] if now is not None and now.held else []

            done = await journal.record(miso, hold.stream, decide)
            if done.rows:
                lifted.append(hold)
    if not lifted:
        raise refusal(Code.NOT_HELD)
    return tuple(lifted)


async def _person_who_writes(miso: Miso, actor: Actor, origin: Origin) -> None:
    """Rules 5 and 6: for what needs no more than write access, and still a person who has it now."""
    if actor.kind is not ActorKind.PERSON:
        raise refusal(Code.BOT_REFUSED)
    permission = await access.permission(access.facts_of(miso, origin), actor.login, actor.id)
    if not permission.can_write:
        raise refusal(Code.PERMISSION_DENIED)


async def admit(miso: Miso, promotion: Promotion, environment: Environment) -> NewRow | None:
    """The decision at the moment before the first effect: facts read anew, approvals counted against today.

    Answers None when it may begin. Otherwise the row that says why not: refused for good, or paused because something
    could not be established, which is never taken for a yes.
    """
    try:
        decision = await _decide_effect(miso, promotion, environment)
    except Transient as later:
        if promotion.pauses >= MOST_PAUSES:
            return _refused(promotion, environment, refusal(Code(later.code)))
        return _later(miso, promotion, environment, later.code, later.sentence, later.retry_after)
    except Refused as no:
        return _refused(promotion, environment, no)
    if decision.allowed:
        return None
    reason = refusal_of(decision)
    unknown = decision.obstacles and all(rule.state is RuleState.UNKNOWN for rule in decision.obstacles)
    if unknown and promotion.pauses < MOST_PAUSES:
        return _later(miso, promotion, environment, reason.code, reason.sentence, None)
    return _refused(promotion, environment, reason)


def _refused(promotion: Promotion, environment: Environment, no: Refused) -> NewRow:
    body: dict[str, object] = {"code": no.code, "sentence": no.sentence, "hint": no.hint}
    return _row(Kind.REFUSED, promotion.request.requester, environment, body)


async def _decide_effect(miso: Miso, promotion: Promotion, environment: Environment) -> Decision:
    application = await miso.store.application(promotion.application_id)
    if application is None:
        raise refusal(Code.GUID_NOT_BOUND)
    request = promotion.request
    origin = Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)
    repository = access.facts_of(miso, origin)
    asked = Asked(
        requester=request.requester,
        application=application,
        environment=environment,
        release=request.release,
        rollback=request.rollback,
        stream=promotion.stream,
    )
    stage_policy = miso.rules.policies.get(environment.stage)
    # No question here needs another's answer, so all of them cost the time of one.
    place, facts, promotion, _ = await asyncio.gather(
        access.bind(miso, origin, environment.stage),
        knowledge.gather(miso, asked, repository),
        _still_approved(promotion, repository, stage_policy),
        _still_as_typed(request, repository),
    )
    facts = replace(facts, identity=place.identity, binding=place.binding)
    return policy.decide_effect(promotion, asked, facts, stage_policy, miso.rules, miso.clock.now_us())


async def _still_as_typed(request: Request, repository: Repository) -> None:
    """Raises Refused when the comment that asked for this is gone or says something else now (rule 4)."""
    if request.comment_hash:
        comment = await repository.comment(request.comment_id)
        if comment is None or text_hash(comment.body) != request.comment_hash:
            raise refusal(Code.EDITED_COMMENT)


async def _still_approved(promotion: Promotion, repository: Repository, stage_policy: Policy | None) -> Promotion:
    """The promotion with those approvals only whose givers may still give them (rule 5: asked again at the effect)."""
    if stage_policy is None or not promotion.approvals:
        return promotion
    roles = await asyncio.gather(
        *(access.permission(repository, a.actor.login, a.actor.id) for a in promotion.approvals)
    )
    kept = tuple(
        approval
        for approval, role in zip(promotion.approvals, roles, strict=True)
        if person_may("approver", approval.actor, role, stage_policy.approve_permission).passed
    )
    return replace(promotion, approvals=kept)


def _later(
    miso: Miso, promotion: Promotion, environment: Environment, code: str, sentence: str, wait: float | None
) -> NewRow:
    seconds = wait if wait is not None else min(600.0, miso.rules.retry_seconds * 2 ** min(promotion.pauses, 10))
    until = miso.clock.now_us() + int(seconds * 1e6)
    body = {"code": code, "sentence": sentence, "until_us": until}
    return _row(Kind.PAUSED, promotion.request.requester, environment, body)


def text_hash(text: str) -> str:
    """What a comment said when it was heard, to see at the effect whether it still does (rule 4)."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "replace")).hexdigest()


async def last_verified(miso: Miso, stream: str) -> tuple[Release | None, plans.Plan | None]:
    """Release and plan that were last seen healthy: where a rollback goes."""
    if not stream:
        return None, None
    promotion = await journal.load(miso, stream)
    return (promotion.request.release, promotion.request.plan) if promotion else (None, None)


async def previous_now(miso: Miso, environment: Environment) -> dict[str, object]:
    """What a rollback would go back to, as of the moment when the deployment begins."""
    state = await miso.store.environment_state(environment.id)
    return previous_as_body(*await last_verified(miso, state.last_verified))


async def find_release(miso: Miso, application: Application, commit: str, stage: Stage) -> Release | None:
    """The release of a commit (or of at least 12 digits of one), as it was built and recorded.

    Prefers what was verified in the stage before, because that is the digest that may go on. Refuses digits that fit
    more than one commit.
    """
    rows = await miso.store.promotions(application_id=application.id, commit_prefix=commit, limit=100)
    if len({row.commit for row in rows}) > 1:
        raise refusal(Code.SHA_AMBIGUOUS)
    if not rows:
        return None
    environments = {e.id: e for e in await miso.store.environments(application.id)}

    def rank(row: PromotionRow) -> tuple[bool, bool, int]:
        environment = environments.get(row.environment_id)
        before = environment is not None and environment.stage is stage.before
        return (before and row.verified, row.verified, row.requested_us)

    found = await journal.load(miso, max(rows, key=rank).stream)
    return found.request.release if found else None


async def rollback_target(miso: Miso, application: Application, environment: Environment, commit: str) -> Release:
    """What `/rollback` goes to: the named release, or the one verified here before what runs, and never a held one."""
    state = await miso.store.environment_state(environment.id)
    running, _ = await knowledge.runs(miso, state)
    rows = await miso.store.promotions(
        application_id=application.id, environment_id=environment.id, commit_prefix=commit, verified=True, limit=100
    )
    if commit and not rows:
        raise refusal(Code.ROLLBACK_TARGET_NOT_VERIFIED)
    if commit and len({row.commit for row in rows}) > 1:
        raise refusal(Code.SHA_AMBIGUOUS)
    held = {hold.digest for hold in state.held}
    if commit and all(row.digest in held for row in rows):
        raise refusal(Code.RELEASE_HELD, stage=environment.stage, commit=rows[0].commit[:12])
    if not commit:
        rows = _before(rows, running)
    for row in rows:
        if row.digest not in held and (running is None or row.digest != running.digest):
            found = await journal.load(miso, row.stream)
            if found is not None:
                return found.request.release
    raise refusal(Code.NOTHING_TO_ROLL_BACK_TO)


def _before(rows: Sequence[PromotionRow], running: Release | None) -> Sequence[PromotionRow]:
    """Those that were live here before what runs now first was: going back never goes forward."""
    own = [row.requested_us for row in rows if running is not None and row.digest == running.digest]
    return [row for row in rows if not own or row.requested_us < min(own)]


async def _waiting(miso: Miso, stream: str) -> tuple[Promotion | None, Environment | None]:
    promotion = await journal.load(miso, stream)
    if promotion is None:
        return None, None
    return promotion, await miso.store.environment(promotion.environment_id)


def _row(kind: Kind, actor: Actor, environment: Environment, body: Mapping[str, object]) -> NewRow:
    return NewRow(
        kind=kind,
        actor=actor,
        application_id=environment.application_id,
        environment_id=environment.id,
        body=body,
    )
