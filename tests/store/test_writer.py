"""One transaction for all that waits; and nobody who waits is ever forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import Transient
from bot.store.connection import connect
from bot.store.writer import Undo, Writer


class Rings:
    """Counts how often the alarm was rung."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n INTEGER UNIQUE)")
    return path


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def statements() -> list[str]:
    """Every statement that the writer's connection ran."""
    return []


@pytest.fixture
async def writer(path: Path, rings: Rings, statements: list[str]) -> Writer:
    def opened() -> sqlite3.Connection:
        connection = connect(path, busy_seconds=0.05)
        connection.set_trace_callback(statements.append)
        return connection

    return Writer(opened(), opened, asyncio.get_running_loop(), rings)


@pytest.fixture
async def started(writer: Writer) -> AsyncIterator[Writer]:
    writer.start()
    yield writer
    writer.stop()
    await asyncio.to_thread(writer.join)


def insert(number: int) -> Callable[[sqlite3.Connection], int]:
    def run(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO t VALUES (:n)", {"n": number})
        return number

    return run


def fail(error: Exception) -> Callable[[sqlite3.Connection], str]:
    def run(db: sqlite3.Connection) -> str:
        db.execute("INSERT INTO t VALUES (1000)")
        raise error

    return run


def numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT n FROM t ORDER BY n")]


async def finish(writer: Writer) -> None:
    writer.start()
    writer.stop()
    await asyncio.to_thread(writer.join)


async def test_all_that_waits_is_one_commit_and_one_ring(
    writer: Writer, rings: Rings, statements: list[str], path: Path
) -> None:
    futures = [writer.submit(insert(number)) for number in range(50)]
    await finish(writer)
    assert await asyncio.gather(*futures) == list(range(50))
    assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") == 1
    assert rings.count == 1
    assert numbers(path) == list(range(50))


async def test_a_flood_is_cut_into_groups(writer: Writer, statements: list[str]) -> None:
    futures = [writer.submit(insert(number)) for number in range(600)]
    await finish(writer)
    assert await asyncio.gather(*futures) == list(range(600))
    assert statements.count("COMMIT") == 3


async def test_nobody_hears_before_it_is_committed(started: Writer, path: Path) -> None:
    for number in range(20):
        assert await started.submit(insert(number)) == number
        assert numbers(path)[-1] == number


async def test_a_unit_that_fails_or_undoes_itself_is_alone_in_that(writer: Writer, path: Path) -> None:
    good = writer.submit(insert(1))
    faulty = writer.submit(fail(KeyError("a bug")))
    wrong = writer.submit(lambda db: db.execute("INSERT INTO t VALUES (:n)", {"n": object()}).rowcount)
    undone = writer.submit(fail(Undo("answer")))
    twice = writer.submit(insert(1))
    unfenced = writer.submit(insert(1), fenced=False)
    last = writer.submit(insert(2), fenced=False)
    await finish(writer)
    assert [await good, await last] == [1, 2]
    assert await undone == "answer"
    with pytest.raises(KeyError):
        await faulty
    with pytest.raises((sqlite3.InterfaceError, sqlite3.ProgrammingError)):
        await wrong
    for failed in (twice, unfenced):
        with pytest.raises(sqlite3.IntegrityError):
            await failed
    assert numbers(path) == [1, 2]


async def test_a_group_that_cannot_be_written_fails_for_each_of_its_callers(writer: Writer, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        futures = [writer.submit(insert(number)) for number in range(5)]
        writer.start()
        errors = await asyncio.gather(*futures, return_exceptions=True)
        other.execute("ROLLBACK")
    assert {type(error) for error in errors} == {Transient}
    assert len(set(map(id, errors))) == 5
    assert await writer.submit(insert(7)) == 7
    writer.stop()
    await asyncio.to_thread(writer.join)
    assert numbers(path) == [7]


async def test_an_engine_that_fails_within_a_unit_fails_the_group_and_is_used_again(
    started: Writer, path: Path
) -> None:
    with pytest.raises(Transient) as caught:
        await started.submit(fail(sqlite3.OperationalError("disk I/O error")))
    assert (caught.value.code, caught.value.outcome_unknown) == ("store_unavailable", False)
    assert await started.submit(insert(1)) == 1
    assert numbers(path) == [1]


async def test_a_unit_that_ends_the_transaction_fails_the_group_and_nothing_of_it_stays(
    started: Writer, path: Path
) -> None:
    """A full disk makes SQLite roll back by itself, savepoints included."""

    def roll_back(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")
        raise sqlite3.IntegrityError

    answers = await asyncio.gather(started.submit(insert(1)), started.submit(roll_back), return_exceptions=True)
    assert isinstance(answers[1], Transient)
    assert await started.submit(insert(2)) == 2
    assert numbers(path) == ([1, 2] if answers[0] == 1 else [2])


async def test_a_lost_connection_is_opened_anew(started: Writer, path: Path) -> None:
    with pytest.raises(Transient):
        await started.submit(lambda db: db.close())
    assert await started.submit(insert(1)) == 1
    assert numbers(path) == [1]


async def test_a_caller_that_went_away_does_not_disturb_the_others(writer: Writer, path: Path) -> None:
    gone, here = writer.submit(insert(1)), writer.submit(insert(2))
    gone.cancel()
    await finish(writer)
    assert await here == 2
    assert numbers(path) == [1, 2]


async def test_stopping_answers_what_was_asked_before_and_refuses_what_comes_after(writer: Writer) -> None:
    futures = [writer.submit(insert(number)) for number in range(300)]
    await finish(writer)
    assert await asyncio.gather(*futures) == list(range(300))
    with pytest.raises(Transient):
        writer.submit(insert(1))
    writer.stop()


async def test_units_run_on_one_thread_that_is_not_the_loops(started: Writer) -> None:
    threads = {await started.submit(lambda _: threading.get_ident()) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


async def test_quiet_units_ring_no_bell(started: Writer, rings: Rings) -> None:
    await started.submit(insert(1), quiet=True)
    await started.submit(lambda db: db.execute("DELETE FROM t WHERE n = 9").rowcount)
    await asyncio.sleep(0)
    assert rings.count == 0
