"""What must not be readable is sealed with keys that rotate, and opens at its own place alone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Delivery, DeliveryState, Keep, Operation
from bot.store.sealing import Seal, sealed_with
from bot.store.sqlite import SqliteStore
from tests.store.builders import SECOND, append, claim, delivery

SECRET = "eyJ2ZXJzaW9uIjoxfQ" * 20
OLD, NEW = ("k1", b"1" * 32), ("k2", b"2" * 32)


def everything(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


@asynccontextmanager
async def opened(path: Path, seal: Seal) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, clock_us=lambda: 1, seal=seal)
    try:
        yield store
    finally:
        await store.close()


@given(content=st.binary(max_size=300), place=st.lists(st.text(max_size=9), max_size=3), at=st.integers(0, 10**6))
def test_what_was_sealed_opens_whole_and_no_byte_of_it_may_change(content: bytes, place: list[str], at: int) -> None:
    seal = Seal([OLD, NEW])
    sealed = seal.close_bytes(content, *place)
    assert seal.open_bytes(sealed, *place) == content
    assert seal.open_bytes(sealed, *place, "") is None
    changed = bytearray(sealed)
    changed[at % len(sealed)] ^= 1 << at % 8
    assert seal.open_bytes(bytes(changed), *place) is None
    assert seal.open_bytes(sealed[: at % len(sealed)], *place) is None


@given(st.text(max_size=60))
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    assert Seal([OLD]).open(text, "kept") is None
    assert Seal([OLD]).open_bytes(text.encode(), "kept") is None


def test_places_are_told_apart_where_they_only_look_alike() -> None:
    seal = Seal([OLD])
    assert seal.open(seal.close("x", "kept", "a", "b"), "kept", "ab") is None
    assert seal.open(seal.close("x", "kept", 'a", "b'), "kept", "a", "b") is None


def test_the_newest_key_seals_and_older_ones_open() -> None:
    before = Seal([OLD]).close("secret", "here")
    seal = Seal([OLD, NEW])
    assert (seal.newest, seal.open(before, "here")) == ("k2", "secret")
    assert Seal([OLD]).open(seal.close("secret", "here"), "here") is None
    assert Seal([NEW]).open(before, "here") is None, "its key is gone"


def test_keys_are_replaced_while_it_is_used() -> None:
    seal = Seal([OLD])
    before = seal.close("secret", "here")
    seal.use([OLD, NEW])
    assert sealed_with(seal.close_bytes(b"", "here")) == "k2"
    assert seal.open(before, "here") == "secret"
    seal.use([NEW])
    assert seal.open(before, "here") is None


@pytest.mark.parametrize("keys", [[], [("", b"1" * 32)], [("k" * 256, b"1" * 32)]])
def test_a_seal_without_a_usable_key_is_not_made(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match="key"):
        Seal(keys)


def test_a_file_gives_one_key_to_all_who_ask_at_once(tmp_path: Path) -> None:
    file = tmp_path / "seal.key"
    first, second = Seal.at(file), Seal.at(file)
    assert second.open(first.close("secret", "here"), "here") == "secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


async def test_a_key_in_a_file_is_made_once_however_many_come(tmp_path: Path) -> None:
    seals = await asyncio.gather(*(asyncio.to_thread(Seal.at, tmp_path / "seal.key") for _ in range(20)))
    assert {seal.open(seals[0].close("secret", "here"), "here") for seal in seals} == {"secret"}


async def test_rule_17_a_continuation_token_is_sealed_in_the_file(tmp_path: Path) -> None:
    path, key = tmp_path / "miso.sqlite", tmp_path / "seal.key"
    operation = Operation(stream="p1", step="swap", epoch=1, continuation=SECRET, started_us=1)
    async with opened(path, Seal.at(key)) as store:
        await store.append([append(claim=claim())])
        assert await store.save_operation(operation)
        assert await store.operation("p1", "swap") == operation
        assert SECRET.encode() not in everything(tmp_path)
    assert SECRET.encode() not in everything(tmp_path)

    async with opened(path, Seal.at(key)) as again:
        assert await again.operation("p1", "swap") == operation
    async with opened(path, Seal.at(tmp_path / "another.key")) as other:
        lost = await other.operation("p1", "swap")
        assert lost is not None
        assert lost.continuation == "", "what cannot be opened is not followed"


async def test_rule_17_a_continuation_token_is_followed_for_its_own_step_alone(tmp_path: Path) -> None:
    path = tmp_path / "miso.sqlite"
    async with opened(path, Seal([OLD])) as store:
        await store.append([append("p1", claim=claim()), append("p2", claim=claim(resource="app/other"))])
        for stream in ("p1", "p2"):
            operation = Operation(stream=stream, step="swap", epoch=1, continuation=stream, started_us=1)
            assert await store.save_operation(operation)
        change(path, "UPDATE operation SET continuation = (SELECT continuation FROM operation WHERE stream = 'p2')")
        moved = await store.operation("p1", "swap")
        assert moved is not None
        assert moved.continuation == ""


async def test_what_an_earlier_version_sealed_still_opens(tmp_path: Path) -> None:
    path, key = tmp_path / "miso.sqlite", tmp_path / "seal.key"
    key.write_bytes(made := Fernet.generate_key())
    async with opened(path, Seal.at(key)) as store:
        await store.append([append(claim=claim())])
        await store.save_operation(Operation(stream="p1", step="swap", epoch=1, continuation="", started_us=1))
        change(path, "UPDATE operation SET continuation = ?", Fernet(made).encrypt(SECRET.encode()).decode())
        kept = await store.operation("p1", "swap")
        assert kept is not None
        assert kept.continuation == SECRET


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        bare.execute(statement, values)


async def only(store: SqliteStore) -> Delivery:
    (found,) = await store.deliveries(state=None, limit=5)
    return found


async def test_rule_17_a_body_is_sealed_in_the_file_and_its_hash_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "miso.sqlite"
    async with opened(path, Seal([OLD])) as store:
        await store.receive(delivery("g1", b'{"comment": "planted-secret"}'))
        assert b"planted-secret" not in everything(tmp_path)
        with closing(sqlite3.connect(path)) as bare:
            (hash_,) = bare.execute("SELECT body_hash FROM delivery").fetchone()
    # Two installations that got the same body do not know it of each other.
    async with opened(tmp_path / "other.sqlite", Seal([OLD])) as store:
        await store.receive(delivery("g1", b'{"comment": "planted-secret"}'))
        with closing(sqlite3.connect(tmp_path / "other.sqlite")) as bare:
            assert bare.execute("SELECT body_hash FROM delivery").fetchone() != (hash_,)


async def test_a_body_that_no_key_opens_is_parked_until_the_key_is_back(tmp_path: Path) -> None:
    path = tmp_path / "miso.sqlite"
    async with opened(path, Seal([OLD])) as store:
        await store.receive(delivery("g1", b"{sealed}"))
    async with opened(path, Seal([NEW])) as store:
        await store.receive(delivery("g2", b"{readable}", received_us=2))
        assert [taken.guid for taken in await store.take_deliveries("w", 5, SECOND)] == ["g2"]
        await store.delivery_done("g2")
        (parked,) = await store.deliveries(state=DeliveryState.PARKED, limit=5)
        assert (parked.guid, parked.code, parked.body) == ("g1", "body_sealed", b"")
    async with opened(path, Seal([OLD, NEW])) as store:
        assert await store.reopen_delivery("g1") is True
        (taken,) = await store.take_deliveries("w", 5, SECOND)
        assert (taken.guid, taken.body) == ("g1", b"{sealed}")


async def test_rule_17_a_body_cannot_be_passed_off_as_another(tmp_path: Path) -> None:
    path = tmp_path / "miso.sqlite"
    async with opened(path, Seal([OLD])) as store:
        await store.receive(delivery("g1", b"{dev}"))
        await store.receive(delivery("g2", b"{production}"))
        change(path, "UPDATE delivery SET body = (SELECT body FROM delivery WHERE guid = 'g2') WHERE guid = 'g1'")
        assert [taken.guid for taken in await store.take_deliveries("w", 5, SECOND)] == ["g2"]


async def test_rule_21_a_replay_is_recognised_across_keys_and_starts(tmp_path: Path) -> None:
    path = tmp_path / "miso.sqlite"
    for number, keys in enumerate([[OLD], [OLD, NEW], [NEW], [NEW]], 1):
        async with opened(path, Seal(keys)) as store:
            await store.receive(delivery(f"g{number}", b"{captured}", received_us=number))
            found = await store.delivery(f"g{number}")
            assert found is not None
            assert found.replay_of == ("g1" if number > 1 else ""), number


async def test_the_key_of_the_hashes_follows_a_newer_key_while_the_store_is_open(tmp_path: Path) -> None:
    path, seal = tmp_path / "miso.sqlite", Seal([OLD])
    async with opened(path, seal) as store:
        await store.receive(delivery("g1", b"{captured}"))
        seal.use([OLD, NEW])
        await store.purge()
    async with opened(path, Seal([NEW])) as store:
        await store.receive(delivery("g2", b"{captured}", received_us=2))
        found = await store.delivery("g2")
        assert found is not None
        assert found.replay_of == "g1"


async def test_what_is_kept_under_a_key_that_is_gone_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "miso.sqlite"
    session = Keep(kind="session", key="a" * 64, body={"who": "alice"}, sealed=True)
    async with opened(path, Seal([OLD])) as store:
        await store.keep(session)
    async with opened(path, Seal([("k1", os.urandom(32))])) as store:
        assert await store.kept("session", "a" * 64) is None
        assert await store.kept_by("session") == []


async def test_rule_17_an_erased_body_leaves_the_file_even_as_what_it_was_sealed_to(tmp_path: Path) -> None:
    """Whoever gets the key as well finds nothing that is done, on a page that is free now."""
    path = tmp_path / "miso.sqlite"
    async with opened(path, Seal([OLD])) as store:
        for number in range(30):
            await store.receive(delivery(f"g{number}", os.urandom(19_000)))
        with closing(sqlite3.connect(path)) as bare:
            sealed = [body for (body,) in bare.execute("SELECT body FROM delivery")]
        for number in range(30):
            await store.delivery_done(f"g{number}")
    left = everything(tmp_path)
    assert not [body for body in sealed for at in range(0, len(body), 900) if body[at : at + 200] in left]
