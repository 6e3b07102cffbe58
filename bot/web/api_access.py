"""`/api/v1/me`, `/tokens` and `/links`: who somebody is, which deploy tokens there are, who is which GitHub account.

Mounted by `bot.web.api`. Each door reads a small form and makes one call; who may do it is asked by the verb.
"""

from __future__ import annotations

import re

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Principal
from bot.domain.messages import refusal
from bot.domain.model import Actor, ActorKind
from bot.services import links, people, sessions, tokens
from bot.web import shown
from bot.web.api_bodies import NewLink, Unlink, read
from bot.web.doors import door, said

PAGE = 100
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""
    here = Access(miso)
    return [
        web.get("/api/v1/me", door(miso, here.me)),
        web.get("/api/v1/tokens", door(miso, here.tokens)),
        web.post("/api/v1/tokens/{sha256}/revoke", door(miso, here.revoke)),
        web.post("/api/v1/links", door(miso, here.link)),
        web.delete("/api/v1/links", door(miso, here.unlink)),
    ]


class Access:
    """The doors about who may come in."""

    def __init__(self, miso: Miso) -> None:
        self._miso = miso

    async def me(self, request: web.Request, principal: Principal) -> web.Response:
        if not principal.subject:
            return said(shown.me(principal))
        person = await people.read(self._miso, principal.subject)
        listed = await sessions.listing(self._miso, principal.subject)
        ends = next((each.until_us for each in listed if each.key == principal.session), 0)
        return said(shown.me(principal, name=person.told.name if person is not None else "", ends_us=ends))

    async def tokens(self, request: web.Request, principal: Principal) -> web.Response:
        """A page of them; `after` of the answer is where the next one begins."""
        after, where = request.query.get("after", ""), request.query.get("environment_id", "")
        listed = await tokens.listing(self._miso, principal, environment_id=where, after=after, limit=PAGE)
        following = listed[-1].sha256 if len(listed) == PAGE else None
        return said({"tokens": [shown.token(each) for each in listed], "after": following})

    async def revoke(self, request: web.Request, principal: Principal) -> web.Response:
        which = request.match_info["sha256"]
        if not _HASH.fullmatch(which):
            raise refusal(Code.NOT_FOUND)
        return said(shown.token(await tokens.revoke(self._miso, principal, which)))

    async def link(self, request: web.Request, principal: Principal) -> web.Response:
        """An administrator says which GitHub account an identity from elsewhere is."""
        body = await read(request, NewLink)
        account = Actor(kind=ActorKind.PERSON, id=body.github_id, login=body.login)
        await links.put(self._miso, principal, body.subject, account)
        return said({"subject": body.subject, "github": shown.actor(account)}, status=201)

    async def unlink(self, request: web.Request, principal: Principal) -> web.Response:
        body = await read(request, Unlink)
        if not await links.remove(self._miso, principal, body.subject):
            raise refusal(Code.NOT_FOUND)
        return web.Response(status=204, headers={"Cache-Control": "no-store"})
