"""One decision at request, at approval and at the effect; security rules 1 to 13 as far as they are decisions."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain import plan as plans
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision, Facts, RuleResult, RuleState, Verdict
from bot.domain.messages import refusal
from bot.domain.model import (
    SYSTEM,
    Actor,
    ActorKind,
    CommitRange,
    EnvironmentState,
    Hold,
    Permission,
    Stage,
)
from bot.domain.policy import (
    commits_to_look_up,
    decide,
    decide_approval,
    decide_effect,
    evidence_hash,
    judge,
    policy_hash,
)
from bot.domain.promotion import Promotion
from bot.domain.rules import StagePolicy
from tests.domain import given
from tests.domain.given import NOW, OLD, OLD_DIGEST, POLICY, PRODUCTION, RULES

DEV_POLICY = StagePolicy()
TWO = StagePolicy(approvals=2, approval_hours=24, unknown_author_needs=-1)


def deciding(request: Asked | None = None, policy: StagePolicy | None = POLICY, **changes: Any) -> Decision:
    request = request or given.asked()
    return decide(request, given.facts(request.environment, **changes), policy, RULES, NOW)


def outcome(decision: Decision, rule: str) -> RuleResult:
    return next(r for r in decision.rules if r.rule == rule)


def role(name: str, base: str, user_id: int = given.ASKER.id) -> Permission:
    return Permission(user_id=user_id, role_name=name, permission=base)


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


NEEDED = [f.name for f in fields(Facts) if f.name not in ("plan", "running_plan", "commit")]


@pytest.mark.parametrize("name", NEEDED)
def test_a_fact_that_is_not_known_never_passes(name: str) -> None:
    decision = deciding(**{name: None})
    assert decision.refused
    assert any(r.state is RuleState.UNKNOWN or r.code is Code.UNKNOWN_AUTHOR for r in decision.obstacles)
    assert decision.code is not None


@given_that(st.sets(st.sampled_from([f.name for f in fields(Facts)]), min_size=1))
def test_knowing_less_never_allows_more(names: set[str]) -> None:
    full, less = deciding(), deciding(**dict.fromkeys(names))
    assert {r.rule for r in full.rules} == {r.rule for r in less.rules}, "every rule is told, whatever is known"
    if names & set(NEEDED):
        assert less.refused


def test_every_obstacle_has_a_sentence() -> None:
    nothing = decide(given.asked(release=None), Facts(), POLICY, RULES, NOW)
    for result in nothing.obstacles:
        assert result.code is not None
        assert refusal(result.code, **result.values).sentence


def test_failed_rules_are_told_before_unknown_ones() -> None:
    decision = deciding(identity=None, image_exists=False)
    assert [r.code for r in decision.obstacles] == [Code.ARTIFACT_GONE, Code.GITHUB_UNAVAILABLE]


# --- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        (role("write", "write"), None),
        (role("maintain", "write"), None),
        (role("admin", "admin"), None),
        (role("release crew", "write"), None),
        (role("read", "read"), Code.PERMISSION_DENIED),
        (role("triage", "read"), Code.PERMISSION_DENIED),
        (role("release crew", "read"), Code.PERMISSION_DENIED),
        (role("", "none"), Code.PERMISSION_DENIED),
        (role("unheard of", "unheard of"), Code.PERMISSION_DENIED),
        (None, Code.PERMISSION_UNKNOWN),
    ],
)
def test_rule_5_the_role_at_this_moment_decides(permission: Permission | None, code: Code | None) -> None:
    assert outcome(deciding(permission=permission), "requester").code is code


def test_rule_5_a_policy_may_ask_for_more_than_write() -> None:
    strict = replace(POLICY, request_permission="maintain")
    assert outcome(deciding(policy=strict), "requester").values["role"] == "maintain"
    assert deciding(policy=strict, permission=role("maintain", "write")).verdict is Verdict.NEEDS_APPROVAL
    assert deciding(policy=replace(POLICY, request_permission="king"), permission=role("admin", "admin")).refused


def test_rule_9_a_login_that_is_now_somebody_elses_has_no_right() -> None:
    assert outcome(deciding(permission=role("admin", "admin", 666)), "requester").code is Code.PERMISSION_DENIED


def test_rule_6_only_listed_apps_may_request() -> None:
    app = Actor(kind=ActorKind.APP, id=1234)
    request = given.asked(requester=app, environment=given.TEST)
    known = given.facts(given.TEST, verified=(given.promoted(given.DEV),))
    assert decide(request, known, DEV_POLICY, RULES, NOW).code is Code.BOT_REFUSED
    listed = replace(RULES, bots_that_may_request=frozenset({1234}))
    assert decide(request, known, DEV_POLICY, listed, NOW).allowed


@pytest.mark.parametrize("kind", [ActorKind.WORKFLOW, ActorKind.SYSTEM])
def test_rule_6_a_build_by_itself_reaches_the_first_stage_only(kind: ActorKind) -> None:
    builder = Actor(kind=kind, id=0)
    assert deciding(given.asked(requester=builder, environment=given.DEV), DEV_POLICY).allowed
    assert deciding(given.asked(requester=builder)).code is Code.BOT_REFUSED
    back = given.asked(requester=builder, environment=given.DEV, rollback=True)
    assert Code.BOT_REFUSED in {r.code for r in deciding(back, DEV_POLICY).obstacles}


# --- whose repository ------------------------------------------------------------------------------------------------


def test_rule_20_the_repository_must_be_the_registered_one() -> None:
    transferred = replace(given.IDENTITY, owner_id=8)
    assert outcome(deciding(identity=transferred), "identity").code is Code.REPOSITORY_TRANSFERRED
    assert outcome(deciding(identity=replace(given.IDENTITY, id=43)), "identity").code is Code.GUID_NOT_BOUND
    assert outcome(deciding(binding=Code.GUID_MALFORMED), "identity").code is Code.GUID_MALFORMED
    elsewhere = Bound(application=given.APPLICATION, environment=given.TEST)
    assert outcome(deciding(binding=elsewhere), "identity").code is Code.GUID_NOT_BOUND


def test_a_rename_under_the_same_id_is_followed() -> None:
    renamed = replace(given.IDENTITY, full_name="acme/store")
    assert deciding(identity=renamed).verdict is Verdict.NEEDS_APPROVAL


def test_an_environment_of_another_application_is_refused() -> None:
    foreign = replace(PRODUCTION, application_id="10000000-0000-4000-8000-000000000009")
    assert outcome(deciding(given.asked(environment=foreign)), "identity").code is Code.GUID_NOT_BOUND


# --- the artifact ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"application_id": "10000000-0000-4000-8000-000000000009"},
        {"repository_id": 43},
        {"commit": "b" * 12},
        {"commit": "B" * 40},
        {"digest": "latest"},
        {"digest": "sha256:" + "2" * 63},
    ],
)
def test_rule_2_a_release_is_a_full_commit_and_digest_of_this_repository(changes: dict[str, Any]) -> None:
    decision = deciding(given.asked(release=given.release(**changes)))
    assert outcome(decision, "release").code is Code.RELEASE_UNKNOWN
    assert decision.refused


def test_rule_13_the_digest_must_still_exist() -> None:
    assert deciding(image_exists=False).code is Code.ARTIFACT_GONE


def test_rule_13_a_tag_that_points_elsewhere_refuses() -> None:
    assert deciding(tag_digest=OLD_DIGEST).code is Code.ARTIFACT_MOVED
    assert not deciding(tag_digest="").refused, "a tag that is gone points nowhere else"


@pytest.mark.parametrize("tag", ["latest", "main", "v1.2", "b" * 12])
def test_rule_13_moving_tags_are_refused_for_production(tag: str) -> None:
    moving = given.release(tag=tag)
    assert deciding(given.asked(release=moving)).code is Code.MOVING_TAG
    assert deciding(given.asked(release=moving, environment=given.DEV), DEV_POLICY).allowed


@pytest.mark.parametrize(
    "image",
    ["evil.example/shop", "registry.example.evil/shop", "registry.example", "registry.example:80/shop", "/shop"],
)
def test_images_come_from_the_operators_registries_only(image: str) -> None:
    decision = deciding(given.asked(release=given.release(image=image)))
    assert outcome(decision, "registry").code is Code.IMAGE_HOST_NOT_ALLOWED


def test_an_environments_own_registry_is_the_only_one_for_it() -> None:
    own = replace(PRODUCTION, registry="private.example")
    assert outcome(deciding(given.asked(environment=own)), "registry").code is Code.IMAGE_HOST_NOT_ALLOWED
    rules = replace(RULES, registries=("registry.example", "private.example"))
    release = given.release(image="private.example/shop")
    decision = decide(given.asked(environment=own, release=release), given.facts(own), POLICY, rules, NOW)
    assert outcome(decision, "registry").passed


# --- the order of things ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": OLD_DIGEST},
        {"commit": OLD},
        {"verified": False},
        {"environment_id": given.DEV.id},
        {"application_id": "10000000-0000-4000-8000-000000000009"},
        {"repository_id": 43},
    ],
)
def test_the_very_digest_was_seen_healthy_one_stage_earlier(changes: dict[str, Any]) -> None:
    decision = deciding(verified=(given.promoted(given.TEST, **changes),))
    assert decision.code is Code.NOT_VERIFIED_BEFORE
    assert outcome(decision, "order").command == f"/promote test @{'b' * 12}"


def held(where: str, **changes: Any) -> dict[str, EnvironmentState]:
    states = dict(given.facts().states or {})
    hold = replace(Hold(commit=given.NEW, digest=given.NEW_DIGEST, stream="bad", since_us=1), **changes)
    return {**states, where: replace(states[where], held=(hold,))}


@pytest.mark.parametrize("where", [given.DEV.id, given.TEST.id, PRODUCTION.id])
@pytest.mark.parametrize("changes", [{}, {"commit": OLD}, {"digest": OLD_DIGEST}])
def test_a_release_that_is_held_anywhere_goes_nowhere(where: str, changes: dict[str, Any]) -> None:
    assert deciding(states=held(where, **changes)).code is Code.RELEASE_HELD


def test_somebody_elses_hold_is_no_obstacle() -> None:
    assert not deciding(states=held(given.DEV.id, commit=OLD, digest=OLD_DIGEST)).refused


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("ahead", None),
        ("identical", None),
        ("behind", Code.OLDER_COMMIT),
        ("diverged", Code.OLDER_COMMIT),
        ("unknown", Code.ANCESTRY_UNKNOWN),
    ],
)
def test_what_runs_is_never_newer(status: Any, code: Code | None) -> None:
    between = CommitRange(status=status, commits=(given.commit(),), complete=True)
    assert outcome(deciding(range=between), "fence").code is code


def test_where_nothing_runs_nothing_is_newer() -> None:
    states = {**(given.facts().states or {}), PRODUCTION.id: EnvironmentState(environment_id=PRODUCTION.id)}
    first = deciding(states=states, running=None, range=None)
    assert first.verdict is Verdict.NEEDS_APPROVAL
    assert first.excluded == (11, 12, 13), "the first release's own commit counts"


def test_what_runs_already_is_not_asked_for_again() -> None:
    assert deciding(running=given.release()).code is Code.ALREADY_RUNNING
    same_image = given.release(OLD, given.NEW_DIGEST)
    assert not deciding(running=same_image).refused, "another commit of the same image wants to be seen on its own"


def test_what_is_on_its_way_is_not_asked_for_again() -> None:
    waiting = given.promoted(PRODUCTION, open=True, verified=False, stream="promotion-other")
    assert deciding(open=(waiting,)).code is Code.ALREADY_REQUESTED
    assert not deciding(open=(replace(waiting, stream="promotion-now"),)).refused, "it is no duplicate of itself"
    assert not deciding(open=(replace(waiting, digest=OLD_DIGEST, commit=OLD),)).refused


# --- rollback --------------------------------------------------------------------------------------------------------


def back(**changes: Any) -> Asked:
    return given.asked(release=given.release(OLD, OLD_DIGEST), rollback=True, **changes)


def backwards(**changes: Any) -> dict[str, Any]:
    verified = (given.promoted(PRODUCTION, commit=OLD, digest=OLD_DIGEST),)
    return {"verified": verified, "running": given.release(), "range": None, "tag_digest": None, **changes}


def test_rule_12_a_rollback_goes_to_what_was_seen_healthy_here() -> None:
    decision = deciding(back(), **backwards())
    assert decision.verdict is Verdict.ALLOW
    elsewhere = (given.promoted(given.TEST, commit=OLD, digest=OLD_DIGEST),)
    assert deciding(back(), **backwards(verified=elsewhere)).code is Code.ROLLBACK_TARGET_NOT_VERIFIED


def test_rule_12_a_rollback_is_no_way_round_the_other_rules() -> None:
    states = held(given.DEV.id, commit=OLD, digest=OLD_DIGEST)
    assert deciding(back(), **backwards(states=states)).code is Code.RELEASE_HELD
    assert deciding(back(), **backwards(image_exists=False)).code is Code.ARTIFACT_GONE
    assert deciding(back(), **backwards(permission=None)).code is Code.PERMISSION_UNKNOWN
    maintainers = replace(POLICY, approve_permission="maintain")
    assert deciding(back(), maintainers, **backwards()).code is Code.PERMISSION_DENIED


# --- whose work ------------------------------------------------------------------------------------------------------


def test_rule_9_everybody_between_what_runs_and_the_release_is_excluded() -> None:
    second = given.commit("d" * 40, author_id=21, committer_id=22, committer_is_web_flow=False)
    pulls = {
        given.NEW: (given.pull_request(),),
        "d" * 40: (given.pull_request("d" * 40, author_id=23, merged_by_id=24),),
    }
    decision = deciding(
        range=CommitRange(status="ahead", commits=(second, given.commit()), complete=True), pull_requests=pulls
    )
    assert decision.excluded == (11, 12, 13, 21, 22, 23, 24)


def test_rule_9_an_unmerged_pull_request_excludes_nobody() -> None:
    stranger = given.pull_request(merged=False, author_id=31)
    fork = given.pull_request(base_repository_id=77, author_id=32)
    decision = deciding(pull_requests={given.NEW: (given.pull_request(), stranger, fork)})
    assert decision.excluded == (11, 12, 13)


@pytest.mark.parametrize(
    "changes",
    [
        {"range": CommitRange(status="ahead", commits=(given.commit(),), complete=False)},
        {"range": CommitRange(status="ahead", commits=(given.commit(author_id=None),), complete=True)},
        {"range": CommitRange(status="ahead", commits=(given.commit(coauthors_unknown=True),), complete=True)},
        {"range": CommitRange(status="ahead", commits=(given.commit(committer_is_web_flow=False),), complete=True)},
        {"pull_requests": {}},
        {"pull_requests": {given.NEW: (given.pull_request(merged_by_id=None),)}},
        {"range": CommitRange(status="ahead", complete=True), "commit": None},
        {"range": CommitRange(status="ahead", complete=True), "commit": given.commit(OLD)},
    ],
)
def test_rule_9_an_author_who_cannot_be_told_costs_what_the_policy_says(changes: dict[str, Any]) -> None:
    assert deciding(**changes).code is Code.UNKNOWN_AUTHOR
    dearer = deciding(policy=replace(POLICY, unknown_author_needs=2), **changes)
    assert dearer.verdict is Verdict.NEEDS_APPROVAL
    assert dearer.approvals_needed == 3
    assert not deciding(given.asked(environment=given.DEV), DEV_POLICY, **changes).refused, "nobody approves there"


def test_rule_9_a_squash_merge_with_known_accounts_is_fine() -> None:
    direct = deciding(pull_requests={given.NEW: ()})
    assert direct.verdict is Verdict.NEEDS_APPROVAL
    assert direct.excluded == (11, 12)


def test_what_must_be_looked_up_is_said() -> None:
    known = given.facts(range=CommitRange(status="ahead", commits=(given.commit("d" * 40),), complete=True))
    assert commits_to_look_up(given.asked(), known) == ("d" * 40, given.NEW)
    assert commits_to_look_up(given.asked(), known, DEV_POLICY) == ()
    assert commits_to_look_up(back(), known) == ()


# --- approval --------------------------------------------------------------------------------------------------------


def approving(
    waiting: Promotion, by: Actor = given.OTHER, policy: StagePolicy | None = POLICY, **changes: Any
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


# --- the effect ------------------------------------------------------------------------------------------------------


def taking_effect(
    promotion: Promotion, policy: StagePolicy | None = POLICY, now_us: int = NOW, **changes: Any
) -> Decision:
    return decide_effect(promotion, given.asked(), given.facts(**changes), policy, RULES, now_us)


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


# --- hashes ----------------------------------------------------------------------------------------------------------


def test_the_hashes_cover_what_an_approver_relies_on() -> None:
    plan, policy = given.request().plan, policy_hash(POLICY, RULES)
    base = evidence_hash(given.release(), plan, policy, PRODUCTION.id)
    others = {
        evidence_hash(given.release(OLD), plan, policy, PRODUCTION.id),
        evidence_hash(given.release(digest=OLD_DIGEST), plan, policy, PRODUCTION.id),
        evidence_hash(given.release(), replace(plan, hash="x"), policy, PRODUCTION.id),
        evidence_hash(given.release(), plan, policy_hash(TWO, RULES), PRODUCTION.id),
        evidence_hash(given.release(), plan, policy, given.TEST.id),
    }
    assert len(others) == 5
    assert base not in others


def test_the_policy_hash_does_not_depend_on_order_or_on_limits() -> None:
    one = replace(RULES, registries=("a.example", "b.example"), bots_that_may_request=frozenset({1, 2}))
    two = replace(RULES, registries=("b.example", "a.example"), bots_that_may_request=frozenset({2, 1}), lease_ttl=3)
    assert policy_hash(POLICY, one) == policy_hash(POLICY, two)
    assert policy_hash(POLICY, one) != policy_hash(POLICY, RULES)
    assert {policy_hash(RULES.policies[stage], RULES) for stage in Stage} == {
        policy_hash(DEV_POLICY, RULES),
        policy_hash(POLICY, RULES),
    }
