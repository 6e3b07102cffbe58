"""Who may ask, in which role and as one of whom (security rules 5, 6, 9 and 12)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.decision import Verdict
from bot.domain.model import SYSTEM, Actor, ActorKind, Permission
from bot.domain.policy import decide
from bot.domain.rules import Policy, Who
from tests.domain import given
from tests.domain.asking import DEV_POLICY, back, backwards, deciding, outcome, role
from tests.domain.given import NOW, POLICY, RULES


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
    strict = replace(POLICY, request=Who(role="maintain"))
    assert outcome(deciding(policy=strict), "requester").values["role"] == "maintain"
    assert deciding(policy=strict, permission=role("maintain", "write")).verdict is Verdict.NEEDS_APPROVAL
    assert deciding(policy=replace(POLICY, request=Who(role="king")), permission=role("admin", "admin")).refused


def test_rule_9_a_login_that_is_now_somebody_elses_has_no_right() -> None:
    assert outcome(deciding(permission=role("admin", "admin", 666)), "requester").code is Code.PERMISSION_DENIED


def test_rule_6_only_listed_apps_may_request() -> None:
    app = Actor(kind=ActorKind.APP, id=1234)
    request = given.asked(requester=app, environment=given.TEST)
    known = given.facts(given.TEST, verified=(given.promoted(given.DEV),))
    assert decide(request, known, DEV_POLICY, RULES, NOW).code is Code.BOT_REFUSED
    listed = replace(RULES, bots_that_may_request=frozenset({1234}))
    assert decide(request, known, DEV_POLICY, listed, NOW).allowed


CREW = Who(role="write", teams=(42, 43), users=(77,))


@pytest.mark.parametrize(
    ("teams", "user", "code"),
    [
        (frozenset({42}), 12, None),
        (frozenset({43, 99}), 12, None),
        (frozenset(), 77, None),
        (None, 77, None),
        (frozenset({99}), 12, Code.NOT_IN_TEAM),
        (frozenset(), 12, Code.NOT_IN_TEAM),
        (None, 12, Code.TEAM_UNKNOWN),
    ],
)
def test_rule_5_where_the_policy_names_people_the_role_is_not_enough(
    teams: frozenset[int] | None, user: int, code: Code | None
) -> None:
    asked = given.asked(requester=Actor(kind=ActorKind.PERSON, id=user))
    known = {"permission": role("admin", "admin", user), "teams": teams}
    assert outcome(deciding(asked, replace(POLICY, request=CREW), **known), "requester").code is code
    weak = {**known, "permission": role("read", "read", user)}
    assert outcome(deciding(asked, replace(POLICY, request=CREW), **weak), "requester").code is Code.PERMISSION_DENIED


def test_a_policy_that_names_users_only_asks_for_no_team() -> None:
    policy = replace(POLICY, request=Who(users=(77,)))
    assert outcome(deciding(policy=policy, teams=None), "requester").code is Code.NOT_IN_TEAM


def test_rule_12_a_rollback_has_a_right_of_its_own_and_needs_the_right_to_ask_as_well() -> None:
    own = replace(POLICY, rollback=CREW)
    assert not outcome(deciding(policy=own, teams=frozenset()), "requester").code
    assert outcome(deciding(back(), own, **backwards(teams=frozenset())), "requester").code is Code.NOT_IN_TEAM
    assert deciding(back(), own, **backwards(teams=frozenset({42}))).allowed
    both = replace(own, request=Who(role="maintain"))
    assert outcome(deciding(back(), both, **backwards(teams=None)), "requester").code is Code.PERMISSION_DENIED


def test_rule_6_a_listed_app_speaks_for_nobody_whom_the_policy_names() -> None:
    app, listed = Actor(kind=ActorKind.APP, id=1234), replace(RULES, bots_that_may_request=frozenset({1234}))
    for policy, allowed in ((POLICY, True), (replace(POLICY, request=CREW), False)):
        decision = decide(given.asked(requester=app), given.facts(), policy, listed, NOW)
        assert outcome(decision, "requester").passed is allowed


@pytest.mark.parametrize(
    ("stage", "auto", "actor", "may"),
    [
        (given.TEST, True, SYSTEM, True),
        (given.TEST, False, SYSTEM, False),
        (given.PRODUCTION, True, SYSTEM, False),
        (given.TEST, True, Actor(kind=ActorKind.WORKFLOW, id=0), False),
        (given.TEST, True, Actor(kind=ActorKind.SYSTEM, id=5), False),
    ],
)
def test_miso_itself_asks_for_test_only_and_only_where_the_policy_says_so(
    stage: Any, auto: bool, actor: Actor, may: bool
) -> None:
    asked = given.asked(requester=actor, environment=stage)
    decision = deciding(asked, Policy(auto_promote=auto), verified=(given.promoted(given.DEV),))
    assert outcome(decision, "requester").passed is may


@pytest.mark.parametrize("kind", [ActorKind.WORKFLOW, ActorKind.SYSTEM])
def test_rule_6_a_build_by_itself_reaches_the_first_stage_only(kind: ActorKind) -> None:
    builder = Actor(kind=kind, id=0)
    assert deciding(given.asked(requester=builder, environment=given.DEV), DEV_POLICY).allowed
    assert deciding(given.asked(requester=builder)).code is Code.BOT_REFUSED
    back = given.asked(requester=builder, environment=given.DEV, rollback=True)
    assert Code.BOT_REFUSED in {r.code for r in deciding(back, DEV_POLICY).obstacles}
