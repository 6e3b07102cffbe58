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

from bot.store.connection import translated, unavailable

T = TypeVar("T")


class Readers:
    """`connect` opens one connection for each of `threads` threads, on first use."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, threads: int = 2) -> None:
        self._connect = connect
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="miso-store-reader")
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._open = True

    async def read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """What `run` gives in one consistent view of the database. Raises Transient when it cannot be read."""
        if not self._open:
            raise unavailable()
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, run)

    def stop(self) -> None:
        """Take no more reads."""
        self._open = False

    def join(self) -> None:
        """Finish what was begun and close the connections; blocks, so never on the loop."""
        self._pool.shutdown(wait=True)
        for connection in self._all:
            with suppress(sqlite3.Error):
                connection.close()

    def _read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        with translated():
            connection = self._connection()
            connection.execute("BEGIN")  # one view for all statements of `run`
            try:
                return run(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._connect()
            self._all.append(connection)
        return connection
