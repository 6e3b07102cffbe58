"""`/api/v1/promotions`: ask for a promotion, follow it, say a word about it.

`bot.app` mounts `routes`, those of `bot.web.api_access` among them. Whoever calls is known by `bot.web.auth`: a
workflow by its deploy token, a person by a session or the command line's token. A door here reads a small form and
makes one call; errors are problem details (RFC 9457) with the decision rule by rule.
"""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Deed, Principal
from bot.domain.messages import refusal
from bot.domain.promotion import is_open
from bot.errors import Refused
from bot.services import asking
from bot.services.asking import Seen, Wanted
from bot.web import api_access, shown
from bot.web.api_bodies import NewPromotion, Said, cause_of, number, read
from bot.web.doors import door, said
from bot.web.shown import PROMOTIONS

LONGEST_WAIT = 30
"""Seconds that one question may wait for news."""
MOST_WAITING = 64
"""Questions that wait at once; the others are answered as things stand."""
WORDS = {"approve": Deed.APPROVE, "reject": Deed.REJECT, "revoke": Deed.REVOKE, "cancel": Deed.CANCEL}
_STREAM = re.compile(r"promotion-[0-9a-f]{24}", re.ASCII)


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""
    here = Promotions(miso)
    return [
        web.get("/api/v1/applications", door(miso, here.applications)),
        web.post(PROMOTIONS, door(miso, here.promote)),
        web.get(PROMOTIONS + "/{id}", door(miso, here.look)),
        web.post(PROMOTIONS + "/{id}/{word:approve|reject|revoke|cancel}", door(miso, here.say)),
        *api_access.routes(miso),
    ]


class Promotions:
    """The doors about promotions."""

    def __init__(self, miso: Miso) -> None:
        self._miso = miso
        self._waiting = asyncio.Semaphore(MOST_WAITING)

    async def applications(self, request: web.Request, principal: Principal) -> web.Response:
        """What runs where, and what waits."""
        found = await asking.overview_of(self._miso, principal)
        return said({"applications": [shown.application(each) for each in found]})

    async def promote(self, request: web.Request, principal: Principal) -> web.Response:
        body = await read(request, NewPromotion)
        if body.break_glass != bool(body.reason.strip()):
            raise refusal(Code.REASON_MISSING) if body.break_glass else refusal(Code.REQUEST_MALFORMED, word="reason")
        wanted = Wanted(
            application_id=body.application_id,
            environment_id=body.environment_id,
            commit=body.commit or "",
            rollback=body.rollback,
            break_glass=body.reason,
            cause=cause_of(request, principal),
        )
        return self._told(await asking.promote(self._miso, principal, wanted), status=202)

    async def look(self, request: web.Request, principal: Principal) -> web.Response:
        """With `wait`, as soon as its story goes on from `version`, or from where it stands."""
        stream, seconds = _stream(request), number(request, "wait", LONGEST_WAIT)
        seen = await asking.look(self._miso, principal, stream)
        version = number(request, "version", 2**31) or seen.promotion.head_seq
        news = seen.promotion.head_seq != version or not is_open(seen.promotion)
        if seconds and not news and not self._waiting.locked():
            async with self._waiting:
                seen = await self._news(principal, seen, seconds)
        return self._told(seen)

    async def say(self, request: web.Request, principal: Principal) -> web.Response:
        stream, deed = _stream(request), WORDS[request.match_info["word"]]
        body, cause = await read(request, Said), cause_of(request, principal)
        commit, reason = body.commit or "", body.reason
        seen = await asking.say(self._miso, principal, stream, deed, commit=commit, reason=reason, cause=cause)
        return self._told(seen)

    async def _news(self, principal: Principal, seen: Seen, seconds: int) -> Seen:
        store, stream = self._miso.store, seen.promotion.stream
        try:
            async with asyncio.timeout(seconds):
                await store.changed(0)  # from here on no row is missed: see the store's alarm clock
                while (now := await asking.look(self._miso, principal, stream)).promotion == seen.promotion:
                    await store.changed(LONGEST_WAIT)
                return now
        except (TimeoutError, Refused):
            return seen  # a token that ran out meanwhile is told so at the next question

    def _told(self, seen: Seen, *, status: int = 200) -> web.Response:
        url, now = self._miso.rules.public_url, self._miso.clock.now_us()
        body = shown.promotion(seen, public_url=url, now_us=now)
        headers = {"Location": f"{PROMOTIONS}/{seen.promotion.stream}"} if status == 202 else {}
        return said(body, status=status, headers=headers)


def _stream(request: web.Request) -> str:
    if not _STREAM.fullmatch(request.match_info["id"]):
        raise refusal(Code.NOT_FOUND)
    return request.match_info["id"]
