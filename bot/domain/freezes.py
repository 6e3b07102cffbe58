"""Times in which nothing is promoted: whether one is on, until when, and what is wrong with how it is written.

Called by `policy.decide` (at the request and again at the effect), by the lint, and by `policy_keys` for its checks.
Times are wall clock in the freeze's own zone: "Friday 18:00 for 60 hours" ends on Monday at 06:00, also when the clocks
change in between. Where the clock shows a time twice or never, the freeze begins at the earlier and ends at the later
moment. A freeze that cannot be read is on. Occurrences are worked out once for each year and kept; asking then costs
microseconds.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr

from bot.domain.rules import Freeze

LONGEST_MINUTES = 366 * 24 * 60
FIRST_YEAR, LAST_YEAR = 2020, 2199
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR = timedelta(days=366)
_STARTS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", re.ASCII)
# `localtime` and the like would mean another time on each machine.
_ZONE = re.compile(r"UTC|[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)+", re.ASCII)

# A part of https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10: what recurs by days or slower, at the time of day of
# `starts`. The library takes more, and some of it (an interval of 0, several lines) never ends or says something else.
_DAY = r"(?:MO|TU|WE|TH|FR|SA|SU)"
_PARTS = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9][0-9]{0,2}",
    "COUNT": r"[1-9][0-9]{0,3}",
    "UNTIL": r"2[01][0-9]{6}(?:T[0-9]{6})?",
    "BYDAY": rf"(?:[+-]?[1-5])?{_DAY}(?:,(?:[+-]?[1-5])?{_DAY})*",
    "BYMONTHDAY": r"-?[1-9][0-9]?(?:,-?[1-9][0-9]?)*",
    "BYMONTH": r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2]))*",
    "BYSETPOS": r"-?[1-9][0-9]{0,2}(?:,-?[1-9][0-9]{0,2})*",
    "WKST": _DAY,
}
_DAYS = {"DAILY": 1, "WEEKLY": 7}
_ALIKE = 19 * 400
"""The calendar repeats after 400 years, weekdays and leap years alike. dateutil looks for a next occurrence until the
year 9999, for seconds where there is none; so many years later it gives up at once."""


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A freeze that is on, and when it ends: the occurrence, and those that follow without a gap."""

    freeze: Freeze
    until_us: int


def active(freezes: Sequence[Freeze], now_us: int) -> Frozen | None:
    """The freeze that is on at this moment, the one that ends last; None: none is. Begins count, ends do not."""
    found = [Frozen(freeze=each, until_us=until) for each in freezes if (until := _until(each, now_us))]
    return max(found, key=lambda frozen: frozen.until_us, default=None)


def always(freezes: Sequence[Freeze], from_us: int) -> bool:
    """Whether there is no moment without a freeze in the year from there on: then nobody can ever promote."""
    now = from_us
    while now < from_us + _YEAR // timedelta(microseconds=1):
        frozen = active(freezes, now)
        if frozen is None:
            return False
        now = frozen.until_us
    return True


def starts_at(text: str) -> str:
    """A begin in the one form that a `Freeze` keeps. Raises ValueError with what is wrong."""
    form = "must be local time without a zone, like 2026-12-24T18:00"
    plain = re.sub(r"(T[0-9]{2}:[0-9]{2}):00$", r"\1", text.strip().replace(" ", "T"))
    if not _STARTS.fullmatch(plain):
        raise ValueError(form)
    try:
        begin = datetime.fromisoformat(plain)
    except ValueError:
        raise ValueError(form) from None
    if not FIRST_YEAR <= begin.year <= LAST_YEAR:
        raise ValueError(f"must lie between {FIRST_YEAR} and {LAST_YEAR}")
    return plain


def zone_named(text: str) -> str:
    """The zone, if there is one of that name. Raises ValueError with what is wrong."""
    try:
        if not _ZONE.fullmatch(text):
            raise ValueError(text)
        ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("must be the name of a time zone, like Europe/Berlin or UTC") from None
    return text


def rule_of(text: str) -> str:
    """The recurrence rule, if it is one that we take. Raises ValueError with what is wrong."""
    said = _parts_of(text)
    if {"COUNT", "UNTIL"} <= said.keys():
        raise ValueError("may say COUNT or UNTIL, not both")
    if said["FREQ"] in _DAYS:
        # Here they would only ever take days away, down to none at all.
        if {"BYMONTHDAY", "BYSETPOS"} & said.keys() or (said["FREQ"] == "DAILY" and "BYDAY" in said):
            raise ValueError("may say BYDAY from WEEKLY on, BYMONTHDAY and BYSETPOS from MONTHLY on")
        if re.search(r"[1-5]", said.get("BYDAY", "")):
            raise ValueError("may number the days of BYDAY only in a month or a year")
    return text


def _parts_of(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise ValueError(f"must be made of {', '.join(_PARTS)}, like FREQ=WEEKLY;BYDAY=FR")
        if name in said:
            raise ValueError(f"says {name} twice")
        if not re.fullmatch(_PARTS[name], value, re.ASCII):
            raise ValueError(f"has a {name} that means nothing here{_HINTS.get(name, '')}")
        said[name] = value
    if "FREQ" not in said:
        raise ValueError("must say FREQ")
    return said


def never(freeze: Freeze) -> bool:
    """Whether a freeze whose parts are right has no occurrence at all, like each 30 February."""
    starts = datetime.fromisoformat(starts_at(freeze.starts))
    return bool(freeze.repeats) and next(iter(_rule(freeze.repeats, starts)), None) is None


_HINTS = {
    "FREQ": "; it may be DAILY, WEEKLY, MONTHLY or YEARLY",
    "UNTIL": "; it is a local day or time, like 20261231 or 20261231T180000",
}


def _until(freeze: Freeze, now_us: int) -> int:
    """When the freeze that is on at this moment ends; 0: it is not on."""
    year = (_EPOCH + timedelta(microseconds=now_us)).year
    spans = _spans(freeze, year)
    if spans is None:
        return now_us + _YEAR // timedelta(microseconds=1)
    begins, ends = spans
    at = bisect_right(begins, now_us) - 1
    return ends[at] if at >= 0 and now_us < ends[at] else 0


@lru_cache(maxsize=1024)
def _spans(freeze: Freeze, year: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Begins and ends of all that touches this year and the next, in order and without overlap.

    None: the freeze cannot be read.
    """
    try:
        zone = ZoneInfo(zone_named(freeze.zone))
        lasts = timedelta(minutes=min(max(freeze.minutes, 1), LONGEST_MINUTES))
        first = datetime.fromisoformat(f"{year:04}-01-01") - lasts - timedelta(days=2)
        begins = _begins(freeze, first, datetime.fromisoformat(f"{year + 2:04}-01-01"))
        skipped = {date.fromisoformat(day) for day in freeze.exceptions}
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    spans: list[tuple[int, int]] = []
    for begin in begins:
        if begin.date() in skipped:
            continue
        span = (min(_moments(begin, zone)), max(_moments(begin + lasts, zone)))
        if spans and span[0] <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], span[1]))
        else:
            spans.append(span)
    return tuple(begin for begin, _ in spans), tuple(end for _, end in spans)


def _begins(freeze: Freeze, first: datetime, last: datetime) -> list[datetime]:
    """Wall clock of every begin in between."""
    starts = datetime.fromisoformat(starts_at(freeze.starts))
    if not freeze.repeats:
        return [starts] if first <= starts < last else []
    said = _parts_of(rule_of(freeze.repeats))
    step = _DAYS.get(said["FREQ"], 0) * int(said.get("INTERVAL", "1"))
    if step and "COUNT" not in said and starts < first:
        # The same rule, begun later: years of days that are over need not be walked through.
        starts += timedelta(days=(first - starts).days // step * step)
    far = last.replace(year=last.year + _ALIKE)
    found = takewhile(lambda each: each < far, _rule(freeze.repeats, starts))
    return [each for at in found if (each := at.replace(year=at.year - _ALIKE)) >= first]


def _rule(text: str, starts: datetime) -> rrule:
    """The rule, in years that look like those that are meant. A last day without a time counts whole."""

    def later(match: re.Match[str]) -> str:
        return f"UNTIL={int(match['year']) + _ALIKE}{match['rest']}{match['time'] or 'T235959'}"

    text = re.sub(r"UNTIL=(?P<year>[0-9]{4})(?P<rest>[0-9]{4})(?P<time>T[0-9]{6})?", later, text)
    made = rrulestr(text, dtstart=starts.replace(year=starts.year + _ALIKE))
    if not isinstance(made, rrule):
        raise TypeError("one rule was given, and several were read")
    return made


def _moments(wall: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """Microseconds UTC of both readings of a wall clock, which differ only while the clocks change."""
    both = (wall.replace(tzinfo=zone, fold=fold) - _EPOCH for fold in (0, 1))
    first, second = (each // timedelta(microseconds=1) for each in both)
    return first, second
