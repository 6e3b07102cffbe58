"""What SQLite alone must keep: the file's mode, its settings, its migrations, and how it says that it cannot go on."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bot.context import Store
from bot.domain.model import DeliveryState, Received
from bot.errors import ConfigError, Transient
from bot.store import SqliteStore, connection, migrations
from tests.store.builders import append, application, claim, delivery


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "miso.sqlite"


@asynccontextmanager
async def opened(database: Path, *, busy_seconds: float = 5.0) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(database, clock_us=lambda: 1, busy_seconds=busy_seconds)
    try:
        yield store
    finally:
        await store.close()


def modes(database: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in database.parent.iterdir()}


async def test_its_files_are_for_its_owner_alone(database: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(database) as store:
            await store.receive(delivery("g1"))
            names = ("miso.sqlite", "miso.sqlite-wal", "miso.sqlite-shm", "seal.key")
            assert modes(database) == dict.fromkeys(names, 0o600)
    finally:
        os.umask(before)


async def test_a_file_that_others_could_read_is_tightened(database: Path, loose: None) -> None:
    async with opened(database) as store:
        await store.receive(delivery("g2"))
        assert set(modes(database).values()) == {0o600}


@pytest.fixture
def loose(database: Path) -> None:
    database.touch()
    database.chmod(0o644)


async def test_every_commit_is_synced_and_foreign_keys_hold(database: Path) -> None:
    async with opened(database):
        with closing(connection.connect(database, busy_seconds=3)) as ours:
            asked = {name: ours.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
    assert asked == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 3000, "wal_autocheckpoint": 1000}


async def test_readers_cannot_write(database: Path) -> None:
    async with opened(database):
        with (
            closing(connection.connect(database, busy_seconds=1, readonly=True)) as reader,
            pytest.raises(sqlite3.OperationalError, match="readonly"),
        ):
            reader.execute("DELETE FROM journal")


async def test_what_was_written_is_there_when_opened_again_and_the_log_is_folded_in(database: Path) -> None:
    async with opened(database) as store:
        await store.receive(delivery("g1"))
        await store.append([append("p1", 1, claim=claim())])
    assert sorted(file.name for file in database.parent.iterdir()) == [database.name, "seal.key"]
    async with opened(database) as store:
        assert await store.receive(delivery("g1")) is Received.KNOWN
        assert [row.seq for row in await store.stream("p1")] == [1]


async def test_migrations_are_numbered_and_recorded_once(database: Path) -> None:
    for _ in range(2):
        async with opened(database):
            pass
    with closing(sqlite3.connect(database)) as bare:
        recorded = [name for (name,) in bare.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert [name[:5] for name in recorded] == [f"{number:04}_" for number in range(1, len(recorded) + 1)]
    assert len(recorded) == len(migrations.MIGRATIONS._migrations)


async def test_several_may_open_a_new_database_at_once(database: Path) -> None:
    stores = await asyncio.gather(*(SqliteStore.open(database, clock_us=lambda: 1) for _ in range(6)))
    for at, store in enumerate(stores):
        await store.receive(delivery(f"g{at}"))
    assert len(await stores[0].deliveries(state=DeliveryState.WAITING, limit=10)) == 6
    for store in stores:
        await store.close()


async def test_a_library_that_is_too_old_refuses_to_start(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 0))
    with pytest.raises(ConfigError, match=r"3\.40\.1"):
        await SqliteStore.open(database, clock_us=lambda: 1)


# --- the database cannot be used -------------------------------------------------------------------------------------


async def refuses_writes(store: Store) -> None:
    """Every kind of write says so, at once and for each caller; nothing hangs and nothing is acknowledged."""
    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(store.receive(delivery(f"refused-{at}", os.urandom(8192))) for at in range(8)),
            store.append([append("refused", 1)]),
            store.register(application(), []),
            return_exceptions=True,
        )
    for answer in answers:
        assert isinstance(answer, Transient), answer
        assert answer.code == "store_unavailable"
        assert "miso.sqlite" not in str(answer)


async def none_of_it_stayed(store: Store) -> None:
    assert [kept.guid for kept in await store.deliveries(state=None, limit=99) if "refused" in kept.guid] == []
    assert await store.stream("refused") == []
    assert await store.applications() == []


async def test_locked_by_another_writer(database: Path) -> None:
    async with opened(database, busy_seconds=0.05) as store:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await refuses_writes(store)
            assert await store.delivery("g1") is None
            other.execute("ROLLBACK")
        assert await store.receive(delivery("g1")) is Received.STORED
        await none_of_it_stayed(store)


@contextmanager
def the_log_cannot_grow(database: Path) -> Iterator[None]:
    size = Path(f"{database}-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_rule_24_a_log_that_cannot_grow_refuses_and_recovers(database: Path) -> None:
    """The kernel itself refuses the write (EFBIG), wherever the tests run."""
    async with opened(database) as store:
        await store.receive(delivery("g1"))
        with the_log_cannot_grow(database):
            await refuses_writes(store)
        assert await store.receive(delivery("g2")) is Received.STORED
        await none_of_it_stayed(store)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("mounting needs privileges; the test with a bounded file size covers the same code")
    yield place
    subprocess.run(["umount", place], check=True)


async def test_rule_24_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    async with opened(small_disk / "miso.sqlite") as store:
        stored = [f"g{at}" for at in range(200) if await fits(store, f"g{at}")]
        assert 0 < len(stored) < 200
        with filled(small_disk):
            await refuses_writes(store)
        enlarge(small_disk)
        assert await store.receive(delivery("after")) is Received.STORED
        assert {kept.guid for kept in await store.deliveries(state=None, limit=300)} == {*stored, "after"}
        assert await store.verify() == []


async def fits(store: Store, guid: str) -> bool:
    try:
        return await store.receive(delivery(guid, os.urandom(8192))) is Received.STORED
    except Transient:
        return False


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 512):
            pass
    yield
    ballast.unlink()


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)


async def test_a_file_that_may_only_be_read(database: Path) -> None:
    async with opened(database) as store:
        await store.receive(delivery("g1"))
    with database.open("r+b") as file:  # "write version" above 2: https://www.sqlite.org/fileformat.html, offset 18
        file.seek(18)
        file.write(b"\x03")
    async with opened(database) as store:
        assert await store.delivery("g1") is not None
        await refuses_writes(store)


@pytest.mark.parametrize("content", [b"this is not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_file_that_is_no_database(database: Path, content: bytes) -> None:
    await asyncio.to_thread(database.write_bytes, content)
    with pytest.raises(Transient) as caught:
        await SqliteStore.open(database, clock_us=lambda: 1)
    assert caught.value.code == "store_unavailable"


async def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Transient):
        await SqliteStore.open(tmp_path / "missing" / "miso.sqlite", clock_us=lambda: 1)


async def test_a_closed_store_refuses_everything(database: Path) -> None:
    async with opened(database) as store:
        waiting = asyncio.create_task(store.changed(60))
        await asyncio.sleep(0)
        unanswered = [asyncio.create_task(store.receive(delivery(f"g{at}"))) for at in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert set(await asyncio.gather(*unanswered)) == {Received.STORED}
        await store.close()
        calls: list[Any] = [
            waiting,
            store.changed(0),
            store.receive(delivery("g1")),
            store.append([append()]),
            store.stream("p1"),
            store.leases(),
        ]
        for call in calls:
            with pytest.raises(Transient) as caught:
                await call
            assert caught.value.code == "store_unavailable"
