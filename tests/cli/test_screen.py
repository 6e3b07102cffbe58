"""What is printed is readable, and foreign text acts on no terminal."""

from __future__ import annotations

import pytest

from bot.cli import screen


def test_rule_14_foreign_text_loses_its_escape_sequences() -> None:
    assert screen.foreign("\x1b[31mred\x1b]0;title\x07 \u202eevil").plain == "red evil"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_600, "1 h"), (200_000, "2 d"), (-5, "0 s")]
)
def test_ages_have_one_unit(seconds: int, shown: str) -> None:
    at = 1_795_000_000_000_000
    assert screen.age(at, at + seconds * 1_000_000) == shown


def test_no_moment_is_nothing() -> None:
    assert (screen.moment(0), screen.age(0, 5)) == ("", "")
    assert screen.moment(1_795_000_000_000_000) == "2026-11-18T11:06:40Z"
