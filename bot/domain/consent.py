"""The rules about approvals, one small function each; `bot.domain.policy` collects their results.

An approval is a person's word on one evidence hash. It never outlives a change of what it was given for, nor the right
of whoever gave it. `again` is the line with which somebody may ask for the same release anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.domain import evidence
from bot.domain.codes import Code
from bot.domain.conditions import failed, passed, person_may, unknown
from bot.domain.decision import Asked, Fixer, RuleResult, RuleState, Standing
from bot.domain.model import Actor, ActorKind, Plan, Status
from bot.domain.promotion import Approval, Promotion
from bot.domain.rules import Group, Policy

_HOUR_US = 3_600_000_000
_NOBODY = Standing(teams=None)
"""Of somebody about whom nothing was asked: nothing is known."""


# --- one more yes ----------------------------------------------------------------------------------------------------


def awaits_approval(promotion: Promotion, approver: Actor) -> RuleResult:
    if promotion.status is Status.REQUESTED and not promotion.approved:
        return passed("open")
    if promotion.status is Status.APPROVED and approver in _given_by(promotion):
        return failed("open", Code.ALREADY_APPROVED, Fixer.APPROVER)
    return failed("open", Code.NOTHING_TO_APPROVE, Fixer.NOBODY, "/status")


def approver_may(approver: Actor, standing: Standing, policy: Policy, stage: str) -> RuleResult:
    """Rules 5 and 6: a person with the right at this moment; no App and no workflow ever, whatever list it is on."""
    return person_may("approver", approver, standing, policy.approve, stage=stage)


def second_person(promotion: Promotion, approver: Actor, excluded: tuple[int, ...]) -> RuleResult:
    """Rule 9: nobody approves their own work or their own request, and nobody counts twice. What was taken back may be
    given again."""
    if approver in _given_by(promotion):
        return failed("second_person", Code.ALREADY_APPROVED, Fixer.APPROVER)
    if approver.id in excluded or approver == promotion.request.requester:
        return failed("second_person", Code.AUTHOR_IS_APPROVER, Fixer.APPROVER, "/approve")
    return passed("second_person")


def leaves_room(
    promotion: Promotion, approver: Actor, standings: Mapping[int, Standing], groups: tuple[Group, ...]
) -> RuleResult:
    """Whether the groups of the quorum can still be filled after this yes: the last places are kept for them.

    Otherwise the number would be full, the promotion would begin, and be refused for a group that nobody stood for.
    """
    places = max(promotion.request.approvals_needed - len(promotion.approvals) - 1, 0)
    people = (*(approval.actor for approval in promotion.approvals), approver)
    return _short_of(groups, people, standings, places) or passed("quorum")


# --- what is signed --------------------------------------------------------------------------------------------------


def same_request(promotion: Promotion, request: Asked) -> RuleResult:
    """What is about to happen is what the journal says was asked."""
    asked = promotion.request
    same = (
        asked.release == request.release
        and asked.requester == request.requester
        and asked.rollback == request.rollback
        and asked.break_glass == request.break_glass
        and promotion.environment_id == request.environment.id
        and promotion.application_id == request.application.id
        and promotion.stream == request.stream
    )
    return passed("request") if same else failed("request", Code.PLAN_CHANGED, Fixer.REQUESTER)


def policy_unchanged(promotion: Promotion, policy_hash: str, again: str) -> RuleResult:
    """Rule 10: a changed policy voids what was approved under the old one."""
    was = promotion.request.policy_hash
    if was == policy_hash:
        return passed("policy")
    said = {"part": "policy", "was": was[:12], "now": policy_hash[:12]}
    return failed("policy", Code.POLICY_CHANGED, Fixer.WRITER, again, **said)


def evidence_unchanged(promotion: Promotion, plan: Plan | None, now: Mapping[str, Any], again: str) -> RuleResult:
    """Rule 10: every part is what was shown, the evidence hash covers exactly these, and the plan is the one in the
    journal. The first part that differs is told; one that cannot be established is unknown, and no change.

    `now` is taken under the request's own policy: that a policy changed is told by `policy_unchanged`.
    """
    request = promotion.request
    differing = evidence.changes(request.evidence, now)
    if differing:
        first = differing[0]
        return failed("evidence", evidence.code_of(first["part"]), Fixer.WRITER, again, **first)
    missing = evidence.unknown_code(now)
    if missing is not None:
        return unknown("evidence", missing)
    return _bound(promotion, plan, evidence.hash_of(now), again)


def as_shown_before_parts(promotion: Promotion, plan: Plan | None, hash_now: str, again: str) -> RuleResult:
    """The same for requests that were written before their parts were: by plan and hash."""
    return unknown("evidence", Code.PLAN_CHANGED) if plan is None else _bound(promotion, plan, hash_now, again)


def _bound(promotion: Promotion, plan: Plan | None, hash_now: str, again: str) -> RuleResult:
    # The body as well as its hash: what is written later is the body in the journal.
    if plan == promotion.request.plan and hash_now == promotion.request.evidence_hash:
        return passed("evidence")
    return failed("evidence", Code.PLAN_CHANGED, Fixer.WRITER, again)


# --- what was given --------------------------------------------------------------------------------------------------


def approvals_fresh(promotion: Promotion, policy: Policy, now_us: int, again: str) -> RuleResult:
    """Rule 10: an approval that was given has not run out before the missing ones came."""
    if all(_fresh(a, policy, now_us) for a in promotion.approvals):
        return passed("approvals")
    return failed("approvals", Code.APPROVAL_EXPIRED, Fixer.WRITER, again, hours=policy.approval_hours)


def counted(
    promotion: Promotion, excluded: tuple[int, ...], policy: Policy, standings: Mapping[int, Standing]
) -> Iterator[tuple[Approval, RuleResult]]:
    """Approvals of this very evidence by people who have no part in it, each with whether its giver still may."""
    for approval in promotion.approvals:
        actor = approval.actor
        own = actor.id in excluded or actor == promotion.request.requester
        if actor.kind is ActorKind.PERSON and not own and approval.evidence_hash == promotion.request.evidence_hash:
            yield approval, person_may("approvals", actor, standings.get(actor.id, _NOBODY), policy.approve)


def approvals_hold(
    given: tuple[tuple[Approval, RuleResult], ...], count: int, policy: Policy, now_us: int, again: str
) -> RuleResult:
    """Rules 5, 9 and 10: enough different people, each still with the right, each word on this evidence, none expired.

    `given` is from `counted`. Where it turns on somebody whose right could not be established, it is unknown.
    """
    may = {a.actor for a, right in given if right.passed and _fresh(a, policy, now_us)}
    if len(may) >= count:
        return passed("approvals")
    unclear = [(a, right) for a, right in given if right.state is RuleState.UNKNOWN and _fresh(a, policy, now_us)]
    if unclear and len(may | {a.actor for a, _ in unclear}) >= count:
        code = unclear[0][1].code or Code.PERMISSION_UNKNOWN
        return unknown("approvals", code, **unclear[0][1].values)
    if len({a.actor for a, right in given if right.passed}) >= count:
        return failed("approvals", Code.APPROVAL_EXPIRED, Fixer.WRITER, again, hours=policy.approval_hours)
    return failed("approvals", Code.NEEDS_APPROVAL, Fixer.APPROVER, again, needs=count - len(may))


def quorum_holds(
    given: tuple[tuple[Approval, RuleResult], ...],
    standings: Mapping[int, Standing],
    policy: Policy,
    groups: tuple[Group, ...],
    now_us: int,
) -> RuleResult:
    """Each group of the quorum has its members among those whose approvals count."""
    people = [a.actor for a, right in given if right.passed and _fresh(a, policy, now_us)]
    return _short_of(groups, people, standings, 0) or passed("quorum")


def _short_of(
    groups: tuple[Group, ...], people: Iterable[Actor], standings: Mapping[int, Standing], places: int
) -> RuleResult | None:
    """The first group that these people and `places` more cannot fill; known shortfalls before possible ones."""
    people, unclear = tuple(people), None
    for group in groups:
        found = [person_may("quorum", p, standings.get(p.id, _NOBODY), group.who) for p in people]
        needs = group.count - sum(result.passed for result in found) - places
        if needs <= 0:
            continue
        values: dict[str, str | int] = {"team": group.name, "needs": needs}
        maybe = [result for result in found if result.state is RuleState.UNKNOWN]
        if len(maybe) < needs:
            return failed("quorum", Code.QUORUM_MISSING, Fixer.APPROVER, "/approve", **values)
        unclear = unclear or unknown("quorum", maybe[0].code or Code.PERMISSION_UNKNOWN, **values)
    return unclear


def _given_by(promotion: Promotion) -> set[Actor]:
    return {a.actor for a in promotion.approvals}


def _fresh(approval: Approval, policy: Policy, now_us: int) -> bool:
    # An approval from the future is a clock that was set back, not a right.
    return approval.at_us <= now_us <= approval.at_us + policy.approval_hours * _HOUR_US
