"""The journal of the journey with the projections beside it, as the store would keep them in one transaction.

It refuses what the store refuses: a row whose number was taken, one of a stale epoch, a claim on a lease that is held.
Every row is shown to an observer before it stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain import environment_story, environments, release_story
from bot.domain import promotion as promotions
from bot.domain.model import Actor, EnvironmentState, PromotionRow, Release, Row
from bot.domain.promotion import Kind, Promotion, project
from bot.domain.release_story import ReleaseStory
from tests.domain.given import APPLICATION

TTL_US = 10_000_000


@dataclass
class Lease:
    stream: str = ""
    epoch: int = 0
    until_us: int = 0


@dataclass
class Ledger:
    """Rows in the order in which they were written, and what they come to."""

    watch: Callable[[Row], None]
    rows: list[Row] = field(default_factory=list)
    streams: dict[str, list[Row]] = field(default_factory=dict)
    states: dict[str, EnvironmentState] = field(default_factory=dict)
    promotions: dict[str, Promotion] = field(default_factory=dict)
    shown: dict[str, PromotionRow] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    past: list[dict[str, EnvironmentState]] = field(default_factory=list)
    """The states of all environments after each row."""

    def state(self, place: str) -> EnvironmentState:
        return self.states.get(place) or EnvironmentState(environment_id=place)

    def lease(self, place: str, now_us: int) -> Lease | None:
        """The lease of an environment, while somebody holds it."""
        found = self.leases.get(place)
        return found if found is not None and now_us < found.until_us else None

    def release_running(self, place: str) -> Release | None:
        stream = self.state(place).running
        return self.promotions[stream].request.release if stream else None

    def open(self, place: str) -> tuple[PromotionRow, ...]:
        return tuple(row for row in self.shown.values() if row.open and row.environment_id == place)

    def release_story(self, which: str) -> ReleaseStory:
        return release_story.fold(self.streams.get(f"release-{which}", []))

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(
        self,
        stream: str,
        kind: str,
        actor: Actor,
        now_us: int,
        body: Mapping[str, Any],
        *,
        place: str = "",
        v: int = 1,
        epoch: int = 0,
        after: int | None = None,
    ) -> bool:
        """Append one row. False when it was decided over rows that are not the last any more, or its epoch is stale.

        `after`: number of the last row that was read.
        """
        before = self.streams.get(stream, [])
        lease = self.lease(place, now_us)
        if (after is not None and after != len(before)) or (epoch and (lease is None or lease.epoch != epoch)):
            return False
        row = Row(
            position=len(self.rows) + 1,
            stream=stream,
            seq=len(before) + 1,
            kind=kind,
            v=v,
            at_us=now_us,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            application_id=APPLICATION.id,
            environment_id=place,
            epoch=epoch,
            body={"login": actor.login, **body},
            prev="",
            hash="",
        )
        self.watch(row)
        self.rows.append(row)
        self.streams.setdefault(stream, []).append(row)
        self._project(row)
        self.past.append(dict(self.states))
        return True

    def _project(self, row: Row) -> None:
        if environment_story.belongs(row):
            changed = environment_story.apply(self.state(row.environment_id), row)
        elif row.stream in self.promotions or row.kind == Kind.REQUESTED:
            before = self.promotions.get(row.stream)
            after = promotions.fold([row]) if before is None else promotions.apply(before, row)
            self.promotions[row.stream], self.shown[row.stream] = after, project(after)
            changed = environments.apply(self.state(row.environment_id), row, after)
        else:
            return
        if changed is not None:
            self.states[row.environment_id] = changed

    def claim(self, place: str, stream: str, now_us: int) -> int:
        """Take the lease; 0 when it is held."""
        if self.lease(place, now_us) is not None:
            return 0
        epoch = self.leases[place].epoch + 1 if place in self.leases else 1
        self.leases[place] = Lease(stream=stream, epoch=epoch, until_us=now_us + TTL_US)
        return epoch

    def free(self, place: str) -> None:
        self.leases[place] = replace(self.leases[place], until_us=0)

    # --- proving -----------------------------------------------------------------------------------------------------

    def agrees(self, lengths: Sequence[int]) -> None:
        """What stands beside the rows is what follows from them, after each of these many rows."""
        for length in lengths:
            assert environments.rebuild(self.rows[:length]) == (self.past[length - 1] if length else {}), length
        for stream, kept in self.promotions.items():
            folded = promotions.fold(self.streams[stream])
            assert (folded, project(folded)) == (kept, self.shown[stream]), stream
