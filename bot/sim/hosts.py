"""The deployed applications of the pretend world: one server for every host name, answering as its image would.

It asks the pretend ARM what runs under the Host header. The same application is served with and without TLS.
"""

from __future__ import annotations

import asyncio
from html import escape

from aiohttp import web

from bot.sim.azure import Arm
from bot.sim.azure.state import Running
from bot.sim.wire import Wire

HUGE = 1024 * 1024
"""Bytes of the answer of an image marked "huge"."""
SLOW_SECONDS = 30.0


class Hosts:
    """`slow_seconds` is how long an image marked "slow" takes to answer."""

    def __init__(self, wire: Wire, arm: Arm, *, slow_seconds: float = SLOW_SECONDS) -> None:
        self.slow_seconds = slow_seconds
        self._wire = wire
        self._arm = arm

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("hosts")])
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        running = self._arm.running_at(request.host)
        if running is None:
            return web.Response(status=404, text="404 Web Site not found.")
        if running.https_only and request.scheme == "http":
            return web.Response(status=301, headers={"Location": f"https://{request.host}{request.path_qs}"})
        broken = self._wire.active("unhealthy", f"hosts {request.method} {request.host}{request.path}")
        identity = "held by the resource"
        if running.behaviour == "crash" or await self._arm.pull(running.image, identity) is None:
            return web.Response(status=503, text="Application Error")
        if broken or running.behaviour == "unhealthy":
            return web.json_response({"status": "unhealthy"}, status=503)
        return await self._behave(request, running)

    async def _behave(self, request: web.Request, running: Running) -> web.Response:
        if running.behaviour == "redirect":
            return web.Response(status=302, headers={"Location": "http://169.254.169.254/metadata"})
        if running.behaviour == "huge":
            return web.Response(body=b"x" * HUGE, content_type="text/plain")
        if running.behaviour == "slow":
            await asyncio.sleep(self.slow_seconds)
        if request.path != "/":
            return web.json_response({"status": "ok", "image": running.digest})
        where = f"slot {running.slot}" if running.slot else "production"
        page = (
            f"<!doctype html><title>{escape(running.name)}</title><h1>{escape(running.name)}</h1>"
            f"<p>{escape(where)}</p><pre>{escape(running.digest)}</pre>"
        )
        return web.Response(text=page, content_type="text/html")
