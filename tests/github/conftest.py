"""The window to GitHub before a pretend GitHub on the wire; the official description judges every exchange."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.context import Repository
from bot.domain.permissions import READ_FACTS, REPORT
from bot.github.client import GitHubWindow
from bot.sim.wire import Exchange, Fault
from bot.sim.world import Options, World
from tests.contracts import github as description

REPO = "acme/shop"
START = 1_900_000_000


@dataclass
class Clock:
    """Time that moves only when somebody sleeps or a test says so. Seconds."""

    now: float = START
    slept: list[float] = field(default_factory=list)

    def now_us(self) -> int:
        return int(self.now * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Bench:
    """A world, a window to it, and what went over the wire between them."""

    world: World
    clock: Clock
    window: GitHubWindow
    session: aiohttp.ClientSession
    repository_id: int
    owner_id: int
    installation_id: int

    @property
    def facts(self) -> Repository:
        return self.at(READ_FACTS)

    @property
    def reports(self) -> Repository:
        return self.at(REPORT)

    def at(self, permissions: Mapping[str, str], repository_id: int = 0) -> Repository:
        return self.window.at(self.installation_id, repository_id or self.repository_id, permissions)

    def another_window(self, **changes: Any) -> GitHubWindow:
        return GitHubWindow(self.session, **(settings(self.world, self.clock) | changes))

    def sent(self, method: str = "", ending: str = "") -> list[Exchange]:
        """Requests to GitHub so far, by method and by how their path ends."""
        return [
            exchange
            for exchange in self.world.wire.exchanges
            if exchange.server == "github" and exchange.method.startswith(method) and exchange.path.endswith(ending)
        ]

    def tokens_minted(self) -> int:
        return len(self.sent("POST", "/access_tokens"))

    def fault(self, route: str, kind: Any, **more: Any) -> None:
        self.world.wire.faults.append(Fault(f"github {route}", kind, **more))

    def person(self, login: str) -> int:
        """Numeric id of somebody in the pretend world."""
        return self.world.github.person(login).id

    def state(self) -> Any:
        """What GitHub holds of the repository, as plain JSON."""
        return json.loads(json.dumps(self.world.github.state(REPO)))


def settings(world: World, clock: Clock) -> dict[str, Any]:
    return {
        "app_id": world.addresses.app_id,
        "private_key_pem": Path(world.addresses.app_key_file).read_bytes(),
        "api_url": world.addresses.github,
        "user_agent": "miso/test",
        "now_us": clock.now_us,
        "sleep": clock.sleep,
        "write_spacing": 1.0,
    }


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = Clock()
    async with World.running(Options(observers=(description.check,), clock=lambda: clock.now)) as world:
        made = world.github.create_repository(
            REPO,
            collaborators={"ann": "admin", "bea": "write", "cid": "read", "tia": "triage", "max": "maintain"},
            files={".github/miso.yml": "image: shop\n"},
        )
        installation = world.github.install_app("acme")
        async with aiohttp.ClientSession() as session:
            yield Bench(
                world=world,
                clock=clock,
                window=GitHubWindow(session, **settings(world, clock)),
                session=session,
                repository_id=made["id"],
                owner_id=made["owner_id"],
                installation_id=installation["id"],
            )
        assert world.wire.violations == []
