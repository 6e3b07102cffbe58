"""A pretend company under measurement: its world in one process, the controller in another, its webhooks in our hands.

Used by `promoting`. Webhooks of the pretend GitHub come here first, so that the one that is measured can be held until
everything else is quiet, and its moment is known.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bot.sim import scenarios
from bot.sim.client import SimClient
from bot.sim.scenarios import REPOSITORY
from bot.store.sqlite import SqliteStore
from tests.bench import settings
from tests.bench.processes import Child, child, free_port

ISSUER = "https://token.actions.githubusercontent.com"
LONGEST_SECONDS = 60.0
QUIET_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the controller to the outside, in monotonic seconds."""

    method: str
    host: str
    path: str
    status: int
    begun: float
    sent: float
    ended: float
    state: str
    """Of a deployment status, what it says."""


@dataclass
class Company:
    """One world and one controller."""

    world: Mapping[str, Any]
    sim: SimClient
    controller: Child
    store: Path
    hook: str
    public_url: str
    session: aiohttp.ClientSession
    requests: list[Request] = field(default_factory=list)
    held: asyncio.Queue[tuple[bytes, dict[str, str]]] = field(default_factory=asyncio.Queue)
    hold: bool = False
    calm: float = QUIET_SECONDS
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def webhook(self, request: web.Request) -> web.Response:
        """Pass a webhook on, or keep a finished build for `build`."""
        body, headers = await request.read(), _github_headers(request)
        if self.hold and headers["X-GitHub-Event"] == "workflow_run" and b'"action":"completed"' in body:
            self.held.put_nowait((body, headers))
        else:
            await self.deliver(body, headers)
        return web.Response(status=202)

    async def deliver(self, body: bytes, headers: Mapping[str, str]) -> float:
        """Send one webhook to the controller; the moment at which it was begun."""
        began = time.monotonic()
        async with self.session.post(self.hook, data=body, headers=headers) as answer:
            answer.raise_for_status()
        return began

    async def listen(self) -> None:
        """Take down what the controller asks, for as long as it runs."""
        while True:
            self.requests.append(Request(**await self.controller.line(3600)))
            self.heard.set()

    async def build(self, title: str) -> tuple[int, float]:
        """A change is merged and built. Gives the pull request's number and the moment when its webhook was sent."""
        pull = await scenarios.merge_change(self.sim, title)
        await self.sim.delivered()
        self.hold = True
        await scenarios.build(self.sim, pull["merge_commit_sha"])
        await self.sim.delivered()
        self.hold = False
        body, headers = await self.held.get()
        await asyncio.sleep(0.05)
        return int(pull["number"]), await self.deliver(body, headers)

    async def says(self, who: str, text: str, *, on: int) -> None:
        await self.sim.comment(REPOSITORY, on, who, text)

    async def until(self, since: int, state: str) -> None:
        """Until a deployment status says `state` in a request after the first `since` ones."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while not any(request.state == state for request in self.requests[since:]):
                self.heard.clear()
                await self.heard.wait()

    async def quiet(self) -> None:
        """Until nothing was asked for `calm` seconds: what is measured next begins idle."""
        with suppress(TimeoutError):
            while True:
                self.heard.clear()
                async with asyncio.timeout(self.calm):
                    await self.heard.wait()

    @property
    def arm(self) -> str:
        return str(self.world["arm"]).removeprefix("https://")

    @property
    def github(self) -> str:
        return str(self.world["github"]).removeprefix("http://")


@asynccontextmanager
async def running(folder: Path, **changed: str) -> AsyncIterator[Company]:
    """A company at work. `changed`: settings of the controller other than those of `settings.controller`."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        directory = folder / "world"
        world_process = await stack.enter_async_context(
            child("bot.sim", "--no-record", "--webhook-secret", settings.SECRET, "--directory", str(directory))
        )
        world = await world_process.line()
        port = free_port()
        given = settings.controller(world, data=folder / "data", port=port)
        given |= {f"MISO_{name}": value for name, value in changed.items()}
        sim = await stack.enter_async_context(SimClient(world["control"]))
        shop = await scenarios.open_shop(sim, issuer=given["MISO_PUBLIC_URL"], registry=world["registry"])
        catalog = folder / "config" / "catalog"
        catalog.mkdir(parents=True)
        (catalog / "shop.yml").write_text(shop.registration)
        (catalog.parent / "policy.yml").write_text(_shipped("policy.yml"))
        (catalog.parent / "trust").mkdir()
        trust = _shipped("trust/github.yml").replace(f"issuer: {ISSUER}", f"issuer: {world['actions']}", 1)
        (catalog.parent / "trust" / "github.yml").write_text(trust)
        given["MISO_CONFIG_DIR"] = str(catalog.parent)
        controller = await stack.enter_async_context(child("tests.bench.servers", "serve", environment=given))
        await controller.line()
        company = Company(
            world=world,
            sim=sim,
            controller=controller,
            store=folder / "data" / "miso.sqlite",
            hook=f"http://127.0.0.1:{port}/github/webhooks",
            public_url=given["MISO_PUBLIC_URL"],
            session=session,
        )
        await _receive(stack, company)
        listening = asyncio.create_task(company.listen())
        stack.callback(listening.cancel)
        yield company


async def _receive(stack: AsyncExitStack, company: Company) -> None:
    application = web.Application(client_max_size=1024 * 1024)
    application.router.add_post("/", company.webhook)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await company.sim.deliver_to(f"http://127.0.0.1:{port}/")


def _shipped(name: str) -> str:
    """A file of the checkout's configuration: nothing is measured under easier rules."""
    return (Path(__file__).parents[2] / "config" / name).read_text()


def _github_headers(request: web.Request) -> dict[str, str]:
    kept = ("User-Agent", "Content-Type", "Accept")
    return {k: v for k, v in request.headers.items() if k in kept or k.startswith(("X-GitHub", "X-Hub"))}


@dataclass(frozen=True, kw_only=True)
class Start:
    """From a promotion's first row, or its last approval, to the row that says it began; monotonic seconds."""

    asked: float
    begun: float

    def alone(self, requests: Sequence[Request]) -> float:
        """Seconds of it in which no question to the outside was under way."""
        left, free = self.begun - self.asked, self.asked
        questions = (each for each in requests if each.method in ("GET", "HEAD"))
        for each in sorted(questions, key=lambda each: each.begun):
            begun, ended = max(each.begun, free), min(each.ended, self.begun)
            if begun < ended:
                left, free = left - (ended - begun), ended
        return left


async def starts(store: Path) -> list[Start]:
    """Of every promotion that began without a pause, as the journal tells it."""
    opened = await SqliteStore.open(store, clock_us=lambda: time.time_ns() // 1000)
    monotonic = time.time() - time.monotonic()
    try:
        found = []
        for promotion in await opened.promotions(limit=1000):
            rows = await opened.stream(promotion.stream)
            begun = next((at for at, row in enumerate(rows) if row.kind == "deploy.started"), 0)
            if begun and not any(row.kind == "promotion.paused" for row in rows[:begun]):
                asked_us, begun_us = rows[begun - 1].at_us, rows[begun].at_us
                found.append(Start(asked=asked_us / 1e6 - monotonic, begun=begun_us / 1e6 - monotonic))
        return found
    finally:
        await opened.close()
