"""`/oidc/device_authorization` for a program that asks, and `/device` for the person who says yes or no.

Each makes one call. The page takes the code from the form alone, never from its address: nobody can be sent a link that
has it filled in. Before anybody can say yes they see which program asks, from where and when.
https://www.rfc-editor.org/rfc/rfc8628#section-5.4
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Door, Principal
from bot.domain.messages import explain, refusal
from bot.errors import Refused
from bot.services import device_codes, people
from bot.web import auth
from bot.web.account import viewer_of, welcome
from bot.web.guard import ADDRESS
from bot.web.pages import page
from bot.web.problems import oauth
from bot.web.tokens import read_form

PATH: Final = "/device"
MAY: Final = "do what you may do: ask for promotions, approve, reject and go back, within the policy"
_MOST_CODE = 40
"""Characters of what is typed; a code has nine."""


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""

    @oauth
    async def authorize(request: web.Request) -> web.Response:
        form = await read_form(miso, request)
        begun = await device_codes.begin(
            miso, form.get("client_id", ""), form.get("scope", ""), request.get(ADDRESS, "")
        )
        body = {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": begun.verification_uri,
            "expires_in": begun.expires_in,
            "interval": begun.interval,
        }
        return web.json_response(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def ask(request: web.Request) -> web.StreamResponse:
        who = await auth.maybe(miso, request)
        if who is None:
            return welcome(miso, PATH)
        if people.stale(miso, who):
            # Their groups are asked for now, so that the yes that follows counts.
            return web.Response(status=303, headers={"Location": f"{miso.rules.public_url}/sign-in?to={PATH}"})
        return await _form(miso, who)

    async def answer(request: web.Request) -> web.StreamResponse:
        who = await auth.require(miso, request)
        if who.door is not Door.PORTAL:
            raise refusal(Code.DOOR_REFUSED)
        form = await auth.form_of(request)
        code, said = (form.get(name, "")[:_MOST_CODE] for name in ("code", "answer"))
        try:
            return await (_decide(miso, who, code, said) if said else _confirm(miso, who, code))
        except Refused as fault:
            if fault.code != Code.DEVICE_CODE:
                raise
            return await _form(miso, who, wrong=f"{explain(Code.DEVICE_CODE).title}.", status=400)

    return [
        web.post("/oidc/device_authorization", authorize),
        web.get(PATH, ask, allow_head=False),
        web.post(PATH, answer),
    ]


async def _form(miso: Miso, who: Principal, *, wrong: str = "", status: int = 200) -> web.Response:
    """An empty field, whatever the address says."""
    viewer = await viewer_of(miso, who)
    return page("device", miso.rules.public_url, viewer=viewer, status=status, wrong=wrong)


async def _confirm(miso: Miso, who: Principal, code: str) -> web.Response:
    """Who asks, and both answers."""
    asking = await device_codes.look(miso, who, code)
    letters = device_codes.spelled(code)
    return page(
        "device_confirm",
        miso.rules.public_url,
        viewer=await viewer_of(miso, who),
        code=f"{letters[:4]}-{letters[4:]}",
        asking=asking,
        scope=MAY,
        days=f"at most {miso.rules.refresh_days:g} days, or until you end it",
    )


async def _decide(miso: Miso, who: Principal, code: str, said: str) -> web.Response:
    if said not in ("allow", "deny"):
        raise refusal(Code.REQUEST_MALFORMED, word="answer")
    allowed = said == "allow"
    await device_codes.decide(miso, who, code, allow=allowed)
    return page("device_done", miso.rules.public_url, viewer=await viewer_of(miso, who), allowed=allowed)
