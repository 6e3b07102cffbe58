"""`/account`: who somebody is here, the way to link a GitHub account, and where they are signed in.

Each door makes one call. A code for linking is shown in the answer to the form that asked for it and nowhere else.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal
from bot.services import links, people, sessions
from bot.web import auth
from bot.web.pages import Viewer, page

PATH: Final = "/account"


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""

    async def show(request: web.Request) -> web.StreamResponse:
        who = await auth.maybe(miso, request)
        return welcome(miso, PATH) if who is None else await _account(miso, who)

    async def link(request: web.Request) -> web.StreamResponse:
        who = await auth.require(miso, request)
        if who.door is not Door.PORTAL:
            raise refusal(Code.DOOR_REFUSED)
        if people.stale(miso, who):
            raise refusal(Code.ROLES_TOO_OLD)
        return await _account(miso, who, code=await links.begin(miso, who))

    return [web.get(PATH, show, allow_head=False), web.post(f"{PATH}/link", link)]


def welcome(miso: Miso, to: str) -> web.Response:
    """For whoever is not signed in: the way in, and back to the page `to`."""
    if miso.sign_in is None:
        raise refusal(Code.SIGN_IN_OFF)
    return page("sign_in", miso.rules.public_url, status=401, to=to)


async def viewer_of(miso: Miso, who: Principal) -> Viewer:
    """What every page of this person shows and carries."""
    person = await people.read(miso, who.subject)
    return Viewer(name=person.told.name if person is not None else "", csrf=auth.csrf_of(miso, who))


async def _account(miso: Miso, who: Principal, *, code: str = "") -> web.Response:
    if who.door is not Door.PORTAL:
        raise refusal(Code.DOOR_REFUSED)
    viewer = await viewer_of(miso, who)
    return page(
        "account",
        miso.rules.public_url,
        viewer=viewer,
        name=viewer.name,
        subject=who.subject,
        roles=sorted(who.roles),
        roles_us=who.roles_us,
        linked=who.actor if who.linked else None,
        code=code,
        sessions=[
            {**vars(each), "present": each.key == who.session} for each in await sessions.listing(miso, who.subject)
        ],
    )
