"""What stands before every door but the webhook's: address, host, sizes, limits, forms from elsewhere, and the headers.

`bot.app` puts `middlewares` in front of all routes. Whatever a door raises becomes an answer here, never a traceback.
The webhook has a guard of its own (`bot.web.webhook`): it is signed, it must be quick, and no browser ever sees it.
It decides nothing about who may do what: that is `bot.domain.authorization`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot import telemetry
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.errors import Refused, Transient
from bot.web import answers, peers, webhook
from bot.web.limits import Limit, Limits

MOST_BYTES: Final = 64 * 1024
"""Of any body but a webhook's."""
MOST_HEADERS, MOST_HEADER_BYTES = 64, 16 * 1024
READ_SECONDS: Final = 8.0
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing. https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1"""

ADDRESS: Final = web.RequestKey("address", str)
LIMITS: Final = web.RequestKey("limits", Limits)

_HEALTH: Final = frozenset({"/livez", "/readyz"})
_SIGN_IN: Final = ("/sign-in", "/sign-out", "/device", "/account")
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No script, nothing from elsewhere. No form leads to the sign-in service either, which is why `'self'` is enough."""
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with that, browsers send `Origin: null` with our own forms, and the check of it would be blind.
    # https://fetch.spec.whatwg.org/#append-a-request-origin-header
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not the versions of what answers, which aiohttp would name.
    "Server": "miso",
}
_HSTS: Final = {"Strict-Transport-Security": "max-age=31536000"}

_log = telemetry.logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What the operator decided about the doors, and the time."""

    public_url: str
    now_us: Callable[[], int]
    trusted_proxies: tuple[peers.Network, ...] = ()
    token_requests_per_minute: int = 120
    sign_in_requests_per_minute: int = 30
    api_requests_per_minute: int = 600
    turned_away: Callable[[str], Awaitable[None]] | None = None
    """Told the code of a form that was sent from elsewhere; other refusals before a door are the log's alone."""


def middlewares(doors: Doors) -> list[Middleware]:
    """For `web.Application(middlewares=…, client_max_size=guard.MOST_BYTES)`."""
    limits = Limits(
        doors.now_us,
        {
            Limit.TOKENS: doors.token_requests_per_minute,
            Limit.SIGN_IN: doors.sign_in_requests_per_minute,
            Limit.API: doors.api_requests_per_minute,
        },
    )
    parts = urlsplit(doors.public_url)
    own = _host(parts.netloc, parts.scheme)
    headers = {**_HEADERS, **(_HSTS if parts.scheme == "https" else {})}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == webhook.PATH:
            return await handler(request)
        request[LIMITS] = limits
        response = await _answered(request, handler, doors, own)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return [guard]


async def _answered(request: web.Request, handler: Handler, doors: Doors, own: str) -> web.StreamResponse:
    """The door's answer, or in its shape what was wrong."""
    try:
        try:
            _admit(request, doors, own)
        except Refused as no:
            if no.code == Code.CSRF_REFUSED and doors.turned_away is not None:
                await doors.turned_away(no.code)
            raise
        await _read(request)
        return await handler(request)
    except (Refused, Transient) as fault:
        return answers.answer(request, doors.public_url, answers.said(fault))
    except web.HTTPException as fault:
        return _of_http(request, fault, doors)
    except Exception:  # noqa: BLE001 - whatever it was: nobody outside is told, and the log has it whole
        reference = secrets.token_hex(6)
        _log.exception("a door failed", reference=reference, path=request.path[:200], method=request.method)
        about = answers.said(refusal(Code.UNEXPECTED))
        return answers.answer(request, doors.public_url, about, reference=reference)


def _admit(request: web.Request, doors: Doors, own: str) -> None:
    """Everything that can be judged before the body is read."""
    sent = request.headers
    request[ADDRESS] = peers.client(request.remote, sent.getall("X-Forwarded-For", []), doors.trusted_proxies)
    if request.path in _HEALTH:
        return
    hosts = sent.getall("Host", [])
    scheme = urlsplit(doors.public_url).scheme
    came_by = peers.scheme(request.remote, sent.getall("X-Forwarded-Proto", []), doors.trusted_proxies)
    if len(hosts) != 1 or _host(hosts[0], scheme) != own or (scheme == "https" and came_by == "http"):
        raise refusal(Code.HOST_REFUSED)
    if len(sent) > MOST_HEADERS or sum(len(n) + len(v) for n, v in request.raw_headers) > MOST_HEADER_BYTES:
        raise refusal(Code.REQUEST_TOO_LARGE)
    if (request.content_length or 0) > MOST_BYTES:
        raise refusal(Code.REQUEST_TOO_LARGE)
    if request.method not in SAFE and not _from_here(sent, scheme, own):
        raise refusal(Code.CSRF_REFUSED)
    limited = _limit(request.path)
    if limited is not None:
        request[LIMITS].take(limited, peers.counted(request[ADDRESS]))


def _from_here(sent: Mapping[str, str], scheme: str, own: str) -> bool:
    """Whether no browser says that the page behind this is somebody else's. What is no browser says nothing.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    if sent.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    theirs, _, host = sent.get("Origin", f"{scheme}://{own}").partition("://")
    return theirs == scheme and _host(host, scheme) == own


def _limit(path: str) -> Limit | None:
    """What an address is counted for here; the API counts whoever is known there (`bot.web.auth`)."""
    if path.startswith("/oidc/"):
        return Limit.TOKENS
    return Limit.SIGN_IN if path.startswith(_SIGN_IN) else None


async def _read(request: web.Request) -> None:
    """The whole body, in time and within the cap; the door finds it read."""
    if not request.can_read_body:
        return
    try:
        async with asyncio.timeout(READ_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise refusal(Code.REQUEST_TOO_SLOW) from None
    except web.HTTPRequestEntityTooLarge:
        raise refusal(Code.REQUEST_TOO_LARGE) from None
    except (web.RequestPayloadError, ConnectionError):
        raise refusal(Code.REQUEST_MALFORMED, word="the body") from None
    if len(body) > MOST_BYTES:
        raise refusal(Code.REQUEST_TOO_LARGE)


def _of_http(request: web.Request, fault: web.HTTPException, doors: Doors) -> web.StreamResponse:
    """Redirects as they are; what aiohttp refuses by itself, in words of ours."""
    if fault.status < 400:
        return fault
    code = Code.REQUEST_TOO_LARGE if fault.status == 413 else Code.NOT_FOUND
    about = answers.said(refusal(code))
    shown = answers.answer(request, doors.public_url, about)
    shown.set_status(fault.status)
    if "Allow" in fault.headers:
        shown.headers["Allow"] = fault.headers["Allow"]
    return shown


def _host(netloc: str, scheme: str) -> str:
    """Host and port as they are compared; a scheme's own port may be left out."""
    own = ":443" if scheme == "https" else ":80"
    return netloc.lower().rstrip().removesuffix(own)
