"""One deployment at a time has an environment, paused or not; and there is always a way back from where it ends."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from bot.domain.model import Status
from bot.domain.promotion import Kind
from bot.services import promotions, registering
from bot.sim import scenarios
from bot.sim.scenarios import PLACES, RESOURCE_GROUP, SUBSCRIPTION_ID
from tests.flows.stage import Stage
from tests.flows.words import cleared

pytestmark = pytest.mark.full

DEV_PUT = "arm PUT .*containerGroups/shop-dev"


async def pushed(stage: Stage, title: str) -> dict[str, str]:
    """A merge and its green build, without waiting for what Miso makes of it."""
    pull = await scenarios.merge_change(stage.sim, title)
    pull["digest"] = await scenarios.build(stage.sim, pull["merge_commit_sha"])
    await stage.world.delivered()
    await stage.running.worker.settle()
    return pull


async def test_rule_25_a_paused_deployment_is_not_overtaken(stage: Stage) -> None:
    await stage.ships("First")
    await stage.sim.add_fault(DEV_PUT, "status", status=503, times=6)
    await pushed(stage, "Second")
    paused = await stage.latest("dev")
    assert (paused.status, paused.pauses) == (Status.DEPLOYING, 1)
    newest = await pushed(stage, "Third")
    waiting = await stage.latest("dev")
    assert waiting.stream != paused.stream
    assert waiting.status is Status.APPROVED, "it does not begin while another is half done"
    await stage.settle()
    assert await stage.runs("dev") == newest["digest"]
    state = await stage.miso.store.environment_state(PLACES[0].id)
    assert (state.running, state.last_verified, state.busy) == (waiting.stream, waiting.stream, "")


async def test_a_resource_that_is_not_ours_is_never_taken_for_a_deployment(stage: Stage) -> None:
    pull = await scenarios.merge_change(stage.sim, "First")
    digest = await stage.sim.call("registry.push", repository="shop", tag=pull["merge_commit_sha"], text="x")
    await stage.sim.call(
        "arm.add_container_group",
        subscription=SUBSCRIPTION_ID,
        group=RESOURCE_GROUP,
        name="shop-dev",
        image=f"{stage.world.addresses.registry}/shop@{digest}",
        tags={"miso-owner": "somebody-else", "miso-env": PLACES[0].id},
        label="contoso-shop-dev",
    )
    await stage.sim.clear_exchanges()
    await stage.sim.run_workflow(scenarios.REPOSITORY, head_sha=pull["merge_commit_sha"])
    await stage.settle()
    ended = await stage.latest("dev")
    assert (ended.status, ended.code, ended.held) == (Status.FAILED, "not_ours", False)
    assert not [e for e in stage.world.wire.exchanges if e.server == "hosts"], "and nobody asks its host"


async def test_from_stuck_there_is_a_way_back(stage: Stage) -> None:
    first = await stage.ships("First")
    await stage.sim.call("arm.fail", route=DEV_PUT.removeprefix("arm "), times=2)
    second = await stage.ships("Second")
    assert (await stage.latest("dev")).status is Status.STUCK
    told = await stage.says("bob", "/rollback dev", on=int(second["number"]))
    assert "nothing_to_roll_back_to" not in told["replies"][0]
    assert (await stage.latest("dev")).status is Status.LIVE
    assert await stage.runs("dev") == first["digest"]


async def test_a_request_whose_worker_died_before_the_older_one_was_told_still_takes_its_place(stage: Stage) -> None:
    one = await stage.ships("One")
    await stage.says("ann", "/promote test", on=int(one["number"]))
    await stage.says("ann", "/promote production", on=int(one["number"]))
    older = await stage.latest("production")
    two = await stage.ships("Two")
    await stage.says("ann", "/promote test", on=int(two["number"]))

    async def dies(*_: object) -> None:
        raise RuntimeError("gone")

    with patch.object(promotions, "_make_way", dies):
        await stage.sim.comment(scenarios.REPOSITORY, int(two["number"]), "ann", "/promote production")
        await stage.world.delivered()
        await stage.running.worker.settle()
    stage.clock.pass_(600)
    await stage.settle()
    rows = await stage.miso.store.stream(older.stream)
    assert rows[-1].kind == Kind.SUPERSEDED


async def test_rule_12_going_back_never_goes_forward(stage: Stage) -> None:
    shipped = [await stage.ships(title) for title in ("A", "B", "C")]
    number = int(shipped[-1]["number"])
    await stage.says("bob", "/rollback dev", on=number)
    assert await stage.runs("dev") == shipped[1]["digest"]
    await cleared(stage, shipped[2]["merge_commit_sha"], "was a false alarm", on=number)
    await stage.says("bob", "/rollback dev", on=number)
    assert await stage.runs("dev") == shipped[0]["digest"]


async def test_older_deployments_of_every_stage_become_inactive(stage: Stage) -> None:
    for title in ("A", "B", "C"):
        await stage.ships(title)
    states = [d["statuses"][-1]["state"] for d in (await stage.state())["deployments"] if d["environment"] == "dev"]
    assert sorted(states) == ["inactive", "inactive", "success"]


async def test_settings_that_would_not_reach_azure_are_not_called_deployed(stage: Stage) -> None:
    first = await stage.ships("First")
    changed = stage.shop.registration.replace("    name: shop-dev\n", "    name: shop-dev\n    settings: {FLAG: new}\n")
    await registering.register(stage.miso, changed, origin="command")
    pull = await scenarios.merge_change(stage.sim, "Words only")
    await stage.sim.call("registry.tag", repository="shop", tag=pull["merge_commit_sha"], digest=first["digest"])
    await stage.sim.run_workflow(scenarios.REPOSITORY, head_sha=pull["merge_commit_sha"])
    await stage.settle()
    [check] = [c for c in (await stage.state())["checks"] if c["head_sha"] == pull["merge_commit_sha"]]
    assert check["conclusion"] == "failure"
    assert "same_image_other_plan" in check["summary"]


async def test_what_failed_may_be_tried_again_once_it_is_cleared(stage: Stage) -> None:
    pull = await stage.ships("Only", mark="unhealthy")
    number, commit = int(pull["number"]), pull["merge_commit_sha"][:12]
    assert (await stage.latest("dev")).status is Status.UNHEALTHY
    await stage.sim.call("arm.mark", digest=pull["digest"], mark="healthy")
    await cleared(stage, commit, "its database was away", on=number)
    await stage.says("bob", f"/promote dev @{commit}", on=number)
    assert (await stage.latest("dev")).status is Status.LIVE
