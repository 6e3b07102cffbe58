"""A database that an earlier version wrote is brought to this version's shape with everything that stands in it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.domain.model import Actor, ActorKind, Drift, EnvironmentState, Hold, Lock, Status, Untrusted, Written
from bot.store import SqliteStore, migrations
from tests.store.builders import APP, ENV, append, delivery

FIRST_RELEASE = "0005_registry"
"""The last migration of 0.1.0."""
HOLD = '[{"commit":"c","digest":"d","since_us":5,"stream":"p2"}]'


@pytest.fixture
def first(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database of 0.1.0, open for what 0.1.0 wrote."""
    with closing(sqlite3.connect(tmp_path / "miso.sqlite", isolation_level=None)) as bare:
        db = Database(bare, execute_plugins=False)
        migrations.MIGRATIONS.apply(db, stop_before="0006_environments")
        assert [name for (name,) in bare.execute("SELECT name FROM _sqlite_migrations")][-1] == FIRST_RELEASE
        yield bare


def promoted(bare: sqlite3.Connection, stream: str, *, status: str, verified: int, passed_us: int) -> None:
    bare.execute(
        "INSERT INTO promotion (stream, status, is_open, head_seq, application_id, environment_id, repository_id,"
        " commit_sha, digest, verified, pull_request, requested_us, wake_at_us)"
        " VALUES (?, ?, 0, 2, ?, ?, 42, 'c', 'd', ?, 5, 1, 0)",
        (stream, status, APP, ENV, verified),
    )
    for seq, (kind, at_us) in enumerate([("promotion.requested", 1), ("probe.passed", passed_us)], 1):
        bare.execute(
            "INSERT INTO journal (stream, seq, kind, v, at_us, actor_kind, actor_id, application_id, environment_id,"
            " epoch, body, prev, hash) VALUES (?, ?, ?, 1, ?, 'person', 7, ?, ?, 0, '{}', '', '')",
            (stream, seq, kind, at_us, APP, ENV),
        )


async def test_what_the_first_release_wrote_is_kept_and_its_times_of_health_are_found_in_the_journal(
    first: sqlite3.Connection, tmp_path: Path
) -> None:
    promoted(first, "p1", status="live", verified=1, passed_us=900)
    promoted(first, "p2", status="rolled_back", verified=0, passed_us=800)
    first.execute("INSERT INTO environment_state VALUES (?, 4, 'p1', 'p1', ?, '')", (ENV, HOLD))
    store = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=lambda: 1)
    try:
        live, undone = await store.promotion("p1"), await store.promotion("p2")
        assert live is not None
        assert undone is not None
        assert (live.status, live.verified_us) == (Status.LIVE, 900)
        assert (undone.status, undone.verified_us) == (Status.ROLLED_BACK, 0)
        kept = await store.environment_state(ENV)
        assert kept == EnvironmentState(
            environment_id=ENV,
            version=4,
            running="p1",
            last_verified="p1",
            held=(Hold(commit="c", digest="d", stream="p2", since_us=5),),
        )
    finally:
        await store.close()


async def test_an_older_process_beside_this_one_leaves_locks_and_what_was_found_where_they_are(
    first: sqlite3.Connection, tmp_path: Path
) -> None:
    lock = Lock(owner=Actor(kind=ActorKind.PERSON, id=7), reason=Untrusted("fair"), since_us=1, until_us=0)
    drift = Drift(expected="sha256:a", found="", since_us=2)
    store = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=lambda: 1)
    try:
        written = EnvironmentState(environment_id=ENV, version=1, lock=lock, drift=drift)
        assert isinstance(await store.append([append("p1", 1, environment=written)]), Written)
        first.execute(
            "INSERT INTO environment_state (environment_id, version, running, last_verified, held, busy)"
            " SELECT ?, 2, 'p1', '', '[]', 'p1' WHERE 1 = 1 ON CONFLICT (environment_id) DO UPDATE SET"
            " version = excluded.version, running = excluded.running, busy = excluded.busy",
            (ENV,),
        )
        kept = await store.environment_state(ENV)
        assert (kept.version, kept.busy, kept.lock, kept.drift) == (2, "p1", lock, drift)
    finally:
        await store.close()


async def test_bodies_of_an_earlier_version_are_erased_where_they_are_done_and_readable_where_they_wait(
    first: sqlite3.Connection, tmp_path: Path
) -> None:
    for guid, state, body in (("g1", "done", b"{done}"), ("g2", "waiting", b"{waits}"), ("g3", "parked", b"{parked}")):
        first.execute(
            "INSERT INTO delivery (guid, event, body_hash, state, received_us, due_us, body)"
            " VALUES (?, 'push', ?, ?, 1, 0, ?)",
            (guid, hashlib.sha256(body).digest(), state, body),
        )
    store = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=lambda: 1)
    try:
        bodies = {kept.guid: kept.body for kept in await store.deliveries(state=None, limit=9)}
        assert bodies == {"g1": b"", "g2": b"{waits}", "g3": b"{parked}"}
        assert [taken.body for taken in await store.take_deliveries("w", 9, 1)] == [b"{waits}"]
        # Its hash got a key, and still recognises the body that is gone.
        await store.receive(delivery("g4", b"{done}", received_us=2))
        replay = await store.delivery("g4")
        assert replay is not None
        assert replay.replay_of == "g1"
        hashes = [hash_ for (hash_,) in first.execute("SELECT body_hash FROM delivery")]
        assert not {hashlib.sha256(body).digest() for body in (b"{done}", b"{waits}", b"{parked}")} & set(hashes)
    finally:
        await store.close()
