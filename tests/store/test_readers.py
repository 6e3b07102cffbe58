"""What an index finds at once is asked without a thread; what is locked or broken is waited for, or told, by one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bot.errors import Transient
from bot.store.connection import connect, enable_wal, make_file
from bot.store.readers import Readers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.sqlite"
    make_file(path)
    connection = connect(path, busy_seconds=1)
    enable_wal(connection)
    connection.execute("CREATE TABLE thing (name TEXT)")
    connection.execute("INSERT INTO thing VALUES ('a')")
    connection.close()
    return path


def count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM thing").fetchone()[0])


async def test_a_look_sees_what_was_committed_before_it(file: Path) -> None:
    readers = Readers(lambda: connect(file, busy_seconds=1, readonly=True))
    assert await readers.look(count) == 1
    writer = connect(file, busy_seconds=1)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO thing VALUES ('b')")
    assert await readers.look(count) == 1, "a writer keeps no reader waiting"
    writer.execute("COMMIT")
    assert await readers.look(count) == 2
    writer.close()
    readers.stop()
    readers.join()


async def test_a_look_at_a_locked_file_is_left_to_a_thread_that_waits(file: Path) -> None:
    readers = Readers(lambda: connect(file, busy_seconds=0.05, readonly=True))
    assert await readers.look(count) == 1
    owner = connect(file, busy_seconds=1)
    owner.execute("PRAGMA locking_mode = EXCLUSIVE")
    readers._forget_near()
    owner.execute("BEGIN EXCLUSIVE")
    owner.execute("COMMIT")
    try:
        found: object = await readers.look(count)
    except Transient as later:
        found = later.code
    assert found in (1, "store_unavailable")
    owner.close()
    assert await readers.look(count) == 1
    readers.stop()
    readers.join()


async def test_what_is_asked_wrongly_is_told_as_such_and_a_closed_store_as_unavailable(file: Path) -> None:
    readers = Readers(lambda: connect(file, busy_seconds=1, readonly=True))
    with pytest.raises(Transient):
        await readers.look(lambda db: db.execute("SELECT nothing FROM nowhere").fetchone())
    with pytest.raises(Transient):
        await readers.look(lambda db: db.execute("INSERT INTO thing VALUES ('c')"))
    assert await readers.look(count) == 1
    readers.stop()
    with pytest.raises(Transient):
        await readers.look(count)
    readers.join()
