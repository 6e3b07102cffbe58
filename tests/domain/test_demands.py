"""What a policy asks of a release and its place: each demand met, not met, and not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.decision import RuleState
from bot.domain.demands import takes_branch
from bot.domain.model import Capacity, CheckSeen, Drift, EnvironmentState, ProbeKind
from bot.domain.rules import Policy
from tests.domain import given
from tests.domain.asking import DEMANDING, MET, SCAN, back, backwards, deciding, demanded, outcome
from tests.domain.given import HOUR, NEW, NOW, OLD, POLICY, PRODUCTION, TEST

MINUTE = 60_000_000


def state_of(rule: str, **changes: Any) -> tuple[RuleState, Code | None]:
    result = outcome(demanded(**changes), rule)
    return result.state, result.code


# --- the repository's own file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "state"),
    [
        (None, RuleState.PASS),
        (Code.CONFIG_MISSING, RuleState.FAIL),
        (Code.CONFIG_INVALID, RuleState.FAIL),
        (Code.GITHUB_UNAVAILABLE, RuleState.UNKNOWN),
    ],
)
def test_rule_3_the_repositorys_own_file_is_in_order(config: Code | None, state: RuleState) -> None:
    assert state_of("config", config=config) == (state, config)
    assert outcome(deciding(back(), **backwards(config=config)), "config").passed, "an emergency does not hang on it"


# --- where the image comes from --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registries", "image", "allowed"),
    [
        ((), "registry.example/shop", True),
        (("registry.example",), "registry.example/shop", True),
        (("other.example",), "registry.example/shop", False),
        (("public",), "registry.example/shop", False),
        (("public",), "ghcr.io/acme/shop", True),
        (("public", "registry.example"), "registry.example/shop", True),
        (("public",), "ghcr.io.evil.example/shop", False),
        (("public",), "public/shop", False),
    ],
)
def test_images_come_from_where_the_policy_wants_them_from(
    registries: tuple[str, ...], image: str, allowed: bool
) -> None:
    request = given.asked(release=given.release(image=image))
    result = outcome(deciding(request, replace(POLICY, registries=registries)), "source")
    assert result.code is (None if allowed else Code.IMAGE_SOURCE_REFUSED)


def test_a_rollback_comes_from_there_too() -> None:
    decision = deciding(back(), replace(POLICY, registries=("other.example",)), **backwards())
    assert decision.code is Code.IMAGE_SOURCE_REFUSED


# --- what was built --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("branches", "branch", "allowed"),
    [
        ((), "", True),
        ((), "main", True),
        ((), "release/1", False),
        (("main",), "", True),
        (("release/*",), "", False),
        (("release/*",), "release/1", True),
        (("release/*",), "release/1/2", True),
        (("release/*",), "release/", False),
        (("release/*",), "release", False),
        (("release/*",), "my/release/1", False),
        (("main", "hotfix"), "hotfix", True),
        (("main", "hotfix"), "hotfix-2", False),
        (("*",), "anything", False),
    ],
)
def test_builds_come_from_the_branches_that_the_policy_names(
    branches: tuple[str, ...], branch: str, allowed: bool
) -> None:
    request = given.asked(release=given.release(branch=branch))
    result = outcome(deciding(request, replace(POLICY, branches=branches)), "branch")
    assert result.code is (None if allowed else Code.BRANCH_NOT_ALLOWED)


def test_which_branch_is_the_default_one_must_be_known_where_it_counts() -> None:
    nameless = {"default_branch": "", "identity": None}
    for branches, branch, state in (
        ((), "", RuleState.PASS),
        ((), "main", RuleState.UNKNOWN),
        (("main",), "", RuleState.UNKNOWN),
        (("main",), "main", RuleState.PASS),
    ):
        request = given.asked(release=given.release(branch=branch))
        policy = replace(POLICY, branches=branches)
        assert outcome(deciding(request, policy, **nameless), "branch").state is state


@given_that(st.text("re/*", max_size=6), st.lists(st.text("re/*", min_size=1, max_size=5), min_size=1, max_size=3))
def test_a_pattern_takes_itself_or_what_is_below_it(branch: str, patterns: list[str]) -> None:
    taken = takes_branch(Policy(branches=tuple(patterns)), branch, "main")
    below = [p[:-1] for p in patterns if p.endswith("/*")]
    assert taken == (branch in patterns or any(branch.startswith(p) and len(branch) > len(p) for p in below))


@pytest.mark.parametrize(
    ("where", "open_", "allowed"), [("dev", True, True), ("dev", False, False), ("test", True, False)]
)
def test_builds_of_open_pull_requests_stay_in_dev(where: str, open_: bool, allowed: bool) -> None:
    place = {"dev": given.DEV, "test": given.TEST}[where]
    release = given.release(branch="faster", open_pull_request=5)
    for reason in ("", "it burns"):
        request = given.asked(environment=place, release=release, break_glass=reason)
        result = outcome(deciding(request, Policy(open_pull_requests=open_)), "pull_request")
        assert result.code is (None if allowed else Code.BRANCH_NOT_ALLOWED)
        assert not result.skipped, "nobody has merged it: that is no rule to go past"


# --- checks ----------------------------------------------------------------------------------------------------------


def seen(**changes: Any) -> tuple[CheckSeen, ...]:
    return (replace(MET["checks"][0], **changes),)


@pytest.mark.parametrize(
    ("checks", "outcome_"),
    [
        (seen(), (RuleState.PASS, None)),
        ((*seen(), *seen(name="other", conclusion="failure")), (RuleState.PASS, None)),
        ((), (RuleState.FAIL, Code.CHECK_MISSING)),
        (seen(app_id=8), (RuleState.FAIL, Code.CHECK_MISSING)),
        (seen(name="Scan"), (RuleState.FAIL, Code.CHECK_MISSING)),
        (seen(status="in_progress", conclusion=""), (RuleState.UNKNOWN, Code.CHECK_MISSING)),
        (seen(conclusion="failure"), (RuleState.FAIL, Code.CHECK_FAILED)),
        (seen(conclusion="neutral"), (RuleState.FAIL, Code.CHECK_FAILED)),
        (seen(conclusion="skipped"), (RuleState.FAIL, Code.CHECK_FAILED)),
        ((*seen(), *seen(id=6, conclusion="failure")), (RuleState.FAIL, Code.CHECK_FAILED)),
        (None, (RuleState.UNKNOWN, Code.CHECKS_UNKNOWN)),
    ],
)
def test_rule_33_the_demanded_checks_of_this_very_app_succeeded(
    checks: tuple[CheckSeen, ...] | None, outcome_: tuple[RuleState, Code | None]
) -> None:
    assert state_of("checks", checks=checks) == outcome_


def test_one_that_failed_is_told_before_one_that_is_still_running() -> None:
    policy = replace(DEMANDING, checks=(SCAN, replace(SCAN, name="test")))
    checks = (*seen(status="queued", conclusion=""), *seen(name="test", conclusion="failure"))
    result = outcome(demanded(policy=policy, checks=checks), "checks")
    assert (result.state, result.values["check"]) == (RuleState.FAIL, "test")


def test_where_no_check_is_demanded_none_has_to_be_known() -> None:
    assert outcome(deciding(checks=None), "checks").passed


# --- the stage before ------------------------------------------------------------------------------------------------


def healthy(since_us: int, **changes: Any) -> dict[str, Any]:
    return {"verified": (given.promoted(TEST, verified_us=since_us, **changes),)}


@pytest.mark.parametrize(
    ("ago", "left"),
    [(HOUR, 0), (24 * HOUR, 0), (HOUR - 1, 1), (HOUR - MINUTE, 1), (HOUR - MINUTE - 1, 2), (0, 60), (-5 * HOUR, 60)],
)
def test_the_release_was_healthy_one_stage_earlier_for_long_enough(ago: int, left: int) -> None:
    result = outcome(demanded(**healthy(NOW - ago)), "soak")
    assert result.code is (Code.SOAK_NOT_OVER if left else None)
    assert result.values.get("minutes", 0) == left
    assert not left or result.command == f"/promote production @{NEW[:12]}"


@pytest.mark.parametrize(
    "there",
    [
        {"running": "promotion-newer", "last_verified": "promotion-newer"},
        {"running": "promotion-newer"},
        {"last_verified": "promotion-older"},
        {"running": "", "last_verified": ""},
        {"drift": Drift(expected="a", found="b", since_us=1)},
    ],
)
def test_what_no_longer_runs_there_soaks_again(there: dict[str, Any]) -> None:
    states = dict(given.facts().states or {})
    result = outcome(demanded(states={**states, TEST.id: replace(states[TEST.id], **there)}), "soak")
    assert (result.code, result.values["minutes"]) == (Code.SOAK_NOT_OVER, 60)
    assert result.command == f"/promote test @{NEW[:12]}"


@pytest.mark.parametrize("changes", [{"commit": OLD}, {"digest": given.OLD_DIGEST}, {"environment_id": given.DEV.id}])
def test_somebody_elses_soak_is_not_its_own(changes: dict[str, Any]) -> None:
    assert state_of("soak", **healthy(NOW - 24 * HOUR, **changes)) == (RuleState.FAIL, Code.SOAK_NOT_OVER)


def test_since_when_it_is_healthy_must_be_known() -> None:
    assert state_of("soak", **healthy(0)) == (RuleState.FAIL, Code.SOAK_NOT_OVER)
    for name in ("verified", "states", "environments"):
        assert state_of("soak", **{name: None}) == (RuleState.UNKNOWN, Code.STATE_UNKNOWN)
    only_here = {PRODUCTION.id: EnvironmentState(environment_id=PRODUCTION.id)}
    assert state_of("soak", states=only_here) == (RuleState.UNKNOWN, Code.STATE_UNKNOWN)


# --- the place -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "outcome_"),
    [
        (Capacity(instances=2, zones=2), (RuleState.PASS, None)),
        (Capacity(instances=9, zones=3), (RuleState.PASS, None)),
        (Capacity(instances=1, zones=2), (RuleState.FAIL, Code.CAPACITY_TOO_SMALL)),
        (Capacity(instances=2, zones=1), (RuleState.FAIL, Code.CAPACITY_TOO_SMALL)),
        (None, (RuleState.UNKNOWN, Code.CAPACITY_UNKNOWN)),
    ],
)
def test_there_is_as_much_of_it_as_the_policy_wants(
    capacity: Capacity | None, outcome_: tuple[RuleState, Code | None]
) -> None:
    assert state_of("availability", capacity=capacity) == outcome_
    assert outcome(deciding(capacity=capacity), "availability").passed, "where one is enough, nobody is asked"


def test_health_is_judged_as_the_policy_wants() -> None:
    weak = given.asked(environment=replace(PRODUCTION, probe=ProbeKind.PLATFORM))
    assert outcome(demanded(weak), "probe").code is Code.PROBE_TOO_WEAK
    assert outcome(deciding(weak), "probe").passed
    assert outcome(demanded(), "probe").passed


def test_rule_12_a_rollback_does_not_wait_for_what_was_demanded_since() -> None:
    everything_is_wrong: dict[str, Any] = {"checks": None, "capacity": None, "config": Code.CONFIG_INVALID}
    weak = back(environment=replace(PRODUCTION, probe=ProbeKind.PLATFORM))
    decision = demanded(weak, **backwards(**everything_is_wrong))
    assert decision.allowed, [r.code for r in decision.obstacles]
