"""What an observer of promotions would write down, in plain sets and numbers: the other side of `machine`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.domain.model import Actor, ActorKind, CommitRange, Release
from bot.domain.rules import Freeze, RequiredCheck
from tests.domain import given

LINE = tuple(letter * 40 for letter in "abcd")
"""Commits, each the parent of the next; the first one runs at the beginning."""
ASIDE = "e" * 40
"""A commit beside the line: it descends from the first, and from no other."""
PEOPLE = tuple(Actor(kind=ActorKind.PERSON, id=number, login=f"p{number}") for number in (12, 14, 15, 16))
UNKNOWABLE = (
    "identity",
    "image_exists",
    "tag_digest",
    "range",
    "states",
    "verified",
    "bans",
    "checks",
    "plan",
    "permission",
)
NEEDLESS_FOR_A_ROLLBACK = frozenset({"tag_digest", "range", "checks"})
FROZEN = Freeze(name="always", starts="2020-01-01T00:00", minutes=24 * 60, repeats="FREQ=DAILY", reason="year's end")
CHECK = RequiredCheck(name="scan", app_id=7)


def release_of(commit: str) -> Release:
    return given.release(commit, f"sha256:{commit[0] * 64}")


@dataclass
class Word:
    """One person's yes in the books: to whom it was given, and how everything stood."""

    person: int
    at_us: int
    stood: tuple[Any, ...]


@dataclass
class Books:
    """What an observer would have written down of one promotion."""

    commit: str
    requester: int
    rollback: bool
    break_glass: bool
    skipped: frozenset[str] = frozenset()
    words: list[Word] = field(default_factory=list)
    stopped: bool = False
    began: int = 0


def range_of(running: str, commit: str) -> CommitRange:
    """What GitHub would say lies between what runs and a commit."""
    if commit == running:
        return CommitRange(status="identical", complete=True)
    if ASIDE in (commit, running):
        ahead, behind = commit == ASIDE and running == LINE[0], commit == LINE[0]
        status: Any = "ahead" if ahead else "behind" if behind else "diverged"
        return CommitRange(status=status, commits=(given.commit(commit),), complete=True)
    old, new = LINE.index(running), LINE.index(commit)
    between = tuple(given.commit(sha) for sha in LINE[old + 1 : new + 1])
    return CommitRange(status="ahead" if new > old else "behind", commits=between, complete=True)
