"""What every pretend server shares: faults per route, a log of what was exchanged, and contract observers.

Each server is an `aiohttp.web.Application` made with `middlewares=[wire.middleware("github")]`. Faults are matched
against `"<server> <METHOD> <path>"`; observers see each finished exchange and return what they found wrong with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FaultKind = Literal["status", "drop", "act_then_drop", "delay", "huge", "garbage", "stuck", "unhealthy"]
JUDGED_HERE = ("status", "drop", "act_then_drop", "delay", "huge", "garbage")
HUGE_CHUNK, HUGE_CHUNKS = b" " * 65536, 512


@dataclass
class Fault:
    """One thing that goes wrong. `route` is a regular expression searched in "<server> <METHOD> <path>".

    status: answer `status` with `headers` and `body` instead of acting.   drop: close the socket before acting.
    act_then_drop: act, then close the socket.   delay: wait `seconds`, then act.
    huge: answer 200 with 32 MiB of white space.   garbage: answer 200 with a page that is not what was asked for.
    stuck, unhealthy: not judged here; the pretend Azure reads them by `Wire.active`.
    `times`: how often it strikes (None: until removed); `skip`: how many matching requests pass first.
    """

    route: str
    kind: FaultKind
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0
    times: int | None = 1
    skip: int = 0
    struck: int = 0

    def strikes(self, name: str) -> bool:
        if not re.search(self.route, name):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as an observer and the demo's final check see them."""

    server: str
    method: str
    path: str
    query: dict[str, str]
    request_headers: dict[str, str]
    request_body: bytes
    status: int
    response_headers: dict[str, str]
    response_body: bytes

    def request_json(self) -> Any:
        return json.loads(self.request_body) if self.request_body else None

    def response_json(self) -> Any:
        return json.loads(self.response_body) if self.response_body else None


Observer = Callable[[Exchange], list[str]]


class Wire:
    """Faults, log and observers of one pretend world."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.exchanges: list[Exchange] = []
        self.observers: list[Observer] = []
        self.violations: list[str] = []
        self.keep_exchanges = True

    def active(self, kind: FaultKind, name: str) -> bool:
        """Whether a fault of this kind strikes now; each True counts as one strike."""
        return any(fault.kind == kind and fault.strikes(name) for fault in self.faults)

    def middleware(self, server: str) -> Any:
        @web.middleware
        async def judged(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = f"{server} {request.method} {request.path}"
            body = await request.read()
            fault = next(
                (f for f in self.faults if f.kind in JUDGED_HERE and f.strikes(name)),
                None,
            )
            response: web.StreamResponse
            if fault and fault.kind == "drop":
                self._record(server, request, body, web.Response(status=599))
                return _hang_up(request)
            if fault and fault.kind == "status":
                response = web.json_response(
                    fault.body if fault.body is not None else {"message": "injected fault"},
                    status=fault.status,
                    headers=fault.headers,
                )
                self._record(server, request, body, response, judged=False)
                return response
            if fault and fault.kind in ("huge", "garbage"):
                response = await (_huge(request) if fault.kind == "huge" else _garbage())
                self._record(server, request, body, response, judged=False)
                return response
            if fault and fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            try:
                response = await handler(request)
            except web.HTTPException as answer:
                response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
            self._record(server, request, body, response)
            if fault and fault.kind == "act_then_drop":
                return _hang_up(request)
            return response

        return judged

    def _record(
        self, server: str, request: web.Request, body: bytes, response: web.StreamResponse, judged: bool = True
    ) -> None:
        if not self.keep_exchanges and not self.observers:
            return
        payload = response.body if isinstance(response, web.Response) else b""
        exchange = Exchange(
            server=server,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            request_headers={k.lower(): v for k, v in request.headers.items()},
            request_body=body,
            status=response.status,
            response_headers={k.lower(): v for k, v in response.headers.items()},
            response_body=payload if isinstance(payload, bytes) else b"",
        )
        self.note(exchange, judged=judged and response.status != 599)

    def note(self, exchange: Exchange, *, judged: bool = True) -> None:
        """Keep an exchange and let the observers judge it; also for what the world itself sends (webhooks)."""
        if self.keep_exchanges:
            self.exchanges.append(exchange)
        if judged:
            name = f"{exchange.server} {exchange.method} {exchange.path}"
            for observer in self.observers:
                self.violations += [f"{name}: {fault}" for fault in observer(exchange)]


async def _huge(request: web.Request) -> web.StreamResponse:
    """No length is announced, so that only who counts while reading finds out."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(HUGE_CHUNKS):
            await response.write(HUGE_CHUNK)
    return response


async def _garbage() -> web.Response:
    return web.Response(text="<!doctype html><title>Maintenance</title>", content_type="text/html")


def _hang_up(request: web.Request) -> web.Response:
    """Close the socket without a byte of answer, as a lost connection looks to a client."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
