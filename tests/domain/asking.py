"""Questions to the policy, as the verbs ask them, with everything in order unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.decision import Asked, Decision, RuleResult
from bot.domain.model import Actor, EnvironmentState, Hold, Permission
from bot.domain.policy import decide, decide_approval, decide_effect
from bot.domain.promotion import Promotion
from bot.domain.rules import Policy
from tests.domain import given
from tests.domain.given import NOW, OLD, OLD_DIGEST, POLICY, PRODUCTION, RULES

DEV_POLICY = Policy()
TWO = Policy(approvals=2, approval_hours=24, unknown_author_needs=-1)


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


def back(**changes: Any) -> Asked:
    return given.asked(release=given.release(OLD, OLD_DIGEST), rollback=True, **changes)


def backwards(**changes: Any) -> dict[str, Any]:
    verified = (given.promoted(PRODUCTION, commit=OLD, digest=OLD_DIGEST),)
    return {"verified": verified, "running": given.release(), "range": None, "tag_digest": None, **changes}


def approving(
    waiting: Promotion, by: Actor = given.OTHER, policy: Policy | None = POLICY, **changes: Any
) -> Decision:
    values: dict[str, Any] = {
        "permission": role("write", "write", by.id),
        "environment": PRODUCTION,
        "plan": waiting.request.plan,
        "rules": RULES,
        "now_us": NOW,
        **changes,
    }
    permission = values.pop("permission")
    return decide_approval(waiting, by, permission, policy=policy, **values)


def taking_effect(
    promotion: Promotion, policy: Policy | None = POLICY, now_us: int = NOW, **changes: Any
) -> Decision:
    return decide_effect(promotion, given.asked(), given.facts(**changes), policy, RULES, now_us)
