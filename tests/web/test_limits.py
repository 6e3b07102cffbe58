"""A bucket for each, that fills again with time; and a memory that does not grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.limits import Limit, Limits, TooMany


class Now:
    us = 0

    def __call__(self) -> int:
        return self.us


def made(now: Now, per_minute: int = 6, most: int = 100) -> Limits:
    return Limits(now, dict.fromkeys(Limit, per_minute), most=most)


def taken(limits: Limits, who: str = "a") -> int:
    """Seconds to wait; 0 when it was let through."""
    try:
        limits.take(Limit.API, who)
    except TooMany as no:
        return no.retry_after
    return 0


def test_so_many_a_minute_and_then_one_each_tenth_of_it() -> None:
    now = Now()
    limits = made(now)
    assert [taken(limits) for _ in range(7)] == [0] * 6 + [10]
    now.us = 9_999_999
    assert taken(limits) == 1
    now.us = 10_000_000
    assert [taken(limits), taken(limits)] == [0, 10]


def test_kinds_and_people_are_counted_apart() -> None:
    limits = made(Now(), per_minute=1)
    assert [taken(limits, "a"), taken(limits, "b"), taken(limits, "a")] == [0, 0, 60]
    limits.take(Limit.SIGN_IN, "a")
    with pytest.raises(TooMany):
        limits.check(Limit.SIGN_IN, "a")
    limits.check(Limit.SIGN_IN, "b")
    limits.check(Limit.SIGN_IN, "b")


def test_a_refusal_costs_nothing_more() -> None:
    now = Now()
    limits = made(now, per_minute=1)
    for _ in range(100):
        taken(limits)
    now.us = 60_000_000
    assert taken(limits) == 0


def test_a_clock_that_was_put_back_frees_nobody() -> None:
    now = Now()
    limits = made(now, per_minute=1)
    taken(limits)
    now.us = -3_600_000_000
    assert taken(limits) == 60


def test_memory_is_bounded() -> None:
    limits = made(Now(), most=10)
    for n in range(1000):
        taken(limits, str(n))
    assert all(len(left) <= 10 for left in limits._left.values())


@given(st.lists(st.integers(0, 30_000_000), max_size=60), st.integers(1, 20))
def test_never_more_than_agreed_in_any_time(steps: list[int], per_minute: int) -> None:
    now = Now()
    limits = made(now, per_minute=per_minute)
    through = 0
    for step in steps:
        now.us += step
        through += taken(limits) == 0
    assert through <= per_minute + now.us / 60e6 * per_minute + 1e-6
