"""A host with a managed identity, and the pretend vault that it opens."""

from __future__ import annotations

import ssl
import time as real
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.oidc.issue import SECOND, Issuer
from bot.oidc.rings import Rings
from bot.oidc.vault import KeyVault
from bot.sim.world import Options, World
from tests.oidc.ground import ISSUER, Time, rings_in


@dataclass
class Host:
    """Where Miso runs: its clock, its directory, and the vault that its identity opens."""

    world: World
    time: Time
    directory: Path
    stack: AsyncExitStack

    async def vault(self, **changes: Any) -> KeyVault:
        context = ssl.create_default_context(cafile=self.world.addresses.ca_file)
        connector = aiohttp.TCPConnector(ssl=context)
        session = await self.stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, auto_decompress=False)
        )
        opened = KeyVault(changes.pop("url", self.world.addresses.vault), session, **changes)
        self.stack.push_async_callback(opened.close)
        return opened

    async def rings(self, **changes: Any) -> Rings:
        given = {"vault": await self.vault()} | changes
        return await rings_in(self.directory, self.time, **given)

    async def issuer(self, **changes: Any) -> Issuer:
        return Issuer(ISSUER, await self.rings(**changes), self.time.now_us, client_id="miso")

    def asked(self, server: str = "vault") -> list[str]:
        return [f"{e.method} {e.path}" for e in self.world.wire.exchanges if e.server == server and e.status != 401]

    def versions(self, name: str) -> list[dict[str, Any]]:
        return self.world.vault.listing()[name]


@asynccontextmanager
async def hosted(directory: Path) -> AsyncIterator[Host]:
    """A world on the host's clock, for as long as the block lasts."""
    time = Time()
    async with World.running(Options(clock=lambda: time.us / SECOND)) as world, AsyncExitStack() as stack:
        world.identity._clock = real.time  # the SDK keeps tokens by the clock of the machine
        yield Host(world, time, directory, stack)
