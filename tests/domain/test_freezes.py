"""When nothing is promoted: wall clock, recurrence, exceptions, and what must not be written."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st

from bot.domain import freezes
from bot.domain.rules import Freeze

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000_000
WEEKEND = Freeze(
    name="weekend",
    starts="2026-01-02T18:00",
    minutes=60 * 60,
    zone="Europe/Berlin",
    repeats="FREQ=WEEKLY;BYDAY=FR",
    exceptions=("2026-12-25",),
)


def us(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def until(freeze: Freeze, text: str, fold: int = 0) -> str:
    """Local end of the freeze that is on then; empty: none is."""
    found = freezes.active((freeze,), us(text, fold=fold))
    if found is None:
        return ""
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found.until_us)).astimezone(BERLIN).isoformat()[:16]
    )


def daily(**changes: Any) -> Freeze:
    night = Freeze(name="night", starts="2026-01-01T22:00", minutes=600, zone="Europe/Berlin", repeats="FREQ=DAILY")
    return replace(night, **changes)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-01-02T17:59", ""),
        ("2026-01-02T18:00", "2026-01-05T06:00"),
        ("2026-01-05T05:59", "2026-01-05T06:00"),
        ("2026-01-05T06:00", ""),
        ("2025-12-26T20:00", ""),
        ("2034-06-03T12:00", "2034-06-05T06:00"),
        # The clocks change on these weekends; it still ends on Monday at six.
        ("2026-03-28T12:00", "2026-03-30T06:00"),
        ("2026-10-24T12:00", "2026-10-26T06:00"),
        ("2026-10-26T06:00", ""),
        # Excepted: the occurrence that begins on that day, whole, and no other.
        ("2026-12-25T19:00", ""),
        ("2026-12-27T19:00", ""),
        ("2027-01-01T19:00", "2027-01-04T06:00"),
    ],
)
def test_a_weekend_in_wall_clock(at: str, ends: str) -> None:
    assert until(WEEKEND, at) == ends


def test_an_exception_is_the_day_on_which_it_begins_there() -> None:
    night = daily(starts="2026-01-01T23:30", minutes=120, exceptions=("2026-05-02",))
    assert until(night, "2026-05-02T00:30"), "it began on the day before"
    assert not until(night, "2026-05-02T23:45"), "in UTC this is the same day, too, but an hour or two earlier"
    assert not until(night, "2026-05-03T00:30")


def test_a_clock_that_shows_a_time_twice_or_never_freezes_longer() -> None:
    never = daily(starts="2026-01-01T02:30", minutes=15)
    assert until(never, "2026-03-29T03:00"), "02:30 is not there: it may be 01:30 or 03:30"
    assert not until(never, "2026-03-29T04:00")
    twice = daily(starts="2026-01-01T02:15", minutes=30)
    assert until(twice, "2026-10-25T02:30", fold=0)
    assert until(twice, "2026-10-25T02:30", fold=1)


def test_once_is_once() -> None:
    move = Freeze(name="move", starts="2026-05-01T00:00", minutes=3 * 1440)
    assert freezes.active((move,), us("2026-05-03T23:59", ZoneInfo("UTC")))
    assert not freezes.active((move,), us("2026-05-04T00:00", ZoneInfo("UTC")))
    assert not freezes.active((move,), us("2027-05-02T00:00", ZoneInfo("UTC")))


def test_the_one_that_ends_last_is_told() -> None:
    other = Freeze(name="fair", starts="2026-01-03T00:00", minutes=5 * 1440, zone="Europe/Berlin")
    for order in ((WEEKEND, other), (other, WEEKEND)):
        found = freezes.active(order, us("2026-01-03T12:00"))
        assert found is not None
        assert found.freeze is other


def test_occurrences_without_a_gap_end_together() -> None:
    days = daily(starts="2026-01-01T00:00", minutes=1440, repeats="FREQ=DAILY;COUNT=5")
    assert until(days, "2026-01-01T12:00") == "2026-01-06T00:00"


def test_a_freeze_of_a_year_is_still_on_long_after_it_began() -> None:
    year = Freeze(name="year", starts="2026-02-01T00:00", minutes=freezes.LONGEST_MINUTES, zone="Europe/Berlin")
    assert until(year, "2027-02-01T12:00")
    assert not until(year, "2027-02-02T12:00")


@pytest.mark.parametrize(
    ("repeats", "last"),
    [("FREQ=DAILY;UNTIL=20260205", "2026-02-05"), ("FREQ=DAILY;UNTIL=20260205T110000", "2026-02-04")],
)
def test_a_last_day_counts_whole_and_a_last_time_to_the_minute(repeats: str, last: str) -> None:
    noon = daily(starts="2026-02-01T12:00", minutes=60, repeats=repeats)
    days = [f"2026-02-{day:02}" for day in range(1, 10)]
    assert [day for day in days if until(noon, f"{day}T12:30")][-1] == last


def test_each_last_friday_of_a_month() -> None:
    closing = daily(starts="2026-01-30T18:00", minutes=60, repeats="FREQ=MONTHLY;BYDAY=-1FR")
    days = [f"2026-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(1, 29)] + ["2026-01-30"]
    assert sorted(day for day in days if until(closing, f"{day}T18:30")) == ["2026-01-30", "2026-02-27", "2026-03-27"]


def test_what_cannot_be_read_is_on() -> None:
    """A ledger of another version, or a machine without that zone: unknown never passes."""
    for broken in (
        daily(zone="Mars/Base"),
        daily(starts="soon"),
        daily(repeats="FREQ=HOURLY"),
        daily(exceptions=("Christmas",)),
    ):
        assert freezes.active((broken,), us("2026-05-01T12:00"))
        assert freezes.always((broken,), us("2026-05-01T12:00"))


def test_always_means_the_whole_year() -> None:
    now = us("2026-05-01T12:00")
    assert not freezes.always((), now)
    assert not freezes.always((WEEKEND, daily()), now)
    day, night = daily(starts="2026-01-01T08:00", minutes=840), daily(minutes=600)
    assert freezes.always((day, night), now)
    assert not freezes.always((day, daily(minutes=599)), now)
    assert not freezes.always((daily(minutes=1440, repeats="FREQ=DAILY;UNTIL=20270401"),), now)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=HOURLY",
        "FREQ=DAILY;BYHOUR=1,2",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20270101T000000Z",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=WEEKLY;BYDAY=1FR",
        "FREQ=WEEKLY;BYMONTHDAY=13",
        "FREQ=DAILY;BYDAY=MO",
        "FREQ=YEARLY;BYDAY=99MO",
        "BYDAY=FR",
        "RRULE:FREQ=DAILY",
        "FREQ=DAILY\nEXDATE:20260101T000000",
        "freq=daily",
    ],
)
def test_rules_that_would_say_something_else_or_never_end(rule: str) -> None:
    with pytest.raises(ValueError, match=r"must|may|says|has"):
        freezes.rule_of(rule)


def test_a_rule_without_a_day_is_found_in_no_time() -> None:
    for rule in (
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYSETPOS=2",
        "FREQ=DAILY;UNTIL=20200101",
    ):
        assert freezes.never(daily(repeats=rule)), rule
    assert not freezes.never(daily())
    assert not freezes.never(daily(starts="2024-02-29T12:00", repeats="FREQ=YEARLY"))


RULES = st.sampled_from(
    [
        "",
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;BYDAY=MO,FR",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=40",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,WE;WKST=SU",
        "FREQ=DAILY;INTERVAL=40;BYMONTH=3,4",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=YEARLY;BYMONTH=2,7",
        "FREQ=DAILY;UNTIL=20270301",
    ]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
FIRST, LAST = datetime.fromisoformat("2023-01-01"), datetime.fromisoformat("2027-12-31")
FREEZES = st.builds(
    Freeze,
    name=st.just("any"),
    starts=st.datetimes(FIRST, LAST).map(lambda at: at.isoformat()[:16]),
    minutes=st.integers(1, 20_000),
    zone=ZONES,
    repeats=RULES,
)
COLD = settings(deadline=None)
"""The first question of a year works its occurrences out; later ones find them."""
MOMENTS = st.integers(us("2025-06-01T00:00"), us("2027-12-31T00:00"))


@COLD
@given_that(FREEZES, st.integers(700, 2000))
def test_a_rule_that_began_years_ago_means_the_same_days(freeze: Freeze, later: int) -> None:
    """Days that are over are skipped: whoever walks through all of them finds the same ones."""
    if not freeze.repeats:
        return
    noon = datetime.fromisoformat(freeze.starts).replace(hour=12, minute=0)
    rule = re.sub(r"UNTIL=\d{8}$", r"\g<0>T235959", freeze.repeats)
    days = [noon + timedelta(days=later + each) for each in range(60)]
    walked = set(takewhile(lambda each: each <= days[-1], rrulestr(rule, dtstart=noon)))
    short = replace(freeze, starts=noon.isoformat()[:16], minutes=60, zone="UTC")
    for day in days:
        assert bool(freezes.active((short,), us(day.isoformat()[:16], ZoneInfo("UTC")))) == (day in walked), day


@COLD
@given_that(FREEZES, MOMENTS)
def test_a_freeze_that_is_on_stays_on_until_its_end_and_not_at_it(freeze: Freeze, now: int) -> None:
    found = freezes.active((freeze,), now)
    if found is None:
        return
    assert found.until_us > now
    assert freezes.active((freeze,), (now + found.until_us) // 2)
    assert freezes.active((freeze,), found.until_us - 1)
    after = freezes.active((freeze,), found.until_us)
    # What is looked at at once ends with a year; a chain that is longer goes on behind it.
    assert after is None or found.until_us - now > 300 * 24 * HOUR


@COLD
@given_that(FREEZES, MOMENTS, st.integers(1, 3000))
def test_a_longer_freeze_covers_a_shorter_one(freeze: Freeze, now: int, more: int) -> None:
    longer = replace(freeze, minutes=freeze.minutes + more)
    if freezes.active((freeze,), now):
        assert freezes.active((longer,), now)


@COLD
@given_that(st.lists(FREEZES, max_size=4), MOMENTS)
def test_one_of_many_is_enough(some: list[Freeze], now: int) -> None:
    each = [found for freeze in some if (found := freezes.active((freeze,), now))]
    found = freezes.active(some, now)
    assert (found is None) == (not each)
    if found:
        assert found.until_us == max(one.until_us for one in each)
