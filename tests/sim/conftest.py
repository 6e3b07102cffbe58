"""A pretend GitHub with one repository, an App that talks to it by gidgethub, and a hook that listens."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gidgethub.aiohttp import GitHubAPI

from bot.sim.world import Options, World
from tests.contracts import github

REPO = "acme/shop"
SECRET = "hook secret"
VERSION = {"X-GitHub-Api-Version": "2022-11-28"}


@dataclass
class Hook:
    """What arrived at the App's webhook, in order. `status` is what it answers."""

    url: str = ""
    status: int = 202
    seen: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    guids: list[str] = field(default_factory=list)
    unsigned: int = 0

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.unsigned += request.headers["X-Hub-Signature-256"] != expected
        payload = json.loads(body)
        self.seen.append((request.headers["X-GitHub-Event"], payload.get("action", ""), payload))
        self.guids.append(request.headers["X-GitHub-Delivery"])
        return web.Response(status=self.status)

    def names(self) -> list[str]:
        return [f"{event}.{action}".rstrip(".") for event, action, _ in self.seen]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [payload for name, _, payload in self.seen if name == event]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    listening = Hook()
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/hook", listening.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listening.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield listening
    await runner.cleanup()


@pytest.fixture
async def world(hook: Hook) -> AsyncIterator[World]:
    """Every exchange is held to the official description; a test that breaks it on purpose clears the list."""
    options = Options(webhook_url=hook.url, webhook_secret=SECRET, observers=(github.check,))
    async with World.running(options) as running:
        running.github.create_repository(
            REPO,
            collaborators={"ann": "admin", "bea": "write", "cid": "read"},
            files={".github/miso.yml": "image: shop\n", "src/app.py": "print(1)\n"},
        )
        running.github.install_app("acme")
        yield running
        await running.delivered()
        assert running.wire.violations == []
        assert hook.unsigned == 0


@dataclass
class App:
    """The App as a client: `jwt` for itself, `token` for an installation, `api` with such a token."""

    world: World
    session: aiohttp.ClientSession

    def jwt(self, **claims: Any) -> str:
        now = int(time.time())
        key = load_pem_private_key(Path(self.world.addresses.app_key_file).read_bytes(), password=None)
        payload = {"iat": now - 60, "exp": now + 540, "iss": str(self.world.addresses.app_id)} | claims
        return jwt.encode(payload, key, algorithm="RS256")  # type: ignore[arg-type]  # the key is RSA

    async def ask(
        self, method: str, path: str, *, bearer: str | None = None, body: Any = None, headers: Any = None
    ) -> tuple[int, Any, Any]:
        """Status, headers and JSON of one request, whatever the status."""
        whole = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = path if path.startswith("http") else self.world.addresses.github + path
        async with self.session.request(
            method, url, json=body, headers=VERSION | whole | (headers or {}), allow_redirects=False
        ) as answer:
            raw = await answer.read()
            return answer.status, answer.headers, json.loads(raw) if raw else None

    async def status(self, method: str, path: str, body: Any) -> int:
        """What the repository answers to a token with every permission."""
        status, _, _ = await self.ask(method, f"/repos/{REPO}/{path}", bearer=await self.token(), body=body)
        return status

    async def token(self, repositories: list[int] | None = None, **permissions: str) -> str:
        body: dict[str, Any] = {"permissions": permissions} if permissions else {}
        if repositories is not None:
            body["repository_ids"] = repositories
        installation = next(iter(self.world.state.installations))
        path = f"/app/installations/{installation}/access_tokens"
        status, _, data = await self.ask("POST", path, bearer=self.jwt(), body=body)
        assert status == 201, data
        return str(data["token"])

    async def api(self, **permissions: str) -> GitHubAPI:
        return GitHubAPI(
            self.session,
            "miso",
            oauth_token=await self.token(None, **permissions),
            base_url=self.world.addresses.github,
        )


@pytest.fixture
async def app(world: World) -> AsyncIterator[App]:
    async with aiohttp.ClientSession() as session:
        yield App(world, session)


@pytest.fixture
async def gh(app: App) -> GitHubAPI:
    return await app.api()
