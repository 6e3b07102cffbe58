"""The one thread that writes: everything that waits goes into one transaction, one sync, and then every caller hears.

Called by `SqliteStore` from the event loop. A unit of work is a function of the connection; it runs on the writer's
thread, inside a savepoint of its own, so that its refusal or fault undoes it alone. The answers of a whole group reach
the loop in one call. While idle the thread looks every 250 ms whether another process wrote. Nothing here knows what
a unit does, and no unit ever waits for anything but the disk.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.store.connection import is_unavailability, unavailable

T = TypeVar("T")

GROUP = 256
"""Most units in one transaction, so that a flood cannot put off the first one's answer for ever."""

LOOK_SECONDS = 0.25
"""How often the thread asks SQLite whether another process committed; it costs microseconds."""


class Undo(Exception):
    """Raised by a unit that wants nothing of what it wrote: its savepoint is rolled back and `answer` is its answer."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(slots=True)
class _Unit:
    run: Callable[[sqlite3.Connection], Any]
    future: Future[Any]
    fenced: bool
    quiet: bool
    answer: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection. `connect` opens it anew after a failure; `wrote` is called on the loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        connect: Callable[[], sqlite3.Connection],
        loop: AbstractEventLoop,
        wrote: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._loop = loop
        self._wrote = wrote
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = connection
        self._version = _data_version(connection)
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="miso-store-writer", daemon=True)
        self._open = True

    def start(self) -> None:
        self._thread.start()

    def submit(self, run: Callable[[sqlite3.Connection], T], *, fenced: bool = True, quiet: bool = False) -> Future[T]:
        """Queue a unit; the future ends when it is committed. Only from the event loop's thread.

        `fenced=False` is for a unit of one statement, which the engine undoes by itself when it fails. `quiet` units
        wake nobody. Raises Transient when the writer was closed.
        """
        if not self._open:
            raise unavailable()
        future: Future[T] = self._loop.create_future()
        self._queue.put(_Unit(run, future, fenced, quiet))
        return future

    def stop(self) -> None:
        """Take no more units; the thread ends when the ones before are answered."""
        if self._open:
            self._open = False
            self._queue.put(None)

    def join(self) -> None:
        """Wait for the thread; blocks, so never on the loop."""
        self._thread.join()

    # --- on the writer's thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._gather()
            if group:
                self._commit(group)
            self._look()
        self._drop()

    def _gather(self) -> tuple[list[_Unit], bool]:
        """All that waits now, at least one unless nothing came in time; False when it is time to end."""
        group: list[_Unit] = []
        try:
            unit = self._queue.get(timeout=LOOK_SECONDS)
            while unit is not None:
                group.append(unit)
                if len(group) == GROUP:
                    return group, True
                unit = self._queue.get_nowait()
            return group, False
        except queue.Empty:
            return group, True

    def _commit(self, group: list[_Unit]) -> None:
        wrote = committing = False
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            for unit in group:
                wrote |= self._one(connection, unit)
            committing = True
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever it was, every caller must hear of it
            wrote = False
            for unit in group:  # an error of its own for each, because a traceback grows where it is raised
                unit.error = unavailable(error, outcome_unknown=committing)
                unit.error.__cause__ = error
            self._undo()
        with suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(self._resolve, group, wrote)

    def _one(self, connection: sqlite3.Connection, unit: _Unit) -> bool:
        """Run one unit; True when somebody should hear that it wrote. Raises only what ends the whole group."""
        before = connection.total_changes
        if unit.fenced:
            connection.execute("SAVEPOINT unit")
        try:
            unit.answer = unit.run(connection)
        except Exception as error:
            # A full disk may have ended the transaction and all savepoints (https://www.sqlite.org/lang_transaction.html).
            if is_unavailability(error) or not connection.in_transaction:
                raise
            if unit.fenced:
                connection.execute("ROLLBACK TO unit")
                connection.execute("RELEASE unit")
            if isinstance(error, Undo):
                unit.answer = error.answer
            else:
                unit.error = error
            return False
        if unit.fenced:
            connection.execute("RELEASE unit")
        return not unit.quiet and connection.total_changes != before

    def _resolve(self, group: list[_Unit], wrote: bool) -> None:
        """On the loop: answer everybody, then ring the alarm once."""
        for unit in group:
            if unit.future.done():  # its caller was cancelled meanwhile; what was committed stays
                continue
            if unit.error is None:
                unit.future.set_result(unit.answer)
            else:
                unit.future.set_exception(unit.error)
        if wrote:
            self._wrote()

    def _look(self) -> None:
        """Ring the alarm when another process committed since the last look."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS / 2:
            return
        self._looked = now
        try:
            version = _data_version(self._connected())
        except (sqlite3.Error, OSError):
            self._undo()
            return
        if version != self._version:
            self._version = version
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wrote)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _undo(self) -> None:
        """Leave no transaction open; a connection that cannot even roll back is given up and opened anew."""
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _data_version(connection: sqlite3.Connection) -> int:
    """Changes when another connection commits, never by this one's: https://www.sqlite.org/pragma.html#pragma_data_version"""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
