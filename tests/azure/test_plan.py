"""The plans of the domain, carried out: what it wants is what Azure shows afterwards, in as few writes as it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import plan
from bot.domain.model import Environment, Release, Step
from tests.azure.cloud import CLIENT
from tests.azure.conftest import GROUP_ENV, OWNER, SITE_ENV, Desk

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull"


def release(desk: Desk, digest: str, **changes: int) -> Release:
    given = {"application_id": GROUP_ENV.application_id, "repository_id": 1, "commit": "a" * 40, "run_id": 1}
    return Release(**{**given, **changes}, image="registry.test/shop", digest=digest)  # type: ignore[arg-type]  # mixed values


async def carried_out(desk: Desk, environment: Environment, wanted: plan.Plan) -> list[Step]:
    done: list[Step] = []
    while steps := plan.steps(wanted, await desk.observe(environment)):
        assert len(done) < 5
        await desk.apply(environment, steps[0], wanted)
        assert plan.happened(steps[0], wanted, observed=await desk.observe(environment))
        done.append(steps[0])
    return done


async def test_container_group_from_nothing_to_new_image_to_new_size(desk: Desk) -> None:
    environment = replace(GROUP_ENV, pull_identity=IDENTITY, settings=(("MODE", "x"),))
    desk.cloud.registry.private.add("shop")
    first = plan.build(environment, release(desk, desk.cloud.digest), controller=OWNER)
    assert await carried_out(desk, environment, first) == [Step.GROUP_PUT]
    second = plan.build(environment, release(desk, desk.cloud.other_digest), controller=OWNER)
    assert await carried_out(desk, environment, second) == [Step.GROUP_PUT]
    bigger = replace(environment, cpu=2.0)
    third = plan.build(bigger, release(desk, desk.cloud.digest), controller=OWNER)
    assert await carried_out(desk, bigger, third) == [Step.GROUP_DELETE, Step.GROUP_PUT]
    seen = await desk.observe(bigger)
    assert (seen.main.pulled_digest, seen.main.running) == (desk.cloud.digest, True)
    assert seen.main.shape == plan.shape(third.body)


async def test_web_app_from_nothing_to_blue_green_and_back(desk: Desk) -> None:
    environment = replace(SITE_ENV, pull_identity=CLIENT, pull_identity_resource_id=IDENTITY)
    desk.cloud.registry.private.add("shop")
    first = plan.build(environment, release(desk, desk.cloud.digest), controller=OWNER)
    assert await carried_out(desk, environment, first) == [Step.SITE_PUT]
    second = plan.build(environment, release(desk, desk.cloud.other_digest), controller=OWNER)
    assert await carried_out(desk, environment, second) == [Step.SLOT_PUT, Step.SWAP]
    assert plan.rollback_steps(first, second, await desk.observe(environment)) == (Step.SWAP,)
    await desk.apply(environment, Step.SWAP, first)
    seen = await desk.observe(environment)
    assert seen.slot is not None
    assert (seen.main.digest, seen.slot.digest) == (desk.cloud.digest, desk.cloud.other_digest)
    assert len(desk.cloud.arm.effects_of("swap")) == 2


@pytest.mark.parametrize("environment", [GROUP_ENV, SITE_ENV])
async def test_same_plan_again_writes_nothing(desk: Desk, environment: Environment) -> None:
    wanted = plan.build(environment, release(desk, desk.cloud.digest), controller=OWNER)
    await carried_out(desk, environment, wanted)
    written = len(desk.cloud.arm.effects)
    assert await carried_out(desk, environment, wanted) == []
    assert len(desk.cloud.arm.effects) == written
