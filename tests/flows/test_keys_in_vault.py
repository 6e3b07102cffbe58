"""A whole controller whose keys are in a vault: it deploys, and a vault that is away for a moment is waited out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import pytest
from aiohttp import web

from bot.app import Running, building
from bot.cli.demo.ground import settings_for
from bot.domain.model import Stage
from bot.services import registering
from bot.settings import load
from bot.sim import scenarios
from bot.sim.client import SimClient
from bot.sim.wire import Fault
from bot.sim.world import Options, World

SECRET = "a secret for a story with a vault"
QUICK = {"MISO_AZURE_POLL_SECONDS": "0.01", "MISO_PROBE_INTERVAL": "0.01", "MISO_GITHUB_WRITE_SPACING": "0"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@asynccontextmanager
async def controlled(world: World, directory: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Running, str]]:
    """A controller beside this world, with its keys in the world's vault; and the address that it has."""
    settings = settings_for(directory, vars(world.addresses), SECRET) | QUICK
    for name, value in settings.items():
        patch.setenv(name, value)
    patch.setenv("MISO_KEY_VAULT_URL", world.addresses.vault)
    patch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", world.addresses.identity)
    async with building(load()) as running:
        runner = web.AppRunner(running.web, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        host, _, port = settings["MISO_LISTEN"].partition(":")
        await web.TCPSite(runner, host, int(port)).start()
        world.webhooks.url = f"{settings['MISO_PUBLIC_URL']}/github/webhooks"
        try:
            yield running, settings["MISO_PUBLIC_URL"]
        finally:
            await runner.cleanup()


async def settled(world: World, running: Running) -> None:
    for _ in range(5):
        await world.delivered()
        await running.worker.settle()


async def test_a_build_reaches_dev_by_an_assertion_that_the_vault_signed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        World.running(Options(webhook_secret=SECRET)) as world,
        controlled(world, directory, monkeypatch) as (running, url),
        SimClient(world.addresses.control) as sim,
    ):
        shop = await scenarios.open_shop(sim, issuer=url, registry=world.addresses.registry)
        await registering.register(running.miso, shop.registration, origin="command")
        environments = {each.stage: each for each in await running.miso.store.environments()}
        await running.issuer.warm(each.id for each in environments.values())
        pull = await scenarios.merge_change(sim, "Through the vault")
        digest = await scenarios.build(sim, pull["merge_commit_sha"])
        await settled(world, running)
        dev = environments[Stage.DEV]
        assert (await running.miso.azure.observe(dev, request_id="test")).main.digest == digest
        shown = {jwt.decode(each, options={"verify_signature": False})["sub"] for each in assertions(world)}
        assert shown == {f"miso:env:{dev.id}"}
        vault = [f"{e.status} {e.path}" for e in world.wire.exchanges if e.server == "vault"]
        signed = [each for each in vault if each.startswith("200 ") and each.endswith("/sign")]
        # One for each environment, and one for people's sign-in where there is one: each once.
        assert len(signed) == len(environments) + (running.miso.sign_in is not None)
        world.wire.faults.append(Fault("^vault ", "status", status=503, times=None))
        another = await scenarios.merge_change(sim, "While the vault is away")
        digest = await scenarios.build(sim, another["merge_commit_sha"])
        await settled(world, running)
        assert (await running.miso.azure.observe(dev, request_id="test")).main.digest == digest


def assertions(world: World) -> list[str]:
    """What Entra was shown."""
    posts = [e for e in world.wire.exchanges if e.server == "entra" and e.method == "POST"]
    return [parse_qs(e.request_body.decode())["client_assertion"][0] for e in posts]
