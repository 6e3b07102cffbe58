"""`python -m tests.bench.servers empty|web|serve`: a server under measurement, in a process of its own.

`empty` is aiohttp with a handler that reads the body and keeps nothing. `web` is Miso's web application with its real
store and without its worker. `serve` is the whole controller; it tells each request that it makes to the outside as a
JSON line, with monotonic times that hold in every process of this machine.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from types import SimpleNamespace
from unittest.mock import patch

import aiohttp
from aiohttp import web

from bot import app, settings, telemetry
from tests.bench.processes import free_port, tell, until_input_closes


async def _listen(application: web.Application, port: int) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    tell(port=port)
    await until_input_closes()
    await runner.cleanup()


async def empty() -> None:
    """The yardstick: what this machine's aiohttp can do at most."""

    async def receive(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202)

    application = web.Application(client_max_size=1024 * 1024)
    application.router.add_post("/github/webhooks", receive)
    await _listen(application, free_port())


async def doors() -> None:
    """Intake alone: nobody takes out what is put into the inbox."""
    loaded = settings.load()
    telemetry.configure(level=loaded.log_level, form="json")
    async with app.building(loaded) as running:
        await _listen(running.web, loaded.listen.port)


async def serve() -> None:
    """Everything, as `miso serve` runs it."""
    loaded = settings.load()
    telemetry.configure(level=loaded.log_level, form="json")
    ready, stop = asyncio.Event(), asyncio.Event()
    traced = functools.partial(aiohttp.ClientSession, trace_configs=[_tracing()])
    with patch.object(aiohttp, "ClientSession", traced):
        serving = asyncio.create_task(app.serve(loaded, ready=ready, stop=stop))
        await ready.wait()
        tell(port=loaded.listen.port)
        await until_input_closes()
        stop.set()
        await serving


def _tracing() -> aiohttp.TraceConfig:
    """When each request began, left, and was answered, as a line when its answer is there."""
    config = aiohttp.TraceConfig()

    async def begun(_: object, context: SimpleNamespace, __: object) -> None:
        context.begun, context.sent, context.state = time.monotonic(), 0.0, ""

    async def sent(_: object, context: SimpleNamespace, __: object) -> None:
        context.sent = time.monotonic()

    async def chunk(_: object, context: SimpleNamespace, part: aiohttp.TraceRequestChunkSentParams) -> None:
        if part.method == "POST" and part.url.path.endswith("/statuses"):
            context.state = json.loads(part.chunk)["state"]

    async def ended(_: object, context: SimpleNamespace, answer: aiohttp.TraceRequestEndParams) -> None:
        tell(
            method=answer.method,
            host=answer.url.authority,
            path=answer.url.path,
            status=answer.response.status,
            begun=context.begun,
            sent=context.sent or context.begun,
            ended=time.monotonic(),
            state=context.state,
        )

    config.on_request_start.append(begun)
    config.on_request_headers_sent.append(sent)
    config.on_request_chunk_sent.append(chunk)
    config.on_request_end.append(ended)
    config.freeze()
    return config


if __name__ == "__main__":
    asyncio.run({"empty": empty, "web": doors, "serve": serve}[sys.argv[1]]())
