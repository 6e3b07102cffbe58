"""Which policy allows more, key by key; a repository tightens and never loosens."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given as given_that

from bot.domain.model import ProbeKind
from bot.domain.policy_keys import Override
from bot.domain.rules import Concurrency, Policy, PolicySet, Who
from bot.domain.tightness import KEYS, SET_KEYS, ignored, looser, tighten
from tests.domain.policies import CHECK, FREEZE, GROUP, OVERRIDES, POLICIES, said

# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_knows_every_field() -> None:
    assert {key.attribute for key in KEYS} == {field.name for field in fields(Policy)}
    known = {key.attribute for key in SET_KEYS} | {"stages", "environments", "environment_stages"}
    assert known == {field.name for field in fields(PolicySet)}


PAIRS: list[tuple[str, Any, Any]] = [
    ("approvals", 2, 1),
    ("groups", (GROUP,), ()),
    ("groups", (replace(GROUP, count=2),), (GROUP,)),
    ("groups", (replace(GROUP, who=Who(role="admin", teams=(42,))),), (GROUP,)),
    ("request", Who(role="maintain"), Who()),
    ("approve", Who(teams=(42,)), Who()),
    ("approve", Who(teams=(42,)), Who(teams=(42, 43))),
    ("rollback", Who(users=(5,)), Who(users=(5,), teams=(42,))),
    ("approval_hours", 24, 168),
    ("unknown_author_needs", -1, 3),
    ("unknown_author_needs", 2, 1),
    ("registries", ("ghcr.io",), ()),
    ("registries", ("ghcr.io",), ("public",)),
    ("registries", ("example.azurecr.io",), ("example.azurecr.io", "ghcr.io")),
    ("checks", (CHECK,), ()),
    ("soak_minutes", 60, 0),
    ("branches", ("main",), ("main", "release/*")),
    ("branches", ("release/1.0",), ("release/*",)),
    ("open_pull_requests", False, True),
    ("freezes", (FREEZE,), ()),
    ("freezes", (FREEZE,), (replace(FREEZE, minutes=60),)),
    ("freezes", (FREEZE,), (replace(FREEZE, exceptions=("2026-12-25",)),)),
    ("concurrency", Concurrency.SUPERSEDE, Concurrency.QUEUE),
    ("wait_hours", 24, 72),
    ("remind_hours", 12, 24),
    ("min_instances", 2, 1),
    ("min_zones", 3, 1),
    ("auto_promote", False, True),
    ("probe", ProbeKind.HTTP, ProbeKind.PLATFORM),
    ("keep_on_identical", False, True),
    ("break_glass", False, True),
    ("device_approvals", False, True),
]
"""Attribute, a tighter value, a looser one."""
NAMES = {key.attribute: key.name for key in KEYS}


@pytest.mark.parametrize(("attribute", "tight", "loose"), PAIRS)
def test_what_is_tighter(attribute: str, tight: Any, loose: Any) -> None:
    tighter, wider = replace(Policy(), **{attribute: tight}), replace(Policy(), **{attribute: loose})
    assert looser(wider, tighter) == ()
    assert looser(tighter, wider) == (NAMES[attribute],)
    assert looser(tighter, tighter) == looser(wider, wider) == ()


def test_every_key_has_its_pair() -> None:
    assert {attribute for attribute, _, _ in PAIRS} == {key.attribute for key in KEYS}


@pytest.mark.parametrize(
    ("attribute", "one", "other"),
    [
        ("approve", Who(teams=(42,)), Who(users=(5,))),
        ("registries", ("ghcr.io",), ("quay.io",)),
        ("branches", (), ("main",)),
        ("branches", ("main",), ("release/*",)),
        ("checks", (CHECK,), (replace(CHECK, app_id=1),)),
        ("freezes", (FREEZE,), (replace(FREEZE, zone="Europe/Berlin"),)),
    ],
)
def test_what_cannot_be_compared_is_looser_both_ways(attribute: str, one: Any, other: Any) -> None:
    a, b = replace(Policy(), **{attribute: one}), replace(Policy(), **{attribute: other})
    assert looser(a, b) == looser(b, a) == (attribute,)


# --- what a repository says ------------------------------------------------------------------------------------------


def test_the_tighter_of_both_counts_key_by_key() -> None:
    base = Policy(approvals=2, soak_minutes=60, checks=(CHECK,), approve=Who(role="maintain"), freezes=(FREEZE,))
    own = said(
        approvals=1,
        soak="2h",
        checks=[{"name": "unit", "app": 15368}],
        approve={"teams": [42]},
        freezes=[{"name": "fair", "starts": "2026-05-01T00:00", "lasts": "3d"}],
        availability={"zones": 2},
        auto_promote=True,
    )
    found = tighten(base, own)
    assert (found.approvals, found.soak_minutes) == (2, 120)
    assert [check.name for check in found.checks] == ["trivy", "unit"]
    assert [freeze.name for freeze in found.freezes] == ["weekend", "fair"]
    assert found.approve == Who(role="maintain", teams=(42,))
    assert found.rollback == Who(role="write", teams=(42,)), "as `approve`, for it was not said"
    assert (found.min_instances, found.min_zones) == (1, 2)
    assert not found.auto_promote
    assert tighten(base, said()) == base


@pytest.mark.parametrize(
    ("base", "own", "attribute"),
    [
        (Policy(approve=Who(teams=(42,))), said(approve={"users": [5]}), "approve"),
        (Policy(registries=("ghcr.io",)), said(registries=["quay.io"]), "registries"),
        (Policy(branches=("main",)), said(branches=["release/*"]), "branches"),
    ],
)
def test_nothing_in_common_allows_nothing_and_never_everything(base: Policy, own: Override, attribute: str) -> None:
    found = tighten(base, own)
    assert getattr(found, attribute), "an empty list would mean no limit"
    assert looser(base, found) == ()
    assert dict(ignored(base, own))[attribute] in ("nobody", "none")


def test_a_group_of_two_needs_two_approvals() -> None:
    assert tighten(Policy(), said(groups=[{"name": "security", "count": 2, "teams": [42]}])).approvals == 2


def test_what_is_looser_is_told_with_what_counts_instead() -> None:
    base = Policy(
        approvals=2,
        approve=Who(role="maintain", teams=(42,)),
        soak_minutes=120,
        registries=("public",),
        min_zones=2,
        branches=("main",),
        checks=(CHECK,),
        freezes=(FREEZE,),
    )
    own = said(
        approvals=1,
        approve="write",
        soak="90m",
        registries=["ghcr.io", "example.azurecr.io"],
        availability={"zones": 1},
        branches=["main", "next"],
        auto_promote=True,
        checks=[],
        freezes=[],
    )
    assert dict(ignored(base, own)) == {
        "approvals": "2",
        "approve": "maintain (teams 42)",
        "soak": "2h",
        "registries": "ghcr.io",
        "availability.zones": "2",
        "branches": "main",
        "auto_promote": "false",
    }


def test_a_part_that_was_left_out_says_nothing_against_the_policy() -> None:
    base = Policy(approve=Who(role="maintain", teams=(42, 43)), min_instances=2, min_zones=2)
    for own in (said(approve="admin"), said(approve={"teams": [42]}), said(availability={"zones": 3}), said()):
        assert ignored(base, own) == ()


# --- properties ------------------------------------------------------------------------------------------------------


def same(a: Policy, b: Policy) -> bool:
    """In effect: neither allows what the other does not."""
    return looser(a, b) == looser(b, a) == ()


@given_that(POLICIES, OVERRIDES)
def test_rule_3_a_repository_never_loosens(base: Policy, own: Override) -> None:
    assert looser(base, tighten(base, own)) == ()


@given_that(POLICIES, OVERRIDES)
def test_what_is_not_ignored_is_as_tight_as_was_said(base: Policy, own: Override) -> None:
    found = tighten(base, own)
    loose = {name for name, _ in ignored(base, own)}
    wanted = own.changes()
    for key in KEYS:
        if key.attribute in wanted and key.name not in loose and key.name != "branches":
            assert key.within(wanted[key.attribute], getattr(found, key.attribute)), key.name


@given_that(POLICIES, OVERRIDES, OVERRIDES)
def test_tightening_twice_or_in_another_order_is_the_same(base: Policy, one: Override, two: Override) -> None:
    once = tighten(base, one)
    assert same(tighten(once, one), once)
    assert same(tighten(once, two), tighten(tighten(base, two), one))


@given_that(POLICIES, POLICIES, POLICIES)
def test_looser_is_an_order(a: Policy, b: Policy, c: Policy) -> None:
    assert looser(a, a) == ()
    for key in KEYS:
        x, y, z = (getattr(policy, key.attribute) for policy in (a, b, c))
        if key.within(x, y) and key.within(y, z):
            assert key.within(x, z), key.name
