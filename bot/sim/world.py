"""The whole pretend world in one object: it makes every part, starts every server on loopback, and stops them.

Tests hold a `World` in their own process; `python -m bot.sim` holds one for the demo. What people do there stands in
`World.github` (verbs); what Azure holds stands in `World.arm`, `entra`, `registry` and `hosts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.sim.actions import ActionsIssuer
from bot.sim.azure import Arm
from bot.sim.control import Wires, control
from bot.sim.entra import Entra
from bot.sim.github.events import Events
from bot.sim.github.guest import APP_EVENTS, APP_PERMISSIONS, AppIdentity
from bot.sim.github.pages import pages
from bot.sim.github.routing import GitHub
from bot.sim.github.scenario import Scenario
from bot.sim.github.server import application
from bot.sim.github.state import State
from bot.sim.github.webhooks import Webhooks
from bot.sim.hosts import Hosts
from bot.sim.issuers.azure_devops import AzureDevOps
from bot.sim.issuers.gitlab import GitLab
from bot.sim.issuers.keyring import signing_key
from bot.sim.provider import Provider
from bot.sim.registry import Registry
from bot.sim.tls import Authority
from bot.sim.vault import HostIdentity, Vault
from bot.sim.wire import Observer, Wire

SERVERS = (
    "github",
    "web",
    "actions",
    "devops",
    "gitlab",
    "entra",
    "provider",
    "arm",
    "vault",
    "identity",
    "registry",
    "apps_http",
    "apps_https",
    "control",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the world is to be. `ports`: by server name, a missing one or 0 is any free port."""

    host: str = "127.0.0.1"
    ports: Mapping[str, int] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_secret: str = field(default="a secret of the pretend world", repr=False)
    app_id: int = 4242
    app_slug: str = "miso"
    app_permissions: Mapping[str, str] = field(default_factory=lambda: dict(APP_PERMISSIONS))
    app_events: tuple[str, ...] = APP_EVENTS
    directory: Path | None = None
    """Where the CA and the App's key are written; a temporary folder otherwise, gone at the end."""
    keep_exchanges: bool = True
    observers: tuple[Observer, ...] = ()
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where everything is: URLs without a trailing slash, ports as numbers, files as paths."""

    github: str
    web: str
    actions: str
    devops: str
    gitlab: str
    entra: str
    provider: str
    arm: str
    vault: str
    identity: str
    """Of the host's managed identity: AZURE_POD_IDENTITY_AUTHORITY_HOST, or IDENTITY_ENDPOINT with `/msi/token`."""
    registry: str
    apps_http: int
    apps_https: int
    control: str
    ca_file: str
    app_id: int
    app_slug: str
    app_key_file: str
    webhook_secret: str = field(repr=False)
    identity_header: str = field(repr=False)
    """IDENTITY_HEADER of an App Service."""


class World:
    """Made by `running`; every part is an attribute."""

    addresses: Addresses

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self.wire = Wire()
        self.wire.keep_exchanges = options.keep_exchanges
        self.wire.observers += options.observers
        self.authority = Authority(directory)
        self.app_key_file = directory / "app.private-key.pem"
        key = signing_key("app")
        self.app_key_file.touch(mode=0o600)
        self.app_key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        app = AppIdentity(
            id=options.app_id,
            slug=options.app_slug,
            public_key=key.public_key(),
            permissions=dict(options.app_permissions),
            events=options.app_events,
        )
        self.state = State(app, options.clock)
        self.webhooks = Webhooks(self.state, self.wire, url=options.webhook_url, secret=options.webhook_secret)
        self.github = Scenario(GitHub(self.state, Events(self.state, self.webhooks), self.webhooks))
        self.actions = ActionsIssuer(self.wire, self.github)
        self.devops = AzureDevOps(self.wire, clock=options.clock)
        self.gitlab = GitLab(self.wire, clock=options.clock)
        self.entra = Entra(self.wire, fetch=self._fetch, clock=options.clock)
        self.provider = Provider(self.wire, fetch=self._fetch, clock=options.clock)
        self.registry = Registry(self.wire, tokens=self.entra.principal)
        self.arm = Arm(self.wire, tokens=self.entra.principal, pull=self.registry.pull, clock=options.clock)
        self.hosts = Hosts(self.wire, self.arm)
        self.identity = HostIdentity(self.wire, clock=options.clock)
        self.vault = Vault(self.wire, self.identity, clock=options.clock)
        self.wires = Wires(self)
        self._client: aiohttp.ClientSession | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, options: Options | None = None) -> AsyncIterator[World]:
        """A world whose servers answer until the block ends."""
        chosen = options or Options()
        async with contextlib.AsyncExitStack() as stack:
            directory = chosen.directory
            if directory is None:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pretend-world-")))
            directory.mkdir(parents=True, exist_ok=True)
            world = cls(chosen, directory)
            await world._start(stack)
            yield world

    async def delivered(self) -> None:
        """Until every queued webhook was answered; held ones wait for their release."""
        await self.webhooks.delivered()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        connector = aiohttp.TCPConnector(ssl=self.authority.client())
        self._client = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        plain: dict[str, web.Application] = {
            "github": application(self.github.github, self.wire),
            "web": pages(self.github),
            "actions": self.actions.app(),
            "devops": self.devops.app(),
            "gitlab": self.gitlab.app(),
            "identity": self.identity.app(),
            "registry": self.registry.app(),
            "apps_http": self.hosts.app(),
            "control": control(self),
        }
        secure = {
            "entra": self.entra.app(),
            "provider": self.provider.app(),
            "arm": self.arm.app(),
            "vault": self.vault.app(),
            "apps_https": self.hosts.app(),
        }
        tls = self.authority.server()
        ports = {name: await self._serve(stack, name, app, None) for name, app in plain.items()}
        ports |= {name: await self._serve(stack, name, app, tls) for name, app in secure.items()}
        self.addresses = self._addresses(ports)
        self.state.api_url, self.state.web_url = self.addresses.github, self.addresses.web
        self.actions.url, self.provider.url = self.addresses.actions, self.addresses.provider
        self.devops.url, self.gitlab.url = self.addresses.devops, self.addresses.gitlab
        self.vault.url, self.vault.authority = self.addresses.vault, f"{self.addresses.entra}/common"
        sender = asyncio.create_task(self.webhooks.run())
        stack.push_async_callback(_stop, sender)

    async def _serve(
        self, stack: contextlib.AsyncExitStack, name: str, app: web.Application, tls: ssl.SSLContext | None
    ) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self.options.host, self.options.ports.get(name, 0), ssl_context=tls).start()
        return int(runner.addresses[0][1])

    def _addresses(self, ports: Mapping[str, int]) -> Addresses:
        host = self.options.host
        return Addresses(
            github=f"http://{host}:{ports['github']}",
            web=f"http://{host}:{ports['web']}",
            actions=f"http://{host}:{ports['actions']}",
            devops=f"http://{host}:{ports['devops']}",
            gitlab=f"http://{host}:{ports['gitlab']}",
            entra=f"https://{host}:{ports['entra']}",
            provider=f"https://{host}:{ports['provider']}",
            arm=f"https://{host}:{ports['arm']}",
            vault=f"https://{host}:{ports['vault']}",
            identity=f"http://{host}:{ports['identity']}",
            registry=f"{host}:{ports['registry']}",
            apps_http=ports["apps_http"],
            apps_https=ports["apps_https"],
            control=f"http://{host}:{ports['control']}",
            ca_file=str(self.authority.file),
            app_id=self.options.app_id,
            app_slug=self.options.app_slug,
            app_key_file=str(self.app_key_file),
            webhook_secret=self.options.webhook_secret,
            identity_header=self.identity.header,
        )

    async def _fetch(self, url: str) -> Any:
        """By which the pretend Entra and the other provider read the documents and keys of who comes to them."""
        if self._client is None:
            raise RuntimeError("the world is not running")
        async with self._client.get(url, allow_redirects=False) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
