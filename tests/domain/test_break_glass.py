"""Break-glass (rule 36): past some rules, for two people, in time; never past what failed or was rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.decision import Asked, RuleState, Verdict
from bot.domain.model import Actor, ActorKind, Capacity, CommitRange, Lock, ProbeKind, Untrusted
from bot.domain.policy import SKIPPABLE, evidence_of
from bot.domain.promotion import Promotion
from bot.domain.rules import Policy, PolicySet, Who
from tests.domain import given
from tests.domain.asking import (
    DEMANDING,
    DEV_POLICY,
    FROZEN,
    TUESDAYS,
    approving,
    back,
    backwards,
    deciding,
    demanded,
    outcome,
    standing,
    state,
    taking_effect,
    waiting,
)
from tests.domain.given import NOW, OLD_DIGEST, POLICY, PRODUCTION, RULES

MINUTE = 60_000_000
GLASS = given.asked(break_glass="the shop is down")
LOCKED = Lock(owner=given.OTHER, reason=Untrusted("looking"), since_us=1, until_us=0)
CLOSED: dict[str, dict[str, Any]] = {
    "lock": {"states": state(lock=LOCKED)["states"]},
    "soak": {"verified": (given.promoted(given.TEST, verified_us=NOW),)},
    "order": {"verified": ()},
    "checks": {"checks": None},
    "availability": {"capacity": Capacity(instances=1, zones=1)},
}
"""Facts under which each of these rules does not pass."""
SHUT: dict[str, dict[str, Any]] = {
    "requester": {"permission": None},
    "identity": {"identity": replace(given.IDENTITY, owner_id=8)},
    "config": {"config": Code.CONFIG_INVALID},
    "image": {"image_exists": False},
    "tag": {"tag_digest": OLD_DIGEST},
    "holds": {"bans": None},
    "fence": {"range": CommitRange(status="behind", commits=(given.commit(),), complete=True)},
    "duplicate": {"open": (given.promoted(PRODUCTION, open=True, stream="promotion-other"),)},
    "authors": {"pull_requests": {}},
}
"""Facts under which each of these rules does not pass, and never may."""


@pytest.mark.parametrize("rule", CLOSED)
def test_rule_36_two_people_go_past_what_is_closed_and_it_is_told(rule: str) -> None:
    assert demanded(**CLOSED[rule]).refused
    decision = demanded(GLASS, **CLOSED[rule])
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert rule in {r.rule for r in decision.skipped}
    assert all(r.code is not None and not r.passed for r in decision.skipped), "what is skipped never reads as a pass"


def test_rule_36_the_branch_the_probe_and_a_freeze_may_be_gone_past_as_well() -> None:
    weak = replace(PRODUCTION, probe=ProbeKind.PLATFORM)
    glass = replace(GLASS, environment=weak, release=given.release(branch="hotfix"))
    decision = demanded(glass, replace(DEMANDING, freezes=(TUESDAYS,)))
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert {r.rule for r in decision.skipped} == {"branch", "probe", "freeze"}


@pytest.mark.parametrize("rule", SHUT)
def test_rule_36_nobody_goes_past_what_is_not_a_matter_of_time(rule: str) -> None:
    decision = demanded(GLASS, **SHUT[rule])
    assert decision.refused
    assert not outcome(decision, rule).skipped


@given_that(st.sets(st.sampled_from(sorted(CLOSED))), st.sets(st.sampled_from(sorted(SHUT))), st.booleans())
def test_rule_36_break_glass_passes_exactly_what_may_be_skipped(closed: set[str], shut: set[str], frozen: bool) -> None:
    changes = {name: value for rule in sorted(closed - {"order"}) for name, value in CLOSED[rule].items()}
    changes |= {name: value for rule in sorted(shut) for name, value in SHUT[rule].items()}
    policy = replace(DEMANDING, freezes=(TUESDAYS,)) if frozen else DEMANDING
    plain, decision = demanded(policy=policy, **changes), demanded(GLASS, policy, **changes)
    assert {r.rule for r in decision.skipped} <= SKIPPABLE
    assert decision.refused == any(not r.passed and r.rule not in SKIPPABLE for r in decision.rules)
    assert not decision.allowed, "a second person is always needed"
    assert decision.refused == bool(shut)
    assert not plain.skipped, "without break-glass nothing is gone past"


def test_rule_36_it_takes_a_reason_a_right_and_a_policy_that_knows_it() -> None:
    assert demanded(GLASS, replace(DEMANDING, break_glass=False)).code is Code.BREAK_GLASS_OFF
    off = demanded(GLASS, replace(DEMANDING, break_glass=False), **CLOSED["lock"])
    assert {r.code for r in off.obstacles} == {Code.BREAK_GLASS_OFF, Code.LOCKED}
    strict = replace(DEMANDING, approve=Who(role="maintain"))
    assert outcome(demanded(GLASS, strict), "requester").code is Code.PERMISSION_DENIED
    app = replace(GLASS, requester=Actor(kind=ActorKind.APP, id=1234))
    assert {r.code for r in deciding(app).obstacles} == {Code.BOT_REFUSED}


def test_rule_36_where_nobody_approves_a_second_person_does() -> None:
    glass = replace(GLASS, environment=given.DEV)
    decision = deciding(glass, replace(DEV_POLICY, freezes=(TUESDAYS,)))
    assert (decision.verdict, decision.approvals_needed) == (Verdict.NEEDS_APPROVAL, 1)
    assert given.ASKER.id in decision.excluded
    assert deciding(glass, DEV_POLICY, pull_requests={}).approvals_needed == 2, (
        "an author who cannot be told has a price"
    )


def in_emergency(
    *by: Actor, policy: Policy = FROZEN, skipped: tuple[str, ...] = ("freeze",), at: int = NOW
) -> Promotion:
    return waiting(policy, *by, at_us=at, break_glass=GLASS.break_glass, skipped=skipped)


def test_rule_36_what_two_people_agreed_to_takes_effect() -> None:
    assert approving(in_emergency(), policy=FROZEN).allowed
    decision = taking_effect(in_emergency(given.OTHER), FROZEN)
    assert decision.allowed
    assert [r.rule for r in decision.skipped] == ["freeze"]
    assert taking_effect(in_emergency(), FROZEN).code is Code.NEEDS_APPROVAL
    assert taking_effect(in_emergency(given.ASKER), FROZEN).code is Code.NEEDS_APPROVAL


def test_rule_36_what_fails_only_now_nobody_agreed_to() -> None:
    locked = state(lock=LOCKED)
    for decision in (
        approving(in_emergency(), policy=FROZEN, **locked),
        taking_effect(in_emergency(given.OTHER), FROZEN, **locked),
    ):
        assert decision.code is Code.SKIPPED_CHANGED
        assert outcome(decision, "break_glass").values["now"] == "freeze, lock"
    unread: dict[str, Any] = {"states": {k: v for k, v in (given.facts().states or {}).items() if k != PRODUCTION.id}}
    assert outcome(taking_effect(in_emergency(given.OTHER), FROZEN, **unread), "lock").state is RuleState.UNKNOWN


def test_rule_36_a_rule_that_passes_by_now_is_no_change() -> None:
    assert taking_effect(in_emergency(given.OTHER, skipped=("freeze", "lock")), FROZEN).allowed


@pytest.mark.parametrize(
    ("approved", "now", "code"),
    [
        (NOW + 60 * MINUTE, NOW + 60 * MINUTE, None),
        (NOW + 60 * MINUTE, NOW + 120 * MINUTE, None),
        (NOW + 60 * MINUTE, NOW + 120 * MINUTE + 1, Code.BREAK_GLASS_EXPIRED),
        (NOW + 60 * MINUTE + 1, NOW + 61 * MINUTE, Code.BREAK_GLASS_EXPIRED),
    ],
)
def test_rule_36_it_is_agreed_to_and_begun_in_time(approved: int, now: int, code: Code | None) -> None:
    # Half a day of freeze that begins with the request, so that it lasts as long as the test looks.
    policy = replace(POLICY, freezes=(replace(TUESDAYS, starts="2023-11-14T12:00", minutes=1440, repeats=""),))
    assert taking_effect(in_emergency(given.OTHER, policy=policy, at=approved), policy, now).code is code
    late = approving(in_emergency(policy=policy), policy=policy, now_us=approved)
    assert late.code is (Code.BREAK_GLASS_EXPIRED if approved > NOW + 60 * MINUTE else None)
    sooner = PolicySet(break_glass_minutes=10)
    assert approving(in_emergency(policy=policy), policy=policy, now_us=approved, policies=sooner).refused


def test_rule_36_the_approval_covers_what_is_skipped() -> None:
    facts, one = given.facts(), evidence_of(GLASS, given.facts(), FROZEN, RULES, ("freeze",))
    assert one is not None
    assert one["skipped"] == ["freeze"]
    assert evidence_of(GLASS, facts, FROZEN, RULES) != one


def test_rule_36_going_back_past_a_lock_takes_a_second_person_too() -> None:
    glass = back(break_glass="the shop is down")
    decision = deciding(glass, **backwards(**state(lock=LOCKED)))
    assert (decision.verdict, decision.approvals_needed) == (Verdict.NEEDS_APPROVAL, 1)
    assert decision.excluded == (given.ASKER.id,)


def test_rule_36_a_promotion_that_was_asked_plainly_is_not_begun_as_an_emergency() -> None:
    plain = waiting(FROZEN, given.OTHER)
    glass: Asked = replace(given.asked(), break_glass="now it is one")
    decision = taking_effect(plain, FROZEN, request=glass, standings={given.OTHER.id: standing(given.OTHER.id)})
    assert outcome(decision, "request").code is Code.PLAN_CHANGED
    assert decision.refused
