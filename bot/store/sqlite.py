"""`SqliteStore`: the `Store` of the hall on one SQLite file, for one machine.

Opened by `bot.app`; used through the Protocol by everybody else, on one event loop. Every write is handed to the one
writer thread as a unit of work and is synced to the disk when its call returns; every read runs on a reader's thread.
The clock that was given judges leases and stamps rows; it is called on the writer's thread. Nothing here decides.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from bot.domain.model import (
    Append,
    Application,
    Conflict,
    Delivery,
    DeliveryState,
    Environment,
    EnvironmentState,
    Keep,
    Kept,
    NewDelivery,
    Operation,
    PromotionRow,
    Received,
    Row,
    Surface,
    Written,
)
from bot.store import chain, forgetting, inbox, journal, kept, leases, projections, registry, reports
from bot.store.alarm import Alarm
from bot.store.connection import connect, require_sqlite, unavailable
from bot.store.opening import prepare
from bot.store.readers import Readers
from bot.store.sealing import Seal
from bot.store.writer import Writer


class SqliteStore:
    """See `bot.context.Store` for what each method promises. Use `open`."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        clock_us: Callable[[], int],
        alarm: Alarm,
        busy_seconds: float,
        bodies: inbox.Bodies,
        inbox_days: float,
    ) -> None:
        self._now = clock_us
        self._bodies = bodies
        self._seal = bodies.seal
        self._inbox_days = inbox_days
        self._alarm = alarm
        self._writer = Writer(
            connection,
            lambda: connect(path, busy_seconds=busy_seconds),
            asyncio.get_running_loop(),
            alarm.ring,
        )
        self._readers = Readers(lambda: connect(path, busy_seconds=busy_seconds, readonly=True))
        self._open = True

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        clock_us: Callable[[], int],
        poll_seconds: float = 2.0,
        busy_seconds: float = 5.0,
        seal: Seal | None = None,
        inbox_days: float = 7.0,
    ) -> Self:
        """Open or create the file and bring it to this version's shape.

        `clock_us` gives microseconds UTC, from any thread. `poll_seconds` bounds every wait of `changed`.
        `busy_seconds` is how long a write waits for another process's. `seal` keeps unreadable what must be; left out,
        its key lies in `seal.key` beside the database. `inbox_days` is how long `purge` leaves the bodies of parked
        deliveries. Raises Transient (`store_unavailable`), or ConfigError for a SQLite library that is too old.
        """
        require_sqlite()
        where = Path(path)
        connection, bodies = await asyncio.to_thread(prepare, where, busy_seconds, seal, clock_us)
        store = cls(where, connection, clock_us, Alarm(poll_seconds), busy_seconds, bodies, inbox_days)
        store._writer.start()
        return store

    async def close(self) -> None:
        """Finish what was begun. Every later call raises Transient; closing twice is fine."""
        if not self._open:
            return
        self._open = False
        self._readers.stop()
        self._writer.stop()
        self._alarm.ring()
        # The writer goes last: the last connection to close puts the write-ahead log into the file and removes it.
        await asyncio.to_thread(self._readers.join)
        await asyncio.to_thread(self._writer.join)

    # inbox

    async def receive(self, delivery: NewDelivery) -> Received:
        return await self._writer.submit(lambda db: inbox.receive(db, delivery, self._bodies), fenced=False)

    async def take_deliveries(self, holder: str, limit: int, ttl_us: int) -> Sequence[Delivery]:
        return await self._writer.submit(
            lambda db: inbox.take(db, self._bodies, holder, limit, now_us=self._now(), ttl_us=ttl_us), quiet=True
        )

    async def delivery_failed(self, guid: str, *, code: str, note: str, retry_at_us: int | None) -> None:
        await self._writer.submit(lambda db: inbox.failed(db, guid, code=code, note=note, retry_at_us=retry_at_us))

    async def delivery_done(self, guid: str) -> None:
        await self._writer.submit(lambda db: inbox.done(db, guid, now_us=self._now()))

    async def deliveries(self, *, state: DeliveryState | None, limit: int, before_us: int = 0) -> Sequence[Delivery]:
        return await self._readers.read(lambda db: inbox.listing(db, self._bodies, state, limit, before_us))

    async def delivery(self, guid: str) -> Delivery | None:
        return await self._readers.read(lambda db: inbox.one(db, self._bodies, guid))

    async def reopen_delivery(self, guid: str) -> bool:
        return await self._writer.submit(lambda db: inbox.reopen(db, guid))

    # journal

    async def append(
        self, appends: Sequence[Append], *, inbox_done: str = "", keep: Sequence[Keep] = ()
    ) -> Written | Conflict:
        """Raises ValueError or TypeError for what can never be written."""
        units = [journal.prepare(append) for append in appends]
        changes = [kept.prepare(change, self._seal) for change in keep]
        return await self._writer.submit(
            lambda db: journal.write(db, units, inbox_done=inbox_done, keep=changes, now_us=self._now())
        )

    async def stream(self, stream: str) -> Sequence[Row]:
        return await self._readers.look(lambda db: journal.stream(db, stream))

    async def ledger(
        self, *, kinds: Sequence[str] = (), environment_id: str = "", after: int = 0, limit: int = 100
    ) -> Sequence[Row]:
        return await self._readers.read(lambda db: journal.ledger(db, kinds, environment_id, after, limit))

    async def newest(self, stream: str, kind: str) -> Row | None:
        return await self._readers.look(lambda db: journal.newest(db, stream, kind))

    async def count(self, kind: str, since_us: int, *, actor_id: int | None = None, stream_prefix: str = "") -> int:
        return await self._readers.read(lambda db: journal.count(db, kind, since_us, actor_id, stream_prefix))

    async def verify(self) -> Sequence[str]:
        return await self._readers.read(chain.faults)

    # what expires

    async def kept(self, kind: str, key: str) -> Kept | None:
        row = await self._readers.look(lambda db: kept.one(db, kind, key, now_us=self._now()))
        return kept.opened(row, self._seal) if row else None

    async def kept_by(self, kind: str, *, owner: str = "", after: str = "", limit: int = 100) -> Sequence[Kept]:
        rows = await self._readers.read(lambda db: kept.listing(db, kind, owner, after, limit, now_us=self._now()))
        return [found for row in rows if (found := kept.opened(row, self._seal))]

    async def keep(self, *changes: Keep) -> bool:
        """Raises ValueError or TypeError for what can never be kept."""
        prepared = [kept.prepare(change, self._seal) for change in changes]
        return await self._writer.submit(lambda db: kept.write_all(db, prepared, now_us=self._now()), quiet=True)

    async def purge(self) -> int:
        gone = 0
        while True:
            some = await self._writer.submit(
                lambda db: forgetting.purge(db, self._seal, now_us=self._now(), days=self._inbox_days), quiet=True
            )
            gone += some
            if some < forgetting.BATCH:
                return gone

    # projections

    async def promotion(self, stream: str) -> PromotionRow | None:
        return await self._readers.look(lambda db: projections.promotion(db, stream))

    async def open_promotions(self, *, environment_id: str = "", limit: int = 200) -> Sequence[PromotionRow]:
        return await self._readers.look(lambda db: projections.open_promotions(db, environment_id, limit))

    async def promotions(
        self,
        *,
        application_id: str = "",
        environment_id: str = "",
        repository_id: int = 0,
        pull_request: int = 0,
        commit_prefix: str = "",
        verified: bool | None = None,
        limit: int = 50,
    ) -> Sequence[PromotionRow]:
        asked: dict[str, str | int] = {
            "application_id": application_id,
            "environment_id": environment_id,
            "repository_id": repository_id,
            "pull_request": pull_request,
            "commit_prefix": commit_prefix.lower(),
        }
        filters = {name: value for name, value in asked.items() if value}
        if verified is not None:
            filters["verified"] = int(verified)
        return await self._readers.look(lambda db: projections.promotions(db, filters, limit))

    async def environment_state(self, environment_id: str) -> EnvironmentState:
        return await self._readers.look(lambda db: projections.environment_state(db, environment_id))

    # leases and operations

    async def renew(self, resource: str, epoch: int, ttl_us: int) -> bool:
        return await self._writer.submit(
            lambda db: leases.renew(db, resource, epoch, now_us=self._now(), ttl_us=ttl_us), quiet=True
        )

    async def leases(self) -> Mapping[str, tuple[str, str, int, int]]:
        return await self._readers.look(lambda db: leases.held(db, now_us=self._now()))

    async def save_operation(self, operation: Operation) -> bool:
        sealed = leases.sealed(operation, self._seal)
        return await self._writer.submit(lambda db: leases.save_operation(db, sealed), quiet=True)

    async def operation(self, stream: str, step: str) -> Operation | None:
        sealed = await self._readers.look(lambda db: leases.operation(db, stream, step))
        return leases.opened(sealed, self._seal) if sealed else None

    # reports

    async def surfaces(self, stream: str) -> Sequence[Surface]:
        return await self._readers.look(lambda db: reports.surfaces(db, stream))

    async def save_surface(self, surface: Surface) -> None:
        await self._writer.submit(lambda db: reports.save_surface(db, surface), quiet=True)

    async def unreported(self, limit: int) -> Sequence[tuple[str, int]]:
        return await self._readers.read(lambda db: reports.unreported(db, limit, now_us=self._now()))

    async def reported(self, stream: str, seq: int, *, retry_at_us: int = 0) -> None:
        await self._writer.submit(
            lambda db: reports.reported(db, stream, seq, retry_at_us=retry_at_us, now_us=self._now())
        )

    # registry

    async def applications(self) -> Sequence[Application]:
        return await self._readers.read(registry.applications)

    async def environments(self, application_id: str = "") -> Sequence[Environment]:
        return await self._readers.look(lambda db: registry.environments(db, application_id))

    async def application_of(self, repository_id: int) -> Sequence[Application]:
        return await self._readers.look(lambda db: registry.applications_of(db, repository_id))

    async def application(self, application_id: str) -> Application | None:
        return await self._readers.look(lambda db: registry.application(db, application_id))

    async def environment(self, environment_id: str) -> Environment | None:
        return await self._readers.look(lambda db: registry.environment(db, environment_id))

    async def register(self, application: Application, environments: Sequence[Environment]) -> None:
        """Raises Refused (`guid_not_bound`) for an environment that belongs to another application, ValueError when
        one of `environments` does not say that it belongs to `application`."""
        if any(environment.application_id != application.id for environment in environments):
            raise ValueError("an environment of another application")
        await self._writer.submit(lambda db: registry.register(db, application, environments, now_us=self._now()))

    # the alarm clock

    async def changed(self, timeout: float) -> bool:
        """False after `timeout` or `poll_seconds`, whichever is shorter; see `bot.store.alarm` for how to loop."""
        if self._open:
            woken = await self._alarm.wait(timeout)
            if self._open:
                return woken
        raise unavailable()
