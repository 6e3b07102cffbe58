"""Web apps through the real SDK: the slot, its settings, and the swap that happens once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bot.domain.codes import Code
from bot.domain.model import Step
from bot.errors import MisoError, Refused, Transient
from bot.sim.azure import faults
from bot.sim.wire import Fault
from tests.azure.cloud import GROUP, SUBSCRIPTION
from tests.azure.conftest import SITE, SITE_ENV, SLOT, STREAM, TAGS, Desk, site_plan


def arranged(desk: Desk, **changes: object) -> None:
    """An app of ours that runs the first image; its slot is empty of anything newer."""
    cloud = desk.cloud
    given: dict[str, object] = {"plan": "plan", "image": cloud.image(), "tags": TAGS, **changes}
    cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", **given)  # type: ignore[arg-type]  # a test's own keywords


async def test_from_nothing_to_production(desk: Desk) -> None:
    plan = site_plan(desk.cloud.image())
    seen = await desk.observe(SITE_ENV)
    assert seen.slot is not None
    assert (seen.main.exists, seen.slot.exists) == (False, False)
    await desk.apply(SITE_ENV, Step.SITE_PUT, plan)
    await desk.apply(SITE_ENV, Step.SLOT_PUT, plan)
    seen = await desk.observe(SITE_ENV)
    assert seen.slot is not None
    assert (seen.main.digest, seen.slot.digest, seen.swapped_at) == ("", desk.cloud.digest, "")
    assert (seen.slot.host, seen.main.host) == ("shop-staging.azurewebsites.net", "shop.azurewebsites.net")
    assert (seen.slot.running, seen.slot.deployment) == (True, STREAM)
    await desk.apply(SITE_ENV, Step.SWAP, plan)
    seen = await desk.observe(SITE_ENV)
    assert seen.main.digest == desk.cloud.digest
    assert seen.swapped_at.endswith("Z")
    assert [e.verb for e in desk.cloud.arm.effects] == ["put", "put", "swap"]


async def test_settings_are_merged_into_those_that_are_there(desk: Desk) -> None:
    arranged(desk, settings={"THEIRS": "1", "WEBSITES_PORT": "80"})
    await desk.apply(SITE_ENV, Step.SLOT_PUT, site_plan(desk.cloud.image(desk.cloud.other_digest), OURS="2"))
    slot = desk.cloud.arm.state.sites[SLOT.lower()]
    assert slot.settings == {
        "THEIRS": "1",
        "OURS": "2",
        "WEBSITES_PORT": "8080",
        "WEBSITE_SWAP_WARMUP_PING_PATH": "/healthz",
        "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
    }
    assert slot.properties["httpsOnly"] is True
    assert len(desk.cloud.requests("PUT")) == 1


async def test_app_that_is_there_keeps_its_image_when_it_is_put(desk: Desk) -> None:
    arranged(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))
    plan.body["site"]["properties"]["siteConfig"]["linuxFxVersion"] = f"DOCKER|{desk.cloud.image()}"
    await desk.apply(SITE_ENV, Step.SITE_PUT, plan)
    assert desk.cloud.arm.image_of(SITE) == desk.cloud.image()


async def test_identity_turns_on_managed_credentials(desk: Desk) -> None:
    arranged(desk)
    plan = site_plan(desk.cloud.image())
    plan.body["slot"]["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {"/x": {}}}
    await desk.apply(SITE_ENV, Step.SLOT_PUT, plan)
    assert desk.cloud.arm.state.sites[SLOT.lower()].config["acrUseManagedIdentityCreds"] is True


async def test_rule_13_slot_takes_no_image_without_digest(desk: Desk) -> None:
    arranged(desk)
    with pytest.raises(Refused) as refused:
        await desk.apply(SITE_ENV, Step.SLOT_PUT, site_plan("registry.test/shop:latest"))
    assert refused.value.code == Code.MOVING_TAG
    assert desk.cloud.requests("PUT") == []


async def swap_ready(desk: Desk) -> None:
    arranged(desk)
    await desk.apply(SITE_ENV, Step.SLOT_PUT, site_plan(desk.cloud.image(desk.cloud.other_digest)))
    desk.tokens.clear()


async def test_swap_asked_again_changes_nothing(desk: Desk) -> None:
    await swap_ready(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))
    for _ in range(3):
        await desk.apply(SITE_ENV, Step.SWAP, plan)
    assert len(desk.cloud.arm.effects_of("swap")) == 1
    assert len(desk.cloud.requests("POST", "/slotsswap")) == 1


async def test_swap_back_is_the_same_step_with_the_older_plan(desk: Desk) -> None:
    await swap_ready(desk)
    await desk.apply(SITE_ENV, Step.SWAP, site_plan(desk.cloud.image(desk.cloud.other_digest)))
    await desk.apply(SITE_ENV, Step.SWAP, site_plan(desk.cloud.image()))
    assert desk.cloud.arm.image_of(SITE) == desk.cloud.image()
    assert len(desk.cloud.arm.effects_of("swap")) == 2


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_swap_refused_by_a_broken_server_is_sent_once(desk: Desk, status: int) -> None:
    await swap_ready(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))
    desk.cloud.wire.faults.append(Fault("/slotsswap", "status", status=status, headers={"Retry-After": "0"}))
    with pytest.raises(Transient) as later:
        await desk.apply(SITE_ENV, Step.SWAP, plan)
    assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_UNAVAILABLE, True)
    assert len(desk.cloud.requests("POST", "/slotsswap")) == 1
    await desk.apply(SITE_ENV, Step.SWAP, plan)
    assert len(desk.cloud.arm.effects_of("swap")) == 1


async def test_swap_that_acted_before_the_connection_dropped_happens_once(desk: Desk) -> None:
    await swap_ready(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))
    desk.cloud.wire.faults.append(Fault("/slotsswap", "act_then_drop"))
    with pytest.raises(Transient) as later:
        await desk.apply(SITE_ENV, Step.SWAP, plan)
    assert later.value.outcome_unknown
    for _ in range(5):
        # Azure refuses a second one while the first is under way; when it has ended there is nothing left to do.
        with suppress(Transient):
            await desk.apply(SITE_ENV, Step.SWAP, plan)
    assert len(desk.cloud.arm.effects_of("swap")) == 1
    assert (await desk.observe(SITE_ENV)).main.digest == desk.cloud.other_digest


async def test_polls_of_a_swap_are_retried(desk: Desk) -> None:
    await swap_ready(desk)
    desk.cloud.wire.faults.append(Fault("arm GET .*/operationresults/", "status", status=503, times=2))
    await desk.apply(SITE_ENV, Step.SWAP, site_plan(desk.cloud.image(desk.cloud.other_digest)))
    assert len(desk.cloud.arm.effects_of("swap")) == 1


async def test_swap_needs_the_wanted_image_in_the_slot(desk: Desk) -> None:
    arranged(desk)
    with pytest.raises(Refused) as refused:
        await desk.apply(SITE_ENV, Step.SWAP, site_plan(desk.cloud.image(desk.cloud.other_digest)))
    assert refused.value.code == Code.DIGEST_MISMATCH
    assert desk.cloud.requests("POST", "/slotsswap") == []


async def test_swap_given_up_by_azure_is_told_as_unhealthy(desk: Desk) -> None:
    await swap_ready(desk)
    desk.cloud.arm.mark(desk.cloud.other_digest, "unhealthy")
    with pytest.raises(Refused) as refused:
        await desk.apply(SITE_ENV, Step.SWAP, site_plan(desk.cloud.image(desk.cloud.other_digest)))
    assert refused.value.code == Code.PLATFORM_UNHEALTHY
    assert desk.cloud.arm.image_of(SITE) == desk.cloud.image()


async def test_stuck_swap_is_cut_off_and_followed_to_its_end_by_another_process(desk: Desk) -> None:
    await swap_ready(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))
    desk.cloud.wire.faults.append(Fault("arm POST .*/slotsswap", "stuck"))
    with pytest.raises(Transient) as later:
        await desk.apply(SITE_ENV, Step.SWAP, plan, deadline=0.2)
    assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_TIMEOUT, True)
    desk.cloud.arm.unstick()
    successor = Desk(desk.cloud, desk.another())
    await successor.apply(SITE_ENV, Step.SWAP, plan, resume=desk.tokens[0])
    assert len(desk.cloud.arm.effects_of("swap")) == 1
    assert len(desk.cloud.requests("POST", "/slotsswap")) == 1


async def test_process_that_dies_after_the_request_leaves_a_token_to_follow(desk: Desk) -> None:
    await swap_ready(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))

    async def die(token: str) -> None:
        desk.tokens.append(token)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await desk.apply(SITE_ENV, Step.SWAP, plan, saved=die)
    await Desk(desk.cloud, desk.another()).apply(SITE_ENV, Step.SWAP, plan, resume=desk.tokens[0])
    assert len(desk.cloud.arm.effects_of("swap")) == 1


async def test_operation_that_azure_forgot_is_settled_by_looking(desk: Desk) -> None:
    await swap_ready(desk)
    plan = site_plan(desk.cloud.image(desk.cloud.other_digest))
    await desk.apply(SITE_ENV, Step.SWAP, plan)
    desk.cloud.wire.faults.append(faults.gone("arm GET .*/operationresults/"))
    await desk.apply(SITE_ENV, Step.SWAP, plan, resume=desk.tokens[0])
    assert len(desk.cloud.requests("POST", "/slotsswap")) == 1


async def test_slot_that_belongs_to_another_environment_is_left_alone(desk: Desk) -> None:
    await swap_ready(desk)
    desk.cloud.arm.state.sites[SLOT.lower()].tags = {"miso-env": "00000000-0000-4000-8000-000000000009"}
    for step in (Step.SLOT_PUT, Step.SWAP):
        with pytest.raises(MisoError) as refused:
            await desk.apply(SITE_ENV, step, site_plan(desk.cloud.image(desk.cloud.other_digest)))
        assert getattr(refused.value, "code", "") == Code.NOT_OURS


async def test_plan_without_slots_is_refused(desk: Desk) -> None:
    desk.cloud.arm.add_plan(SUBSCRIPTION, GROUP, "plan", sku="B1")
    arranged(desk, slots=())
    with pytest.raises(Refused) as refused:
        await desk.apply(SITE_ENV, Step.SLOT_PUT, site_plan(desk.cloud.image()))
    assert refused.value.code == Code.AZURE_REFUSED


async def test_logs_are_the_last_lines_of_production(desk: Desk) -> None:
    arranged(desk)
    assert desk.cloud.digest in await desk.window.logs(SITE_ENV, lines=5, request_id="look")
