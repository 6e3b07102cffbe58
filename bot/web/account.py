"""`/account`: who somebody is here, the way to link a GitHub account, and where they are signed in.

Each door makes one call. A code for linking is shown in the answer to the form that asked for it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Deed, Door, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import Actor, ActorKind
from bot.services import authorization, links, people, sessions
from bot.web import auth
from bot.web.api_bodies import NewLink
from bot.web.pages import Viewer, page

PATH: Final = "/account"


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""

    async def show(request: web.Request) -> web.StreamResponse:
        who = await auth.maybe(miso, request)
        return welcome(miso, PATH) if who is None else await _account(miso, _by_browser(who))

    async def link(request: web.Request) -> web.StreamResponse:
        who = _by_browser(await auth.require(miso, request))
        if people.stale(miso, who):
            raise refusal(Code.ROLES_TOO_OLD)
        return await _account(miso, who, code=await links.begin(miso, who))

    async def others(request: web.Request) -> web.StreamResponse:
        who = _by_browser(await auth.require(miso, request))
        await authorization.authorize(miso, who, Deed.LINK_OTHERS, Resource())
        told = _told(await auth.form_of(request))
        await links.put(miso, who, told.subject, Actor(kind=ActorKind.PERSON, id=told.github_id, login=told.login))
        return await _account(miso, who, told=told)

    return [
        web.get(PATH, show, allow_head=False),
        web.post(f"{PATH}/link", link),
        web.post(f"{PATH}/people", others),
    ]


def _by_browser(who: Principal) -> Principal:
    """Whoever came by a session of the browser: a token has no account page. Raises Refused."""
    if who.door is not Door.PORTAL:
        raise refusal(Code.DOOR_REFUSED)
    return who


def _told(form: Mapping[str, str]) -> NewLink:
    """Who is which account, as an administrator typed it. Raises Refused for what cannot be so."""
    number = form.get("github_id", "")
    try:
        found = {name: form.get(name, "").strip() for name in ("subject", "login")}
        return NewLink.model_validate({**found, "github_id": int(number) if number.isascii() else 0})
    except ValueError:
        raise refusal(Code.REQUEST_MALFORMED, word="the form") from None


def welcome(miso: Miso, to: str) -> web.Response:
    """For whoever is not signed in: the way in, and back to the page `to`."""
    if miso.sign_in is None:
        raise refusal(Code.SIGN_IN_OFF)
    return page("sign_in", miso.rules.public_url, status=401, to=to)


async def viewer_of(miso: Miso, who: Principal) -> Viewer:
    """What every page of this person shows and carries."""
    person = await people.read(miso, who.subject)
    return Viewer(name=person.told.name if person is not None else "", csrf=auth.csrf_of(miso, who))


async def _account(miso: Miso, who: Principal, *, code: str = "", told: NewLink | None = None) -> web.Response:
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
        told=told,
        links_others=await authorization.may(miso, who, Deed.LINK_OTHERS, Resource()),
        sessions=[
            {**vars(each), "present": each.key == who.session} for each in await sessions.listing(miso, who.subject)
        ],
    )
