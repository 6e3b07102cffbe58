"""Who holds a resource may go on, who lost it may not; what must be forgotten is."""

from __future__ import annotations

from bot.context import Store
from bot.domain.model import Conflict, Operation
from tests.store.builders import SECOND, Clock, append, claim, fence

TOKEN = "planted-continuation"


def operation(epoch: int = 1, *, stream: str = "p1", continuation: str = TOKEN) -> Operation:
    return Operation(stream=stream, step="swap", epoch=epoch, continuation=continuation, started_us=5)


async def test_a_renewed_lease_lives_on(store: Store, clock: Clock) -> None:
    await store.append([append(claim=claim(seconds=10))])
    assert await store.leases() == {"app/env": ("worker-1", "p1", 1, clock.now_us + 10 * SECOND)}
    clock.pass_(9)
    assert await store.renew("app/env", 1, 10 * SECOND) is True
    clock.pass_(9)
    assert await store.leases() == {"app/env": ("worker-1", "p1", 1, clock.now_us + SECOND)}
    clock.pass_(1)
    assert await store.leases() == {}


async def test_what_ran_out_is_never_prolonged(store: Store, clock: Clock) -> None:
    await store.append([append(claim=claim(seconds=10))])
    clock.pass_(10)
    assert await store.renew("app/env", 1, 10 * SECOND) is False
    assert await store.leases() == {}


async def test_another_epoch_or_resource_is_not_renewed(store: Store) -> None:
    await store.append([append(claim=claim())])
    assert await store.renew("app/env", 2, SECOND) is False
    assert await store.renew("app/other", 1, SECOND) is False


async def test_a_worker_that_slept_past_its_lease_finds_every_write_refused(store: Store, clock: Clock) -> None:
    await store.append([append("p1", 1, claim=claim("sleeper"))])
    clock.pass_(11)
    await store.append([append("p1", 2, claim=claim("successor"))])
    assert await store.renew("app/env", 1, SECOND) is False
    assert await store.save_operation(operation(epoch=1)) is False
    assert await store.append([append("p1", 3, fence=fence(1))]) is Conflict.FENCE
    assert await store.save_operation(operation(epoch=2)) is True


async def test_an_operation_is_kept_until_its_result_is_written(store: Store) -> None:
    await store.append([append("p1", 1, claim=claim())])
    assert await store.operation("p1", "swap") is None
    assert await store.save_operation(operation()) is True
    assert await store.save_operation(operation(continuation="newer")) is True
    kept = await store.operation("p1", "swap")
    assert kept is not None
    assert (kept.continuation, kept.started_us) == ("newer", 5)
    await store.append([append("p1", 2, fence=fence(1), forget=("swap", "never.was"))])
    assert await store.operation("p1", "swap") is None


async def test_a_continuation_outlives_a_lease_that_nobody_took(store: Store, clock: Clock) -> None:
    await store.append([append("p1", 1, claim=claim())])
    clock.pass_(11)
    assert await store.save_operation(operation()) is True


async def test_no_operation_is_kept_for_a_lease_given_back_or_never_taken(store: Store) -> None:
    assert await store.save_operation(operation()) is False
    await store.append([append("p1", 1, claim=claim())])
    await store.append([append("p1", 2, fence=fence(1), free=True)])
    assert await store.save_operation(operation()) is False
    assert await store.operation("p1", "swap") is None


async def test_rule_17_a_continuation_is_not_shown_when_printed(store: Store) -> None:
    await store.append([append("p1", 1, claim=claim())])
    await store.save_operation(operation())
    assert TOKEN not in repr(await store.operation("p1", "swap"))
