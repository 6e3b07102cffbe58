"""The deployed apps of the pretend world answer as what runs under their host name would."""

from __future__ import annotations

import aiohttp
import pytest

from bot.sim.azure import Mark
from bot.sim.hosts import HUGE
from bot.sim.wire import Fault
from tests.azure.cloud import GROUP, SUBSCRIPTION, Cloud

APP, STAGING, CONTAINER = (
    "shop.azurewebsites.net",
    "shop-staging.azurewebsites.net",
    "shop.westeurope.azurecontainer.io",
)


async def ask(cloud: Cloud, host: str, path: str = "/healthz") -> tuple[int, str, aiohttp.ClientResponse]:
    url = f"{cloud.hosts_url}{path}"
    async with cloud.session.get(url, headers={"Host": host}, allow_redirects=False) as response:
        return response.status, await response.text(), response


def arranged(cloud: Cloud) -> None:
    cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan="plan", image=cloud.image())
    cloud.arm.add_container_group(SUBSCRIPTION, GROUP, "shop", image=cloud.image(), label="shop")


async def test_page_shows_name_place_and_digest() -> None:
    async with Cloud.running() as cloud:
        arranged(cloud)
        for host, place in ((APP, "production"), (STAGING, "slot staging"), (f"{CONTAINER}:8080", "production")):
            status, text, _ = await ask(cloud, host, "/")
            assert status == 200
            assert cloud.digest in text
            assert place in text
        assert (await ask(cloud, APP))[0] == 200


async def test_unknown_host_has_nothing() -> None:
    async with Cloud.running() as cloud:
        assert (await ask(cloud, APP))[0] == 404


@pytest.mark.parametrize(
    ("mark", "status"), [("crash", 503), ("unhealthy", 503), ("redirect", 302), ("slow", 200), ("huge", 200)]
)
async def test_marked_image_behaves_as_marked(mark: Mark, status: int) -> None:
    async with Cloud.running() as cloud:
        arranged(cloud)
        cloud.arm.mark(cloud.digest, mark)
        for host in (APP, STAGING, CONTAINER):
            found, text, _ = await ask(cloud, host)
            assert found == status
            assert (len(text) == HUGE) == (mark == "huge")


async def test_image_that_fails_in_production_only_is_fine_in_its_slot() -> None:
    async with Cloud.running() as cloud:
        arranged(cloud)
        cloud.arm.mark(cloud.digest, "production_only")
        assert (await ask(cloud, STAGING))[0] == 200
        assert (await ask(cloud, APP))[0] == 503


async def test_image_that_is_gone_cannot_start() -> None:
    async with Cloud.running() as cloud:
        arranged(cloud)
        cloud.registry.delete("shop", cloud.digest)
        assert (await ask(cloud, APP))[0] == 503


async def test_fault_makes_one_host_unhealthy() -> None:
    async with Cloud.running() as cloud:
        arranged(cloud)
        cloud.wire.faults.append(Fault(f"hosts GET {APP}/", "unhealthy", times=None))
        assert (await ask(cloud, APP))[0] == 503
        assert (await ask(cloud, STAGING))[0] == 200


async def test_https_only_host_sends_plain_requests_away() -> None:
    async with Cloud.running() as cloud:
        arranged(cloud)
        for site in cloud.arm.state.sites.values():
            site.properties["httpsOnly"] = True
        status, _, response = await ask(cloud, APP)
        assert (status, response.headers["Location"]) == (301, f"https://{APP}/healthz")
