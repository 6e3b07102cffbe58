"""A few threads that read, each with a connection of its own, so that no reader waits for the writer or for the loop.

Called by `SqliteStore`. A reader sees everything that was committed before it began, and cannot write at all
(`query_only`). Nothing here knows what is read.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from bot.errors import Transient
from bot.store.connection import translated, unavailable

T = TypeVar("T")


class Readers:
    """`connect` opens one connection for each of `threads` threads, on first use."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, threads: int = 2) -> None:
        self._connect = connect
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="miso-store-reader")
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._near: sqlite3.Connection | None = None
        self._open = True

    async def read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """What `run` gives in one consistent view of the database. Raises Transient when it cannot be read."""
        if not self._open:
            raise unavailable()
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, run)

    async def look(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """The same for what an index finds in microseconds: asked on the loop, because going to a thread and back
        takes longer than the answer. A reader of a write-ahead log waits for nobody; where the file is locked all the
        same (it is being recovered, or moved away), a thread does the waiting. Only from the event loop's thread.
        """
        if not self._open:
            raise unavailable()
        try:
            if self._near is None:
                self._near = self._connect()
                self._near.execute("PRAGMA busy_timeout = 0")
            return _viewed(self._near, run)
        except (sqlite3.Error, OSError, Transient):
            # Whatever it is, a thread's own connection waits it out or says it in our words.
            self._forget_near()
            return await self.read(run)

    def stop(self) -> None:
        """Take no more reads."""
        self._open = False

    def join(self) -> None:
        """Finish what was begun and close the connections; blocks, so never on the loop."""
        self._pool.shutdown(wait=True)
        self._forget_near()
        for connection in self._all:
            with suppress(sqlite3.Error):
                connection.close()

    def _read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        with translated():
            return _viewed(self._connection(), run)

    def _forget_near(self) -> None:
        near, self._near = self._near, None
        if near is not None:
            with suppress(sqlite3.Error):
                near.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._connect()
            self._all.append(connection)
        return connection


def _viewed(connection: sqlite3.Connection, run: Callable[[sqlite3.Connection], T]) -> T:
    """One view for all statements of `run`."""
    connection.execute("BEGIN")
    try:
        return run(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
