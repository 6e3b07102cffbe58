"""Two controllers over one store: one deploys, the other takes over when it is gone; a sleeper's late word is void."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

import pytest

from bot.app import Running, building
from bot.domain.model import Environment, Status
from bot.domain.promotion import Kind
from bot.services import effects, journal
from bot.services.effects import Hold, LeaseLost
from bot.sim import scenarios
from bot.sim.wire import Fault
from tests.flows.stage import Stage


@asynccontextmanager
async def second(stage: Stage) -> AsyncIterator[Running]:
    """Another replica on the same store, under another name."""
    with patch("bot.app.holder", lambda: "another:1"):
        async with building(stage.settings, clock=stage.clock) as running:
            yield running


async def until(condition: object, *, seconds: float = 10) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (the world has no event for what was asked of it)
            await asyncio.sleep(0.01)


async def stuck_in_azure(stage: Stage) -> dict[str, object]:
    """A release whose deployment to dev waits for an operation that does not end; the worker is cancelled there."""
    fault = Fault("arm PUT .*containerGroups", "stuck")
    stage.world.wire.faults.append(fault)
    pull = await scenarios.merge_change(stage.sim, "Basket")
    pull["digest"] = await scenarios.build(stage.sim, pull["merge_commit_sha"])
    await stage.world.delivered()
    stage.world.wire.exchanges.clear()
    working = asyncio.create_task(stage.running.worker.run())
    await until(lambda: any("/operations/" in e.path for e in stage.world.wire.exchanges))
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return dict(pull)


async def hold_of(stage: Stage) -> Hold:
    """What the first controller would write under, if it woke up."""
    promotion = await stage.latest("dev")
    environment = await stage.miso.store.environment(promotion.environment_id)
    assert isinstance(environment, Environment)
    return Hold(stream=promotion.stream, environment=environment, epoch=promotion.epoch)


async def test_another_controller_takes_over_after_the_lease_and_continues_the_operation(stage: Stage) -> None:
    pull = await stuck_in_azure(stage)
    stage.world.arm.unstick()
    async with second(stage) as other:
        await other.worker.settle()
        assert (await stage.latest("dev")).status is Status.DEPLOYING  # the lease is still somebody else's
        stage.clock.pass_(stage.miso.rules.lease_ttl + 1)
        await other.worker.settle()
        promotion = await stage.latest("dev")
        assert (promotion.status, promotion.epoch) == (Status.LIVE, 2), await stage.story("dev")
    assert await stage.runs("dev") == pull["digest"]
    assert len(stage.effects("put")) == 1


async def test_rule_11_a_sleepers_late_write_is_refused(stage: Stage) -> None:
    await stuck_in_azure(stage)
    sleeper = await hold_of(stage)
    stage.world.arm.unstick()
    async with second(stage) as other:
        stage.clock.pass_(stage.miso.rules.lease_ttl + 1)
        await other.worker.settle()
    rows = await stage.miso.store.stream(sleeper.stream)
    with pytest.raises(LeaseLost):
        await effects.write(stage.miso, sleeper, effects.row(sleeper, Kind.DEPLOY_DONE, host="", digest=""))

    async def read() -> None:
        return None

    async def act(resume: str, saved: object, keep: object) -> None:
        raise AssertionError("a sleeper must not write to Azure")

    with pytest.raises(LeaseLost):
        await effects.once(stage.miso, sleeper, "group.delete", read=read, act=act, before={})
    assert await stage.miso.store.stream(sleeper.stream) == rows
    assert (await journal.load(stage.miso, sleeper.stream)) is not None


async def test_two_controllers_that_are_both_awake_deploy_once(stage: Stage) -> None:
    async with second(stage) as other:
        pull = await scenarios.merge_change(stage.sim, "Basket")
        digest = await scenarios.build(stage.sim, pull["merge_commit_sha"])
        await stage.world.delivered()
        for _ in range(3):
            await asyncio.gather(stage.running.worker.settle(), other.worker.settle())
    assert await stage.runs("dev") == digest
    assert len(stage.effects("put")) == 1


async def test_a_github_that_hangs_holds_no_deployment(stage: Stage) -> None:
    """Every write to GitHub hangs; Azure is changed all the same."""
    route = "github POST .*/(deployments|check-runs|comments)$"
    stage.world.wire.faults.append(Fault(route, "delay", seconds=3600, times=None))
    pull = await scenarios.merge_change(stage.sim, "Basket")
    digest = await scenarios.build(stage.sim, pull["merge_commit_sha"])
    await stage.world.delivered()
    working = asyncio.create_task(stage.running.worker.run())
    try:
        await until(lambda: stage.effects("put"))
        async with asyncio.timeout(10):
            while (await stage.latest("dev")).status is not Status.LIVE:
                await stage.miso.store.changed(0.1)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert await stage.runs("dev") == digest


@pytest.mark.parametrize("status", [Status.UNHEALTHY, Status.FAILED])
async def test_a_release_that_was_seen_to_be_bad_is_rolled_back_by_whoever_lives(stage: Stage, status: Status) -> None:
    """The controller dies between the row that says "bad" and the one that begins the way back."""
    good = await stage.ships("Good")
    stage.clock.pass_(60)
    await stuck_in_azure(stage)
    hold = await hold_of(stage)
    why = {"code": "probe_unhealthy", "sentence": "", "hint": ""}
    if status is Status.UNHEALTHY:
        await effects.write(stage.miso, hold, effects.row(hold, Kind.DEPLOY_DONE, host="", digest=""))
        await effects.write(stage.miso, hold, effects.row(hold, Kind.PROBE_FAILED, **why))
    else:
        await effects.write(stage.miso, hold, effects.row(hold, Kind.DEPLOY_FAILED, **why))
    assert (await stage.latest("dev")).status is status
    stage.world.arm.unstick()
    async with second(stage) as other:
        stage.clock.pass_(stage.miso.rules.lease_ttl + 1)
        for _ in range(5):
            await other.worker.settle()
            stage.clock.pass_(70)
    assert (await stage.latest("dev")).status is Status.ROLLED_BACK, await stage.story("dev")
    assert await stage.runs("dev") == good["digest"]
