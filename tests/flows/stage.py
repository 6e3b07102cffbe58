"""A controller and the pretend world in one process, and the words in which the stories are told.

The controller is the real one, made by `bot.app` from ordinary settings; everything between it and the world goes over
loopback. Time is a clock that the story moves; the loops run when the story says `settle`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiohttp import web

from bot.app import Running, building
from bot.context import Miso
from bot.domain.promotion import Promotion
from bot.errors import Transient
from bot.services import journal, registering
from bot.settings import Settings, load
from bot.settings.fields import default_config_dir
from bot.sim import scenarios
from bot.sim.client import SimClient
from bot.sim.scenarios import PLACES, REPOSITORY, Shop
from bot.sim.world import Addresses, Options, World
from tests.contracts import arm, github


@dataclass
class StoryClock:
    """Starts now and moves when it is told to, or when somebody sleeps."""

    at_us: int = 1_795_000_000_000_000

    def now_us(self) -> int:
        return self.at_us

    async def sleep(self, seconds: float) -> None:
        self.at_us += int(seconds * 1e6)
        await asyncio.sleep(0)

    def pass_(self, seconds: float) -> None:
        self.at_us += int(seconds * 1e6)


@dataclass
class Stage:
    """One story's world, controller and people."""

    world: World
    sim: SimClient
    running: Running
    clock: StoryClock
    shop: Shop
    settings: Settings
    url: str
    environments: dict[str, str] = field(default_factory=lambda: {p.stage: p.id for p in PLACES})

    @property
    def miso(self) -> Miso:
        return self.running.miso

    async def settle(self) -> None:
        """Until every webhook was answered and nothing is due; short pauses are waited out on the story's clock."""
        for _ in range(20):
            for _ in range(3):
                await self.world.delivered()
                await self.running.worker.settle()
            now = self.clock.now_us()
            waits = [row.wake_at_us - now for row in await self.miso.store.open_promotions() if row.wake_at_us > now]
            if not waits or min(waits) > 120e6:
                return
            self.clock.pass_(min(waits) / 1e6 + 0.001)

    async def ships(self, title: str, *, author: str = "ann", mark: str = "healthy", method: str = "squash") -> Any:
        """A change is merged and built; dev follows. Gives the pull request with `digest` beside it."""
        pull = await scenarios.merge_change(self.sim, title, author=author, method=method)
        pull["digest"] = await scenarios.build(self.sim, pull["merge_commit_sha"], mark=mark)
        await self.settle()
        return pull

    async def says(self, who: str, text: str, *, on: int) -> Any:
        """Somebody comments on a pull request. Gives the comment with the replies that followed it."""
        made = await self.sim.comment(REPOSITORY, on, who, text)
        await self.settle()
        comments = await self.comments(on)
        at = next(i for i, c in enumerate(comments) if c["id"] == made["id"])
        return {**comments[at], "replies": [c["body"] for c in comments[at + 1 :] if "miso:reply" in c["body"]]}

    async def state(self) -> Any:
        return await self.sim.state(REPOSITORY)

    async def comments(self, number: int) -> list[Any]:
        pulls = (await self.state())["pulls"]
        return list(next(p for p in pulls if p["number"] == number)["comments"])

    async def runs(self, stage: str) -> str:
        """Digest that Azure runs in an environment; "" for nothing."""
        place = next(p for p in PLACES if p.stage == stage)
        environment = await self.miso.store.environment(place.id)
        assert environment is not None
        try:
            observed = await self.miso.azure.observe(environment, request_id="test")
        except Transient:
            # The story's clock may have outrun a token; the window has dropped it and gets another.
            observed = await self.miso.azure.observe(environment, request_id="test")
        return observed.main.digest

    async def latest(self, stage: str) -> Promotion:
        """The newest promotion of an environment."""
        rows = await self.miso.store.promotions(environment_id=self.environments[stage], limit=1)
        promotion = await journal.load(self.miso, rows[0].stream)
        assert promotion is not None
        return promotion

    async def story(self, stage: str) -> list[str]:
        """Kinds of the rows of the newest promotion, with what they carry: for reading a failed test."""
        rows = await self.miso.store.stream((await self.latest(stage)).stream)
        keep = ("step", "code", "until_us", "sentence", "evidence")
        return [f"{row.kind} { {k: v for k, v in row.body.items() if k in keep} }" for row in rows]

    def effects(self, verb: str) -> list[Any]:
        return self.world.arm.effects_of(verb)


@asynccontextmanager
async def staged(
    directory: Path,
    *,
    judged: bool = True,
    trusting: Callable[[Addresses], Mapping[str, str]] = lambda _: {},
    **settings: str,
) -> AsyncIterator[Stage]:
    """A world and a controller that know one another, and the shop registered. `settings`: extra MISO_ variables;
    `trusting`: further files of trust, by name."""
    observers = (github.check, arm.observe) if judged else ()
    clock = StoryClock()
    async with World.running(Options(observers=observers, clock=lambda: clock.at_us / 1e6)) as world:
        here = world.addresses
        # Held from here on, so that no other test gets the port between asking for it and listening on it.
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", 0))
        port = int(door.getsockname()[1])
        url = f"http://127.0.0.1:{port}"
        given = {**_settings(here, url, directory), **settings}
        for name, text in trusting(here).items():
            (directory / "config" / "trust" / name).write_text(text, "utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
        with patch.dict(os.environ, {**clean, **given}, clear=True):
            loaded = load()
        async with building(loaded, clock=clock) as running, SimClient(here.control) as sim:
            listener = web.AppRunner(running.web, access_log=None, shutdown_timeout=0.1)
            await listener.setup()
            await web.SockSite(listener, door).start()
            world.webhooks.url = f"{url}/github/webhooks"
            try:
                shop = await scenarios.open_shop(sim, issuer=url, registry=here.registry)
                await registering.register(running.miso, shop.registration, origin="command")
                yield Stage(world=world, sim=sim, running=running, clock=clock, shop=shop, settings=loaded, url=url)
                if judged:
                    assert world.wire.violations == []
            finally:
                await listener.cleanup()


def configured(directory: Path, here: Addresses) -> Path:
    """A directory with the policy as it is shipped, and trust in this world's workflows instead of the real ones."""
    config = directory / "config"
    (config / "trust").mkdir(parents=True, exist_ok=True)
    shipped = default_config_dir()
    shutil.copy(shipped / "policy.yml", config / "policy.yml")
    trust = (shipped / "trust" / "github.yml").read_text("utf-8")
    there = trust.replace("issuer: https://token.actions.githubusercontent.com", f"issuer: {here.actions}", 1)
    (config / "trust" / "github.yml").write_text(there, "utf-8")
    return config


def _settings(here: Addresses, url: str, directory: Path) -> dict[str, str]:
    """What an operator would set for this world; pauses are short."""
    return {
        "MISO_CONFIG_DIR": str(configured(directory, here)),
        "MISO_GITHUB_API_URL": here.github,
        "MISO_GITHUB_WEB_URL": here.web,
        "MISO_APP_ID": str(here.app_id),
        "MISO_APP_PRIVATE_KEY_FILE": here.app_key_file,
        "MISO_WEBHOOK_SECRET": here.webhook_secret,
        "MISO_PUBLIC_URL": url,
        "MISO_LISTEN": url.removeprefix("http://"),
        "MISO_DATA_DIR": str(directory / "data"),
        "MISO_ENTRA_AUTHORITY": here.entra,
        "MISO_ARM_URL": here.arm,
        "MISO_REGISTRIES": here.registry,
        "MISO_CA_FILE": here.ca_file,
        "MISO_ALLOW_LOCAL_HOSTS": "true",
        "MISO_PROBE_CONNECT_TO": (
            f"*.azurecontainer.io=127.0.0.1:{here.apps_http},*.azurewebsites.net=127.0.0.1:{here.apps_https}"
        ),
        "MISO_AZURE_POLL_SECONDS": "0.01",
        "MISO_PROBE_INTERVAL": "0.01",
        "MISO_PROBE_ATTEMPTS": "3",
        "MISO_GITHUB_WRITE_SPACING": "0",
    }
