"""A controller in a process of its own, so that a story can kill it; the pretend world stays in the story's process.

The process is `miso serve` with settings that an installation could have, only quicker. What it leaves behind is read
from the world and, while nobody writes, from its database file.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.cli.demo.ground import free_port
from bot.sim import scenarios
from bot.sim.client import SimClient
from bot.sim.scenarios import REPOSITORY, RESOURCE_GROUP, SITE, SUBSCRIPTION_ID
from bot.sim.world import Options, World
from tests.contracts import arm, github
from tests.flows.stage import configured

PATIENCE = 60.0
"""Seconds of real time after which a story that does not come to rest has failed."""
QUIET = """
SELECT (SELECT COUNT(*) FROM delivery WHERE state = 'waiting')
  + (SELECT COUNT(*) FROM promotion WHERE is_open = 1 AND status <> 'requested')
  + (SELECT COUNT(*) FROM report WHERE reported_seq < head_seq)
"""
ROOT = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers"
RESOURCES = {
    "dev": f"{ROOT}/Microsoft.ContainerInstance/containerGroups/shop-dev",
    "test": f"{ROOT}/Microsoft.ContainerInstance/containerGroups/shop-test",
    "production": f"{ROOT}/Microsoft.Web/sites/{SITE}",
}


@dataclass
class Apart:
    """One story's world and the controller's process, which may be dead."""

    world: World
    sim: SimClient
    directory: Path
    settings: dict[str, str]
    process: Process | None = None
    died: int = 0

    @property
    def url(self) -> str:
        return self.settings["MISO_PUBLIC_URL"]

    @property
    def database(self) -> Path:
        return self.directory / "data" / "miso.sqlite"

    async def start(self, *, stop_at: str = "") -> None:
        """Start it and wait until it is ready. `stop_at`: where it kills itself."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
        extra = {"MISO_TEST_STOP_AT": stop_at} if stop_at else {}
        with (self.directory / "controller.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bot", "serve"),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean, **self.settings, **extra},
            )
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
            # Another process: nothing here could set an event.
            while self.alive and not await self._ready(session):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert self.alive or self.killed, self.log()

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def killed(self) -> bool:
        return self.process is not None and self.process.returncode == -signal.SIGKILL

    def log(self) -> str:
        return "\n".join((self.directory / "controller.log").read_text(errors="replace").splitlines()[-40:])

    async def kill(self) -> None:
        """`kill -9`: no last word."""
        if self.process is not None and self.alive:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def rest(self) -> None:
        """Until nothing is due in the controller any more. One that was killed is started again, unarmed."""
        quiet = 0
        async with asyncio.timeout(PATIENCE):
            while quiet < 4:
                if not self.alive:
                    self.died += 1
                    assert self.killed, self.log()
                    await self.start()
                await self.world.delivered()
                quiet = 0 if self.sends_again() or self.due() else quiet + 1
                await asyncio.sleep(0.03)

    def sends_again(self) -> int:
        """What nobody took is delivered once more, as an operator would have it done. Gives how many that were."""
        last = {each.guid: each for each in self.world.webhooks.log}
        lost = [each for each in last.values() if each.status_code != 202]
        for each in lost:
            self.world.webhooks.redeliver(each.id)
        return len(lost)

    def due(self) -> int:
        """Deliveries, deployments and reports that are still to be done."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute(QUIET).fetchone()[0])

    async def ships(self, title: str, *, mark: str = "healthy", port: int = 0) -> dict[str, Any]:
        """A change is merged and built, and dev follows. `port`: the change moves the application to it."""
        if port:
            config = scenarios.CONFIG.format(registry=self.world.addresses.registry).replace("8080", str(port))
            await self.sim.write_file(REPOSITORY, ".github/miso.yml", config, author="ann")
        pull = await scenarios.merge_change(self.sim, title)
        pull["digest"] = await scenarios.build(self.sim, pull["merge_commit_sha"], mark=mark)
        await self.rest()
        return pull

    async def says(self, who: str, text: str, *, on: int) -> None:
        await self.sim.comment(REPOSITORY, on, who, text)
        await self.rest()

    async def to_production(self, title: str, *, mark: str = "healthy") -> dict[str, Any]:
        pull = await self.ships(title, mark=mark)
        await self.says("ann", "/promote test", on=pull["number"])
        await self.says("ann", "/promote production", on=pull["number"])
        await self.says("bob", "/approve", on=pull["number"])
        return pull

    def effects(self) -> list[tuple[str, str]]:
        """What was changed in Azure, in order: (verb, last part of the resource)."""
        return [(effect.verb, effect.resource.rpartition("/")[2].lower()) for effect in self.world.arm.effects]

    def runs(self, stage: str) -> str:
        """Digest that Azure runs in an environment; "" for nothing."""
        return (self.world.arm.image_of(RESOURCES[stage]) or "").rpartition("@")[2]

    def shown(self) -> dict[str, Any]:
        """What GitHub shows in the end: last states only, and how many comments stand on each pull request."""
        state: Any = self.world.github.state(REPOSITORY)
        names = {pull["merge_commit_sha"]: pull["title"] for pull in state["pulls"]}
        return {
            "deployments": [
                (each["environment"], names[each["sha"]], each["statuses"][-1]["state"] if each["statuses"] else "")
                for each in state["deployments"]
            ],
            "checks": sorted(
                (each["name"], names[each["head_sha"]], each["status"], each["conclusion"]) for each in state["checks"]
            ),
            "comments": {
                pull["title"]: sorted(
                    (each["login"], [reaction["content"] for reaction in each["reactions"]])
                    for each in pull["comments"]
                )
                for pull in state["pulls"]
            },
        }


@asynccontextmanager
async def apart(directory: Path, **settings: str) -> AsyncIterator[Apart]:
    """A world with the shop in it and the settings of a controller that is not yet started. Ends both."""
    async with World.running(Options(observers=(github.check, arm.observe))) as world:
        here = world.addresses
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        config = configured(directory, here)
        (config / "catalog").mkdir()
        given = {
            "MISO_GITHUB_API_URL": here.github,
            "MISO_GITHUB_WEB_URL": here.web,
            "MISO_APP_ID": str(here.app_id),
            "MISO_APP_PRIVATE_KEY_FILE": here.app_key_file,
            "MISO_WEBHOOK_SECRET": here.webhook_secret,
            "MISO_PUBLIC_URL": url,
            "MISO_LISTEN": f"127.0.0.1:{port}",
            "MISO_DATA_DIR": str(directory / "data"),
            "MISO_CONFIG_DIR": str(config),
            "MISO_ENTRA_AUTHORITY": here.entra,
            "MISO_ARM_URL": here.arm,
            "MISO_REGISTRIES": here.registry,
            "MISO_CA_FILE": here.ca_file,
            "MISO_ALLOW_LOCAL_HOSTS": "true",
            "MISO_PROBE_CONNECT_TO": (
                f"*.azurecontainer.io=127.0.0.1:{here.apps_http},*.azurewebsites.net=127.0.0.1:{here.apps_https}"
            ),
            "MISO_LOG_FORMAT": "json",
            # The pretend Azure needs no minutes, so neither do we.
            "MISO_AZURE_POLL_SECONDS": "0.02",
            "MISO_PROBE_INTERVAL": "0.02",
            "MISO_PROBE_ATTEMPTS": "3",
            "MISO_GITHUB_WRITE_SPACING": "0",
            "MISO_LEASE_TTL": "1.5",
            "MISO_WRITE_DEADLINE": "1.4",
            "MISO_SETTLE_SECONDS": "0.5",
            "MISO_RETRY_SECONDS": "0.05",
            **settings,
        }
        async with SimClient(here.control) as sim:
            shop = await scenarios.open_shop(sim, issuer=url, registry=here.registry)
            (config / "catalog" / "shop.yml").write_text(shop.registration)
            world.webhooks.url = f"{url}/github/webhooks"
            story = Apart(world=world, sim=sim, directory=directory, settings=given)
            try:
                yield story
                assert world.wire.violations == []
            finally:
                await story.kill()
