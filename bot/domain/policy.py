"""May this happen? One decision, the same at request, at approval and before the first effect (security rule 16).

Called by the verbs in `bot.services`, whichever door was used. Every rule is evaluated and told, so that comment,
check, gate, API and `/why` share one answer. It never fetches anything: what it was not told, it does not know, and
what it does not know does not pass. A promotion that has begun to write is finished or rolled back, not judged again.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from bot.domain import arrivals, conditions, consent
from bot.domain.authors import Authors, authors_of, commits_to_look_up
from bot.domain.canonical import digest_of
from bot.domain.decision import Asked, Decision, Facts, Fixer, RuleResult, RuleState, Verdict
from bot.domain.model import Actor, Environment, Permission, Plan, Release
from bot.domain.promotion import Promotion
from bot.domain.rules import Rules, Policy

__all__ = [
    "Asked",
    "Decision",
    "Facts",
    "Fixer",
    "RuleResult",
    "RuleState",
    "Verdict",
    "commits_to_look_up",
    "decide",
    "decide_approval",
    "decide_effect",
    "evidence_hash",
    "judge",
    "policy_hash",
]


def decide(request: Asked, facts: Facts, policy: Policy | None, rules: Rules, now_us: int) -> Decision:
    """May this release be asked for in this environment now, and whose approval would it still need?

    `policy` is that of the environment's stage; None (the operator wrote none) refuses. `now_us` is the moment of the
    facts, as in the other two decisions; no rule of a request depends on it.
    """
    if policy is None:
        return judge((), approvals_needed=0)
    authors = authors_of(request, facts)
    results = (*_of_release(request, facts, policy, rules), conditions.authors_known(request, authors, policy))
    return judge(results, approvals_needed=needed(request, authors, policy), excluded=authors.ids)


def decide_approval(
    promotion: Promotion,
    approver: Actor,
    permission: Permission | None,
    *,
    environment: Environment,
    plan: Plan | None,
    policy: Policy | None,
    rules: Rules,
    now_us: int,
) -> Decision:
    """May this person approve this promotion now? ALLOW means that the approval counts and may be written.

    `permission` is the approver's role, asked now; `plan` is built anew from the registry. `approvals_needed` of the
    answer says how many more people are needed after this one.
    """
    if policy is None:
        return judge((), approvals_needed=0)
    again = _again(environment, promotion.request.release)
    evidence = _evidence(promotion, environment, plan)
    results = (
        consent.awaits_approval(promotion),
        consent.approver_may(approver, permission, policy),
        consent.second_person(promotion, approver),
        consent.policy_unchanged(promotion, policy_hash(policy, rules), again),
        consent.evidence_unchanged(promotion, plan, evidence, again),
        consent.approvals_fresh(promotion, policy, now_us, again),
    )
    decision = judge(results, approvals_needed=0, excluded=promotion.request.excluded)
    missing = promotion.request.approvals_needed - len(promotion.approvals) - 1
    return replace(decision, approvals_needed=max(missing, 0))


def decide_effect(
    promotion: Promotion, request: Asked, facts: Facts, policy: Policy | None, rules: Rules, now_us: int
) -> Decision:
    """May the first write to Azure begin? Every rule of `decide` anew, and the approvals are counted against today.

    `request` names the promotion's own release, requester and stream. An approval counts when it is bound to the
    evidence, has not expired and its giver is excluded neither by what was known then nor by what is known now.
    NEEDS_APPROVAL is never answered here: what is not enough now is refused.
    """
    if policy is None:
        return judge((), approvals_needed=0)
    authors = authors_of(request, facts)
    excluded = tuple(sorted({*authors.ids, *promotion.request.excluded}))
    count = max(needed(request, authors, policy), promotion.request.approvals_needed)
    again = _again(request.environment, promotion.request.release)
    evidence = _evidence(promotion, request.environment, facts.plan)
    results = (
        *_of_release(request, facts, policy, rules),
        conditions.authors_known(request, authors, policy),
        consent.same_request(promotion, request),
        consent.policy_unchanged(promotion, policy_hash(policy, rules), again),
        consent.evidence_unchanged(promotion, facts.plan, evidence, again),
        consent.approvals_hold(promotion, count, excluded, policy, now_us, again),
    )
    return judge(results, approvals_needed=0, excluded=excluded)


def judge(results: tuple[RuleResult, ...], *, approvals_needed: int, excluded: tuple[int, ...] = ()) -> Decision:
    """The verdict that follows from rule results. No results at all, or one that is not a pass, refuses."""
    if not results or not all(r.passed for r in results):
        verdict = Verdict.REFUSE
    else:
        verdict = Verdict.NEEDS_APPROVAL if approvals_needed > 0 else Verdict.ALLOW
    return Decision(verdict=verdict, rules=results, approvals_needed=approvals_needed, excluded=excluded)


def needed(request: Asked, authors: Authors, policy: Policy) -> int:
    """How many people must approve. A rollback needs none: it goes to a state that was approved and seen healthy here,
    and `conditions.requester_may` asks its requester for the right to approve as well (rule 12)."""
    if request.rollback or policy.approvals <= 0:
        return 0
    return policy.approvals + (0 if authors.known else max(policy.unknown_author_needs, 0))


def policy_hash(policy: Policy, rules: Rules) -> str:
    """64 hex digits over every operator's decision that an approval relies on; changing one voids open approvals."""
    return digest_of(
        {
            "format": 1,
            "policy": asdict(policy),
            "controller": rules.controller,
            "registries": sorted(rules.registries),
            "bots": sorted(rules.bots_that_may_request),
        }
    )


def evidence_hash(release: Release, plan: Plan, policy_hash: str, environment_id: str) -> str:
    """64 hex digits over what an approver is shown: commit, digest, plan, policy, and where."""
    return digest_of(
        {
            "format": 1,
            "application": release.application_id,
            "environment": environment_id,
            "repository": release.repository_id,
            "commit": release.commit,
            "image": release.reference,
            "plan": plan.hash,
            "policy": policy_hash,
        }
    )


def _of_release(request: Asked, facts: Facts, policy: Policy, rules: Rules) -> tuple[RuleResult, ...]:
    """What must hold at request and again at the effect."""
    order = conditions.verified_here if request.rollback else conditions.verified_before
    return (
        conditions.requester_may(request, facts, policy, rules),
        conditions.identity_holds(request, facts),
        conditions.release_known(request),
        conditions.registry_allowed(request, rules),
        conditions.image_exists(request, facts),
        conditions.tag_holds(request, facts),
        order(request, facts),
        conditions.not_held(request, facts),
        conditions.not_older(request, facts),
        arrivals.settings_reach_it(request, facts),
        arrivals.not_duplicate(request, facts),
    )


def _evidence(promotion: Promotion, environment: Environment, plan: Plan | None) -> str:
    """The evidence hash as of now, under the policy of the request: a changed policy is a reason of its own."""
    request = promotion.request
    return evidence_hash(request.release, plan, request.policy_hash, environment.id) if plan is not None else ""


def _again(environment: Environment, release: Release) -> str:
    return f"/promote {environment.stage} @{conditions.short(release.commit)}"
