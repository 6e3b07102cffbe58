"""What the demo stands on: a pretend world and a controller, each a process of its own, and the settings between them.

Used by the story and by `miso demo --serve`. The controller is `miso serve` with settings that a real installation
could have; it is told nothing of the demo. Everything is on loopback and in one directory.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import random
import secrets
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bot.settings.declaring import PREFIX
from bot.settings.fields import default_config_dir
from bot.sim.client import SimClient
from bot.sim.scenarios import SIGN_IN_CLIENT_ID, TENANT_ID

START_SECONDS = 30.0
TRUST = "trust/github.yml"
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
POLICY = "policy.yml"
_PR_SET_PDEATHSIG = 1


class GroundFault(Exception):
    """A process of the demo did not start or ended too early."""


@dataclass
class Controller:
    """`miso serve` as a child process. It can be started again after it was killed."""

    settings: Mapping[str, str] = field(repr=False)
    log: Path
    process: Process | None = None

    @property
    def url(self) -> str:
        return self.settings["MISO_PUBLIC_URL"]

    async def run(self, *command: str, given: str = "", codes: tuple[int, ...] = (0,)) -> str:
        """Run another `miso` command with the same settings. Returns what it printed; raises GroundFault.

        `codes`: exit codes that are an answer: some commands say 1 for "no".
        """
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._environment()
        )
        told, fault = await child.communicate(given.encode())
        if child.returncode not in codes:
            raise GroundFault(f"miso {' '.join(command)}: exit code {child.returncode}\n{fault.decode()}")
        return told.decode()

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bot", "serve"),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                # Ctrl-C is for the demo, which ends its processes in order.
                process_group=0,
                preexec_fn=_not_alone,
            )
        await self._ready()

    async def _ready(self) -> None:
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
            while True:
                if self.process is None or self.process.returncode is not None:
                    raise GroundFault(f"the controller did not start\n{self.tail()}")
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """`kill -9`: no last word."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, as a service manager does it."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(number)
        try:
            async with asyncio.timeout(15):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def tail(self, lines: int = 12) -> str:
        """The end of its log, for whoever has to find out what went wrong."""
        if not self.log.exists():
            return ""
        end = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(line[:1000] for line in end)

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return {**clean, **self.settings}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Both processes up and talking to one another."""

    directory: Path
    world: Mapping[str, Any]
    """`bot.sim.world.Addresses`, as its process printed them."""
    world_process: Process
    sim: SimClient
    controller: Controller

    def policy(self, *, administrators: Sequence[int], stricter: bool = False) -> None:
        """What an operator writes into the policy file. It is read at the next start.

        `stricter`: production wants two people, and test is frozen today and tomorrow.
        """
        policy = yaml.safe_load((default_config_dir() / POLICY).read_text("utf-8"))
        policy["administrators"] = list(administrators)
        # In this company people may also approve for production at their own machines.
        policy["stages"]["production"]["device_approvals"] = True
        if stricter:
            policy["stages"]["production"]["approvals"] = 2
            policy["stages"]["test"]["freezes"] = [_two_days(datetime.now(UTC))]
        file = Path(self.controller.settings["MISO_CONFIG_DIR"]) / POLICY
        file.write_text(yaml.safe_dump(policy, sort_keys=False), "utf-8")


@asynccontextmanager
async def laid(directory: Path) -> AsyncIterator[Ground]:
    """Start the pretend world; the controller is made but not yet started. Ends both, the controller first."""
    async with AsyncExitStack() as stack:
        secret = secrets.token_hex(32)
        process, addresses = await _start_world(directory, secret)
        stack.push_async_callback(_end_world, process)
        sim = await stack.enter_async_context(SimClient(addresses["control"]))
        controller = Controller(settings=settings_for(directory, addresses, secret), log=directory / "controller.log")
        stack.push_async_callback(controller.stop)
        yield Ground(directory=directory, world=addresses, world_process=process, sim=sim, controller=controller)


async def _start_world(directory: Path, secret: str) -> tuple[Process, dict[str, Any]]:
    log = (directory / "world.log").open("ab")
    with log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot.sim", "--directory", str(directory / "world"), "--webhook-secret", secret),
            # It ends when this pipe closes, however this process ends.
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            process_group=0,
        )
    assert process.stdout is not None  # it was asked for
    async with asyncio.timeout(START_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise GroundFault(f"the pretend world did not start\n{(directory / 'world.log').read_text(errors='replace')}")
    return process, json.loads(line)


async def _end_world(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def settings_for(directory: Path, world: Mapping[str, Any], secret: str) -> dict[str, str]:
    """Settings as an operator would write them; only addresses and a few waits are other ones than usual."""
    config = directory / "config"
    config.mkdir()
    shutil.copy(default_config_dir() / POLICY, config / POLICY)
    _trust(config, world["actions"])
    port = free_port()
    return {
        "MISO_GITHUB_API_URL": world["github"],
        "MISO_GITHUB_WEB_URL": world["web"],
        "MISO_APP_ID": str(world["app_id"]),
        "MISO_APP_SLUG": world["app_slug"],
        "MISO_APP_PRIVATE_KEY_FILE": world["app_key_file"],
        "MISO_WEBHOOK_SECRET": secret,
        "MISO_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MISO_LISTEN": f"127.0.0.1:{port}",
        "MISO_DATA_DIR": str(directory / "controller"),
        "MISO_CONFIG_DIR": str(config),
        "MISO_CA_FILE": world["ca_file"],
        "MISO_LOG_FORMAT": "json",
        "MISO_ENTRA_AUTHORITY": world["entra"],
        "MISO_SIGN_IN": "entra",
        "MISO_SIGN_IN_TENANT": TENANT_ID,
        "MISO_SIGN_IN_CLIENT_ID": SIGN_IN_CLIENT_ID,
        "MISO_ARM_URL": world["arm"],
        "MISO_REGISTRIES": world["registry"],
        "MISO_ALLOW_LOCAL_HOSTS": "true",
        "MISO_PROBE_CONNECT_TO": (
            f"*.azurecontainer.io=127.0.0.1:{world['apps_http']},*.azurewebsites.net=127.0.0.1:{world['apps_https']}"
        ),
        # The pretend Azure needs no minutes, so neither do we.
        "MISO_AZURE_POLL_SECONDS": "0.2",
        "MISO_PROBE_INTERVAL": "0.2",
        "MISO_PROBE_ATTEMPTS": "4",
        "MISO_GITHUB_WRITE_SPACING": "0.02",
        "MISO_LEASE_TTL": "3",
        "MISO_WRITE_DEADLINE": "2.5",
        "MISO_SETTLE_SECONDS": "1",
        "MISO_RETRY_SECONDS": "0.3",
    }


def _trust(config: Path, issuer: str) -> None:
    """The trust rules as they are shipped, for this world's workflows instead of GitHub's."""
    shipped = (default_config_dir() / TRUST).read_text("utf-8")
    (config / TRUST).parent.mkdir()
    (config / TRUST).write_text(shipped.replace(f"issuer: {GITHUB_ISSUER}", f"issuer: {issuer}", 1), "utf-8")


def _two_days(now: datetime) -> dict[str, str]:
    """A freeze of the whole of today and tomorrow, as a policy file words it."""
    return {"name": "stocktaking", "starts": f"{now:%Y-%m-%d}T00:00", "lasts": "48h", "reason": "the shop is counted"}


def _not_alone() -> None:
    """In the child: end when the demo ends, however that is. Linux only; elsewhere a killed demo leaves it running.

    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A port on loopback that nobody has at this moment, for a process that is about to be started.

    Taken from below the range out of which systems give ports by themselves: one of those may be given away again
    before the process listens.
    """
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - nothing is kept secret by it
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) != 0:
                return port
