"""The alarm clock: who waits for a change is woken by one, and none is lost between looking and waiting.

Called by `SqliteStore.changed` and rung after every commit that others should hear of. Every change has a number. For
each task that waits, the clock remembers the number up to which that task has looked: a task that comes to wait after
a later change does not wait at all. So the natural loop has no gap:

    await store.changed(0)           # from here on nothing is missed
    while True:
        await look_and_work()
        await store.changed(timeout)

It must be one long-lived task that calls; a call wrapped in a task of its own (`asyncio.wait_for`, `asyncio.wait`)
counts from the moment of that call. End such a loop by cancelling it, or bound it with `asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary


class Alarm:
    """Used on one event loop only. `poll_seconds` bounds every wait, so that a missed hint costs no more than that."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._changes = 0
        self._next = asyncio.Event()
        self._looked: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()

    def ring(self) -> None:
        """Something was written: wake everybody who waits now."""
        self._changes += 1
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, timeout: float) -> bool:
        """True at the first change after this task's last look, False when `timeout` or the slow poll is over."""
        task = asyncio.current_task()
        assert task is not None  # a coroutine that runs has a task
        looked = self._looked.setdefault(task, self._changes)
        if looked == self._changes:
            try:
                async with asyncio.timeout(max(0.0, min(timeout, self._poll_seconds))):
                    await self._next.wait()
            except TimeoutError:
                if looked == self._changes:  # unless it rang in the very moment that the time was up
                    return False
        self._looked[task] = self._changes
        return True
