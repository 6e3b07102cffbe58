"""Loosening production is always seen, and what changed is told in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_that

from bot.domain.identity import Role
from bot.domain.model import Stage
from bot.domain.rules import Members, Policy, PolicySet, Who
from bot.domain.tightness import difference, loosens_production
from tests.domain.policies import CHECK, FREEZE, GROUP, POLICIES, policies

GUID = "90d00f1c-6d2b-4f43-9a53-0a5a54a2a3c1"


# --- what two administrators must agree to ---------------------------------------------------------------------------


def test_tightening_production_and_anything_elsewhere_may_count_at_once() -> None:
    old = policies(Policy(approvals=1))
    assert loosens_production(old, policies(Policy(approvals=2, freezes=(FREEZE,)))) == ()
    elsewhere = replace(old, stages={**old.stages, Stage.TEST: Policy(auto_promote=True, request=Who(role="admin"))})
    assert loosens_production(old, elsewhere) == loosens_production(elsewhere, old) == ()


def test_loosening_production_names_every_key() -> None:
    old = policies(Policy(approvals=2, soak_minutes=60, freezes=(FREEZE,)), operators=Who(role="admin"))
    new = policies(Policy(approvals=1, freezes=()), clear_people=1, break_glass_minutes=90)
    assert loosens_production(old, new) == (
        "operators",
        "clear_people",
        "break_glass_minutes",
        "production.approvals",
        "production.soak",
        "production.freezes",
    )


@pytest.mark.parametrize(
    ("old", "new", "loosens"),
    [
        ((), (1, 2), False),
        ((1,), (2, 3), False),
        ((1,), (), False),
        ((1, 2), (2, 1), False),
        ((1, 2), (1, 2, 3), True),
        ((1, 2), (1, 3), True),
        ((1, 2), (1,), True),
        ((1, 2), (), True),
        ((1, 1), (3, 4), False),
    ],
)
def test_who_may_agree_changes_only_by_agreement(old: tuple[int, ...], new: tuple[int, ...], loosens: bool) -> None:
    found = loosens_production(policies(administrators=old), policies(administrators=new))
    assert found == (("administrators",) if loosens else ())


def entry(approvals: int, stage: Stage = Stage.PRODUCTION) -> dict[str, Any]:
    return {"environments": {GUID: Policy(approvals=approvals)}, "environment_stages": {GUID: stage}}


@pytest.mark.parametrize(
    ("old", "new", "loosens"),
    [
        ({}, entry(2), False),
        ({}, entry(1), False),
        (entry(2), {}, True),
        (entry(1), {}, False),
        (entry(2), entry(1), True),
        ({}, entry(0, Stage.DEV), False),
        (entry(0, Stage.DEV), {}, False),
        (entry(0, Stage.DEV), entry(0, Stage.TEST), False),
        (entry(0, Stage.DEV), entry(0), True),
        (entry(3), entry(0, Stage.DEV), False),
    ],
)
def test_entries_of_single_environments_count_by_what_then_applies(
    old: dict[str, Any], new: dict[str, Any], loosens: bool
) -> None:
    found = loosens_production(policies(**old), policies(**new))
    assert found == ((f"environments.{GUID}.approvals",) if loosens else ())


def test_an_entry_below_its_stage_is_seen() -> None:
    assert loosens_production(policies(), policies(**entry(0))) == (f"environments.{GUID}.approvals",)
    unnamed = policies(environments={GUID: Policy(approvals=0)})
    assert loosens_production(policies(), unnamed), "of a stage that nobody named: it may be production"


def test_a_policy_where_none_was_is_looser_and_none_where_one_was_is_not() -> None:
    none = replace(policies(), stages={Stage.DEV: Policy(), Stage.TEST: Policy()})
    assert loosens_production(none, policies()) == ("production",)
    assert loosens_production(policies(), none) == ()


# --- in words --------------------------------------------------------------------------------------------------------


def test_a_difference_in_plain_phrases() -> None:
    old = policies(Policy(approvals=1, freezes=(FREEZE,)), administrators=(1, 2))
    new = policies(
        Policy(approvals=2, approve=Who(teams=(42,)), soak_minutes=90, checks=(CHECK,), groups=(GROUP,)),
        administrators=(1, 3),
        **entry(3),
    )
    assert difference(old, new) == (
        "production.approvals 1 → 2",
        "production.groups none → 1 of security: write (teams 42)",
        "production.approve write → write (teams 42)",
        "production.checks none → trivy (app 15368)",
        "production.soak 0m → 90m",
        "production.freezes weekend → none",
        f"environments.{GUID} added for production",
        f"environments.{GUID}.approvals 2 → 3",
        f"environments.{GUID}.groups 1 of security: write (teams 42) → none",
        f"environments.{GUID}.approve write (teams 42) → write",
        f"environments.{GUID}.checks trivy (app 15368) → none",
        f"environments.{GUID}.soak 90m → 0m",
        "administrators 1, 2 → 1, 3",
    )
    assert difference(new, new) == ()
    assert f"environments.{GUID} removed" in difference(new, old)


def test_a_change_that_its_name_does_not_show_is_told_too() -> None:
    old, new = policies(Policy(freezes=(FREEZE,))), policies(Policy(freezes=(replace(FREEZE, minutes=60),)))
    assert difference(old, new) == ("production.freezes weekend: changed in its details",)


def test_the_first_policy_says_what_it_asks_for() -> None:
    assert difference(None, PolicySet(stages={Stage.PRODUCTION: Policy(approvals=1, approval_hours=24)})) == (
        "production.approvals 1",
        "production.request write",
        "production.approve write",
        "production.approval_hours 24",
        "administrators none",
        "operators maintain",
        "clear_people 2",
        "break_glass_minutes 60",
    )
    gone = replace(policies(), stages={})
    assert "dev has no policy any more, and nothing is allowed there" in difference(policies(), gone)


@given_that(POLICIES, POLICIES)
def test_whatever_is_looser_is_in_the_difference(old: Policy, new: Policy) -> None:
    told = " ".join(difference(policies(old), policies(new)))
    for name in loosens_production(policies(old), policies(new)):
        assert f"{name} " in told


A, B = Members(groups=("a",)), Members(groups=("a", "b"))


@pytest.mark.parametrize(
    ("old", "new", "loosens"),
    [
        ({}, {Role.APPROVER: A}, True),
        ({Role.APPROVER: A}, {Role.APPROVER: B}, True),
        ({Role.APPROVER: B}, {Role.APPROVER: A}, False),
        ({Role.OPERATOR: A}, {}, False),
        ({Role.OPERATOR: A}, {Role.DEPLOYER: A}, True),
        ({Role.OPERATOR: A}, {Role.OPERATOR: Members(app_roles=("a",))}, True),
        ({}, {Role.ADMINISTRATOR: Members(users=(1,))}, True),
        ({}, {Role.ADMINISTRATOR: Members(teams=(1,))}, True),
        ({}, {Role.VIEWER: A, Role.DEVELOPER: A, Role.AUDITOR: B}, False),
    ],
)
def test_whoever_gets_a_role_that_releases_gets_it_by_agreement(
    old: dict[Role, Members], new: dict[Role, Members], loosens: bool
) -> None:
    found = loosens_production(policies(administrators=(1, 2), roles=old), policies(administrators=(1, 2), roles=new))
    assert found == (("roles",) if loosens else ())


def test_a_change_of_roles_is_told() -> None:
    new = policies(roles={Role.AUDITOR: Members(groups=("g",), app_roles=("Miso.Auditor",)), Role.OPERATOR: A})
    assert difference(policies(), new) == (
        "roles none → operator: groups a; auditor: groups g or app roles Miso.Auditor",
    )
