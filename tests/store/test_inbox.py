"""A delivery is kept once, handed to one worker at a time, and ends done or in front of a person."""

from __future__ import annotations

import asyncio

import pytest

from bot.context import Store
from bot.domain.model import DeliveryState, Received
from tests.store.builders import SECOND, Clock, append, delivery
from tests.store.conftest import OpenStore

TTL = 30 * SECOND


async def guids(store: Store, holder: str = "w", limit: int = 10) -> list[str]:
    return [taken.guid for taken in await store.take_deliveries(holder, limit, TTL)]


async def park(store: Store, guid: str) -> None:
    await store.delivery_failed(guid, code="event_shape", note="no repository", retry_at_us=None)


async def test_what_was_received_is_there_byte_for_byte(store: Store) -> None:
    body = bytes(range(256)) * 200
    assert await store.receive(delivery("g1", body, received_us=5)) is Received.STORED
    kept = await store.delivery("g1")
    assert kept is not None
    assert (kept.body, kept.event, kept.state, kept.received_us) == (body, "push", DeliveryState.WAITING, 5)
    assert (kept.attempts, kept.replay_of, kept.done_us) == (0, "", 0)


async def test_an_unknown_delivery_is_none(store: Store) -> None:
    assert await store.delivery("nothing") is None


async def test_rule_21_the_same_guid_is_one_row_while_waiting_or_done(store: Store) -> None:
    await store.receive(delivery("g1", b"first"))
    assert await store.receive(delivery("g1", b"second")) is Received.KNOWN
    kept = await store.delivery("g1")
    assert kept is not None
    assert (kept.body, kept.state) == (b"first", DeliveryState.WAITING)
    await store.delivery_done("g1")
    assert await store.receive(delivery("g1", b"third")) is Received.KNOWN
    kept = await store.delivery("g1")
    assert kept is not None
    assert (kept.body, kept.state) == (b"", DeliveryState.DONE)


async def test_rule_21_a_redelivery_opens_a_parked_one_again(store: Store) -> None:
    await store.receive(delivery("g1"))
    await park(store, "g1")
    assert await guids(store) == []
    assert await store.receive(delivery("g1")) is Received.REOPENED
    assert await store.receive(delivery("g1")) is Received.KNOWN
    kept = await store.delivery("g1")
    assert kept is not None
    assert (kept.state, kept.attempts, kept.code, kept.note) == (DeliveryState.WAITING, 0, "", "")
    assert await guids(store) == ["g1"]


async def test_rule_21_the_same_body_under_another_guid_is_stored_as_a_replay_of_the_first(store: Store) -> None:
    for at, guid in enumerate(("z-first", "a-second", "m-third")):
        assert await store.receive(delivery(guid, b"{captured}", received_us=10 + at)) is Received.STORED
    await store.receive(delivery("other", b"{fresh}"))
    replays = {kept.guid: kept.replay_of for kept in await store.deliveries(state=None, limit=10)}
    assert replays == {"z-first": "", "a-second": "z-first", "m-third": "z-first", "other": ""}


async def test_rule_21_replays_within_one_burst_are_seen(store: Store) -> None:
    await asyncio.gather(*(store.receive(delivery(f"g{at}", b"{same}", received_us=at)) for at in range(20)))
    originals = [kept.guid for kept in await store.deliveries(state=None, limit=50) if not kept.replay_of]
    assert originals == ["g0"]


async def test_oldest_first_and_no_more_than_the_limit(store: Store) -> None:
    for guid, received in (("late", 30), ("early", 10), ("middle", 20)):
        await store.receive(delivery(guid, received_us=received))
    assert await guids(store, limit=2) == ["early", "middle"]
    assert await guids(store) == ["late"]


async def test_a_delivery_is_claimed_until_its_holder_is_out_of_time(store: Store, clock: Clock) -> None:
    await store.receive(delivery("g1"))
    assert await guids(store, "one") == ["g1"]
    clock.pass_(29.9)
    assert await guids(store, "two") == []
    clock.pass_(0.1)
    assert await guids(store, "two") == ["g1"]


async def test_two_workers_never_take_the_same_delivery(open_store: OpenStore) -> None:
    stores = [await open_store(), await open_store()]
    await asyncio.gather(*(stores[0].receive(delivery(f"g{at}")) for at in range(40)))
    taken = await asyncio.gather(*(guids(store, f"w{at}", 7) for at, store in enumerate(stores * 6)))
    assert sorted(guid for batch in taken for guid in batch) == sorted(f"g{at}" for at in range(40))


async def test_a_failed_delivery_comes_back_when_it_is_due(store: Store, clock: Clock) -> None:
    await store.receive(delivery("g1"))
    await guids(store)
    await store.delivery_failed("g1", code="github_unavailable", note="x\0y", retry_at_us=clock.now_us + 5 * SECOND)
    assert await guids(store) == []
    clock.pass_(5)
    (again,) = await store.take_deliveries("w", 1, TTL)
    assert (again.attempts, again.code, again.note) == (1, "github_unavailable", "xy")


async def test_a_parked_delivery_tells_why_and_waits_for_a_person(store: Store, clock: Clock) -> None:
    await store.receive(delivery("g1"))
    await park(store, "g1")
    clock.pass_(86_400)
    assert await guids(store) == []
    (parked,) = await store.deliveries(state=DeliveryState.PARKED, limit=10)
    assert (parked.guid, parked.code, parked.note, parked.attempts) == ("g1", "event_shape", "no repository", 1)
    assert await store.reopen_delivery("g1") is True
    assert await store.reopen_delivery("g1") is False
    assert await guids(store) == ["g1"]


async def test_a_late_failure_does_not_bring_back_what_is_done(store: Store) -> None:
    await store.receive(delivery("g1"))
    await store.delivery_done("g1")
    await park(store, "g1")
    await store.delivery_failed("g1", code="x", note="", retry_at_us=0)
    kept = await store.delivery("g1")
    assert kept is not None
    assert (kept.state, kept.attempts) == (DeliveryState.DONE, 0)
    assert await store.reopen_delivery("g1") is False


async def test_a_delivery_ends_with_the_rows_that_it_caused(store: Store, clock: Clock) -> None:
    await store.receive(delivery("g1"))
    await store.append([append()], inbox_done="g1")
    kept = await store.delivery("g1")
    assert kept is not None
    assert (kept.state, kept.done_us) == (DeliveryState.DONE, clock.now_us)


async def test_a_delivery_stays_when_its_rows_were_not_written(store: Store) -> None:
    await store.receive(delivery("g1"))
    await store.append([append(seq=2)], inbox_done="g1")
    assert await guids(store) == ["g1"]


@pytest.mark.parametrize("state", [None, DeliveryState.WAITING])
async def test_pages_of_the_listing_meet_without_gap_or_overlap(store: Store, state: DeliveryState | None) -> None:
    for at in range(1, 8):
        await store.receive(delivery(f"g{at}", received_us=at))
    seen: list[str] = []
    before = 0
    while page := await store.deliveries(state=state, limit=3, before_us=before):
        seen += [kept.guid for kept in page]
        before = page[-1].received_us
    assert seen == [f"g{at}" for at in range(7, 0, -1)]
    assert await store.deliveries(state=DeliveryState.DONE, limit=3) == []


async def test_a_delivery_does_not_show_its_body_when_printed(store: Store) -> None:
    await store.receive(delivery("g1", b"planted-secret"))
    assert "planted-secret" not in repr(await store.delivery("g1"))


async def test_rule_17_a_body_is_erased_with_the_row_that_ends_it(store: Store) -> None:
    for guid in ("g1", "g2", "g3"):
        await store.receive(delivery(guid, b"{%s}" % guid.encode()))
    await store.delivery_done("g1")
    await store.append([append()], inbox_done="g2")
    await store.append([append(seq=5)], inbox_done="g3")
    bodies = {kept.guid: kept.body for kept in await store.deliveries(state=None, limit=9)}
    assert bodies == {"g1": b"", "g2": b"", "g3": b"{g3}"}


async def test_rule_21_a_replay_of_an_erased_body_is_recognised(store: Store) -> None:
    await store.receive(delivery("g1", b"{captured}"))
    await store.delivery_done("g1")
    await store.receive(delivery("g2", b"{captured}", received_us=2))
    kept = await store.delivery("g2")
    assert kept is not None
    assert kept.replay_of == "g1"


async def parked_long_ago(store: Store, clock: Clock) -> None:
    for at, guid in enumerate(("parked", "retrying", "recent")):
        when = clock.now_us + at * 86_400 * SECOND
        await store.receive(delivery(guid, b"{%s}" % guid.encode(), received_us=when))
    for guid in ("parked", "recent"):
        await park(store, guid)
    clock.pass_(7 * 86_400 + 1)


async def test_the_body_of_a_parked_delivery_is_erased_after_its_days(store: Store, clock: Clock) -> None:
    await parked_long_ago(store, clock)
    assert await store.purge() == 1
    bodies = {kept.guid: kept.body for kept in await store.deliveries(state=None, limit=9)}
    assert bodies == {"parked": b"", "retrying": b"{retrying}", "recent": b"{recent}"}
    assert await store.reopen_delivery("parked") is False, "there is nothing to try again"
    assert await store.reopen_delivery("recent") is True
    assert await store.purge() == 0


async def test_rule_21_a_redelivery_brings_an_erased_body_back_and_another_body_does_not(
    store: Store, clock: Clock
) -> None:
    await parked_long_ago(store, clock)
    await store.purge()
    assert await store.receive(delivery("parked", b"{captured elsewhere}")) is Received.KNOWN
    assert await store.receive(delivery("parked", b"{parked}")) is Received.REOPENED
    kept = await store.delivery("parked")
    assert kept is not None
    assert (kept.body, kept.state) == (b"{parked}", DeliveryState.WAITING)
