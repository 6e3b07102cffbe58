"""A door of the API: whoever calls is known before anything is read, and a refusal is a row and a problem document.

Used by `bot.web.api` and `bot.web.api_access` for each of their routes, so that none is open by mistake.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from bot.context import Miso
from bot.domain.identity import Principal
from bot.services import refusing
from bot.web import auth
from bot.web.problems import Handler, problem

Door = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]


def door(miso: Miso, handler: Door) -> Handler:
    """The handler behind whoever was let in."""

    @problem
    async def opened(request: web.Request) -> web.StreamResponse:
        who = await auth.require(miso, request)
        async with refusing.noted(miso, door=who.door, principal=who):
            return await handler(request, who)

    return opened


def said(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(dict(body), status=status, headers={"Cache-Control": "no-store", **(headers or {})})
