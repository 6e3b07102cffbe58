"""What closes an environment or a release for a while: freezes, locks, holds, bans, and another one's turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.decision import RuleState
from bot.domain.model import (
    Actor,
    ActorKind,
    Ban,
    CommitRange,
    Drift,
    EnvironmentState,
    Lock,
    PromotionRow,
    Status,
    Untrusted,
)
from bot.domain.rules import Concurrency
from tests.domain import given
from tests.domain.asking import FROZEN, back, backwards, deciding, demanded, outcome, state, taking_effect, waiting
from tests.domain.given import HOUR, NEW, NOW, OLD, OLD_DIGEST, POLICY, PRODUCTION

# --- freezes ---------------------------------------------------------------------------------------------------------


def test_in_a_freeze_nothing_is_promoted_and_one_may_go_back() -> None:
    result = outcome(deciding(policy=FROZEN), "freeze")
    assert result.code is Code.FROZEN
    assert result.values == {"stage": "production", "until": 1_700_006_400_000_000, "reason": "market day"}
    assert deciding(back(), FROZEN, **backwards()).allowed


def test_a_freeze_counts_at_the_effect_whenever_it_was_asked_and_approved() -> None:
    asked = given.promotion(given.approved(), first=given.requested(given.request(policy=FROZEN)))
    assert taking_effect(asked, FROZEN).code is Code.FROZEN
    approved = waiting(FROZEN, given.OTHER, at_us=NOW + 2 * HOUR)
    assert taking_effect(approved, FROZEN, now_us=NOW + 2 * HOUR).allowed


# --- locks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "until_us", "code"),
    [
        (given.OTHER, 0, Code.LOCKED),
        (given.OTHER, NOW + 1, Code.LOCKED),
        (given.OTHER, NOW, None),
        (given.ASKER, 0, None),
        (replace(given.ASKER, login="renamed"), 0, None),
        (Actor(kind=ActorKind.APP, id=given.ASKER.id), 0, Code.LOCKED),
    ],
)
def test_somebody_elses_lock_keeps_everybody_out(owner: Actor, until_us: int, code: Code | None) -> None:
    lock = Lock(owner=owner, reason=Untrusted("looking"), since_us=1, until_us=until_us)
    result = outcome(deciding(**state(lock=lock)), "lock")
    assert result.code is code
    assert result.values.get("until") == (until_us if code and until_us else None)
    assert outcome(deciding(back(), **backwards(**state(lock=lock))), "lock").code is code, "those going back as well"


# --- holds and bans --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("commit", "digest"), [(NEW, OLD_DIGEST), (OLD, given.NEW_DIGEST)])
def test_a_rejected_release_goes_nowhere(commit: str, digest: str) -> None:
    ban = Ban(commit=commit, digest=digest, reason=Untrusted("leaks"), by=given.OTHER, since_us=1)
    decision = deciding(bans=(ban,))
    assert decision.code is Code.RELEASE_REJECTED
    assert outcome(decision, "holds").command == f"/clear @{commit[:12]} <reason>"
    other = Ban(commit="c" * 40, digest="sha256:" + "9" * 64, reason=Untrusted("leaks"), by=given.OTHER, since_us=1)
    assert not deciding(bans=(other,)).refused


def test_a_rollback_does_not_go_to_a_rejected_release_either() -> None:
    ban = Ban(commit=OLD, digest=OLD_DIGEST, reason=Untrusted("leaks"), by=given.OTHER, since_us=1)
    assert deciding(back(), **backwards(bans=(ban,))).code is Code.RELEASE_REJECTED


# --- turns -----------------------------------------------------------------------------------------------------------


def other(**changes: Any) -> PromotionRow:
    made = given.promoted(
        PRODUCTION, stream="promotion-other", open=True, verified=False, commit=OLD, digest=OLD_DIGEST
    )
    return replace(made, status=Status.APPROVED, requested_us=NOW - 1, **changes)


@pytest.mark.parametrize(
    ("row", "waits"),
    [
        (other(), True),
        (replace(other(), requested_us=NOW + 1), False),
        (replace(other(), requested_us=NOW), False),
        (replace(other(), requested_us=NOW, stream="promotion-earlier"), True),
        (replace(other(), status=Status.REQUESTED), False),
        (replace(other(), environment_id=given.TEST.id), False),
        (replace(other(), open=False), False),
    ],
)
def test_in_a_queue_the_oldest_that_may_begin_goes_first(row: PromotionRow, waits: bool) -> None:
    queue = replace(POLICY, concurrency=Concurrency.QUEUE)
    result = outcome(taking_effect(waiting(queue, given.OTHER), queue, open=(row,)), "turn")
    assert result.state is (RuleState.UNKNOWN if waits else RuleState.PASS), "it waits, and is not refused"
    assert outcome(taking_effect(waiting(POLICY, given.OTHER), open=(row,)), "turn").passed


# --- what others changed ---------------------------------------------------------------------------------------------


def test_rule_32_asking_again_for_what_should_run_repairs_what_others_changed() -> None:
    drifted = state(drift=Drift(expected="a", found="b", since_us=1))
    same = CommitRange(status="identical", complete=True)
    assert not deciding(running=given.release(), range=same, **drifted).refused
    assert deciding(running=given.release(), range=same).code is Code.ALREADY_RUNNING
    on_its_way = given.promoted(PRODUCTION, open=True, verified=False, stream="promotion-other")
    assert deciding(running=given.release(), open=(on_its_way,), **drifted).code is Code.ALREADY_REQUESTED


def test_of_an_environment_without_a_state_nothing_is_known() -> None:
    nowhere: dict[str, EnvironmentState] = {}
    decision = demanded(states=nowhere)
    for rule in ("lock", "holds", "duplicate", "settings", "fence", "soak"):
        assert outcome(decision, rule).state is RuleState.UNKNOWN
