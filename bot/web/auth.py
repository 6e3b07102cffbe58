"""Who is at the door: the principal behind a cookie, a token of the command line, or a workflow's deploy token.

Called by every door that is not open to all. A form of a browser counts only if this session's own page made it: that
is asked here, where the cookie is believed, so that no door can forget it. What a principal may do is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Principal
from bot.domain.messages import refusal
from bot.domain.model import ActorKind
from bot.errors import Refused
from bot.services import refusing, sessions, tokens
from bot.services.bearer import key_of
from bot.services.devices import ACCESS_PREFIX
from bot.web.guard import ADDRESS, LIMITS, SAFE
from bot.web.limits import Limit
from bot.web.pages import CSRF_FIELD
from bot.web.peers import counted

CSRF_HEADER: Final = "X-Miso-Csrf"
"""For requests of a browser that are no forms."""
FORM: Final = "application/x-www-form-urlencoded"
_PURPOSE: Final = "csrf"
_KNOWN: Final = web.RequestKey("principal", Principal)


async def require(miso: Miso, request: web.Request) -> Principal:
    """Whoever asks. Raises Refused: nobody is signed in, the token opens nothing, or the form is not from here."""
    found = await maybe(miso, request)
    if found is None:
        raise refusal(Code.SESSION_ENDED if cookie_of(miso, request) else Code.NOT_SIGNED_IN)
    return found


async def maybe(miso: Miso, request: web.Request) -> Principal | None:
    """The same, with None for nobody. A token that is wrong is refused all the same: whoever sends one means it."""
    if _KNOWN in request:
        return request[_KNOWN]
    given = request.headers.getall("Authorization", [])
    if given:
        found: Principal | None = await _of_header(miso, request, given)
    else:
        found = await sessions.of_cookie(miso, cookie_of(miso, request))
        if found is not None and request.method not in SAFE:
            await _from_our_page(miso, request, found)
    if found is not None:
        if LIMITS in request and request.path.startswith("/api/"):
            request[LIMITS].take(Limit.API, _counted(found))
        request[_KNOWN] = found
    return found


def csrf_of(miso: Miso, principal: Principal) -> str:
    """What the forms of this session carry."""
    return miso.oidc.stamp(_PURPOSE, principal.session)


def cookie_of(miso: Miso, request: web.Request, what: str = "") -> str:
    """What the cookie of that name holds; "" unless it is there exactly once.

    Read strictly, pair by pair as browsers write them: a reader that is more generous finds one in the value of
    another, which a host beside ours can set, and `__Host-` would be in vain.
    https://www.rfc-editor.org/rfc/rfc6265#section-4.2.1
    """
    pairs = [pair.strip(" ") for line in request.headers.getall("Cookie", []) for pair in line.split(";")]
    own = f"{cookie_name(miso, what)}="
    found = [pair.removeprefix(own).strip('"') for pair in pairs if pair.startswith(own)]
    return found[0] if len(found) == 1 else ""


async def form_of(request: web.Request) -> Mapping[str, str]:
    """What was typed into a form of ours; nothing for any other kind of body. Raises Refused for what is no text."""
    if request.content_type != FORM:
        return {}
    try:
        sent = await request.post()
    except (ValueError, LookupError):
        raise refusal(Code.REQUEST_MALFORMED, word="the form") from None
    return {name: value for name, value in sent.items() if isinstance(value, str)}


def cookie_name(miso: Miso, what: str = "") -> str:
    """`__Host-` keeps a cookie on this very host and on https; a browser takes it nowhere else.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
    """
    return f"{'__Host-' if secure(miso) else ''}miso{what}"


def secure(miso: Miso) -> bool:
    """Whether browsers reach us by https: everywhere but on loopback."""
    return miso.rules.public_url.startswith("https://")


async def _of_header(miso: Miso, request: web.Request, given: list[str]) -> Principal:
    """Whoever a bearer token speaks for. Tries with tokens that open nothing are counted for their address."""
    scheme, _, token = given[0].partition(" ")
    token, address = token.strip(), counted(request.get(ADDRESS, ""))
    if LIMITS in request:
        request[LIMITS].check(Limit.TOKENS, address)
        if request.path.startswith("/api/"):
            # Before its use is written down: what is beyond the limit leaves nothing.
            request[LIMITS].check(Limit.API, f"token:{key_of(token)}")
    try:
        if len(given) != 1 or scheme.lower() != "bearer" or not token:
            raise refusal(Code.REQUEST_MALFORMED, word="Authorization")
        if not token.startswith(ACCESS_PREFIX):
            return await tokens.principal(miso, token)
        found = await sessions.of_access(miso, token)
        if found is None:
            raise refusal(Code.TOKEN_INVALID)
    except Refused as no:
        if LIMITS in request:
            request[LIMITS].take(Limit.TOKENS, address)
        await refusing.note(miso, no.code, door="token", token=key_of(token) if token else "")
        raise
    return found


async def _from_our_page(miso: Miso, request: web.Request, principal: Principal) -> None:
    """Raises Refused unless the form carries what this session's pages carry. The guard asked where it came from."""
    sent = request.headers.get(CSRF_HEADER, "") or (await form_of(request)).get(CSRF_FIELD, "")
    if not miso.oidc.stamped(_PURPOSE, principal.session, sent):
        await refusing.note(
            miso,
            Code.CSRF_REFUSED,
            door="form",
            subject=principal.subject,
            session=principal.session,
            actor=principal.actor,
        )
        raise refusal(Code.CSRF_REFUSED)


def _counted(principal: Principal) -> str:
    """Under what a principal is counted: people over all of their sessions, workflows by the token."""
    if principal.grant is not None:
        return f"token:{principal.grant.token_hash}"
    if principal.subject:
        return principal.subject
    return f"{ActorKind(principal.actor.kind)}:{principal.actor.id}"
