"""The rules about approvals, one small function each; `bot.domain.policy` collects their results.

An approval is a person's word on one evidence hash. It never outlives a change of what it was given for. `again` is
the line with which somebody may ask for the same release anew.
"""

from __future__ import annotations

from bot.domain.codes import Code
from bot.domain.conditions import failed, passed, person_may, unknown
from bot.domain.decision import Asked, Fixer, RuleResult
from bot.domain.model import Actor, ActorKind, Permission, Plan, Status
from bot.domain.promotion import Approval, Promotion
from bot.domain.rules import Policy

_HOUR_US = 3_600_000_000


def awaits_approval(promotion: Promotion) -> RuleResult:
    if promotion.status is Status.REQUESTED and not promotion.approved:
        return passed("open")
    return failed("open", Code.NOTHING_TO_APPROVE, Fixer.NOBODY, "/status")


def approver_may(approver: Actor, permission: Permission | None, policy: Policy) -> RuleResult:
    """Rules 5 and 6: a person with the role at this moment; no App and no workflow ever, whatever list it is on."""
    if approver.kind is not ActorKind.PERSON:
        return failed("approver", Code.BOT_REFUSED, Fixer.APPROVER)
    return person_may("approver", approver, permission, policy.approve_permission)


def second_person(promotion: Promotion, approver: Actor) -> RuleResult:
    """Rule 9: nobody approves their own work or their own request, and nobody counts twice."""
    if approver in _given_by(promotion):
        return failed("second_person", Code.ALREADY_APPROVED, Fixer.APPROVER)
    if approver.id in promotion.request.excluded or approver == promotion.request.requester:
        return failed("second_person", Code.AUTHOR_IS_APPROVER, Fixer.APPROVER, "/approve")
    return passed("second_person")


def same_request(promotion: Promotion, request: Asked) -> RuleResult:
    """What is about to happen is what the journal says was asked."""
    asked = promotion.request
    same = (
        asked.release == request.release
        and asked.requester == request.requester
        and asked.rollback == request.rollback
        and promotion.environment_id == request.environment.id
        and promotion.application_id == request.application.id
        and promotion.stream == request.stream
    )
    return passed("request") if same else failed("request", Code.PLAN_CHANGED, Fixer.REQUESTER)


def policy_unchanged(promotion: Promotion, policy_hash: str, again: str) -> RuleResult:
    """Rule 10: a changed policy voids what was approved under the old one."""
    if promotion.request.policy_hash == policy_hash:
        return passed("policy")
    return failed("policy", Code.POLICY_CHANGED, Fixer.WRITER, again)


def evidence_unchanged(promotion: Promotion, plan: Plan | None, evidence: str, again: str) -> RuleResult:
    """Rule 10: the plan built anew is the one that was shown, and the evidence hash covers exactly it.

    `evidence` is computed with the request's policy hash: that a policy changed is told by `policy_unchanged`.
    """
    if plan is None:
        return unknown("evidence", Code.PLAN_CHANGED)
    # The body as well as its hash: what is written later is the body in the journal.
    if plan == promotion.request.plan and evidence == promotion.request.evidence_hash:
        return passed("evidence")
    return failed("evidence", Code.PLAN_CHANGED, Fixer.WRITER, again)


def approvals_fresh(promotion: Promotion, policy: Policy, now_us: int, again: str) -> RuleResult:
    """Rule 10: an approval that was given has not run out before the missing ones came."""
    if all(_fresh(a, policy, now_us) for a in promotion.approvals):
        return passed("approvals")
    return failed("approvals", Code.APPROVAL_EXPIRED, Fixer.WRITER, again, hours=policy.approval_hours)


def approvals_hold(
    promotion: Promotion, count: int, excluded: tuple[int, ...], policy: Policy, now_us: int, again: str
) -> RuleResult:
    """Rules 9 and 10: enough different people, none excluded, each bound to this evidence, none expired."""
    evidence = promotion.request.evidence_hash
    bound = [a for a in promotion.approvals if a.evidence_hash == evidence and _counts(a, excluded)]
    fresh = {a.actor for a in bound if _fresh(a, policy, now_us)}
    if len(fresh) >= count:
        return passed("approvals")
    if len({a.actor for a in bound}) >= count:
        return failed("approvals", Code.APPROVAL_EXPIRED, Fixer.WRITER, again, hours=policy.approval_hours)
    return failed("approvals", Code.NEEDS_APPROVAL, Fixer.APPROVER, again, needs=count - len(fresh))


def _given_by(promotion: Promotion) -> set[Actor]:
    return {a.actor for a in promotion.approvals}


def _counts(approval: Approval, excluded: tuple[int, ...]) -> bool:
    return approval.actor.kind is ActorKind.PERSON and approval.actor.id not in excluded


def _fresh(approval: Approval, policy: Policy, now_us: int) -> bool:
    # An approval from the future is a clock that was set back, not a right.
    return approval.at_us <= now_us <= approval.at_us + policy.approval_hours * _HOUR_US
