"""`/sign-in`, `/sign-in/callback` and `/sign-out`: a browser gets a session, and gives it back.

Each makes one call. Where a sign-in leads is one of our own pages by name, never an address; the browser that begins
gets a cookie that only it can bring back with the answer. A session cookie is a number, and no script can read it.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.services import sessions, signing_in
from bot.services.refusing import note
from bot.services.signing_in import Begun
from bot.web import auth
from bot.web.pages import page

HOME: Final = "/account"
_OURS: Final = re.compile(
    r"(?!/(?:sign-in|sign-out|oidc|api)(?:/|$))(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){1,8}", re.ASCII
)
"""A path of ours that shows something: segments of plain letters, no query, no escapes, no dot or slash in front."""
_MOST = 20
"""Parameters of a callback."""


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""

    async def begin(request: web.Request) -> web.StreamResponse:
        to = request.query.get("to", HOME)
        if not is_ours(to):
            await note(miso, Code.REQUEST_MALFORMED, door="sign-in")
            raise refusal(Code.REQUEST_MALFORMED, word="to")
        # Somebody who is signed in only brings news of their groups: as a rule nobody need be asked anything.
        silent = await sessions.of_cookie(miso, auth.cookie_of(miso, request)) is not None
        return _away(miso, await signing_in.begin(miso, to=to, silent=silent))

    async def callback(request: web.Request) -> web.StreamResponse:
        answer = _once(request)
        found = await signing_in.finish(
            miso,
            answer,
            browser=auth.cookie_of(miso, request, "-signin"),
            cookie=auth.cookie_of(miso, request),
            agent=request.headers.get("User-Agent", ""),
        )
        if isinstance(found, Begun):
            return _away(miso, found)
        response = _to(miso, found.to)
        _put(miso, response, "", found.cookie, max_age=None)
        _put(miso, response, "-signin", "", max_age=0)
        return response

    async def end(request: web.Request) -> web.StreamResponse:
        who = await auth.maybe(miso, request)
        if who is None:
            return _gone(miso, everywhere=False)
        if not who.session:
            raise refusal(Code.DOOR_REFUSED)
        which = (await auth.form_of(request)).get("session", "") or who.session
        if which == "all":
            await sessions.end_all(miso, who)
            return _gone(miso, everywhere=True)
        if not await sessions.end(miso, who, which):
            raise refusal(Code.NOT_FOUND)
        return _gone(miso, everywhere=False) if which == who.session else _to(miso, HOME)

    return [
        web.get("/sign-in", begin, allow_head=False),
        web.get(signing_in.CALLBACK, callback, allow_head=False),
        web.post("/sign-out", end),
    ]


def is_ours(path: str) -> bool:
    """Whether a sign-in may lead there."""
    return len(path) <= 400 and _OURS.fullmatch(path) is not None


def _once(request: web.Request) -> dict[str, str]:
    """The parameters, each of which may stand there once."""
    if len(request.query) > _MOST or len(set(request.query)) != len(request.query):
        raise refusal(Code.SIGN_IN_STATE)
    return dict(request.query)


def _away(miso: Miso, begun: Begun) -> web.StreamResponse:
    response = web.Response(status=303, headers={"Location": begun.address})
    _put(miso, response, "-signin", begun.browser, max_age=signing_in.MINUTES * 60)
    return response


def _to(miso: Miso, path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": miso.rules.public_url + path})


def _gone(miso: Miso, *, everywhere: bool) -> web.StreamResponse:
    response = page("signed_out", miso.rules.public_url, everywhere=everywhere)
    _put(miso, response, "", "", max_age=0)
    return response


def _put(miso: Miso, response: web.Response, what: str, value: str, *, max_age: int | None) -> None:
    """A cookie of this host, for no script, sent with no form of another site."""
    response.set_cookie(
        auth.cookie_name(miso, what),
        value,
        max_age=max_age,
        path="/",
        secure=auth.secure(miso),
        httponly=True,
        samesite="Lax",
    )
