"""What is kept fits once, is changed only as it was seen, and is gone when its time is over."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.context import Store
from bot.domain.model import ANY_VERSION, Conflict, Keep, Kept, Written
from tests.store.builders import SECOND, Clock, append, claim, delivery
from tests.store.conftest import OpenStore

KEY = "a" * 64
SECRET = "planted-verifier-0123456789"


def everything(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


def spend(clock: Clock, key: str = KEY, *, seconds: float = 60) -> Keep:
    return Keep(kind="jti", key=key, owner="run 5", body={"run": 5}, until_us=clock.now_us + int(seconds * SECOND))


async def test_what_was_kept_is_read_back_whole(store: Store, clock: Clock) -> None:
    assert await store.keep(spend(clock)) is True
    assert await store.kept("jti", KEY) == Kept(
        kind="jti",
        key=KEY,
        owner="run 5",
        body={"run": 5},
        version=1,
        created_us=clock.now_us,
        until_us=clock.now_us + 60 * SECOND,
    )
    assert await store.kept("session", KEY) is None
    assert await store.kept("jti", "b" * 64) is None


async def test_rule_30_a_token_id_is_spent_once(store: Store, clock: Clock) -> None:
    assert await store.keep(spend(clock)) is True
    assert await store.keep(spend(clock)) is False


async def test_rule_30_of_many_who_spend_at_once_one_wins(open_store: OpenStore, clock: Clock) -> None:
    stores = [await open_store() for _ in range(3)]
    spent = await asyncio.gather(*(store.keep(spend(clock)) for store in stores * 10))
    assert spent.count(True) == 1


async def test_what_ran_out_is_as_if_it_were_not_there(store: Store, clock: Clock) -> None:
    await store.keep(spend(clock, seconds=10))
    clock.pass_(9.999_999)
    assert await store.kept("jti", KEY) is not None
    clock.pass_(0.000_001)
    assert await store.kept("jti", KEY) is None
    assert await store.kept_by("jti") == []
    assert await store.keep(replace(spend(clock), version=1)) is False, "not even to who saw it"
    assert await store.keep(Keep(kind="jti", key=KEY, version=1)) is False


async def test_what_begins_anew_after_another_ran_out_begins_at_version_one(store: Store, clock: Clock) -> None:
    for change in (spend(clock), replace(spend(clock), version=ANY_VERSION, key="b" * 64)):
        await store.keep(change)
        await store.keep(replace(change, version=1))
        clock.pass_(60)
        later = replace(change, until_us=clock.now_us + SECOND)
        assert await store.keep(later) is True
        kept = await store.kept("jti", change.key)
        assert kept is not None
        assert (kept.version, kept.created_us) == (1, clock.now_us)


async def test_what_has_no_end_stays(store: Store, clock: Clock) -> None:
    await store.keep(Keep(kind="link", key=KEY, body={"github": 7}))
    clock.pass_(10 * 365 * 86_400)
    assert await store.purge() == 0
    assert await store.kept("link", KEY) is not None
    assert await store.keep(Keep(kind="link", key=KEY, body={"github": 8})) is False


async def test_a_change_fits_only_what_was_seen(store: Store, clock: Clock) -> None:
    await store.keep(Keep(kind="session", key=KEY, body={"n": 1}))
    clock.pass_(1)
    assert await store.keep(Keep(kind="session", key=KEY, owner="alice", body={"n": 2}, version=1)) is True
    assert await store.keep(Keep(kind="session", key=KEY, body={"n": 3}, version=1)) is False
    kept = await store.kept("session", KEY)
    assert kept is not None
    assert (kept.body, kept.owner, kept.version, clock.now_us - kept.created_us) == ({"n": 2}, "alice", 2, SECOND)
    assert await store.keep(Keep(kind="session", key="b" * 64, body={}, version=1)) is False


async def test_any_version_takes_what_there_is(store: Store) -> None:
    for n in (1, 2):
        assert await store.keep(Keep(kind="link", key=KEY, body={"n": n}, version=ANY_VERSION)) is True
        kept = await store.kept("link", KEY)
        assert kept is not None
        assert (kept.body, kept.version) == ({"n": n}, n)


async def test_it_is_taken_away_as_it_was_seen_or_whatever_it_is(store: Store) -> None:
    await store.keep(Keep(kind="code", key=KEY, body={}))
    assert await store.keep(Keep(kind="code", key=KEY, version=2)) is False
    assert await store.keep(Keep(kind="code", key=KEY, version=1)) is True
    assert await store.keep(Keep(kind="code", key=KEY, version=1)) is False
    assert await store.kept("code", KEY) is None
    for _ in range(2):
        assert await store.keep(Keep(kind="code", key=KEY, version=ANY_VERSION)) is True


async def test_that_there_is_none_can_be_asked_for(store: Store, clock: Clock) -> None:
    revoked = Keep(kind="revoked", key=KEY)
    assert await store.keep(revoked, spend(clock)) is True
    await store.keep(Keep(kind="revoked", key=KEY, body={}))
    assert await store.keep(revoked, spend(clock, "b" * 64)) is False
    assert await store.kept("jti", "b" * 64) is None


async def test_all_of_the_changes_or_none(store: Store, clock: Clock) -> None:
    await store.keep(spend(clock))
    assert await store.keep(Keep(kind="token", key=KEY, body={}), spend(clock)) is False
    assert await store.kept("token", KEY) is None
    assert await store.keep() is True


async def test_rows_and_what_is_kept_stand_or_fall_together(store: Store, clock: Clock) -> None:
    await store.receive(delivery("g1"))
    assert isinstance(await store.append([append("p1", 1)], keep=[spend(clock)]), Written)
    again = await store.append([append("p2", 1, claim=claim())], keep=[spend(clock)], inbox_done="g1")
    assert again is Conflict.KEPT
    assert await store.stream("p2") == []
    assert await store.leases() == {}
    assert [taken.guid for taken in await store.take_deliveries("w", 5, SECOND)] == ["g1"]
    assert await store.append([append("p1", 1)], keep=[spend(clock, "b" * 64)]) is Conflict.SEQ
    assert await store.kept("jti", "b" * 64) is None


async def test_listed_by_owner_and_paged_by_key(store: Store, clock: Clock) -> None:
    for at in range(7):
        owner = "alice" if at % 2 else "bob"
        await store.keep(Keep(kind="session", key=f"{at}" * 64, owner=owner, body={"at": at}))
    await store.keep(Keep(kind="code", key=KEY, owner="alice", body={}))
    assert [kept.body["at"] for kept in await store.kept_by("session", owner="alice")] == [1, 3, 5]
    seen: list[int] = []
    after = ""
    while page := await store.kept_by("session", after=after, limit=3):
        seen += [kept.body["at"] for kept in page]
        after = page[-1].key
    assert seen == list(range(7))


async def test_what_ran_out_is_removed_in_batches(store: Store, clock: Clock) -> None:
    await asyncio.gather(*(store.keep(spend(clock, f"{at:064}", seconds=at)) for at in range(1, 1201)))
    clock.pass_(1100)
    assert await store.purge() == 1100
    assert await store.purge() == 0
    assert len(await store.kept_by("jti", limit=1000)) == 100


@pytest.mark.parametrize(
    "change",
    [
        Keep(kind="", key=KEY, body={}),
        Keep(kind="jti", key="", body={}),
        Keep(kind="jti", key="a\0b", body={}),
        Keep(kind="jti", key=KEY, body={}, version=-2),
        Keep(kind="jti", key=KEY, body={"n": float("nan")}),
    ],
)
async def test_what_can_never_be_kept_is_a_fault_of_the_caller(store: Store, change: Keep) -> None:
    with pytest.raises(ValueError, match=r"."):
        await store.keep(change)
    with pytest.raises(ValueError, match=r"."):
        await store.append([append()], keep=[change])


async def test_rule_17_a_sealed_body_is_not_readable_in_the_file(store: Store, tmp_path: Path) -> None:
    await store.keep(
        Keep(kind="state", key=KEY, body={"verifier": SECRET}, sealed=True),
        Keep(kind="state", key="b" * 64, body={"number": "plain-enough-123"}),
    )
    kept = await store.kept("state", KEY)
    assert kept is not None
    assert kept.body == {"verifier": SECRET}
    assert [each.body for each in await store.kept_by("state")] == [kept.body, {"number": "plain-enough-123"}]
    written = everything(tmp_path)
    assert SECRET.encode() not in written
    assert b"plain-enough-123" in written


async def test_rule_17_a_sealed_body_opens_at_its_own_place_alone(
    engine: str, store: Store, open_store: OpenStore, tmp_path: Path
) -> None:
    assert engine == "sqlite"
    await store.keep(
        Keep(kind="session", key=KEY, body={"who": "mallory"}, sealed=True),
        Keep(kind="session", key="b" * 64, body={"who": "alice"}, sealed=True),
    )
    with closing(sqlite3.connect(tmp_path / "miso.sqlite", isolation_level=None)) as bare:
        bare.execute("UPDATE kept SET body = (SELECT body FROM kept WHERE key = ?) WHERE key = ?", ("b" * 64, KEY))
    assert await store.kept("session", KEY) is None
    assert [kept.body for kept in await store.kept_by("session")] == [{"who": "alice"}]
