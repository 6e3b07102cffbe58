"""Every change is shown in the end, the last one always, and what cannot be shown now comes back later."""

from __future__ import annotations

from dataclasses import replace

from bot.context import Store
from bot.domain.model import Surface
from tests.store.builders import SECOND, Clock, append


async def write(store: Store, stream: str, seq: int) -> None:
    await store.append([replace(append(stream, seq), show=True)])


async def test_a_stream_is_unreported_until_its_head_was_shown(store: Store) -> None:
    await write(store, "p1", 1)
    assert await store.unreported(10) == [("p1", 1)]
    await write(store, "p1", 2)
    await store.reported("p1", 1)
    assert await store.unreported(10) == [("p1", 2)]
    await store.reported("p1", 2)
    assert await store.unreported(10) == []
    await write(store, "p1", 3)
    assert await store.unreported(10) == [("p1", 3)]


async def test_an_older_report_that_lands_late_changes_nothing(store: Store) -> None:
    await write(store, "p1", 1)
    await write(store, "p1", 2)
    await store.reported("p1", 2)
    await store.reported("p1", 1)
    await store.reported("p1", 1, retry_at_us=2**60)
    assert await store.unreported(10) == []
    await write(store, "p1", 3)
    assert await store.unreported(10) == [("p1", 3)]


async def test_the_oldest_change_first_and_a_busy_stream_keeps_its_place(store: Store, clock: Clock) -> None:
    for stream in ("b", "a", "c"):
        await write(store, stream, 1)
        clock.pass_(1)
    await write(store, "b", 2)
    assert await store.unreported(10) == [("b", 2), ("a", 1), ("c", 1)]
    assert await store.unreported(1) == [("b", 2)]
    await store.reported("b", 2)
    clock.pass_(1)
    await write(store, "b", 3)
    assert await store.unreported(10) == [("a", 1), ("c", 1), ("b", 3)]


async def test_a_report_that_failed_is_due_again_later(store: Store, clock: Clock) -> None:
    await write(store, "p1", 1)
    await store.reported("p1", 1, retry_at_us=clock.now_us + 60 * SECOND)
    await write(store, "p1", 2)
    assert await store.unreported(10) == []
    clock.pass_(60)
    assert await store.unreported(10) == [("p1", 2)]
    await store.reported("p1", 2)
    await write(store, "p1", 3)
    assert await store.unreported(10) == [("p1", 3)]


async def test_streams_without_a_promotion_are_not_reported(store: Store) -> None:
    await store.append([append("registry:x", 1)])
    assert await store.unreported(10) == []


async def test_a_surface_remembers_what_it_shows(store: Store) -> None:
    check = Surface(stream="p1", surface="check", remote_id=0, shown_seq=1, body_hash="h1")
    comment = replace(check, surface="comment:5", remote_id=77)
    for surface in (comment, check, replace(check, stream="p2")):
        await store.save_surface(surface)
    shown = replace(check, remote_id=2**53, shown_seq=2, body_hash="h2")
    await store.save_surface(shown)
    assert await store.surfaces("p1") == [shown, comment]
    assert await store.surfaces("p3") == []
