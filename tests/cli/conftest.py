"""A desk for commands: the pretend world, a controller in this process, and its settings in the environment; and people
who come by, each with a browser and a machine of their own."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from typer.testing import CliRunner, Result

from bot import telemetry
from bot.app import Running, building
from bot.cli import app, login
from bot.cli.demo.browser import Browser, browsing
from bot.cli.demo.ground import settings_for
from bot.settings import load
from bot.sim import scenarios
from bot.sim.client import SimClient
from bot.sim.scenarios import REPOSITORY, Shop
from bot.sim.world import Options, World

SECRET = "a secret for the desk of commands"
QUICK = {"MISO_AZURE_POLL_SECONDS": "0.01", "MISO_PROBE_INTERVAL": "0.01", "MISO_GITHUB_WRITE_SPACING": "0"}


@dataclass
class Desk:
    """Where an operator sits."""

    world: World
    sim: SimClient
    running: Running
    shop: Shop
    settings: dict[str, str]

    async def miso(self, *command: str, given: str = "") -> Result:
        """A command as somebody types it; the controller goes on meanwhile."""
        result: Result = await asyncio.to_thread(lambda: CliRunner().invoke(app, command, input=given))
        telemetry.configure(level="error")  # the command's own stderr is closed
        assert "Traceback" not in result.output
        return result

    async def settle(self) -> None:
        for _ in range(5):
            await self.world.delivered()
            await self.running.worker.settle()

    async def ships(self, title: str, *, mark: str = "healthy") -> int:
        """A change in dev. Gives the number of its pull request."""
        pull = await scenarios.merge_change(self.sim, title)
        await scenarios.build(self.sim, pull["merge_commit_sha"], mark=mark)
        await self.settle()
        return int(pull["number"])

    async def says(self, who: str, text: str, *, on: int) -> None:
        await self.sim.comment(REPOSITORY, on, who, text)
        await self.settle()


@pytest.fixture
def quiet() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("MISO_"):
            monkeypatch.delenv(name)


@pytest.fixture
def production() -> dict[str, Any]:
    """What the policy says of production beyond what is shipped; a test may say otherwise by its parameters."""
    return {}


@pytest.fixture
def roles() -> dict[str, Any]:
    """The roles that the policy gives; by its parameters as well."""
    return {}


@pytest.fixture
async def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quiet: None,
    no_settings: None,
    production: dict[str, Any],
    roles: dict[str, Any],
) -> AsyncIterator[Desk]:
    async with World.running(Options(webhook_secret=SECRET)) as world:
        settings = settings_for(tmp_path, vars(world.addresses), SECRET) | QUICK
        policy = Path(settings["MISO_CONFIG_DIR"]) / "policy.yml"
        said = yaml.safe_load(policy.read_text("utf-8"))
        said["stages"]["production"] |= production
        said |= {"roles": roles} if roles else {}
        policy.write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        async with building(load()) as running, SimClient(world.addresses.control) as sim:
            runner = web.AppRunner(running.web, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            host, _, port = settings["MISO_LISTEN"].partition(":")
            await web.TCPSite(runner, host, int(port)).start()
            world.webhooks.url = f"{settings['MISO_PUBLIC_URL']}/github/webhooks"
            try:
                shop = await scenarios.open_shop(
                    sim, issuer=settings["MISO_PUBLIC_URL"], registry=world.addresses.registry
                )
                yield Desk(world=world, sim=sim, running=running, shop=shop, settings=settings)
            finally:
                await runner.cleanup()


@pytest.fixture
async def registered(desk: Desk) -> Desk:
    """The same with the shop registered."""
    done = await desk.miso("register", "-", given=desk.shop.registration)
    assert done.exit_code == 0, done.output
    return desk


@dataclass
class Somebody:
    """A person with a browser and a machine of their own, which knows none of the controller's settings."""

    name: str
    desk: Desk
    browser: Browser
    machine: Path
    env: pytest.MonkeyPatch
    told: pytest.CaptureFixture[str]

    async def types(self, *command: str, given: str = "") -> Result:
        self.env.setenv("XDG_CONFIG_HOME", str(self.machine))
        return await self.desk.miso(*command, given=given)

    async def signs_in(self) -> None:
        """`miso login`, and in the browser the code that it shows."""
        self.env.setenv("XDG_CONFIG_HOME", str(self.machine))

        async def confirm(seconds: float) -> None:
            code = re.search(r"[A-Z]{4}-[A-Z]{4}", self.told.readouterr().err)
            assert code is not None
            page = await self.browser.press(await self.browser.open("/device"), "Go on", code=code[0])
            done = await self.browser.press(page, "Yes, let it")
            assert done.heading == "The command line is signed in"

        await login.sign_in(self.browser.miso, sleep=confirm)

    async def links(self, *, on: int) -> None:
        page = await self.browser.press(await self.browser.open("/account"), "Get a code")
        code = re.search(r"/link [A-Z-]+", page.text)
        assert code is not None
        await self.desk.says(self.name, code[0], on=on)


Arrives = Callable[[str], Awaitable[Somebody]]


@pytest.fixture
async def arrives(
    registered: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Arrives]:
    """Somebody comes and signs in."""
    for name in registered.settings:
        monkeypatch.delenv(name, raising=False)
    async with AsyncExitStack() as stack:

        async def arrive(name: str) -> Somebody:
            url, authorities = registered.settings["MISO_PUBLIC_URL"], registered.settings["MISO_CA_FILE"]
            browser = await stack.enter_async_context(browsing(name, url, authorities))
            who = Somebody(name, registered, browser, tmp_path / f"{name}'s machine", monkeypatch, capsys)
            await who.signs_in()
            return who

        yield arrive
