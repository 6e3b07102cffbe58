"""Questions to the policy, as the verbs ask them, with everything in order unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from bot.domain.decision import Asked, Decision, RuleResult, Standing
from bot.domain.model import Actor, Capacity, CheckSeen, EnvironmentState, Hold, Permission, ProbeKind
from bot.domain.policy import decide, decide_approval, decide_effect
from bot.domain.promotion import Promotion
from bot.domain.rules import Concurrency, Freeze, Policy, PolicySet, RequiredCheck, Rules, Who
from tests.domain import given
from tests.domain.given import NOW, OLD, OLD_DIGEST, POLICY, PRODUCTION, RULES

DEV_POLICY = Policy()
TWO = Policy(approvals=2, approval_hours=24, unknown_author_needs=-1)
WHOLE = PolicySet()
SCAN = RequiredCheck(name="scan", app_id=7)
CREW = 42
DEMANDING = Policy(
    approvals=1,
    approval_hours=24,
    unknown_author_needs=-1,
    request=Who(teams=(CREW,)),
    registries=("registry.example",),
    checks=(SCAN,),
    soak_minutes=60,
    branches=("main", "release/*"),
    freezes=(Freeze(name="last year", starts="2022-12-24T00:00", minutes=60),),
    concurrency=Concurrency.QUEUE,
    min_instances=2,
    min_zones=2,
    probe=ProbeKind.HTTP,
)
"""It asks for everything that a policy can ask for, so every fact is needed; `MET` is what meets it."""
MET: Mapping[str, Any] = {
    "teams": frozenset({CREW}),
    "checks": (CheckSeen(id=5, name="scan", app_id=7, status="completed", conclusion="success"),),
    "capacity": Capacity(instances=2, zones=2),
}

# NOW is 2023-11-14 22:13:20 UTC, a Tuesday.
TUESDAYS = Freeze(name="tuesdays", starts="2023-01-03T12:00", minutes=720, repeats="FREQ=WEEKLY", reason="market day")
FROZEN = replace(POLICY, freezes=(TUESDAYS,))


def demanded(request: Asked | None = None, policy: Policy = DEMANDING, **changes: Any) -> Decision:
    """The decision where the policy asks for everything, and all of it is met unless `changes` say otherwise."""
    return deciding(request, policy, **{**MET, **changes})


def deciding(request: Asked | None = None, policy: Policy | None = POLICY, **changes: Any) -> Decision:
    request = request or given.asked()
    return decide(request, given.facts(request.environment, **changes), policy, RULES, NOW)


def outcome(decision: Decision, rule: str) -> RuleResult:
    return next(r for r in decision.rules if r.rule == rule)


def role(name: str, base: str, user_id: int = given.ASKER.id) -> Permission:
    return Permission(user_id=user_id, role_name=name, permission=base)


def held(where: str, **changes: Any) -> dict[str, EnvironmentState]:
    states = dict(given.facts().states or {})
    hold = replace(Hold(commit=given.NEW, digest=given.NEW_DIGEST, stream="bad", since_us=1), **changes)
    return {**states, where: replace(states[where], held=(hold,))}


def state(**changes: Any) -> dict[str, Any]:
    """Facts in which production's state is changed."""
    states = dict(given.facts().states or {})
    return {"states": {**states, PRODUCTION.id: replace(states[PRODUCTION.id], **changes)}}


def back(**changes: Any) -> Asked:
    return given.asked(release=given.release(OLD, OLD_DIGEST), rollback=True, **changes)


def backwards(**changes: Any) -> dict[str, Any]:
    verified = (given.promoted(PRODUCTION, commit=OLD, digest=OLD_DIGEST),)
    return {"verified": verified, "running": given.release(), "range": None, "tag_digest": None, **changes}


def waiting(policy: Policy, *by: Actor, at_us: int = NOW, **changes: Any) -> Promotion:
    """A request under a policy, approved by these people."""
    request = given.request(policy=policy, **changes)
    rows = [
        given.approved(who, seq, at_us=at_us, evidence=request.evidence_hash) for seq, who in enumerate(by, start=2)
    ]
    return given.promotion(*rows, first=given.requested(request))


def standing(user_id: int, name: str = "write", base: str = "write", teams: Collection[int] | None = ()) -> Standing:
    return Standing(permission=role(name, base, user_id), teams=None if teams is None else frozenset(teams))


def approving(
    waiting: Promotion,
    by: Actor = given.OTHER,
    policy: Policy | None = POLICY,
    *,
    as_: Standing | None = None,
    request: Asked | None = None,
    rules: Rules = RULES,
    now_us: int = NOW,
    standings: Mapping[int, Standing] | None = None,
    policies: PolicySet = WHOLE,
    **changes: Any,
) -> Decision:
    """Somebody approves what waits. `changes` are of the facts."""
    request = request or again(waiting)
    return decide_approval(
        waiting,
        by,
        as_ or standing(by.id),
        request=request,
        facts=given.facts(request.environment, **changes),
        policy=policy,
        rules=rules,
        now_us=now_us,
        standings=standings,
        policies=policies,
    )


def taking_effect(
    promotion: Promotion,
    policy: Policy | None = POLICY,
    now_us: int = NOW,
    *,
    request: Asked | None = None,
    standings: Mapping[int, Standing] | None = None,
    policies: PolicySet = WHOLE,
    **changes: Any,
) -> Decision:
    """It is about to begin; everybody who approved still may. `changes` are of the facts."""
    request = request or again(promotion)
    if standings is None:
        standings = {a.actor.id: standing(a.actor.id) for a in promotion.approvals}
    facts = given.facts(request.environment, **changes)
    return decide_effect(promotion, request, facts, policy, RULES, now_us, standings=standings, policies=policies)


def again(promotion: Promotion) -> Asked:
    """What was asked, as the verbs ask it anew."""
    asked = promotion.request
    return given.asked(
        requester=asked.requester, release=asked.release, rollback=asked.rollback, break_glass=asked.break_glass
    )
