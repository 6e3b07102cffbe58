"""The heart: three loops over one store. Drain the inbox, advance promotions, bring GitHub up to date.

Started by `bot.app`, many replicas alike. Each loop reads what is due, does it, and sleeps at the store's alarm clock;
nothing that matters is only in memory. A slow GitHub never holds a deployment, a slow Azure never holds an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from pydantic import ValidationError

from bot import telemetry
from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.model import Delivery, Environment, PromotionRow, Status
from bot.errors import MisoError, Refused, Transient
from bot.services import automatic, deploying, drift, journal, payloads, reporting, tidying, waiting

log = telemetry.logger("worker")

_REST_US = 60_000_000
_LONGEST_WAIT_US = 300_000_000

PATIENCE = 4.0
"""Seconds. What passes sooner is not worth a write to GitHub, which takes 80 of them a minute; a healthy release
is proved in less. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""
PASSING = frozenset({Status.APPROVED, Status.DEPLOYING, Status.DEPLOYED})

TENDED_AT_ONCE = 32
"""Environments that are looked after side by side; the others have their turn in the next round."""

HOUSE = "house"
"""The controller's own affairs, beside the environments that are tended."""

Door = Callable[[Any, Miso], Awaitable[None]]


class Doors(Protocol):
    """gidgethub's router, as a table: which doors an event opens."""

    def fetch(self, event: Any) -> frozenset[Door]: ...


BEGUN = frozenset({Status.DEPLOYING, Status.DEPLOYED, Status.UNHEALTHY, Status.FAILED, Status.ROLLING_BACK})
"""Where an open promotion has begun to change Azure: nothing else begins in its environment."""


class Worker:
    """Three loops and what they have under way in this process."""

    def __init__(
        self,
        miso: Miso,
        doors: Doors,
        make_event: Callable[[dict[str, Any], str, str], Any],
        holder: str,
        *,
        idle_seconds: float = 1.0,
    ) -> None:
        self._miso = miso
        self._doors = doors
        self._make_event = make_event
        self._holder = holder
        self._idle = idle_seconds
        self._advancing: dict[str, asyncio.Task[None]] = {}
        self._reporting: dict[str, asyncio.Task[None]] = {}
        self._draining: dict[str, asyncio.Task[None]] = {}
        self._seen: dict[str, int] = {}
        self._resting: dict[str, int] = {}
        self._tending: dict[str, asyncio.Task[None]] = {}
        self._tended_us = 0
        self._next_look: dict[str, int] = {}
        self._drift_us = miso.clock.now_us() + int(miso.rules.drift_minutes * 60e6)

    async def run(self) -> None:
        """Until cancelled. What is under way is cancelled too; the next start, or another replica, takes it up."""
        loops = {"drain": self.drain, "advance": self.advance, "report": lambda: self.report(patience=PATIENCE)}
        try:
            async with asyncio.TaskGroup() as group:
                for name, one in loops.items():
                    group.create_task(self._forever(one), name=name)
        finally:
            under_way = self._under_way()
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def settle(self, *, rounds: int = 200) -> None:
        """Run the loops' bodies until nothing is due: for tests that tell a story step by step."""
        for _ in range(rounds):
            busy = await self.drain() + await self.advance() + await self.report()
            under_way = self._under_way()
            if under_way:
                await asyncio.gather(*under_way, return_exceptions=True)
            elif not busy:
                return

    def _under_way(self) -> list[asyncio.Task[None]]:
        rooms = (self._advancing, self._tending, self._reporting, self._draining)
        return [task for room in rooms for task in room.values()]

    async def _forever(self, once: Callable[[], Awaitable[int]]) -> None:
        await self._miso.store.changed(0)  # from here on no write is slept over: see the store's alarm clock
        while True:
            try:
                await once()
            except Transient as later:
                log.warning("loop.paused", code=later.code, sentence=later.sentence)
                await self._miso.clock.sleep(1.0)
            await self._miso.store.changed(self._idle)

    # --- one: the inbox ---------------------------------------------------------------------------------------------

    async def drain(self) -> int:
        """Take what waits in the inbox and open its doors. Returns how many were taken."""
        free = 16 - len(self._draining)
        if free <= 0:
            return 0
        # As short as a lease, so that what a dead process held is taken up soon. One that we still have under way is
        # taken by us again, which only prolongs it; by another replica it may be: whatever a door makes has a name
        # that derives from its cause.
        taken = await self._miso.store.take_deliveries(self._holder, free, int(self._miso.rules.lease_ttl * 1e6))
        fresh = [delivery for delivery in taken if delivery.guid not in self._draining]
        for delivery in fresh:
            self._start(self._draining, delivery.guid, self._deliver(delivery), self._fault_in(delivery))
        return len(fresh)

    async def _deliver(self, delivery: Delivery) -> None:
        with telemetry.context(delivery=delivery.guid, github_event=delivery.event):
            try:
                await self._open(delivery)
            except Refused as no:
                await self._park(delivery, no.code, no.sentence)
            except ValidationError as shape:
                faults = "; ".join(".".join(str(part) for part in e["loc"]) for e in shape.errors()[:5])
                await self._park(delivery, Code.EVENT_SHAPE, f"missing or wrong: {faults}")
            except Transient as later:
                await self._again(delivery, later.code, later.sentence, later.retry_after)

    def _fault_in(self, delivery: Delivery) -> Callable[[Exception], Awaitable[None]]:
        async def told(fault: Exception) -> None:
            await self._again(delivery, Code.HANDLER_FAILED, type(fault).__name__, None)

        return told

    async def _open(self, delivery: Delivery) -> None:
        # Most bodies are parsed faster than a thread is woken; a huge one must not stop the loop for a second.
        huge = len(delivery.body) > 1_000_000
        data = await asyncio.to_thread(payloads.parse, delivery.body) if huge else payloads.parse(delivery.body)
        if delivery.hook_target_id and delivery.hook_target_id != str(self._miso.rules.app_id):
            await self._park(delivery, Code.APP_MISMATCH, "The delivery names another App.")
            return
        event = self._make_event(data, delivery.event, delivery.guid)
        doors = self._doors.fetch(event) if isinstance(data.get("action", ""), str) else frozenset()
        for door in sorted(doors, key=lambda d: d.__module__):
            await door(event, self._miso)
        await self._miso.store.delivery_done(delivery.guid)

    async def _park(self, delivery: Delivery, code: str, note: str) -> None:
        log.info("delivery.parked", code=code)
        await self._miso.store.delivery_failed(delivery.guid, code=code, note=note, retry_at_us=None)

    async def _again(self, delivery: Delivery, code: str, note: str, wait: float | None) -> None:
        attempts = delivery.attempts + 1
        if attempts >= self._miso.rules.delivery_attempts:
            await self._park(delivery, code, note)
            return
        seconds = wait if wait is not None else min(300.0, self._miso.rules.retry_seconds * 2**attempts)
        at = self._miso.clock.now_us() + int(seconds * 1e6)
        await self._miso.store.delivery_failed(delivery.guid, code=code, note=note, retry_at_us=at)

    # --- two: promotions --------------------------------------------------------------------------------------------

    async def advance(self) -> int:
        """Start what is due: many streams at once, one at a time for an environment."""
        now = self._miso.clock.now_us()
        started = 0
        leases = await self._miso.store.leases()
        rows = await self._miso.store.open_promotions()
        busy = {row.environment_id: row.stream for row in rows if row.status in BEGUN}
        for row in rows:
            if row.wake_at_us > now or row.environment_id in self._advancing or len(self._advancing) >= 64:
                continue
            if row.status is Status.REQUESTED:
                if row.stream not in self._tending and self._resting.get(row.stream, 0) <= now:
                    self._start(self._tending, row.stream, self._waits(row), self._fault_at(row.stream))
                    started += 1
                continue
            if f"{row.application_id}/{row.environment_id}" in leases:
                continue
            if busy.get(row.environment_id, row.stream) != row.stream:
                continue  # what has begun there comes first, paused or not
            if self._resting.get(row.stream, 0) > now:
                continue
            self._start(self._advancing, row.environment_id, self._move(row), self._fault_at(row.stream))
            started += 1
        return started + await self._tend(now)

    async def _waits(self, row: PromotionRow) -> None:
        """A request that waits for people: its reminder is due, or its end."""
        with telemetry.context(stream=row.stream):
            environment = await self._miso.store.environment(row.environment_id)
            promotion = await journal.load(self._miso, row.stream)
            if environment is not None and promotion is not None:
                await waiting.look(self._miso, promotion, environment)

    async def _tend(self, now: int) -> int:
        """Look after every environment now and then: promotions that go by themselves, changes that went around us.

        Level-triggered: it asks what is so, not what happened, so nothing is lost with a webhook or a restart.
        """
        if now < self._tended_us + int(self._miso.rules.tend_seconds * 1e6):
            return 0
        self._tended_us = now
        looks = self._miso.rules.drift_minutes > 0 and now >= self._drift_us
        if looks:
            self._drift_us = now + int(self._miso.rules.drift_minutes * 60e6)
        started = 0
        if HOUSE not in self._tending and self._resting.get(HOUSE, 0) <= now:
            self._start(self._tending, HOUSE, tidying.tidy(self._miso), self._fault_at(HOUSE))
            started += 1
        for environment in await self._miso.store.environments():
            key = f"environment:{environment.id}"
            if key in self._tending or self._resting.get(key, 0) > now or len(self._tending) >= TENDED_AT_ONCE:
                continue
            if looks or self._next_look.get(key, 0) <= now:
                self._start(self._tending, key, self._look_after(environment, looks), self._fault_at(key))
                started += 1
        return started

    async def _look_after(self, environment: Environment, looks: bool) -> None:
        with telemetry.context(environment=environment.id):
            self._next_look[f"environment:{environment.id}"] = await automatic.tend(self._miso, environment)
            if looks:
                await drift.look(self._miso, environment)

    def _fault_at(self, stream: str) -> Callable[[Exception], Awaitable[None]]:
        """What a fault of ours costs: this stream rests a while, so that it does not fill the log and the processor."""

        async def told(_: Exception) -> None:
            self._resting[stream] = self._miso.clock.now_us() + _REST_US

        return told

    async def _move(self, row: PromotionRow) -> None:
        with telemetry.context(stream=row.stream):
            environment = await self._miso.store.environment(row.environment_id)
            promotion = await journal.load(self._miso, row.stream)
            if environment is None or promotion is None:
                return
            await deploying.advance(self._miso, promotion, environment, self._holder)

    # --- three: GitHub ----------------------------------------------------------------------------------------------

    async def report(self, *, patience: float = 0.0) -> int:
        """Show what has changed. The last state always lands; those in between may be skipped.

        With `patience`, a promotion's passing states are shown only when they last so many seconds.
        """
        now = self._miso.clock.now_us()
        due = await self._miso.store.unreported(200)
        self._seen = {stream: self._seen.get(stream, now) for stream, _ in due}
        started = 0
        for stream, seq in due:
            if stream in self._reporting:
                self._seen[stream] = now  # what changes while it is shown has its own time to pass
                continue
            if now - self._seen[stream] < int(patience * 1e6) and await self._passing(stream):
                continue
            self._start(self._reporting, stream, self._show(stream, seq), self._unshown(stream, seq))
            started += 1
        return started

    async def _passing(self, stream: str) -> bool:
        """Whether this is a promotion on its way, and GitHub shows something of it already."""
        row = await self._miso.store.promotion(stream)
        return row is not None and row.status in PASSING and bool(await self._miso.store.surfaces(stream))

    async def _show(self, stream: str, seq: int) -> None:
        with telemetry.context(stream=stream):
            try:
                await reporting.show(self._miso, stream, seq)
            except MisoError as fault:
                log.warning("report.failed", code=getattr(fault, "code", ""), error=str(fault))
                await self._unshown(stream, seq)(fault)

    def _unshown(self, stream: str, seq: int) -> Callable[[Exception], Awaitable[None]]:
        """Come back when the other side asked us to, else after as long as it has been failing: 2 s, 4 s, … 5 min."""

        async def told(fault: Exception) -> None:
            now = self._miso.clock.now_us()
            if isinstance(fault, Transient) and fault.retry_after is not None:
                wait_us = int(fault.retry_after * 1e6)
            else:
                rows = await self._miso.store.stream(stream)
                since = now - rows[-1].at_us if rows else 0
                wait_us = min(max(since, int(self._miso.rules.retry_seconds * 1e6)), _LONGEST_WAIT_US)
            await self._miso.store.reported(stream, seq, retry_at_us=now + wait_us)

        return told

    def _start(
        self,
        tasks: dict[str, asyncio.Task[None]],
        key: str,
        work: Coroutine[Any, Any, None],
        on_fault: Callable[[Exception], Awaitable[None]],
    ) -> None:
        """Run it beside the loops. The one place where every fault of ours is caught: told in the log, then put off."""

        async def guarded() -> None:
            try:
                await work
            except Transient as later:
                log.warning("work.paused", key=key, code=later.code)
            except Exception as fault:
                log.exception("work.failed", key=key)
                with suppress(Transient):
                    await on_fault(fault)
            finally:
                tasks.pop(key, None)

        tasks[key] = asyncio.create_task(guarded(), name=key)
