"""`/livez` and `/readyz`, for whoever restarts Miso or sends it traffic. They say what is so, and nothing about why.

`/livez` answers as long as the event loop turns: restarting is the cure for nothing else. `/readyz` asks each check
that `bot.app` names. Both are open to everybody, so they never show a message, a version or a host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from bot import telemetry

Check = Callable[[], Awaitable[bool]]

_NEVER_CACHED = {"Cache-Control": "no-store"}
_log = telemetry.logger(__name__)


def routes(checks: Mapping[str, Check], *, timeout: float = 2.0) -> list[web.RouteDef]:
    """Routes over named checks. One that says False, raises, or takes longer than `timeout` seconds is not ready."""

    async def live(request: web.Request) -> web.Response:
        return web.json_response({"live": True}, headers=_NEVER_CACHED)

    async def ready(request: web.Request) -> web.Response:
        answers = await asyncio.gather(*(_ask(name, check, timeout) for name, check in checks.items()))
        found = dict(zip(checks, answers, strict=True))
        everything = all(found.values())
        body = {"ready": everything, "checks": found}
        return web.json_response(body, status=200 if everything else 503, headers=_NEVER_CACHED)

    return [web.get("/livez", live), web.get("/readyz", ready)]


async def _ask(name: str, check: Check, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            return await check()
    except Exception as fault:  # noqa: BLE001 - whatever a check raises, the truthful answer is "not ready"
        _log.warning("readiness check failed", check=name, error=type(fault).__name__)
        return False
