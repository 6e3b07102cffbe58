"""One decision at request, at approval and at the effect, and the hashes that an approval is bound to."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.decision import Facts, RuleResult, RuleState, Verdict
from bot.domain.messages import refusal
from bot.domain.model import SYSTEM, Actor, CommitRange, ProbeKind
from bot.domain.policy import decide, decide_effect, judge, policy_hash, teams_named
from bot.domain.rules import Concurrency, Group, Policy, Who
from tests.domain import given
from tests.domain.asking import (
    DEMANDING,
    DEV_POLICY,
    MET,
    approving,
    deciding,
    demanded,
    held,
    outcome,
    role,
    taking_effect,
    waiting,
)
from tests.domain.given import NOW, OLD_DIGEST, POLICY, RULES

# --- the verdict -----------------------------------------------------------------------------------------------------


def test_production_needs_the_approval_of_somebody_who_has_no_part_in_it() -> None:
    decision = deciding()
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert decision.approvals_needed == 1
    assert decision.excluded == (11, 12, 13)
    assert decision.code is Code.NEEDS_APPROVAL
    assert all(r.passed and r.code is None for r in decision.rules)


def test_dev_needs_nobody_and_nothing_before() -> None:
    decision = deciding(given.asked(environment=given.DEV), DEV_POLICY, verified=None)
    assert decision.verdict is Verdict.ALLOW
    assert decision.code is None


def test_an_empty_rule_set_refuses() -> None:
    assert judge((), approvals_needed=0).verdict is Verdict.REFUSE
    assert judge((), approvals_needed=0).code is Code.NO_RULES


def test_a_stage_without_policy_refuses_at_all_three_doors() -> None:
    waiting = given.promotion()
    assert deciding(policy=None).refused
    assert approving(waiting, policy=None).refused
    assert taking_effect(given.promotion(given.approved()), policy=None).refused


@given_that(st.lists(st.sampled_from(RuleState), min_size=1, max_size=6), st.integers(0, 3))
def test_only_passes_pass(states: list[RuleState], needs: int) -> None:
    results = tuple(RuleResult(rule=str(n), state=state) for n, state in enumerate(states))
    decision = judge(results, approvals_needed=needs)
    assert decision.refused == any(state is not RuleState.PASS for state in states)
    assert decision.allowed == (not decision.refused and needs == 0)
    assert decision.rules == results


UNKNOWN: dict[str, Any] = {
    field.name: Code.GITHUB_UNAVAILABLE if field.name == "config" else None
    for field in fields(Facts)
    if field.name not in ("plan", "running_plan", "commit", "config_commit", "default_branch")
}
"""What each fact is when it is not known, for those that a decision cannot do without."""


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_fact_that_is_not_known_never_passes(name: str) -> None:
    assert demanded().verdict is Verdict.NEEDS_APPROVAL
    decision = demanded(**{name: UNKNOWN[name]})
    assert decision.refused
    assert any(r.state is RuleState.UNKNOWN or r.code is Code.UNKNOWN_AUTHOR for r in decision.obstacles)
    assert decision.code is not None


@given_that(st.sets(st.sampled_from(sorted(UNKNOWN)), min_size=1))
def test_knowing_less_never_allows_more(names: set[str]) -> None:
    full, less = demanded(), demanded(**{name: UNKNOWN[name] for name in names})
    assert {r.rule for r in full.rules} == {r.rule for r in less.rules}, "every rule is told, whatever is known"
    assert less.refused


@given_that(st.sets(st.sampled_from(sorted(UNKNOWN)), min_size=1))
def test_knowing_less_never_lets_anything_take_effect(names: set[str]) -> None:
    approved = waiting(DEMANDING, given.OTHER, found=MET)
    assert taking_effect(approved, DEMANDING, **MET).allowed
    assert taking_effect(approved, DEMANDING, **{**MET, **{name: UNKNOWN[name] for name in names}}).refused


def test_every_obstacle_has_a_sentence() -> None:
    nothing = decide(given.asked(release=None), Facts(), POLICY, RULES, NOW)
    for result in nothing.obstacles:
        assert result.code is not None
        assert refusal(result.code, **result.values).sentence


def test_failed_rules_are_told_before_unknown_ones() -> None:
    decision = deciding(identity=None, image_exists=False)
    assert [r.code for r in decision.obstacles] == [Code.ARTIFACT_GONE, Code.GITHUB_UNAVAILABLE]


# --- the effect ------------------------------------------------------------------------------------------------------


def test_an_approved_promotion_takes_effect() -> None:
    assert taking_effect(given.promotion(given.approved())).allowed


def test_without_approval_nothing_takes_effect() -> None:
    decision = taking_effect(given.promotion())
    assert decision.verdict is Verdict.REFUSE
    assert decision.code is Code.NEEDS_APPROVAL


@pytest.mark.parametrize("who", [given.AUTHOR, given.ASKER, given.MERGER])
def test_rule_9_an_excluded_approval_in_the_journal_does_not_count(who: Actor) -> None:
    assert taking_effect(given.promotion(given.approved(who))).code is Code.NEEDS_APPROVAL


def test_rule_9_who_turns_out_to_be_an_author_later_does_not_count() -> None:
    between = CommitRange(status="ahead", commits=(given.commit(author_id=given.OTHER.id),), complete=True)
    assert taking_effect(given.promotion(given.approved()), range=between).code is Code.NEEDS_APPROVAL


def test_rule_10_an_approval_runs_out() -> None:
    approved = given.promotion(given.approved())
    assert taking_effect(approved, now_us=NOW + 24 * given.HOUR).allowed
    assert taking_effect(approved, now_us=NOW + 24 * given.HOUR + 1).code is Code.APPROVAL_EXPIRED
    assert taking_effect(approved, now_us=NOW - 1).code is Code.APPROVAL_EXPIRED


def test_rule_10_an_approval_of_something_else_does_not_count() -> None:
    assert taking_effect(given.promotion(given.approved(evidence="0" * 64))).code is Code.NEEDS_APPROVAL


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"permission": None}, Code.PERMISSION_UNKNOWN),
        ({"permission": role("read", "read")}, Code.PERMISSION_DENIED),
        ({"image_exists": False}, Code.ARTIFACT_GONE),
        ({"tag_digest": OLD_DIGEST}, Code.ARTIFACT_MOVED),
        ({"states": held(given.TEST.id)}, Code.RELEASE_HELD),
        ({"range": CommitRange(status="behind", complete=True)}, Code.OLDER_COMMIT),
        ({"identity": replace(given.IDENTITY, owner_id=8)}, Code.REPOSITORY_TRANSFERRED),
        ({"binding": Code.GUID_NOT_BOUND}, Code.GUID_NOT_BOUND),
        ({"verified": ()}, Code.NOT_VERIFIED_BEFORE),
        ({"plan": None}, Code.PLAN_CHANGED),
    ],
)
def test_rule_5_what_held_at_request_must_hold_at_the_effect(changes: dict[str, Any], code: Code) -> None:
    assert taking_effect(given.promotion(given.approved()), **changes).code is code


def test_the_effect_is_the_one_that_was_asked_for() -> None:
    approved = given.promotion(given.approved())
    other = given.asked(release=given.release(digest=OLD_DIGEST))
    assert decide_effect(approved, other, given.facts(), POLICY, RULES, NOW).refused
    later = given.asked(stream="promotion-other")
    decision = decide_effect(approved, later, given.facts(), POLICY, RULES, NOW)
    assert outcome(decision, "request").code is Code.PLAN_CHANGED


def test_a_build_takes_effect_in_dev_without_anybody() -> None:
    request = given.request(given.DEV, DEV_POLICY, requester=SYSTEM, excluded=())
    first = replace(given.requested(request), environment_id=given.DEV.id)
    asked = given.asked(environment=given.DEV, requester=SYSTEM)
    known = given.facts(given.DEV, permission=None, pull_requests=None)
    assert decide_effect(given.promotion(first=first), asked, known, DEV_POLICY, RULES, NOW).allowed


# --- the policy ------------------------------------------------------------------------------------------------------


def test_the_policy_hash_does_not_depend_on_order_or_on_limits() -> None:
    one = replace(RULES, registries=("a.example", "b.example"), bots_that_may_request=frozenset({1, 2}))
    two = replace(RULES, registries=("b.example", "a.example"), bots_that_may_request=frozenset({2, 1}), lease_ttl=3)
    assert policy_hash(POLICY, one) == policy_hash(POLICY, two)
    assert policy_hash(POLICY, one) != policy_hash(POLICY, RULES)


def test_the_policy_hash_covers_every_key() -> None:
    group = Group(name="security", count=1, who=Who(teams=(4,)))
    full = replace(DEMANDING, groups=(group,), probe=ProbeKind.PLATFORM, concurrency=Concurrency.SUPERSEDE)
    changed = {f.name: _other(getattr(full, f.name)) for f in fields(Policy)}
    hashes = {policy_hash(replace(full, **{name: value}), RULES) for name, value in changed.items()}
    assert len(hashes | {policy_hash(full, RULES)}) == len(changed) + 1


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case tuple():
            return ()
        case Who():
            return replace(value, users=(5,))
        case Concurrency():
            return Concurrency.QUEUE
        case _:
            return ProbeKind.HTTP


def test_every_team_that_a_decision_asks_about_is_named() -> None:
    group = Group(name="security", count=1, who=Who(teams=(4,)))
    policy = Policy(request=Who(teams=(3, 1)), approve=Who(teams=(2,)), rollback=Who(teams=(1, 5)), groups=(group,))
    assert teams_named(policy) == (1, 2, 3, 4, 5)
