"""A continuation token is not readable in the database, and is read back by whoever has the key."""

from __future__ import annotations

from pathlib import Path

from bot.domain.model import Operation
from bot.store.sealing import Seal
from bot.store.sqlite import SqliteStore
from tests.store.builders import append, claim

SECRET = "eyJ2ZXJzaW9uIjoxfQ" * 20


def everything(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


async def test_rule_17_a_continuation_token_is_sealed_in_the_file(tmp_path: Path) -> None:
    path, key = tmp_path / "miso.sqlite", tmp_path / "seal.key"
    store = await SqliteStore.open(path, clock_us=lambda: 1, seal=Seal.at(key))
    await store.append([append(claim=claim())])
    operation = Operation(stream="p1", step="swap", epoch=1, continuation=SECRET, started_us=1)
    assert await store.save_operation(operation)
    assert await store.operation("p1", "swap") == operation
    await store.close()
    assert SECRET.encode() not in everything(tmp_path)
    assert key.stat().st_mode & 0o777 == 0o600

    again = await SqliteStore.open(path, clock_us=lambda: 1, seal=Seal.at(key))
    kept = await again.operation("p1", "swap")
    assert kept is not None
    assert kept.continuation == SECRET
    await again.close()

    other = await SqliteStore.open(path, clock_us=lambda: 1, seal=Seal.at(tmp_path / "another.key"))
    lost = await other.operation("p1", "swap")
    assert lost is not None
    assert lost.continuation == "", "what cannot be opened is not followed"
    await other.close()
