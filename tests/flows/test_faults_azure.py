"""Azure breaks in every way it knows, and each time the story ends in one truthful state, told everywhere alike.

What passes is tried again and nothing is done twice; what Azure refuses for good ends with its code; production is
touched only by what was healthy in its slot, and comes back when it was not.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.model import Status
from bot.sim.azure import faults
from bot.sim.scenarios import PLACES, RESOURCE_GROUP, SUBSCRIPTION_ID
from bot.sim.wire import Fault
from tests.flows.stage import Stage
from tests.flows.test_promotion import to_production
from tests.flows.trouble import failed_with, quick, with_rules

pytestmark = pytest.mark.full

GROUP, SLOT, SWAP = "arm PUT .*containerGroups", "arm PUT .*/slots/staging$", "arm POST .*/slotsswap$"
Spoil = Callable[[Stage], object]


def on_wire(fault: Callable[[], Fault]) -> Spoil:
    return lambda stage: stage.world.wire.faults.append(fault())


PASSING: dict[str, Callable[[str], Fault]] = {
    "429 with Retry-After": lambda route: faults.throttled(route, retry_after=1, times=3),
    "429 for a long time": lambda route: faults.throttled(route, retry_after=40, times=2),
    "500": lambda route: Fault(route, "status", status=500, times=3),
    "503": lambda route: faults.unavailable(route, times=3),
    "dropped": lambda route: Fault(route, "drop", times=3),
    "acted, then dropped": lambda route: Fault(route, "act_then_drop"),
}


@pytest.mark.parametrize("what", quick(PASSING, "429 for a long time", "acted, then dropped"))
async def test_trouble_that_passes_costs_time_only(stage: Stage, what: str) -> None:
    """On a container group: whatever the answer was, it is put once."""
    stage.world.wire.faults.append(PASSING[what](GROUP))
    pull = await stage.ships("Basket")
    assert await stage.runs("dev") == pull["digest"], await stage.story("dev")
    assert (await stage.latest("dev")).status is Status.LIVE
    assert len(stage.effects("put")) == 1


@pytest.mark.parametrize("route", [SLOT, SWAP], ids=["slot", "swap"])
@pytest.mark.parametrize("what", PASSING)
@pytest.mark.full
async def test_the_way_through_the_slot_happens_once(stage: Stage, what: str, route: str) -> None:
    stage.world.wire.faults.append(PASSING[what](route))
    pull = await to_production(stage, "Basket")
    assert await stage.runs("production") == pull["digest"], await stage.story("production")
    verbs = [e.verb for e in stage.world.arm.effects if "/sites/" in e.resource.lower()]
    # The same PUT may be sent again when its answer was lost, which changes nothing; a swap never.
    assert verbs in (["put", "swap"], ["put", "put", "swap"])


@pytest.mark.parametrize("looks", quick(range(4), 1))
async def test_a_swap_that_was_lost_from_sight_is_watched_to_its_end(stage: Stage, looks: int) -> None:
    """App and slot are asked one after the other: seen in the middle of a swap they show a state that never was."""
    stage.world.arm.poll_times(looks)
    stage.world.wire.faults.append(Fault(SWAP, "act_then_drop"))
    first = await to_production(stage, "First")
    stage.clock.pass_(3600)
    stage.world.wire.faults.append(Fault(SWAP, "act_then_drop"))
    second = await to_production(stage, "Second")
    assert await stage.runs("production") == second["digest"] != first["digest"], await stage.story("production")
    verbs = [e.verb for e in stage.world.arm.effects if "/sites/" in e.resource.lower()]
    assert verbs == ["put", "swap", "put", "swap"]


def forget_federation(stage: Stage) -> None:
    stage.world.entra.credentials.clear()
    stage.world.entra.forget_tokens()


def foreign_group(stage: Stage) -> None:
    stage.world.arm.add_container_group(
        SUBSCRIPTION_ID,
        RESOURCE_GROUP,
        "shop-dev",
        image=f"{stage.world.addresses.registry}/shop@sha256:{'0' * 64}",
        tags={"miso-owner": "somebody-else", "miso-env": PLACES[0].id},
        label="contoso-shop-dev",
    )


FINAL: dict[str, tuple[str, Spoil]] = {
    "quota": ("azure_quota", on_wire(faults.quota)),
    "quota, in the operation": (
        "azure_quota",
        lambda stage: stage.world.arm.fail(GROUP, code="ContainerGroupQuotaReached"),
    ),
    "image cannot be pulled": (
        "azure_image_pull",
        lambda stage: stage.world.arm.fail(GROUP, code="InaccessibleImage"),
    ),
    "role is missing": ("azure_forbidden", lambda stage: stage.world.arm.unassign(PLACES[0].client_id)),
    "role may not write": ("azure_forbidden", on_wire(faults.role_missing)),
    "federation is gone": ("azure_federation", forget_federation),
    "it belongs to somebody else": ("not_ours", foreign_group),
    "it never answers well": ("azure_unavailable", on_wire(lambda: Fault(GROUP, "status", status=500, times=None))),
    "it never stops throttling": ("azure_throttled", on_wire(lambda: faults.throttled(GROUP, times=None))),
}


@pytest.mark.parametrize("what", quick(FINAL, "quota", "federation is gone", "it belongs to somebody else"))
async def test_what_azure_refuses_ends_with_its_code(stage: Stage, what: str) -> None:
    code, spoil = FINAL[what]
    spoil(stage)
    pull = await stage.ships("Basket")
    await failed_with(stage, "dev", code, on=pull["number"], status=Status.FAILED)
    assert stage.effects("put") == [] or what.endswith(("operation", "pulled"))


async def test_an_operation_that_never_ends_is_given_up_after_its_deadline(stage: Stage) -> None:
    with_rules(stage, step_deadline=0.3)
    stage.world.wire.faults.append(Fault(GROUP, "stuck", times=None))
    pull = await stage.ships("Basket")
    await failed_with(stage, "dev", "probe_unknown", on=pull["number"], status=Status.UNHEALTHY)
    assert len(stage.effects("put")) <= 1


@pytest.mark.parametrize(("mark", "code"), [("crash", "platform_unhealthy"), ("unhealthy", "probe_unhealthy")])
async def test_a_bad_first_release_has_nothing_to_go_back_to(stage: Stage, mark: str, code: str) -> None:
    pull = await stage.ships("Basket", mark=mark)
    await failed_with(stage, "dev", code, on=pull["number"], status=Status.UNHEALTHY)
    assert len(stage.effects("put")) == 1


@pytest.mark.parametrize(("mark", "code"), [("crash", "platform_unhealthy"), ("unhealthy", "probe_unhealthy")])
async def test_a_bad_release_in_a_container_group_is_put_back(stage: Stage, mark: str, code: str) -> None:
    good = await stage.ships("Good")
    stage.clock.pass_(600)
    bad = await stage.ships("Bad", mark=mark)
    assert await stage.runs("dev") == good["digest"]
    await failed_with(stage, "dev", code, on=bad["number"], status=Status.ROLLED_BACK)


async def test_what_is_bad_in_its_slot_never_touches_production(stage: Stage) -> None:
    good = await to_production(stage, "Good")
    stage.clock.pass_(3600)
    pull = await stage.ships("Bad")
    await stage.says("ann", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    stage.world.arm.mark(pull["digest"], "unhealthy")
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("production") == good["digest"]
    assert len(stage.effects("swap")) == 1
    await failed_with(stage, "production", "probe_unhealthy", on=pull["number"], status=Status.ROLLED_BACK)


async def test_a_rollback_that_fails_too_is_a_persons_turn(stage: Stage) -> None:
    """What ran before has gone bad meanwhile: it is put back, seen to be bad, and left to a person."""
    good = await stage.ships("Good")
    stage.clock.pass_(600)
    stage.world.arm.mark(good["digest"], "unhealthy")
    bad = await stage.ships("Bad", mark="unhealthy")
    await failed_with(stage, "dev", "probe_unhealthy", on=bad["number"], status=Status.STUCK)
    before = len(stage.effects("put"))
    stage.clock.pass_(3600)
    await stage.settle()
    assert len(stage.effects("put")) == before


async def test_a_rollback_that_azure_refuses_is_a_persons_turn(stage: Stage) -> None:
    await stage.ships("Good")
    stage.clock.pass_(600)
    stage.world.wire.faults.append(faults.role_missing(GROUP, times=None))
    stage.world.wire.faults[-1].skip = 1
    bad = await stage.ships("Bad", mark="unhealthy")
    await failed_with(stage, "dev", "azure_forbidden", on=bad["number"], status=Status.STUCK)
