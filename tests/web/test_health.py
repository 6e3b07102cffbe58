"""Health answers say what is so: ready only when every check says so in time, and never why not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.web import health


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def broken() -> bool:
    raise RuntimeError("password=hunter2")


async def never() -> bool:
    await asyncio.Event().wait()
    return True


async def ask(checks: Mapping[str, health.Check], path: str = "/readyz") -> tuple[int, Any]:
    app = web.Application()
    app.add_routes(health.routes(checks, timeout=0.05))
    async with TestClient(TestServer(app)) as client, client.get(path) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.json()


async def test_ready_when_every_check_is() -> None:
    assert await ask({"store": yes, "worker": yes}) == (200, {"ready": True, "checks": {"store": True, "worker": True}})


async def test_one_that_fails_raises_or_hangs_is_not_ready() -> None:
    status, body = await ask({"good": yes, "bad": no, "broken": broken, "hangs": never})
    assert status == 503
    assert body == {"ready": False, "checks": {"good": True, "bad": False, "broken": False, "hangs": False}}


async def test_live_does_not_depend_on_the_outside() -> None:
    assert await ask({"bad": no}, "/livez") == (200, {"live": True})
