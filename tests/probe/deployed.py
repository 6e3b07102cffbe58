"""A deployed application for probes to ask, and windows that look names up as a test says."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from bot.domain.model import ProbeResult
from bot.probe import ProbeWindow

HOST = "shop.azurewebsites.net"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Deployed:
    """An application behind TLS, on loopback, with a certificate for its own name."""

    address: tuple[str, int]
    trust: ssl.SSLContext
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Host header and path with query."""

    def window(self, *, timeout: float = 5.0, allow_local: bool = False) -> ProbeWindow:
        patterns = {"*.azurewebsites.net": self.address}
        return ProbeWindow(ssl_context=self.trust, connect_to=patterns, timeout=timeout, allow_local=allow_local)

    async def ask(self, path: str = "/", *, host: str = HOST, timeout: float = 5.0) -> ProbeResult:
        return await self.window(timeout=timeout).ask(host, path, port=443, tls=True)


Deploy = Callable[[Handler], Awaitable[Deployed]]


def answers(status: int, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text="token=hunter2", headers=headers)

    return handler


def resolving(*addresses: str) -> Callable[[str], Awaitable[Sequence[str]]]:
    async def lookup(host: str) -> Sequence[str]:
        return addresses

    return lookup


def plain(*addresses: str, allow_local: bool = False) -> ProbeWindow:
    context = ssl.create_default_context()
    return ProbeWindow(ssl_context=context, lookup=resolving(*addresses), allow_local=allow_local, timeout=2.0)
