"""Locks and changes behind Miso's back follow from the rows of the environment's own stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.environment_story import VERSION, EnvironmentKind, apply, belongs, episodes, lock_before, lock_of
from bot.domain.model import Drift, EnvironmentState, Lock, Row
from tests.domain import given

PLACE = given.PRODUCTION.id
EMPTY = EnvironmentState(environment_id=PLACE)
ROWS: dict[str, dict[str, Any]] = {
    "environment.locked": {"reason": "fair", "login": "bob", "until_us": 7, "cause": "comment:1"},
    "environment.unlocked": {"reason": "", "login": "bob", "cause": "comment:2"},
    "drift.seen": {"expected": "sha256:a", "found": "sha256:b", "running": "one", "commit": "c"},
    "drift.ended": {},
}


def told(*kinds: str, **changes: Any) -> list[Row]:
    return [
        replace(given.row(kind, seq, **{**ROWS[kind], **changes}), at_us=given.NOW + seq)
        for seq, kind in enumerate(kinds, start=1)
    ]


def after(rows: list[Row]) -> EnvironmentState:
    state = EMPTY
    for row in rows:
        state = apply(state, row) or state
    return state


def test_every_kind_of_row_is_told_here() -> None:
    assert set(ROWS) == set(EnvironmentKind)


def test_a_lock_has_its_owner_its_reason_and_its_end() -> None:
    [locked] = told("environment.locked")
    state = after([locked])
    lock = lock_of(locked)
    assert (state.lock, state.version) == (lock, 1)
    assert isinstance(lock, Lock)
    assert (lock.owner.id, lock.owner.login, lock.reason, lock.since_us, lock.until_us) == (
        locked.actor_id,
        "bob",
        "fair",
        locked.at_us,
        7,
    )


def test_a_lock_that_is_taken_off_leaves_nothing() -> None:
    rows = told("environment.locked", "environment.locked", "environment.unlocked")
    assert after(rows) == replace(EMPTY, version=3)
    assert lock_before(rows, rows[-1]) == lock_of(rows[1])
    assert lock_before(rows[2:], rows[-1]) is None
    assert after(told("environment.unlocked")) == EMPTY, "nothing was locked, so nothing changed"


def test_what_was_found_stands_since_it_was_found_first() -> None:
    first, second = told("drift.seen", "drift.seen")
    second = replace(second, body={**second.body, "found": ""})
    assert after([first, second]).drift == Drift(expected="sha256:a", found="", since_us=first.at_us)
    assert after(told("drift.seen", "drift.ended")).drift is None


def test_rows_of_a_newer_miso_and_of_others_are_passed_over() -> None:
    [locked] = told("environment.locked")
    assert not belongs(replace(locked, v=VERSION + 1))
    assert apply(EMPTY, replace(locked, v=VERSION + 1)) is None
    assert apply(EMPTY, given.row("environment.painted", 1)) is None


def test_each_time_in_which_something_else_ran_is_one_episode() -> None:
    rows = told(
        "drift.ended", "drift.seen", "environment.locked", "drift.seen", "drift.ended", "drift.ended", "drift.seen"
    )
    first, second = episodes(rows)
    assert (first.number, first.seen, first.since_us, first.ended) == (2, rows[3], rows[1].at_us, rows[4])
    assert (second.number, second.seen, second.over) == (7, rows[6], False)
    assert episodes([]) == ()
