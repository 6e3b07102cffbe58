"""The one function through which Azure is changed, at the moments that no story can be stopped in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.model import Claim, Environment, Operation, Status
from bot.domain.promotion import Kind
from bot.errors import Transient
from bot.services import effects, journal
from bot.services.effects import Hold, Keep, LeaseLost, Saved
from bot.sim import scenarios
from bot.sim.wire import Fault
from tests.flows.stage import Stage, staged
from tests.flows.trouble import with_rules


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as ready:
        yield ready


@pytest.fixture
async def hold(stage: Stage) -> Hold:
    """A promotion to dev whose lease is ours, with nothing done yet."""
    pull = await scenarios.merge_change(stage.sim, "Basket")
    await scenarios.build(stage.sim, pull["merge_commit_sha"])
    await stage.world.delivered()
    await stage.running.worker.drain()
    async with asyncio.timeout(10):
        while not await stage.miso.store.open_promotions():
            await stage.miso.store.changed(0.1)
    promotion = await stage.latest("dev")
    environment = await stage.miso.store.environment(promotion.environment_id)
    assert isinstance(environment, Environment)
    unfenced = Hold(stream=promotion.stream, environment=environment, epoch=0)
    taken = await journal.record(
        stage.miso,
        promotion.stream,
        lambda _: [effects.row(unfenced, Kind.DEPLOY_STARTED, attempt=1, previous=None, previous_plan=None)],
        claim=Claim(resource=environment.resource, holder="test", ttl_us=int(stage.miso.rules.lease_ttl * 1e6)),
    )
    return Hold(stream=promotion.stream, environment=environment, epoch=taken.epoch)


class Azure:
    """What a step's `read` and `act` see: a request that is lost may still arrive."""

    def __init__(self) -> None:
        self.there = False
        self.acts: list[str] = []
        self.fault: Exception | None = None

    async def read(self) -> Mapping[str, Any] | None:
        return {"there": True} if self.there else None

    async def act(self, resume: str, saved: Saved, keep: Keep) -> None:
        self.acts.append(resume)
        if self.fault is not None:
            raise self.fault
        self.there = True


def unknown() -> Transient:
    return Transient(Code.AZURE_UNAVAILABLE, "lost", outcome_unknown=True)


async def once(stage: Stage, hold: Hold, azure: Azure) -> None:
    await effects.once(stage.miso, hold, "group.put", read=azure.read, act=azure.act, before={})


async def test_a_step_that_is_done_is_never_done_again(stage: Stage, hold: Hold) -> None:
    azure = Azure()
    await once(stage, hold, azure)
    azure.there = False
    await once(stage, hold, azure)
    assert azure.acts == [""]


async def test_every_repeated_write_is_written_down_and_waits_for_the_one_before_it(stage: Stage, hold: Hold) -> None:
    """The second request may be the one that is still on its way, so it is its time that counts, not the first's."""
    azure = Azure()
    azure.fault = unknown()
    for attempt in range(1, 4):
        began = stage.clock.now_us()
        with pytest.raises(Transient):
            await once(stage, hold, azure)
        assert len(azure.acts) == attempt
        waited = (stage.clock.now_us() - began) / 1e6
        assert waited == pytest.approx(0 if attempt == 1 else stage.miso.rules.settle_seconds)
    promotion = await journal.load(stage.miso, hold.stream)
    assert promotion is not None
    assert [step.step for step in promotion.steps] == ["group.put"] * 3


async def test_a_lost_request_that_arrives_after_all_is_not_made_again(stage: Stage, hold: Hold) -> None:
    azure = Azure()
    azure.fault = unknown()
    with pytest.raises(Transient):
        await once(stage, hold, azure)
    looks = 0
    read = azure.read

    async def arrives_late() -> Mapping[str, Any] | None:
        nonlocal looks
        looks += 1
        azure.there = looks > 3
        return await read()

    await effects.once(stage.miso, hold, "group.put", read=arrives_late, act=azure.act, before={})
    assert azure.acts == [""]


async def test_an_operation_that_azure_took_is_continued_at_once(stage: Stage, hold: Hold) -> None:
    azure = Azure()

    async def taken(resume: str, saved: Saved, keep: Keep) -> None:
        azure.acts.append(resume)
        await saved("token")
        raise unknown()

    with pytest.raises(Transient):
        await effects.once(stage.miso, hold, "group.put", read=azure.read, act=taken, before={})
    began = stage.clock.now_us()
    await once(stage, hold, azure)
    assert azure.acts == ["", "token"]
    assert stage.clock.now_us() == began
    assert await stage.miso.store.operation(hold.stream, "group.put") is None


async def test_rule_11_nothing_is_sent_once_the_lease_is_lost(stage: Stage, hold: Hold) -> None:
    azure = Azure()
    stage.clock.pass_(stage.miso.rules.lease_ttl + 1)
    with pytest.raises(LeaseLost):
        await once(stage, hold, azure)
    assert azure.acts == []


async def test_rule_11_a_lease_that_is_lost_meanwhile_stops_what_runs_under_it(stage: Stage, hold: Hold) -> None:
    with_rules(stage, lease_ttl=0.03)
    stage.clock.pass_(60)
    with pytest.raises(LeaseLost):
        async with effects.renewing(stage.miso, hold):
            await asyncio.wait_for(asyncio.Event().wait(), 10)


async def test_a_cancelled_body_stays_cancelled(stage: Stage, hold: Hold) -> None:
    """The process is being stopped; that is not a lost lease."""

    async def body() -> None:
        async with effects.renewing(stage.miso, hold):
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_continuation_of_a_stale_epoch_is_not_kept(stage: Stage, hold: Hold) -> None:
    stale = Operation(stream=hold.stream, step="group.put", epoch=hold.epoch + 7, continuation="t", started_us=1)
    assert not await stage.miso.store.save_operation(stale)


async def test_a_look_at_azure_that_takes_too_long_is_trouble_that_passes(stage: Stage) -> None:
    with_rules(stage, observe_deadline=0.2)
    stage.world.wire.faults.append(Fault("arm GET .*containerGroups/shop-dev$", "delay", seconds=1))
    pull = await stage.ships("Slow")
    assert await stage.runs("dev") == pull["digest"]
    kinds = [row.body.get("code") for row in await stage.miso.store.stream((await stage.latest("dev")).stream)]
    assert Code.AZURE_TIMEOUT in kinds


async def test_a_deployment_that_takes_its_worker_down_each_time_is_left_to_a_person(stage: Stage, hold: Hold) -> None:
    """Every death costs a lease; after many of them nobody tries any more."""
    with_rules(stage, step_attempts=2)
    begin = effects.row(hold, Kind.DEPLOY_STARTED, attempt=2)
    for _ in range(10):
        await effects.write(stage.miso, hold, begin)
    stage.clock.pass_(60)
    await stage.settle()
    promotion = await stage.latest("dev")
    assert (promotion.status, promotion.code) == (Status.FAILED, "outcome_unknown")
    assert stage.effects("put") == []
