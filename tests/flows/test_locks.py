"""A lock keeps everybody else out of an environment until its owner takes it off, it ends, or somebody may take it."""

from __future__ import annotations

from bot.domain.model import Status
from tests.flows.stage import Stage


async def test_a_lock_keeps_others_out_and_lets_its_owner_in(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    number = pull["number"]
    locked = await stage.says("ann", "/lock test for 2h the fair", on=number)
    [reply] = locked["replies"][:1]
    assert "the fair" in reply
    refused = await stage.says("bob", "/promote test", on=number)
    assert "`locked`" in refused["replies"][0]
    assert "`ann`" in refused["replies"][0]
    assert await stage.runs("test") == ""
    await stage.says("ann", "/promote test", on=number)
    assert await stage.runs("test") == pull["digest"]


async def test_a_lock_that_comes_while_a_request_waits_stops_it_until_it_is_taken_off(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    number = pull["number"]
    await stage.says("ann", "/promote test", on=number)
    await stage.says("ann", "/promote production", on=number)
    await stage.says("bob", "/lock production an audit", on=number)
    stopped = await stage.says("bob", "/approve", on=number)
    assert "`locked`" in stopped["replies"][0]
    assert (await stage.latest("production")).status is Status.REQUESTED
    assert await stage.runs("production") == ""
    await stage.says("bob", "/unlock production", on=number)
    await stage.says("bob", "/approve", on=number)
    assert await stage.runs("production") == pull["digest"]


async def test_a_lock_ends_by_itself_and_can_be_taken_off(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    number = pull["number"]
    await stage.says("ann", "/lock test for 30m the fair", on=number)
    stage.clock.pass_(30 * 60)
    await stage.says("bob", "/promote test", on=number)
    assert await stage.runs("test") == pull["digest"]
    await stage.says("bob", "/lock test again", on=number)
    taken = await stage.says("ann", "/unlock test", on=number)
    assert "`not_yours`" in taken["replies"][0]
    freed = await stage.says("bob", "/unlock test", on=number)
    assert "not_" not in freed["replies"][0]
    state = await stage.miso.store.environment_state(stage.environments["test"])
    assert state.lock is None


async def test_an_operator_takes_anothers_lock_with_a_reason(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    number = pull["number"]
    await stage.says("ann", "/lock test the fair", on=number)
    bare = await stage.says("bob", "/unlock test", on=number)
    assert "`reason_missing`" in bare["replies"][0]
    await stage.says("bob", "/unlock test ann is on holiday", on=number)
    state = await stage.miso.store.environment_state(stage.environments["test"])
    assert state.lock is None
