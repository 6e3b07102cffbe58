"""What a story arranges in the pretend Azure, past every request: things changed by hand, and plans of another size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.azure.cloud import GROUP, SUBSCRIPTION, Cloud

ACI = "Microsoft.ContainerInstance/containerGroups/shop?api-version=2023-05-01"
FARM = "Microsoft.Web/serverfarms/large?api-version=2025-05-01"


class Reader:
    """Asks the pretend ARM as anybody with a token would."""

    def __init__(self, cloud: Cloud, token: str) -> None:
        self.cloud = cloud
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}

    async def get(self, path: str) -> tuple[int, Any]:
        url = f"{self.cloud.arm_url}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{path}"
        async with self.cloud.session.get(url, headers=self._headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with Cloud.running() as cloud:
        yield Reader(cloud, await cloud.token())


async def test_what_somebody_does_by_hand_is_there_at_once_and_told_apart(reader: Reader) -> None:
    cloud, arm = reader.cloud, reader.cloud.arm
    group = arm.add_container_group(SUBSCRIPTION, GROUP, "shop", image=cloud.image(), label="shop")
    arm.put_by_hand(group, cloud.image(cloud.other_digest))
    _, shown = await reader.get(ACI)
    assert shown["properties"]["containers"][0]["properties"]["image"] == cloud.image(cloud.other_digest)
    running = arm.running_at("shop.westeurope.azurecontainer.io")
    assert running is not None
    assert running.digest == cloud.other_digest
    arm.delete_by_hand(group)
    assert (await reader.get(ACI))[0] == 404
    assert [effect.verb for effect in arm.effects] == ["by hand", "deleted by hand"]


async def test_a_plan_says_how_large_it_is(reader: Reader) -> None:
    plan = reader.cloud.arm.add_plan(SUBSCRIPTION, GROUP, "large", capacity=3, zone_redundant=True)
    _, shown = await reader.get(FARM)
    assert (shown["sku"]["capacity"], shown["properties"]["zoneRedundant"]) == (3, True)
    reader.cloud.arm.scale_plan(plan, capacity=5)
    _, shown = await reader.get(FARM)
    assert (shown["sku"]["capacity"], shown["properties"]["zoneRedundant"]) == (5, False)
