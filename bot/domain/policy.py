"""May this happen? One decision, the same at request, at approval and before the first effect (security rule 16).

Called by the verbs in `bot.services`, whichever door was used. Every rule is evaluated and told, so that comment,
check, gate, API and `/why` share one answer. It never fetches anything: what it was not told, it does not know, and
what it does not know does not pass. A promotion that has begun to write is finished or rolled back, not judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain import arrivals, closures, conditions, consent, demands, evidence
from bot.domain.authors import Authors, authors_of, commits_to_look_up, is_signed, people_needed
from bot.domain.canonical import digest_of
from bot.domain.decision import Asked, Decision, Facts, Fixer, RuleResult, RuleState, Standing, Verdict
from bot.domain.model import Actor, Environment
from bot.domain.promotion import Promotion, Request
from bot.domain.rules import Group, Policy, PolicySet, Rules, policy_as_body

__all__ = [
    "SKIPPABLE",
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
    "evidence_of",
    "judge",
    "policy_hash",
    "teams_named",
]

SKIPPABLE = frozenset({"freeze", "lock", "soak", "checks", "order", "availability", "probe", "branch"})
"""Rules that two people may go past (rule 36). Who asks, whose repository, which image, holds, bans, the fence and the
approvals themselves are not among them, and what is not among them is never marked as skipped."""
_NO_SET = PolicySet()


def decide(
    request: Asked,
    facts: Facts,
    policy: Policy | None,
    rules: Rules,
    now_us: int,
    policies: PolicySet = _NO_SET,
) -> Decision:
    """May this release be asked for in this environment now, and how many people would still have to agree?

    `policy` is the effective one of the environment; None (nobody wrote one) refuses. With `request.break_glass`, rules
    of `SKIPPABLE` that do not pass are marked `skipped` and stand in nobody's way, at the price of a second person.
    """
    if policy is None:
        return judge((), approvals_needed=0)
    authors = authors_of(request, facts)
    results = (*_of_release(request, facts, policy, rules, now_us, authors), closures.glass_may_break(request, policy))
    return judge(
        _go_past(request, policy, results),
        approvals_needed=needed(request, authors, policy),
        excluded=authors.ids,
    )


def decide_approval(
    promotion: Promotion,
    approver: Actor,
    standing: Standing,
    *,
    request: Asked,
    facts: Facts,
    policy: Policy | None,
    rules: Rules,
    now_us: int,
    standings: Mapping[int, Standing] | None = None,
    policies: PolicySet = _NO_SET,
) -> Decision:
    """May this person approve this promotion now? ALLOW means that the approval counts and may be written.

    `standing` is the approver's, asked now; `request` and `facts` are as for `decide_effect`: a yes to what would be
    refused at the next moment would be used up for nothing. `standings` of those who approved before, by account id,
    are needed only where the policy wants groups. `approvals_needed` of the answer says how many more people are
    needed after this one.
    """
    if policy is None:
        return judge((), approvals_needed=0)
    authors = authors_of(request, facts)
    excluded = _excluded(promotion, authors)
    count = max(needed(request, authors, policy), promotion.request.approvals_needed)
    again, stage = _again(promotion.request, request.environment), request.environment.stage.value
    people = {**(standings or {}), approver.id: standing}
    results = (
        consent.awaits_approval(promotion, approver),
        consent.approver_may(approver, standing, policy, stage),
        consent.second_person(promotion, approver, excluded),
        *_as_signed(promotion, request, facts, policy, rules, again),
        consent.approvals_fresh(promotion, policy, now_us, again),
        consent.leaves_room(promotion, approver, people, _groups(request, policy)),
        *_of_release(request, facts, policy, rules, now_us, authors),
        closures.glass_in_time(promotion, request, policy, policies.break_glass_minutes, now_us, again, begins=False),
    )
    decision = judge(_as_agreed(promotion, policy, request, results, again), approvals_needed=0, excluded=excluded)
    return replace(decision, approvals_needed=max(count - len(promotion.approvals) - 1, 0))


def decide_effect(
    promotion: Promotion,
    request: Asked,
    facts: Facts,
    policy: Policy | None,
    rules: Rules,
    now_us: int,
    *,
    standings: Mapping[int, Standing] | None = None,
    policies: PolicySet = _NO_SET,
) -> Decision:
    """May the first write to Azure begin? Every rule of `decide` anew, and the approvals are counted against today.

    `request` names the promotion's own release, requester and stream; `standings` are those of everybody who approved,
    by account id. An approval counts when it is bound to the evidence, has not expired, its giver may still approve
    and is excluded neither by what was known then nor by what is known now. NEEDS_APPROVAL is never answered here: what
    is not enough now is refused.
    """
    if policy is None:
        return judge((), approvals_needed=0)
    authors = authors_of(request, facts)
    excluded = _excluded(promotion, authors)
    count = max(needed(request, authors, policy), promotion.request.approvals_needed)
    again = _again(promotion.request, request.environment)
    standings = standings or {}
    given = tuple(consent.counted(promotion, excluded, policy, standings)) if count else ()
    results = (
        *_of_release(request, facts, policy, rules, now_us, authors),
        closures.glass_in_time(promotion, request, policy, policies.break_glass_minutes, now_us, again, begins=True),
        closures.its_turn(promotion, request, facts, policy),
        *_as_signed(promotion, request, facts, policy, rules, again),
        consent.approvals_hold(given, count, policy, now_us, again),
        consent.quorum_holds(given, standings, policy, _groups(request, policy), now_us),
    )
    return judge(_as_agreed(promotion, policy, request, results, again), approvals_needed=0, excluded=excluded)


def judge(results: tuple[RuleResult, ...], *, approvals_needed: int, excluded: tuple[int, ...] = ()) -> Decision:
    """The verdict that follows from rule results. No results at all, or one that stands in the way, refuses."""
    if not results or not all(r.passed or (r.skipped and r.rule in SKIPPABLE) for r in results):
        verdict = Verdict.REFUSE
    else:
        verdict = Verdict.NEEDS_APPROVAL if approvals_needed > 0 else Verdict.ALLOW
    return Decision(verdict=verdict, rules=results, approvals_needed=approvals_needed, excluded=excluded)


def needed(request: Asked, authors: Authors, policy: Policy) -> int:
    """How many people must approve: as many as the policy wants, more for authors who cannot be told, and one at least
    for whoever goes past rules."""
    if not is_signed(request, policy):
        return 0
    people = 0 if request.rollback else people_needed(policy)
    return max(people, 1) + (0 if authors.known else max(policy.unknown_author_needs, 0))


def teams_named(policy: Policy) -> tuple[int, ...]:
    """Numeric ids of every team that the policy asks about, sorted: whose members must be known to decide."""
    sets = (policy.request, policy.approve, policy.rollback, *(group.who for group in policy.groups))
    return tuple(sorted({team for who in sets for team in who.teams}))


def policy_hash(policy: Policy, rules: Rules) -> str:
    """64 hex digits over every operator's decision that an approval relies on; changing one voids open approvals."""
    return digest_of(
        {
            "format": 2,
            "policy": policy_as_body(policy),
            "controller": rules.controller,
            "registries": sorted(rules.registries),
            "bots": sorted(rules.bots_that_may_request),
        }
    )


def evidence_of(
    request: Asked, facts: Facts, policy: Policy, rules: Rules, skipped: tuple[str, ...] = ()
) -> Mapping[str, Any] | None:
    """What an approver is shown and signs, part by part, with `skipped` the rules that are gone past.

    None when a part could not be established: then there is nothing that anybody could sign.
    """
    found = evidence.parts(request, facts, policy, policy_hash(policy, rules), skipped)
    return found if evidence.unknown_code(found) is None else None


# --- the parts of a decision -----------------------------------------------------------------------------------------


def _of_release(
    request: Asked, facts: Facts, policy: Policy, rules: Rules, now_us: int, authors: Authors
) -> tuple[RuleResult, ...]:
    """What must hold at the request, at every approval, and again at the effect."""
    order = conditions.verified_here if request.rollback else conditions.verified_before
    return (
        conditions.requester_may(request, facts, policy, rules),
        conditions.identity_holds(request, facts),
        demands.configuration_read(request, facts),
        conditions.release_known(request),
        conditions.registry_allowed(request, rules),
        demands.source_allowed(request, policy),
        demands.pull_request_allowed(request, policy),
        demands.branch_allowed(request, facts, policy),
        conditions.image_exists(request, facts),
        conditions.tag_holds(request, facts),
        order(request, facts),
        closures.not_held(request, facts),
        conditions.not_older(request, facts, policy),
        arrivals.settings_reach_it(request, facts),
        arrivals.not_duplicate(request, facts),
        demands.soaked(request, facts, policy, now_us),
        demands.checks_succeeded(request, facts, policy),
        demands.available_enough(request, facts, policy),
        demands.probe_strong_enough(request, policy),
        closures.not_frozen(request, policy, now_us),
        closures.not_locked(request, facts, now_us),
        conditions.authors_known(request, authors, policy),
    )


def _as_signed(
    promotion: Promotion, request: Asked, facts: Facts, policy: Policy, rules: Rules, again: str
) -> tuple[RuleResult, ...]:
    """Whether it still is what was asked, shown and signed."""
    asked = promotion.request
    if asked.evidence:
        now = evidence.parts(request, facts, asked.policy, asked.policy_hash, asked.skipped)
        shown = consent.evidence_unchanged(promotion, facts.plan, now, again)
    else:
        place = request.environment.id
        before = evidence.hash_before_parts(asked.release, facts.plan, asked.policy_hash, place) if facts.plan else ""
        shown = consent.as_shown_before_parts(promotion, facts.plan, before, again)
    return (
        consent.same_request(promotion, request),
        consent.policy_unchanged(promotion, policy_hash(policy, rules), again),
        shown,
    )


def _go_past(request: Asked, policy: Policy, results: tuple[RuleResult, ...]) -> tuple[RuleResult, ...]:
    """With break-glass, what may be gone past is marked and no longer stands in the way."""
    if not request.break_glass or not policy.break_glass:
        return results
    return tuple(r if r.passed or r.rule not in SKIPPABLE else replace(r, skipped=True) for r in results)


def _as_agreed(
    promotion: Promotion, policy: Policy, request: Asked, results: tuple[RuleResult, ...], again: str
) -> tuple[RuleResult, ...]:
    """The same once people agreed to certain rules being gone past. Another that fails now is a change of what they
    agreed to; another that is not known now is just not known."""
    agreed = promotion.request.skipped
    past = _go_past(request, policy, results)
    marked = tuple(
        was if now.skipped and now.rule not in agreed and now.state is RuleState.UNKNOWN else now
        for was, now in zip(results, past, strict=True)
    )
    more = closures.nothing_more_is_skipped(promotion, tuple(r.rule for r in marked if r.skipped), again)
    return tuple(more if r.rule == "break_glass" and r.passed else r for r in marked)


def _excluded(promotion: Promotion, authors: Authors) -> tuple[int, ...]:
    """Whose approval does not count: by what was known at the request, and by what is known now."""
    return tuple(sorted({*authors.ids, *promotion.request.excluded}))


def _groups(request: Asked, policy: Policy) -> tuple[Group, ...]:
    """A rollback wants no quorum, only the second person where rules are gone past."""
    return () if request.rollback else policy.groups


def _again(asked: Request, environment: Environment) -> str:
    """The line with which somebody may ask for the same once more."""
    commit = conditions.short(asked.release.commit)
    line = (
        f"/rollback {environment.stage} to @{commit}" if asked.rollback else f"/promote {environment.stage} @{commit}"
    )
    return f"{line} --break-glass <reason>" if asked.break_glass and not asked.rollback else line
