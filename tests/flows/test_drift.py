"""Somebody changes a registered environment behind Miso's back: it is found and shown until it is over (rule 32)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.context import Azure
from bot.domain.model import Drift, Environment, Observed, Status
from bot.services import drift, locks
from bot.services.notes import Note
from bot.sim import scenarios
from bot.sim.wire import Fault
from tests.flows.stage import Stage

pytestmark = pytest.mark.full

PLACES = "/subscriptions/{e.subscription_id}/resourceGroups/{e.resource_group}/providers/"
RESOURCES = {
    "container-instance": PLACES + "Microsoft.ContainerInstance/containerGroups/{e.name}",
    "web-app": PLACES + "Microsoft.Web/sites/{e.name}",
}


async def environment(stage: Stage, where: str) -> Environment:
    found = await stage.miso.store.environment(stage.environments[where])
    assert found is not None
    return found


async def resource(stage: Stage, where: str) -> str:
    place = await environment(stage, where)
    return RESOURCES[place.target].format(e=place)


async def by_hand(stage: Stage, where: str, image: str) -> None:
    await stage.sim.call("arm.put_by_hand", resource=await resource(stage, where), image=image)


async def looked(stage: Stage, where: str) -> None:
    await drift.look(stage.miso, await environment(stage, where))
    await stage.settle()


async def told(stage: Stage, where: str) -> list[str]:
    rows = await stage.miso.store.stream(locks.stream_of(stage.environments[where]))
    return [row.kind for row in rows]


async def known(stage: Stage, where: str) -> Drift | None:
    return (await stage.miso.store.environment_state(stage.environments[where])).drift


async def checks(stage: Stage, where: str) -> list[Any]:
    return [c for c in (await stage.state())["checks"] if c["name"] == f"miso / {where} drift"]


async def another(stage: Stage, text: str = "stranger") -> str:
    """An image that Miso never heard of."""
    image = stage.world.arm.image_of(await resource(stage, "dev"))
    assert image is not None
    digest = stage.world.registry.push(image.partition("@")[0].partition("/")[2], text, text=text)
    return f"{image.partition('@')[0]}@{digest}"


def asked(stage: Stage) -> int:
    """How often Azure was asked for anything."""
    return len([exchange for exchange in stage.world.wire.exchanges if exchange.server == "arm"])


async def to_production(stage: Stage) -> Any:
    pull = await stage.ships("Add a basket")
    await stage.says("ann", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    await stage.says("bob", "/approve", on=pull["number"])
    return pull


async def test_rule_32_another_image_in_production_is_found_and_shown_until_it_is_gone(stage: Stage) -> None:
    pull = await to_production(stage)
    right = await stage.runs("production")
    stranger = await another(stage)
    await looked(stage, "production")
    assert await told(stage, "production") == [], "nothing is different, so nothing is said"
    await by_hand(stage, "production", stranger)
    await looked(stage, "production")
    seen = await known(stage, "production")
    assert seen == Drift(expected=right, found=stranger.partition("@")[2], since_us=stage.clock.now_us())
    [check] = await checks(stage, "production")
    assert (check["conclusion"], check["head_sha"]) == ("failure", pull["merge_commit_sha"])
    assert "`drifted`" in check["summary"]
    assert "incident" in check["summary"]
    assert stranger.partition("@")[2][:19] in check["summary"]
    stage.clock.pass_(600)
    await looked(stage, "production")
    assert await told(stage, "production") == [Note.DRIFT_SEEN], "said once"
    await by_hand(stage, "production", stranger.partition("@")[0] + ":latest")
    await looked(stage, "production")
    assert await told(stage, "production") == [Note.DRIFT_SEEN, Note.DRIFT_SEEN], "something else again"
    await by_hand(stage, "production", f"{stranger.partition('@')[0]}@{right}")
    await looked(stage, "production")
    assert await known(stage, "production") is None
    [check] = await checks(stage, "production")
    assert check["conclusion"] == "success"
    assert await stage.miso.store.verify() == []


async def test_a_container_group_that_somebody_deleted_is_found(stage: Stage) -> None:
    await stage.ships("Add a basket")
    await stage.sim.call("arm.delete_by_hand", resource=await resource(stage, "dev"))
    await looked(stage, "dev")
    seen = await known(stage, "dev")
    assert seen is not None
    assert seen.found == ""
    [check] = await checks(stage, "dev")
    assert "nothing" in check["summary"]


async def test_a_new_release_ends_it_and_the_old_check_turns_green(stage: Stage) -> None:
    await stage.ships("Add a basket")
    await by_hand(stage, "dev", await another(stage))
    await looked(stage, "dev")
    await stage.ships("Add a till")
    assert await known(stage, "dev") is None, "from the moment when it runs"
    await looked(stage, "dev")
    [check] = await checks(stage, "dev")
    assert check["conclusion"] == "success"
    assert await told(stage, "dev") == [Note.DRIFT_SEEN, Note.DRIFT_ENDED]
    await by_hand(stage, "dev", await another(stage))
    await looked(stage, "dev")
    assert sorted(c["conclusion"] for c in await checks(stage, "dev")) == ["failure", "success"], "a time of its own"


async def test_what_cannot_be_observed_is_unknown_and_nothing_is_said(stage: Stage) -> None:
    await stage.ships("Add a basket")
    await by_hand(stage, "dev", await another(stage))
    stage.world.wire.faults.append(Fault("arm GET .*containerGroups", "status", status=503, times=None))
    await looked(stage, "dev")
    assert await told(stage, "dev") == []
    stage.world.wire.faults.clear()
    await looked(stage, "dev")
    assert await told(stage, "dev") == [Note.DRIFT_SEEN]


async def test_nothing_is_said_of_a_place_where_nothing_of_ours_runs(stage: Stage) -> None:
    await stage.ships("Add a basket")
    before = asked(stage)
    await looked(stage, "test")
    assert await told(stage, "test") == []
    assert asked(stage) == before, "nor is Azure asked"


@dataclass
class Meanwhile:
    """The real window, through which one look takes so long that something happens meanwhile."""

    azure: Azure
    happens: list[Callable[[], Awaitable[Any]]]

    async def observe(self, environment: Environment, *, request_id: str) -> Observed:
        seen = await self.azure.observe(environment, request_id=request_id)
        if self.happens:
            await self.happens.pop()()
        return seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.azure, name)


async def test_a_deployment_that_begins_meanwhile_is_no_change_behind_our_back(stage: Stage) -> None:
    await stage.ships("Add a basket")
    place, window = await environment(stage, "dev"), stage.miso.azure
    slow = Meanwhile(window, [lambda: stage.ships("Add a till")])
    await by_hand(stage, "dev", await another(stage))
    await drift.look(replace(stage.miso, azure=slow), place)
    assert slow.happens == []
    assert await told(stage, "dev") == []
    await looked(stage, "dev")
    assert await told(stage, "dev") == [], "and the new release has put it right"


async def test_while_a_deployment_is_half_done_nothing_is_said(stage: Stage) -> None:
    await stage.ships("Add a basket")
    stage.world.wire.faults.append(Fault("arm PUT", "status", status=503, times=None))
    pull = await scenarios.merge_change(stage.sim, "Add a till")
    await scenarios.build(stage.sim, pull["merge_commit_sha"])
    await stage.world.delivered()
    await stage.running.worker.settle()
    assert (await stage.miso.store.environment_state(stage.environments["dev"])).busy
    await by_hand(stage, "dev", await another(stage))
    before = asked(stage)
    await drift.look(stage.miso, await environment(stage, "dev"))
    assert await told(stage, "dev") == []
    assert asked(stage) == before


async def test_what_a_rollback_that_failed_left_behind_is_nobody_elses_doing(stage: Stage) -> None:
    good = await stage.ships("Good")
    stage.clock.pass_(600)
    stage.world.arm.mark(good["digest"], "unhealthy")
    await stage.ships("Bad", mark="unhealthy")
    assert (await stage.latest("dev")).status is Status.STUCK
    assert await stage.runs("dev") == good["digest"], "though it is taken for what was tried last"
    await looked(stage, "dev")
    assert await told(stage, "dev") == []


async def test_somebody_who_asks_again_repairs_it(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    right = await stage.runs("dev")
    await by_hand(stage, "dev", await another(stage))
    await looked(stage, "dev")
    await stage.says("ann", "/promote dev", on=pull["number"])
    assert await stage.runs("dev") == right
    await looked(stage, "dev")
    assert await known(stage, "dev") is None
