"""A registry that answers whatever a test tells it to, and what the tests say to it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

from bot.domain.model import Environment, Stage, TargetKind
from bot.images import ImagesWindow

MANIFEST = b'{"schemaVersion":2}'
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
OTHER = "sha256:" + "ab" * 32


def environment(host: str = "") -> Environment:
    return Environment(
        id="0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10",
        application_id="a",
        github_name="dev",
        stage=Stage.DEV,
        tenant_id="the-tenant",
        client_id="c",
        subscription_id="s",
        resource_group="g",
        location="westeurope",
        target=TargetKind.WEB_APP,
        name="shop",
        registry=host,
    )


def window(session: ClientSession, host: str, **more: Any) -> ImagesWindow:
    return ImagesWindow(session, registries={host: host}, allow_local=True, **more)


@dataclass
class Scripted:
    """A registry that does what the test says, and remembers what it was asked."""

    manifest: Callable[[web.Request], Awaitable[web.StreamResponse]]
    token: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """method, path with query, Authorization."""
    forms: list[dict[str, str]] = field(default_factory=list)
    host: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path_qs, request.headers.get("Authorization", "")))
        if request.method == "POST":
            self.forms.append({key: str(value) for key, value in (await request.post()).items()})
        if request.path.startswith("/v2/"):
            return await self.manifest(request)
        assert self.token is not None
        return await self.token(request)


Start = Callable[[Scripted], Awaitable[Scripted]]


def found(digest: str | None = DIGEST) -> web.Response:
    return web.Response(body=MANIFEST, headers={"Docker-Content-Digest": digest} if digest else {})


def wants_token(realm: str, service: str = "the-service") -> web.Response:
    challenge = f'Bearer realm="{realm}",service="{service}",scope="repository:everything:push,pull"'
    return web.Response(status=401, headers={"WWW-Authenticate": challenge})


async def given(request: web.Request) -> web.Response:
    return found()
