"""A counter where somebody signs in: as much of a Miso as the command line talks to, scripted answer by answer.

For what the real one does only after minutes, or never when it is well: slowing down, failing, breaking off.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = tuple[int, Any]
ME = {
    "subject": "entra:t:ann",
    "name": "Ann Example",
    "github": {"id": 11, "login": "ann"},
}


def oauth_error(name: str, code: str = "", status: int = 400) -> Answer:
    return status, {"error": name, "error_description": f"It is {name}.", "code": code or name, "hint": "Look."}


def problem(status: int, code: str, **more: Any) -> Answer:
    return status, {"code": code, "detail": f"It is {code}.", "hint": "Look.", **more}


@dataclass
class Counter:
    """What it answers, by route, in turn; and what it was asked."""

    script: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    begun: dict[str, Any] = field(default_factory=dict)
    slow: float = 0.0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    _number: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _good: str = ""
    used: set[str] = field(default_factory=set)

    def tokens(self, **more: Any) -> Answer:
        """A new pair, the only one that is good from now on."""
        number = next(self._number)
        self._good = f"misoa_{number:043}"
        return 200, {
            "access_token": self._good,
            "refresh_token": f"misor_{number:043}",
            "token_type": "Bearer",
            "expires_in": 900,
            **more,
        }

    def to(self, path: str) -> list[dict[str, Any]]:
        """What was sent to a route."""
        return [body for asked, _, body in self.asked if asked.endswith(path)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = request.content_type == "application/x-www-form-urlencoded"
        body = {**await request.post()} if form else (await request.json() if request.can_read_body else {})
        route = f"{request.method} {request.path}"
        self.asked.append((route, dict(request.headers), body))
        self.came.set()
        if self.slow:
            await asyncio.sleep(self.slow)
        waiting = self.script.get(route, [])
        status, said = waiting.pop(0) if waiting else self._usual(route, request, body)
        if isinstance(said, str):
            return web.Response(text=said, status=status, headers={"Location": "https://elsewhere.example/"})
        return web.json_response(said, status=status, headers={"Retry-After": "7"} if status == 429 else None)

    def _usual(self, route: str, request: web.Request, body: dict[str, Any]) -> Answer:
        match route.split(" "):
            case ["POST", "/oidc/device_authorization"]:
                return 200, {
                    "device_code": "d" * 43,
                    "user_code": "BCDF-GHJK",
                    "verification_uri": f"{self.url}/device",
                    "expires_in": 600,
                    "interval": 5,
                    **self.begun,
                }
            case ["POST", "/oidc/token"] if body.get("grant_type") == "refresh_token":
                if body["refresh_token"] in self.used:
                    return oauth_error("invalid_grant", "refresh_reused")
                self.used.add(body["refresh_token"])
                return self.tokens()
            case ["POST", "/oidc/token"]:
                return self.tokens()
            case ["POST", "/oidc/revoke"]:
                return 200, {}
            case ["GET", "/api/v1/me"]:
                if request.headers.get("Authorization") != f"Bearer {self._good}":
                    return problem(401, "session_ended")
                return 200, ME
        return problem(404, "not_found")


@asynccontextmanager
async def standing() -> AsyncIterator[Counter]:
    """The counter, open on loopback."""
    counter = Counter()
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", counter.answer)
    async with TestServer(served) as server:
        counter.url = str(server.make_url("")).rstrip("/")
        yield counter
