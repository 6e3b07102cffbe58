"""Who may approve, what an approval is bound to and when it has run out (security rules 5, 6, 9 and 10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import evidence
from bot.domain import plan as plans
from bot.domain.codes import Code
from bot.domain.decision import RuleState, Standing
from bot.domain.model import Actor, ActorKind, CommitRange
from bot.domain.rules import Group, Who
from tests.domain import given
from tests.domain.asking import TWO, approving, deciding, held, outcome, standing, taking_effect, waiting
from tests.domain.given import NOW, POLICY, PRODUCTION, RULES

FOURTH = Actor(kind=ActorKind.PERSON, id=15)


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
    decision = approving(given.promotion(), Actor(kind=kind, id=1234), rules=rules)
    assert outcome(decision, "approver").code is Code.BOT_REFUSED
    assert decision.refused


def test_rule_5_the_approvers_role_is_asked_too() -> None:
    asked = given.promotion()
    for standing_now, code in (
        (standing(given.OTHER.id, "read", "read"), Code.PERMISSION_DENIED),
        (Standing(), Code.PERMISSION_UNKNOWN),
        (standing(666, "admin", "admin"), Code.PERMISSION_DENIED),
    ):
        assert approving(asked, as_=standing_now).code is code


def test_rule_5_where_the_policy_names_a_team_only_its_members_approve() -> None:
    policy = replace(POLICY, approve=Who(role="write", teams=(42,)))
    asked = waiting(policy)
    for teams, code in (((42,), None), ((43,), Code.NOT_IN_TEAM), (None, Code.TEAM_UNKNOWN)):
        assert approving(asked, policy=policy, as_=standing(given.OTHER.id, teams=teams)).code is code


def test_an_approval_counts_once() -> None:
    asked = waiting(TWO, given.OTHER)
    assert approving(asked, policy=TWO).code is Code.ALREADY_APPROVED
    assert approving(asked, FOURTH, policy=TWO).allowed
    first = waiting(TWO)
    assert approving(first, policy=TWO).approvals_needed == 1


def test_who_approved_is_told_so_even_when_nothing_waits_any_more() -> None:
    assert approving(given.promotion(given.approved())).code is Code.ALREADY_APPROVED


def test_what_was_taken_back_may_be_given_again() -> None:
    revoked = given.promotion(given.approved(), given.row("promotion.revoked", 3))
    assert taking_effect(revoked).code is Code.NEEDS_APPROVAL
    assert approving(revoked).allowed
    assert taking_effect(
        given.promotion(given.approved(), given.row("promotion.revoked", 3), given.approved(seq=4))
    ).allowed


def test_there_must_be_something_to_approve() -> None:
    assert approving(given.promotion(given.approved()), FOURTH).code is Code.NOTHING_TO_APPROVE
    rejected = given.promotion(given.row("promotion.rejected", reason="no"))
    assert approving(rejected).code is Code.NOTHING_TO_APPROVE


def test_what_would_be_refused_at_the_next_moment_is_not_approved() -> None:
    asked = given.promotion()
    assert approving(asked, states=held(given.TEST.id)).code is Code.RELEASE_HELD
    assert approving(asked, permission=None).code is Code.PERMISSION_UNKNOWN
    assert approving(asked, image_exists=False).code is Code.ARTIFACT_GONE


def test_rule_9_who_turns_out_to_be_an_author_later_does_not_approve() -> None:
    between = CommitRange(status="ahead", commits=(given.commit(author_id=given.OTHER.id),), complete=True)
    assert approving(given.promotion(), range=between).code is Code.AUTHOR_IS_APPROVER


def test_rule_10_a_changed_plan_or_policy_is_not_what_was_shown() -> None:
    asked = given.promotion()
    bigger = plans.build(replace(PRODUCTION, settings=(("MODE", "b"),)), given.release(), controller="miso-test")
    assert approving(asked, plan=bigger).code is Code.PLAN_CHANGED
    assert outcome(approving(asked, plan=None), "evidence").state is RuleState.UNKNOWN
    elsewhere = replace(given.asked(), environment=given.TEST)
    assert outcome(approving(asked, request=elsewhere), "request").code is Code.PLAN_CHANGED
    looser = replace(POLICY, approval_hours=48)
    assert [r.code for r in approving(asked, policy=looser).obstacles] == [Code.POLICY_CHANGED]
    rules = replace(RULES, registries=("registry.example", "evil.example"))
    assert approving(asked, rules=rules).code is Code.POLICY_CHANGED


def test_rule_10_the_plan_in_the_journal_is_the_one_that_was_hashed() -> None:
    honest = given.request().plan
    swapped = replace(honest, body={**honest.body, "settings": {"MODE": "evil"}})
    asked = given.promotion(first=given.requested(plan=swapped))
    assert approving(asked, plan=honest).code is Code.PLAN_CHANGED


def test_rule_10_the_parts_in_the_journal_are_those_that_were_hashed() -> None:
    honest = given.request()
    asked = given.promotion(first=given.requested(evidence_hash="0" * 64, evidence=honest.evidence))
    assert approving(asked).code is Code.PLAN_CHANGED


def test_rule_10_a_request_from_before_its_parts_were_written_is_judged_by_plan_and_hash() -> None:
    new = given.request()
    before = evidence.hash_before_parts(new.release, new.plan, new.policy_hash, PRODUCTION.id)
    asked = given.promotion(first=given.requested(evidence={}, evidence_hash=before))
    assert approving(asked).allowed
    assert approving(asked, plan=None).code is Code.PLAN_CHANGED
    bigger = plans.build(replace(PRODUCTION, settings=(("MODE", "b"),)), given.release(), controller="miso-test")
    assert approving(asked, plan=bigger).code is Code.PLAN_CHANGED
    assert approving(given.promotion(first=given.requested(evidence={}))).code is Code.PLAN_CHANGED


def test_rule_10_an_earlier_approval_must_not_have_run_out() -> None:
    asked = waiting(TWO, given.OTHER)
    late = approving(asked, FOURTH, policy=TWO, now_us=NOW + 25 * given.HOUR)
    assert late.code is Code.APPROVAL_EXPIRED


# --- a quorum of certain people --------------------------------------------------------------------------------------

SECURITY = Group(name="security", count=1, who=Who(teams=(42,)))
QUORUM = replace(TWO, groups=(SECURITY,))
MEMBER, NEUTRAL = standing(given.OTHER.id, teams=(42,)), standing(given.OTHER.id)


def test_the_last_place_is_kept_for_the_group_that_must_have_it() -> None:
    assert approving(waiting(QUORUM), policy=QUORUM, as_=NEUTRAL).allowed, "one place is left"
    one, before = waiting(QUORUM, given.OTHER), {given.OTHER.id: NEUTRAL}
    fourth = standing(FOURTH.id)
    assert approving(one, FOURTH, QUORUM, as_=fourth, standings=before).code is Code.QUORUM_MISSING
    assert approving(one, FOURTH, QUORUM, as_=standing(FOURTH.id, teams=(42,)), standings=before).allowed
    assert approving(one, FOURTH, QUORUM, as_=fourth, standings={given.OTHER.id: MEMBER}).allowed
    asked_nobody = outcome(approving(one, FOURTH, QUORUM, as_=fourth), "quorum")
    assert asked_nobody.state is RuleState.UNKNOWN, (
        "of the first it is not known, so it may be that the group is filled"
    )


def test_the_number_is_not_enough_where_a_group_is_missing() -> None:
    two = waiting(QUORUM, given.OTHER, FOURTH)
    others = {given.OTHER.id: NEUTRAL, FOURTH.id: standing(FOURTH.id)}
    decision = taking_effect(two, QUORUM, standings=others)
    assert decision.code is Code.QUORUM_MISSING
    assert outcome(decision, "quorum").values["team"] == "security"
    assert taking_effect(two, QUORUM, standings={**others, given.OTHER.id: MEMBER}).allowed
    unread = taking_effect(two, QUORUM, standings={**others, given.OTHER.id: standing(given.OTHER.id, teams=None)})
    assert outcome(unread, "quorum").state is RuleState.UNKNOWN


def test_one_person_stands_for_two_groups_but_counts_once() -> None:
    owners = Group(name="owners", count=1, who=Who(users=(given.OTHER.id,)))
    policy = replace(QUORUM, groups=(SECURITY, owners))
    one = waiting(policy, given.OTHER)
    assert approving(one, FOURTH, policy, standings={given.OTHER.id: MEMBER}).allowed
    assert outcome(taking_effect(one, policy, standings={given.OTHER.id: MEMBER}), "approvals").values["needs"] == 1


def test_a_group_counts_even_where_the_number_was_forgotten() -> None:
    policy = replace(POLICY, approvals=0, groups=(replace(SECURITY, count=2),))
    assert deciding(policy=policy).approvals_needed == 2


# --- at the effect ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "state", "code"),
    [
        (standing(given.OTHER.id), None, None),
        (standing(given.OTHER.id, "read", "read"), RuleState.FAIL, Code.NEEDS_APPROVAL),
        (Standing(), RuleState.UNKNOWN, Code.PERMISSION_UNKNOWN),
    ],
)
def test_rule_5_whoever_approved_must_still_be_allowed_to(
    now: Standing, state: RuleState | None, code: Code | None
) -> None:
    decision = taking_effect(given.promotion(given.approved()), standings={given.OTHER.id: now})
    assert decision.code is code
    assert decision.allowed is (state is None)
    assert state is None or outcome(decision, "approvals").state is state


def test_rule_5_of_whom_nothing_is_known_the_approval_does_not_count() -> None:
    decision = taking_effect(given.promotion(given.approved()), standings={})
    assert outcome(decision, "approvals").state is RuleState.UNKNOWN
