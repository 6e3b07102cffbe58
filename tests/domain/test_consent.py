"""Who may approve, what an approval is bound to and when it has run out (security rules 5, 6, 9 and 10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import plan as plans
from bot.domain.codes import Code
from bot.domain.model import Actor, ActorKind
from bot.domain.policy import policy_hash
from tests.domain import given
from tests.domain.asking import TWO, approving, outcome, role
from tests.domain.given import NOW, POLICY, PRODUCTION, RULES


def test_a_second_person_may_approve() -> None:
    decision = approving(given.promotion())
    assert decision.allowed
    assert decision.approvals_needed == 0


@pytest.mark.parametrize("who", [given.AUTHOR, given.ASKER, given.MERGER])
def test_rule_9_nobody_approves_their_own_work(who: Actor) -> None:
    assert approving(given.promotion(), who).code is Code.AUTHOR_IS_APPROVER
    renamed = replace(who, login="somebody-else")
    assert approving(given.promotion(), renamed).code is Code.AUTHOR_IS_APPROVER


def test_rule_9_the_requester_is_excluded_even_if_the_list_forgot() -> None:
    assert approving(given.promotion(first=given.requested(excluded=())), given.ASKER).code is Code.AUTHOR_IS_APPROVER


@pytest.mark.parametrize("kind", [ActorKind.APP, ActorKind.WORKFLOW, ActorKind.SYSTEM])
def test_rule_6_no_bot_approves_even_when_it_may_request(kind: ActorKind) -> None:
    rules = replace(RULES, bots_that_may_request=frozenset({1234}))
    waiting = given.promotion(first=given.requested(policy_hash=policy_hash(POLICY, rules)))
    bot = Actor(kind=kind, id=1234)
    decision = approving(waiting, bot, rules=rules)
    assert outcome(decision, "approver").code is Code.BOT_REFUSED
    assert decision.refused


def test_rule_5_the_approvers_role_is_asked_too() -> None:
    waiting = given.promotion()
    assert approving(waiting, permission=role("read", "read", given.OTHER.id)).code is Code.PERMISSION_DENIED
    assert approving(waiting, permission=None).code is Code.PERMISSION_UNKNOWN
    assert approving(waiting, permission=role("admin", "admin", 666)).code is Code.PERMISSION_DENIED


def test_an_approval_counts_once() -> None:
    waiting = given.promotion(given.approved(), first=given.requested(given.request(policy=TWO)))
    assert approving(waiting, policy=TWO).code is Code.ALREADY_APPROVED
    another = Actor(kind=ActorKind.PERSON, id=15)
    assert approving(waiting, another, policy=TWO).allowed
    first = given.promotion(first=given.requested(given.request(policy=TWO)))
    assert approving(first, policy=TWO).approvals_needed == 1


def test_there_must_be_something_to_approve() -> None:
    assert approving(given.promotion(given.approved()), Actor(kind=ActorKind.PERSON, id=15)).code is (
        Code.NOTHING_TO_APPROVE
    )
    rejected = given.promotion(given.row("promotion.rejected", reason="no"))
    assert approving(rejected).code is Code.NOTHING_TO_APPROVE


def test_rule_10_a_changed_plan_or_policy_is_not_what_was_shown() -> None:
    waiting = given.promotion()
    bigger = plans.build(replace(PRODUCTION, settings=(("MODE", "b"),)), given.release(), controller="miso-test")
    assert approving(waiting, plan=bigger).code is Code.PLAN_CHANGED
    assert approving(waiting, plan=None).refused
    assert approving(waiting, environment=given.TEST).code is Code.PLAN_CHANGED
    looser = replace(POLICY, approval_hours=48)
    assert [r.code for r in approving(waiting, policy=looser).obstacles] == [Code.POLICY_CHANGED]
    rules = replace(RULES, registries=("registry.example", "evil.example"))
    assert approving(waiting, rules=rules).code is Code.POLICY_CHANGED


def test_rule_10_the_plan_in_the_journal_is_the_one_that_was_hashed() -> None:
    honest = given.request().plan
    swapped = replace(honest, body={**honest.body, "settings": {"MODE": "evil"}})
    waiting = given.promotion(first=given.requested(plan=swapped))
    assert approving(waiting, plan=honest).code is Code.PLAN_CHANGED


def test_rule_10_an_earlier_approval_must_not_have_run_out() -> None:
    waiting = given.promotion(given.approved(), first=given.requested(given.request(policy=TWO)))
    late = approving(waiting, Actor(kind=ActorKind.PERSON, id=15), policy=TWO, now_us=NOW + 25 * given.HOUR)
    assert late.code is Code.APPROVAL_EXPIRED
