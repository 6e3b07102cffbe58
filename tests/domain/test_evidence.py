"""What an approver signs: every part is in the hash, and every change is told by its name (rule 10)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain import evidence
from bot.domain import plan as plans
from bot.domain.codes import Code
from bot.domain.decision import Asked, RuleState
from bot.domain.model import CommitRange
from bot.domain.policy import SKIPPABLE, evidence_of
from bot.domain.rules import Policy
from tests.domain import given
from tests.domain.asking import (
    DEMANDING,
    DEV_POLICY,
    MET,
    approving,
    back,
    backwards,
    demanded,
    outcome,
    standing,
    taking_effect,
    waiting,
)
from tests.domain.given import HOUR, NEW, NOW, OLD, POLICY, PRODUCTION, RULES

SHOWN: dict[str, Any] = {"found": MET}
BIGGER = plans.build(replace(PRODUCTION, settings=(("MODE", "b"),)), given.release(), controller="miso-test")
FURTHER = CommitRange(status="ahead", commits=(given.commit("c" * 40), given.commit()), complete=True)

CHANGES: dict[str, tuple[dict[str, Any], str, str, Code]] = {
    "plan": ({"plan": BIGGER}, given.request().plan.hash[:12], BIGGER.hash[:12], Code.PLAN_CHANGED),
    "checks": (
        {"checks": (replace(MET["checks"][0], id=6),)},
        "scan: success (5)",
        "scan: success (6)",
        Code.CHECKS_CHANGED,
    ),
    "commits": (
        {"range": FURTHER, "pull_requests": {sha: (given.pull_request(sha),) for sha in (NEW, "c" * 40)}},
        f"1 commit since {OLD[:12]}",
        f"2 commits since {OLD[:12]}",
        Code.COMMITS_CHANGED,
    ),
    "soak": (
        {"verified": (given.promoted(given.TEST, verified_us=NOW - 23 * HOUR),)},
        "healthy since 2023-11-13 22:13:20 UTC",
        "healthy since 2023-11-13 23:13:20 UTC",
        Code.SOAK_CHANGED,
    ),
}
"""A change of one fact after it was shown: the part that differs, how it was and is, and the code."""


def parts(request: Asked | None = None, policy: Policy = DEMANDING, **changes: Any) -> dict[str, Any]:
    request = request or given.asked()
    facts = given.facts(request.environment, **{**MET, **changes})
    return dict(evidence_of(request, facts, policy, RULES) or {})


@pytest.mark.parametrize("part", CHANGES)
def test_rule_10_no_approval_survives_a_change_of_what_was_shown(part: str) -> None:
    changes, was, now, code = CHANGES[part]
    approved = waiting(DEMANDING, given.OTHER, **SHOWN)
    assert taking_effect(approved, DEMANDING, **MET).allowed
    for decision in (
        taking_effect(approved, DEMANDING, **{**MET, **changes}),
        approving(waiting(DEMANDING, **SHOWN), policy=DEMANDING, **{**MET, **changes}),
    ):
        assert decision.code is code
        assert outcome(decision, "evidence").values == {
            "part": part,
            "was": was,
            "now": now,
            "command": f"/promote production @{NEW[:12]}",
        }


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("where", {"request": given.asked(environment=given.TEST)}),
        ("where", {"request": given.asked(application=replace(given.APPLICATION, repository_id=43))}),
        ("release", {"request": given.asked(release=given.release(OLD))}),
        ("release", {"request": given.asked(release=given.release(digest=given.OLD_DIGEST))}),
        ("release", {"request": given.asked(release=given.release(image="registry.example/else"))}),
        ("plan", {"plan": BIGGER}),
        ("policy", {"policy": replace(DEMANDING, approval_hours=25)}),
        ("checks", CHANGES["checks"][0]),
        ("commits", CHANGES["commits"][0]),
        ("commits", {"running": given.release("d" * 40)}),
        ("soak", CHANGES["soak"][0]),
    ],
)
def test_rule_10_every_part_is_in_the_hash_and_its_change_has_a_name(part: str, changed: dict[str, Any]) -> None:
    was, now = parts(), parts(**changed)
    assert evidence.hash_of(was) != evidence.hash_of(now)
    told = {change["part"]: change for change in evidence.changes(was, now)}
    assert part in told
    assert told[part]["was"] != told[part]["now"]
    assert all(len(text) < 200 for change in told.values() for text in change.values())


def test_the_same_is_the_same_after_a_way_through_the_journal() -> None:
    was = parts()
    read = json.loads(json.dumps(was))
    assert read == was
    assert evidence.hash_of(read) == evidence.hash_of(was)
    assert evidence.changes(read, was) == ()


_HEX, _WORD = st.text("0123456789abcdef", min_size=1, max_size=14), st.text(max_size=4)
_CHECK = st.tuples(_WORD, st.integers(0, 9), st.integers(0, 9), _WORD).map(list)
ANY: dict[str, st.SearchStrategy[Any]] = {
    "where": st.fixed_dictionaries({"application": _WORD, "environment": _WORD, "repository": st.integers(0, 9)}),
    "release": st.fixed_dictionaries({"commit": _HEX, "image": _WORD}),
    "plan": _HEX,
    "policy": _HEX,
    "checks": st.sampled_from([evidence.SKIPPED, evidence.NOT_SIGNED]) | st.lists(_CHECK, max_size=3),
    "soak": st.just([]) | st.tuples(st.integers(0, NOW), _WORD).map(list),
    "commits": st.fixed_dictionaries({"running": _HEX, "commits": st.lists(_HEX, max_size=3).map(sorted)}),
    "skipped": st.lists(st.sampled_from(sorted(SKIPPABLE)), unique=True).map(sorted),
}


@given_that(st.fixed_dictionaries(ANY), st.data())
def test_rule_10_the_parts_that_differ_are_told_and_no_others(was: dict[str, Any], data: st.DataObject) -> None:
    now = {**was, **{part: data.draw(ANY[part]) for part in data.draw(st.sets(st.sampled_from(sorted(ANY))))}}
    differing = {part for part in ANY if was[part] != now[part]}
    told = evidence.changes(was, now)
    assert {change["part"] for change in told} == differing
    assert all(change["was"] != change["now"] for change in told), "a change that reads the same explains nothing"
    assert (evidence.hash_of(was) == evidence.hash_of(now)) is not bool(differing)


def test_rule_33_the_same_check_of_another_app_is_told_as_another() -> None:
    was, now = ({**parts(), "checks": [["scan", app, 1, "success"]]} for app in (1, 2))
    [change] = evidence.changes(was, now)
    assert change["was"] != change["now"]


def test_of_a_request_without_parts_no_difference_can_be_told() -> None:
    assert evidence.changes({}, parts()) == ()


# --- what is not known -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plan": None}, Code.PLAN_CHANGED),
        ({"checks": None}, Code.CHECKS_UNKNOWN),
        ({"range": None}, Code.ANCESTRY_UNKNOWN),
        ({"range": CommitRange(status="unknown")}, Code.ANCESTRY_UNKNOWN),
        ({"running": None}, Code.ANCESTRY_UNKNOWN),
        ({"verified": None}, Code.STATE_UNKNOWN),
        ({"environments": None}, Code.STATE_UNKNOWN),
    ],
)
def test_rule_10_what_cannot_be_established_is_unknown_and_no_change(changes: dict[str, Any], code: Code) -> None:
    assert parts(**changes) == {}, "nobody can be shown it"
    decision = taking_effect(waiting(DEMANDING, given.OTHER, **SHOWN), DEMANDING, **{**MET, **changes})
    result = outcome(decision, "evidence")
    assert (result.state, result.code) == (RuleState.UNKNOWN, code)


def test_rule_10_a_change_is_told_even_where_something_else_is_not_known() -> None:
    changes = {**CHANGES["soak"][0], "checks": None}
    decision = taking_effect(waiting(DEMANDING, given.OTHER, **SHOWN), DEMANDING, **{**MET, **changes})
    assert outcome(decision, "evidence").code is Code.SOAK_CHANGED


def test_a_range_that_is_not_whole_is_signed_as_such_where_the_policy_takes_it() -> None:
    policy = replace(DEMANDING, unknown_author_needs=1)
    partial = CommitRange(status="ahead", commits=(given.commit(),), complete=False)
    assert demanded(policy=policy, range=partial).approvals_needed == 2
    found = parts(policy=policy, range=partial)
    assert found["commits"] == {"running": OLD, "commits": [NEW], "complete": False}
    assert evidence.hash_of(found) != evidence.hash_of(parts(policy=policy))


# --- what nobody signs -----------------------------------------------------------------------------------------------


def test_where_nobody_approves_what_went_there_meanwhile_changes_nothing() -> None:
    dev = given.asked(environment=given.DEV)
    assert evidence.changes(parts(dev, DEV_POLICY), parts(dev, DEV_POLICY, range=None, running=None)) == ()
    assert evidence.changes(parts(dev, DEV_POLICY), parts(dev, DEV_POLICY, plan=BIGGER))


def test_a_rollback_hangs_on_nothing_but_itself() -> None:
    one = parts(back(), POLICY, **backwards())
    assert one == parts(back(), POLICY, **backwards(verified=None, running=None, checks=None))
    glass = back(break_glass="it burns")
    assert parts(glass, POLICY, **backwards(running=None, checks=None))["commits"] == {"running": "", "commits": []}


def test_what_is_gone_past_is_signed_as_that() -> None:
    glass = given.asked(break_glass="it burns")
    skipped = ("checks", "soak")
    found = evidence_of(glass, given.facts(checks=None, verified=None), DEMANDING, RULES, skipped)
    assert found is not None
    assert (found["checks"], found["soak"], found["skipped"]) == ("skipped", "skipped", ["checks", "soak"])
    assert evidence_of(glass, given.facts(checks=None), DEMANDING, RULES, ("soak",)) is None


def test_the_first_release_of_an_environment_is_all_that_goes_there() -> None:
    nothing: dict[str, Any] = {"states": {**(given.facts().states or {}), PRODUCTION.id: replace(_empty(), version=0)}}
    found = parts(running=None, range=None, **nothing)
    assert found["commits"] == {"running": "", "commits": [NEW]}
    [change] = evidence.changes(found, parts())
    assert change["was"] == "1 commit, nothing runs there"


def _empty() -> Any:
    return replace((given.facts().states or {})[PRODUCTION.id], running="", last_verified="")


def test_an_approval_given_to_other_evidence_does_not_count() -> None:
    approved = given.promotion(
        given.approved(evidence="0" * 64), first=given.requested(given.request(policy=DEMANDING, **SHOWN))
    )
    standings = {given.OTHER.id: standing(given.OTHER.id)}
    assert taking_effect(approved, DEMANDING, standings=standings, **MET).code is Code.NEEDS_APPROVAL
