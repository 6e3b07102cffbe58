"""Whoever waits hears of every change, from here or from another process, and of nothing else."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bot.context import Store
from bot.store.alarm import Alarm
from tests.store.builders import SECOND, append, claim, delivery
from tests.store.conftest import OpenStore

LONG = 1.9
"""Below the slow poll, and far more than a change needs to arrive."""


async def begin(store: Store) -> None:
    """Where a loop begins to count."""
    await store.changed(0)


async def test_false_when_the_time_is_over(store: Store) -> None:
    await begin(store)
    assert await store.changed(0.01) is False
    assert await store.changed(0) is False
    assert await store.changed(-1) is False


async def test_a_change_wakes_everybody_who_waits(store: Store) -> None:
    waiters = [asyncio.create_task(store.changed(LONG)) for _ in range(20)]
    await asyncio.sleep(0)
    await store.receive(delivery("g1"))
    assert await asyncio.gather(*waiters) == [True] * 20


async def test_a_change_between_looking_and_waiting_is_not_lost(store: Store) -> None:
    await begin(store)
    assert await store.deliveries(state=None, limit=1) == []
    await store.receive(delivery("g1"))
    async with asyncio.timeout(LONG / 2):  # at once, not when the time is over
        assert await store.changed(LONG) is True
    assert await store.changed(0) is False


async def test_each_of_several_loops_hears_of_each_change(store: Store) -> None:
    heard: dict[str, list[str]] = {"drain": [], "advance": [], "report": []}
    ready = asyncio.Barrier(4)

    async def loop(name: str) -> None:
        await begin(store)
        for change in ("one", "two"):
            await ready.wait()
            if await store.changed(LONG):
                heard[name].append(change)

    async with asyncio.TaskGroup() as group:
        for name in heard:
            group.create_task(loop(name))
        for guid in ("g1", "g2"):
            await ready.wait()
            await store.receive(delivery(guid))
    assert list(heard.values()) == [["one", "two"]] * 3


async def test_a_wait_that_was_cut_short_has_not_heard(store: Store) -> None:
    await begin(store)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await store.changed(LONG)
    await store.receive(delivery("g1"))
    assert await store.changed(0) is True


async def test_what_changed_nothing_wakes_nobody(store: Store) -> None:
    await store.receive(delivery("g1"))
    await store.append([append("p1", 1, claim=claim())])
    await begin(store)
    await store.receive(delivery("g1"))
    await store.append([append("p1", 7)])
    await store.delivery_done("nothing")
    assert await store.changed(0) is False


async def test_what_only_its_own_doer_cares_for_wakes_nobody(store: Store) -> None:
    """Otherwise a loop that claims work would wake itself for ever."""
    await store.receive(delivery("g1"))
    await store.append([append("p1", 1, claim=claim())])
    await begin(store)
    assert len(await store.take_deliveries("w", 1, SECOND)) == 1
    assert await store.renew("app/env", 1, SECOND)
    assert await store.changed(0) is False


async def test_a_change_by_another_store_on_the_same_database_is_heard(open_store: OpenStore) -> None:
    ours, theirs = await open_store(), await open_store()
    await begin(ours)
    await theirs.receive(delivery("g1"))
    assert await ours.changed(LONG) is True


WRITE = """
import asyncio, sys
from bot.store import SqliteStore
from tests.store.builders import append
async def main():
    store = await SqliteStore.open(sys.argv[1], clock_us=lambda: 1)
    await store.append([append("from-afar", 1)])
    await store.close()
asyncio.run(main())
"""


async def test_a_change_by_another_process_is_heard(engine: str, store: Store, tmp_path: Path) -> None:
    assert engine == "sqlite"
    await begin(store)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITE, str(tmp_path / "miso.sqlite"))
    async with asyncio.timeout(30):
        while not await store.changed(LONG):
            pass
    assert await process.wait() == 0
    assert len(await store.stream("from-afar")) == 1


async def test_the_slow_poll_bounds_a_long_wait() -> None:
    alarm = Alarm(poll_seconds=0.01)
    async with asyncio.timeout(5):
        assert await alarm.wait(3_600) is False
