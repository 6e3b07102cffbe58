"""How many instances in how many zones there are is Azure's word about the plan that the site is on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.model import Capacity, Environment
from bot.errors import Refused
from tests.azure.cloud import GROUP, SUBSCRIPTION
from tests.azure.conftest import GROUP_ENV, SITE_ENV, Desk

PLAN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/serverfarms/plan"


async def capacity(desk: Desk, environment: Environment = SITE_ENV) -> Capacity:
    return await desk.window.capacity(environment, request_id="ask")


async def test_a_web_app_has_the_instances_of_its_plan(desk: Desk) -> None:
    assert await capacity(desk) == Capacity(instances=1, zones=1)
    desk.cloud.arm.scale_plan(PLAN, capacity=4)
    assert await capacity(desk) == Capacity(instances=4, zones=1), "not zone redundant: all may be in one"


@pytest.mark.parametrize(("instances", "zones"), [(1, 1), (2, 2), (3, 3), (9, 3)])
async def test_a_zone_redundant_plan_is_in_as_many_zones_as_its_instances_reach(
    desk: Desk, instances: int, zones: int
) -> None:
    desk.cloud.arm.scale_plan(PLAN, capacity=instances, zone_redundant=True)
    assert await capacity(desk) == Capacity(instances=instances, zones=zones)


async def test_a_plan_that_has_no_instance_now_counts_for_none(desk: Desk) -> None:
    desk.cloud.arm.scale_plan(PLAN, capacity=0, zone_redundant=True)
    assert await capacity(desk) == Capacity(instances=0, zones=1)


async def test_what_counts_is_the_plan_that_the_site_is_on(desk: Desk) -> None:
    other = desk.cloud.arm.add_plan(SUBSCRIPTION, "farms", "large", capacity=5, zone_redundant=True)
    desk.cloud.arm.assign(SITE_ENV.client_id, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/farms")
    desk.cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan=other)
    assert await capacity(desk) == Capacity(instances=5, zones=3)
    assert await capacity(desk, replace(SITE_ENV, name="none-yet")) == Capacity(instances=1, zones=1)
    assert await capacity(desk, replace(SITE_ENV, name="none-yet", plan=other)) == Capacity(instances=5, zones=3)


async def test_an_app_that_scales_by_itself_has_its_own_share_of_the_plan(desk: Desk) -> None:
    desk.cloud.arm.scale_plan(PLAN, capacity=4, per_site_scaling=True)
    desk.cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan="plan")
    assert await capacity(desk) == Capacity(instances=1, zones=1)


async def test_a_container_group_is_one_in_one_place_and_nobody_is_asked(desk: Desk) -> None:
    assert await capacity(desk, GROUP_ENV) == Capacity(instances=1, zones=1)
    assert desk.cloud.requests("GET") == []


@pytest.mark.parametrize(
    "plan",
    [
        "nothing",
        PLAN.replace("plan", "nothing"),
        PLAN.replace(SUBSCRIPTION, "00000000-0000-4000-8000-0000000000c0"),
        "/subscriptions/x/providers/Microsoft.Web/serverfarms/plan",
    ],
)
async def test_a_plan_that_cannot_be_found_is_missing(desk: Desk, plan: str) -> None:
    with pytest.raises(Refused) as no:
        await capacity(desk, replace(SITE_ENV, plan=plan))
    assert no.value.code == "azure_missing"


async def test_a_plan_that_may_not_be_read_is_forbidden_and_not_small(desk: Desk) -> None:
    desk.cloud.arm.unassign(SITE_ENV.client_id)
    with pytest.raises(Refused) as no:
        await capacity(desk)
    assert no.value.code == "azure_forbidden"
