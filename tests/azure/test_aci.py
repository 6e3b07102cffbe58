"""Container instances through the real SDK: what is written, what is seen, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.model import Step
from bot.errors import Refused
from tests.azure.cloud import ENVIRONMENT, GROUP, SUBSCRIPTION
from tests.azure.conftest import CONTAINERS, GROUP_ENV, STREAM, TAGS, Desk, group_plan


async def test_absent_group_is_seen_as_absent(desk: Desk) -> None:
    seen = await desk.observe(GROUP_ENV)
    assert (seen.main.exists, seen.slot) == (False, None)


async def test_put_creates_the_whole_group_and_shows_what_runs(desk: Desk) -> None:
    image = desk.cloud.image()
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(image))
    place = (await desk.observe(GROUP_ENV)).main
    assert (place.digest, place.pulled_digest) == (desk.cloud.digest, desk.cloud.digest)
    assert (place.running, place.restarts, place.provisioning) == (True, 0, "Succeeded")
    assert place.host == "shop.westeurope.azurecontainer.io"
    assert (place.owner, place.environment_id, place.deployment) == ("miso-test", ENVIRONMENT, STREAM)
    assert place.shape == {
        "os": "Linux",
        "restart": "Always",
        "cpu": 1.0,
        "memory_gb": 1.5,
        "ports": [8080],
        "subnets": [],
        "address": "Public",
        "label": "shop",
    }
    assert len(desk.cloud.arm.effects_of("put")) == 1
    put = next(e for e in desk.cloud.wire.exchanges if e.method == "PUT")
    assert put.request_json()["properties"] == group_plan(image).body["properties"]
    assert len(desk.tokens) == 1


async def test_request_id_is_on_the_write_and_on_every_poll(desk: Desk) -> None:
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()))
    ids = {e.request_headers.get("x-ms-client-request-id") for e in desk.cloud.wire.exchanges if e.server == "arm"}
    assert ids == {"write-1"}


async def test_update_keeps_the_tags_of_others(desk: Desk) -> None:
    tags = {**TAGS, "cost-center": "7", "Miso-Deployment": "older"}
    desk.cloud.arm.add_container_group(SUBSCRIPTION, GROUP, "shop", image=desk.cloud.image(), tags=tags, label="shop")
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image(desk.cloud.other_digest)))
    found = desk.cloud.arm.tags_of(CONTAINERS)
    assert found == {**TAGS, "cost-center": "7", "team": "shop", "miso-deployment": STREAM}


async def test_fixed_property_needs_delete_and_then_put(desk: Desk) -> None:
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()))
    with pytest.raises(Refused) as refused:
        await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image(), cpu=2.0))
    assert refused.value.code == Code.AZURE_REFUSED
    await desk.apply(GROUP_ENV, Step.GROUP_DELETE, group_plan(desk.cloud.image(), cpu=2.0))
    await desk.apply(GROUP_ENV, Step.GROUP_DELETE, group_plan(desk.cloud.image(), cpu=2.0))
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image(), cpu=2.0))
    assert (await desk.observe(GROUP_ENV)).main.shape["cpu"] == 2.0
    assert [effect.verb for effect in desk.cloud.arm.effects] == ["put", "delete", "put"]


async def test_rule_13_image_without_digest_is_never_sent(desk: Desk) -> None:
    for image in ("registry.test/shop:latest", "registry.test/shop", "registry.test/shop@sha256:abc", ""):
        with pytest.raises(Refused) as refused:
            await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(image))
        assert refused.value.code == Code.MOVING_TAG
    assert desk.cloud.requests("PUT") == []


async def test_group_without_dns_label_is_never_sent(desk: Desk) -> None:
    with pytest.raises(Refused):
        await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image(), label=""))
    assert desk.cloud.requests("PUT") == []


async def test_missing_image_is_a_pull_failure(desk: Desk) -> None:
    with pytest.raises(Refused) as refused:
        await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan("registry.test/shop@sha256:" + "0" * 64))
    assert refused.value.code == Code.AZURE_IMAGE_PULL
    assert "0000" not in str(refused.value)
    place = (await desk.observe(GROUP_ENV)).main
    assert (place.provisioning, place.running) == ("Failed", False)


async def test_private_image_is_pulled_by_the_identity_of_the_group(desk: Desk) -> None:
    desk.cloud.registry.private.add("shop")
    identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull"
    credentials = [{"server": "registry.test", "identity": identity}]
    plan = group_plan(desk.cloud.image(), imageRegistryCredentials=credentials)
    with pytest.raises(Refused) as refused:
        await desk.apply(GROUP_ENV, Step.GROUP_PUT, plan)
    assert refused.value.code == Code.AZURE_IMAGE_PULL
    held = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, replace(plan, body={**plan.body, "identity": held}))
    assert (await desk.observe(GROUP_ENV)).main.running is True


async def test_crash_loop_is_not_running_though_provisioned(desk: Desk) -> None:
    desk.cloud.arm.mark(desk.cloud.digest, "crash")
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()))
    first, second = (await desk.observe(GROUP_ENV)).main, (await desk.observe(GROUP_ENV)).main
    assert (first.provisioning, first.running) == ("Succeeded", False)
    assert second.restarts > first.restarts


async def test_label_of_another_group_is_refused(desk: Desk) -> None:
    desk.cloud.arm.add_container_group(SUBSCRIPTION, GROUP, "other", image=desk.cloud.image(), label="shop")
    with pytest.raises(Refused) as refused:
        await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()))
    assert refused.value.code == Code.AZURE_REFUSED


async def test_logs_are_the_last_lines_of_the_container(desk: Desk) -> None:
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()))
    assert desk.cloud.digest in await desk.window.logs(GROUP_ENV, lines=1, request_id="look")
