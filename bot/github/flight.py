"""One flight for many passengers: callers that ask for the same thing at once share one request.

Used inside this window for tokens and repository names. It keeps nothing once the answer is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Results in flight, by key. A caller that gives up does not take the others down with it."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, key: Hashable, start: Callable[[], Awaitable[T]]) -> T:
        task = self._tasks.get(key)
        if task is None:

            async def fly() -> T:
                return await start()

            task = asyncio.create_task(fly())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    async def end(self) -> None:
        """Break off what is still in flight, at the end of the process."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            # Marks the exception as seen: when every passenger was cancelled, nobody else will.
            task.exception()
