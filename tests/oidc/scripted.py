"""An issuer on loopback that answers what a test says, for what no honest one would, and counts who asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from bot.sim.issuers.keyring import Keyring

DISCOVERY, JWKS = "/.well-known/openid-configuration", "/.well-known/jwks"


@dataclass
class Scripted:
    """`over` is laid over the discovery document, where None takes a member away; `answers` stand for a whole page."""

    url: str = ""
    ring: Keyring = field(default_factory=lambda: Keyring("scripted"))
    over: dict[str, Any] = field(default_factory=dict)
    keys: list[Any] | None = None
    answers: dict[str, web.Response] = field(default_factory=dict)
    seconds: float = 0.0
    down: bool = False
    seen: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        issuer = cls()
        app = web.Application()
        app.router.add_get("/{path:.*}", issuer._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield issuer
        finally:
            await runner.cleanup()

    @property
    def asked(self) -> int:
        """How often the keys were asked for."""
        return self.seen.count(JWKS)

    @property
    def kid(self) -> str:
        """Of the key that signs now."""
        return str(self.ring.published()[0]["kid"])

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path)
        await asyncio.sleep(self.seconds)
        if self.down:
            return web.Response(status=503)
        if request.path in self.answers:
            return self.answers[request.path]
        pages: Mapping[str, Any] = {
            DISCOVERY: laid_over({"issuer": self.url, "jwks_uri": self.url + JWKS}, self.over),
            JWKS: {"keys": self.ring.published() if self.keys is None else self.keys},
        }
        return web.json_response(pages[request.path]) if request.path in pages else web.Response(status=404)


def laid_over(whole: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}
