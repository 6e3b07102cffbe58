"""Whoever changes, cuts or removes rows behind our back is found by `verify`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.context import Store
from bot.store.chain import EVERY
from tests.store.builders import Clock, append, promotion, row

SEALED = [
    ("stream", "'p9'"),
    ("seq", "7"),
    ("kind", "'promotion.rejected'"),
    ("v", "2"),
    ("at_us", "at_us + 1"),
    ("actor_kind", "'system'"),
    ("actor_id", "8"),
    ("application_id", "'other'"),
    ("environment_id", "'other'"),
    ("epoch", "epoch + 1"),
    ("body", """'{"n":9}'"""),
    ("body", """'{"n": 2}'"""),
    ("body", "CAST(body AS BLOB)"),
    ("prev", "'0'"),
    ("hash", "'0'"),
    ("hash", "prev"),
]


@pytest.fixture
def database(engine: str, tmp_path: Path, store: Store) -> Path:
    """The file behind `store`, for hands that should not be in it."""
    assert engine == "sqlite"
    return tmp_path / "miso.sqlite"


def tamper(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement


async def three_rows(store: Store) -> None:
    await store.append([append("p1", at, row("k", n=at)) for at in (1, 2, 3)])


async def many_streams(store: Store, count: int) -> None:
    """Streams without a promotion, which only the checkpoints seal."""
    for at in range(count):
        await store.append([append(f"s{at:03}", 1, row("k", n=1), row("k", n=2))])


async def test_what_nobody_touched_is_whole(store: Store, clock: Clock) -> None:
    assert await store.verify() == []
    await three_rows(store)
    clock.pass_(60)
    await many_streams(store, EVERY * 2)
    assert await store.verify() == []


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize(("column", "value"), SEALED)
async def test_a_change_in_any_column_is_found(store: Store, database: Path, column: str, value: str, at: int) -> None:
    await three_rows(store)
    tamper(database, f"UPDATE journal SET {column} = {value} WHERE stream = 'p1' AND seq = {at}")
    assert await store.verify() != []


async def test_every_column_but_the_position_is_sealed(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(journal)")}
    assert columns - {column for column, _ in SEALED} == {"position"}


async def test_rows_that_changed_places_are_found(store: Store, database: Path) -> None:
    await three_rows(store)
    tamper(database, *(f"UPDATE journal SET seq = {new} WHERE seq = {old}" for old, new in ((2, 9), (3, 2), (9, 3))))
    assert await store.verify() != []


async def test_a_row_that_is_gone_from_the_middle_is_found(store: Store, database: Path) -> None:
    await three_rows(store)
    tamper(database, "DELETE FROM journal WHERE seq = 2")
    assert "p1: row 3 follows row 1" in await store.verify()


@pytest.mark.parametrize("cut", ["seq = 2", "seq > 0"])
async def test_a_cut_tail_and_a_deleted_stream_are_found_by_the_checkpoints(
    store: Store, database: Path, cut: str
) -> None:
    await many_streams(store, EVERY)
    tamper(database, f"DELETE FROM journal WHERE stream = 's003' AND {cut}")
    (fault,) = await store.verify()
    assert fault == "s003: row 2, sealed by checkpoint 1, is gone"


async def test_a_stream_that_was_written_anew_is_found_by_the_checkpoints(store: Store, database: Path) -> None:
    await many_streams(store, EVERY)
    tamper(database, "DELETE FROM journal WHERE stream = 's003'")
    await store.append([append("s003", 1, row("k", n=1), row("k", n="another"))])
    assert await store.verify() == ["s003: row 2 is not the one that checkpoint 1 sealed"]


@pytest.mark.parametrize("cut", ["seq = 2", "seq > 0"])
async def test_a_promotion_whose_newest_rows_are_gone_is_found_without_a_checkpoint(
    store: Store, database: Path, cut: str
) -> None:
    await store.append([append("p1", 1, row(), row(), promotion=promotion("p1", 2))])
    tamper(database, f"DELETE FROM journal WHERE stream = 'p1' AND {cut}")
    assert await store.verify() != []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET at_us = 1 WHERE number = 2",
        "UPDATE checkpoint SET position = 1 WHERE number = 2",
        "UPDATE checkpoint SET heads = '{}' WHERE number = 2",
        "UPDATE checkpoint SET prev = '' WHERE number = 2",
        "UPDATE checkpoint SET hash = '' WHERE number = 2",
        "UPDATE checkpoint SET number = 9 WHERE number = 3",
        "DELETE FROM checkpoint WHERE number = 2",
        "DELETE FROM checkpoint WHERE number = 1",
    ],
)
async def test_a_changed_or_missing_checkpoint_is_found(store: Store, database: Path, statement: str) -> None:
    await many_streams(store, EVERY * 2)
    assert await store.verify() == []
    tamper(database, statement)
    assert await store.verify() != []
