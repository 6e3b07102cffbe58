"""The token routes: exchange, introspection, revocation, and the assertion for Azure that is off by default.

`bot.app` mounts `routes`. Each takes one small form and makes one call; who asks is proven by what is in it. A form is
read strictly, because what two readers of one request see differently is how checks are gone past: one content type,
no parameter twice, nothing in the query.
https://www.rfc-editor.org/rfc/rfc8693 · https://www.rfc-editor.org/rfc/rfc7662 · https://www.rfc-editor.org/rfc/rfc7009
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Principal
from bot.domain.messages import refusal
from bot.errors import Refused
from bot.services import devices, exchange, recent, refusing, tokens
from bot.services.bearer import key_of
from bot.services.exchange import ExchangeForm
from bot.web import auth
from bot.web.guard import ADDRESS
from bot.web.problems import oauth

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
REFRESH = "refresh_token"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 32
_NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Form = Mapping[str, str]
Json = Mapping[str, Any]


def routes(miso: Miso) -> list[web.RouteDef]:
    """The routes over one hall."""
    here = Tokens(miso)
    return [
        web.post("/oidc/token", oauth(here.token)),
        web.post("/oidc/introspect", oauth(here.introspect)),
        web.post("/oidc/revoke", oauth(here.revoke)),
        web.post("/oidc/assertion", oauth(here.assertion)),
    ]


class Tokens:
    """The doors. Facts of the last minute are remembered for exchanges alone."""

    def __init__(self, miso: Miso) -> None:
        self._miso, self._lately = miso, recent.lately(miso)
        self._grants: Mapping[str, Callable[[Form, str], Awaitable[Json]]] = {
            EXCHANGE: self._exchange,
            DEVICE: self._poll,
            REFRESH: self._refresh,
        }

    async def token(self, request: web.Request) -> web.Response:
        form = await read_form(self._miso, request)
        async with refusing.noted(self._miso, door="oidc"):
            granting = self._grants.get(_needed(form, "grant_type"))
            if granting is None:
                raise refusal(Code.GRANT_UNSUPPORTED)
        return _said(await granting(form, request.get(ADDRESS, "")))

    async def _exchange(self, form: Form, address: str) -> Json:
        """https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1"""
        asked = ExchangeForm.model_validate(dict(form))
        issued = await exchange.exchange(self._lately, asked, address, afresh=self._miso)
        return {
            "access_token": issued.token,
            "issued_token_type": exchange.ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "scope": issued.scope,
        }

    async def _poll(self, form: Form, address: str) -> Json:
        return _of_person(await devices.poll(self._miso, _needed(form, "device_code"), _needed(form, "client_id")))

    async def _refresh(self, form: Form, address: str) -> Json:
        return _of_person(await devices.refresh(self._miso, _needed(form, "refresh_token"), _needed(form, "client_id")))

    async def introspect(self, request: web.Request) -> web.Response:
        form = await read_form(self._miso, request)
        given, bearer = _needed(form, "token"), await bearer_of(self._miso, request)
        asker = await _asker(self._miso, request) if bearer != given else None
        return _said(await tokens.introspect(self._miso, given, bearer=bearer, asker=asker))

    async def revoke(self, request: web.Request) -> web.Response:
        """What is no token of ours is revoked already: the answer is the same."""
        given = _needed(await read_form(self._miso, request), "token")
        if given.startswith((devices.ACCESS_PREFIX, devices.REFRESH_PREFIX)):
            await devices.revoke(self._miso, given)
        else:
            await tokens.hand_in(self._miso, given)
        return _said({})

    async def assertion(self, request: web.Request) -> web.Response:
        await read_form(self._miso, request)
        bearer = await bearer_of(self._miso, request)
        if not bearer:
            raise refusal(Code.NOT_SIGNED_IN)
        async with refusing.noted(self._miso, door="assertion", token=key_of(bearer)):
            holder = await tokens.principal(self._miso, bearer, use="assertion")
            made = await exchange.assertion(self._miso, holder)
        return _said({"assertion": made.token, "subject": made.subject})


async def read_form(miso: Miso, request: web.Request) -> Form:
    """The parameters, each of them once. Those without a value count as left out (RFC 6749, section 3.2)."""
    async with refusing.noted(miso, door="oidc"):
        return await _parameters(request)


async def _parameters(request: web.Request) -> Form:
    if request.query_string:
        raise refusal(Code.REQUEST_MALFORMED, word="the query")
    body = await request.read()
    if not body:
        return {}
    if request.content_type != FORM or "Content-Encoding" in request.headers:
        raise refusal(Code.REQUEST_MALFORMED, word="Content-Type")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise refusal(Code.REQUEST_MALFORMED, word="the form") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise refusal(Code.REQUEST_MALFORMED, word=name)
        form[name] = value
    return {name: value for name, value in form.items() if value}


async def bearer_of(miso: Miso, request: web.Request) -> str:
    """The token of the one Authorization header; "" where there is none. https://www.rfc-editor.org/rfc/rfc6750"""
    given = request.headers.getall("Authorization", [])
    if len(given) > 1:
        async with refusing.noted(miso, door="oidc"):
            raise refusal(Code.REQUEST_MALFORMED, word="Authorization")
    scheme, _, token = (given[0] if given else "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _asker(miso: Miso, request: web.Request) -> Principal | None:
    """Whoever asks, if anybody did who is known: nobody learns from the answer that they are not."""
    try:
        return await auth.require(miso, request)
    except Refused:
        return None


def _needed(form: Form, name: str) -> str:
    if not form.get(name):
        raise refusal(Code.REQUEST_MALFORMED, word=name)
    return form[name]


def _said(body: Json) -> web.Response:
    return web.json_response(dict(body), headers=_NEVER_KEPT)


def _of_person(found: devices.PersonTokens) -> Json:
    return {
        "access_token": found.access_token,
        "refresh_token": found.refresh_token,
        "token_type": "Bearer",
        "expires_in": found.expires_in,
        "scope": found.scope,
    }
