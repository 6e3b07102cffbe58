"""The story of an environment itself: locks that people put on it, and changes of it that Miso did not make (rule 32).

`bot.services.locks` and `bot.services.drift` write these rows through `notes.write`, with `apply` beside them, so that
projection and journal stand in one transaction; `environments.rebuild` replays them among the rows of promotions. Each
environment has one such stream. Nothing here decides who may lock, or looks at Azure.

| row                  | body                                             | what follows                             |
|----------------------|--------------------------------------------------|------------------------------------------|
| environment.locked   | reason, login, until_us, cause                   | nobody but its owner promotes there      |
| environment.unlocked | reason, login, cause                             | everybody may again                      |
| drift.seen           | expected, found, running, commit, installation,  | it runs something that Miso did not put  |
|                      | repository                                       | there                                    |
| drift.ended          |                                                  | it runs what it should                   |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.model import Actor, ActorKind, Drift, EnvironmentState, Lock, Row, Untrusted

VERSION = 1


class EnvironmentKind(StrEnum):
    """Every kind of row that an environment's own stream may hold."""

    LOCKED = "environment.locked"
    UNLOCKED = "environment.unlocked"
    DRIFT_SEEN = "drift.seen"
    DRIFT_ENDED = "drift.ended"


def belongs(row: Row) -> bool:
    """Whether a row is one of this story, and of a version that is known here."""
    return row.kind in set(EnvironmentKind) and row.v <= VERSION


def apply(state: EnvironmentState, row: Row) -> EnvironmentState | None:
    """The state after `row`, one version higher; None when the row changes nothing."""
    if not belongs(row):
        return None
    after = _after(state, row)
    return None if after == state else replace(after, version=state.version + 1)


def _after(state: EnvironmentState, row: Row) -> EnvironmentState:
    match EnvironmentKind(row.kind):
        case EnvironmentKind.LOCKED:
            return replace(state, lock=lock_of(row))
        case EnvironmentKind.UNLOCKED:
            return replace(state, lock=None)
        case EnvironmentKind.DRIFT_SEEN:
            body, since_us = row.body, state.drift.since_us if state.drift else row.at_us
            return replace(state, drift=Drift(expected=body["expected"], found=body["found"], since_us=since_us))
        case EnvironmentKind.DRIFT_ENDED:
            return replace(state, drift=None)


def lock_of(row: Row) -> Lock:
    """The lock that an `environment.locked` row put there."""
    owner = Actor(kind=ActorKind(row.actor_kind), id=row.actor_id, login=str(row.body["login"]))
    reason, until_us = Untrusted(str(row.body["reason"])), int(row.body["until_us"])
    return Lock(owner=owner, reason=reason, since_us=row.at_us, until_us=until_us)


def lock_before(rows: Sequence[Row], unlocked: Row) -> Lock | None:
    """The lock that an `environment.unlocked` row took off: the last one put there before it."""
    return next((lock_of(r) for r in reversed(rows) if r.kind == EnvironmentKind.LOCKED and r.seq < unlocked.seq), None)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One time in which an environment ran something else, from the row that told of it first to the one that ended it.

    The release that should have run is the same all the while: another one that is deployed ends it.
    """

    seen: Row
    """The newest `drift.seen` of it: what was found may change, what should run does not."""
    number: int
    """Number of its first row in the stream: its name."""
    since_us: int
    ended: Row | None = None

    @property
    def over(self) -> bool:
        return self.ended is not None


def episodes(rows: Sequence[Row]) -> tuple[Episode, ...]:
    """Every time in which something else ran, oldest first; only the last may go on."""
    found: list[Episode] = []
    for row in filter(belongs, rows):
        going_on = bool(found) and not found[-1].over
        if row.kind == EnvironmentKind.DRIFT_SEEN:
            if going_on:
                found[-1] = replace(found[-1], seen=row)
            else:
                found.append(Episode(seen=row, number=row.seq, since_us=row.at_us))
        elif row.kind == EnvironmentKind.DRIFT_ENDED and going_on:
            found[-1] = replace(found[-1], ended=row)
    return tuple(found)
