"""What happens to a database before anybody uses it: its file, its mode, its shape, and the key of its hashes.

Called once by `SqliteStore.open`, on a thread of its own; any number of processes may do it at once. A database that
needs nothing is opened without a lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from bot.store import inbox
from bot.store.connection import connect, enable_wal, make_file, translated
from bot.store.migrations import migrate
from bot.store.sealing import Seal


def prepare(
    path: Path, busy_seconds: float, seal: Seal | None, clock_us: Callable[[], int]
) -> tuple[sqlite3.Connection, inbox.Bodies]:
    with translated():
        make_file(path)
        connection = connect(path, busy_seconds=busy_seconds)
        try:
            enable_wal(connection)
            migrate(connection)
            return connection, _bodies(connection, seal or Seal.at(path.with_name("seal.key")), clock_us)
        except BaseException:
            connection.close()
            raise


def _bodies(connection: sqlite3.Connection, seal: Seal, clock_us: Callable[[], int]) -> inbox.Bodies:
    """Several processes may open a new database at once: one makes the key, the others find it."""
    while (found := inbox.bodies(connection, seal, now_us=clock_us())) is None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if inbox.bodies(connection, seal, now_us=clock_us()) is None:
                inbox.make_key(connection, seal, now_us=clock_us())
    return found
