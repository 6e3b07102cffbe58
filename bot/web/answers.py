"""How a refusal looks at each kind of door: a page, `application/problem+json`, or the error body of OAuth.

Called by `bot.web.guard` for whatever a door raises. Each shape has the same code, sentence and next step; nothing here
tells a stranger more than that.
https://www.rfc-editor.org/rfc/rfc9457 · https://www.rfc-editor.org/rfc/rfc6749#section-5.2
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from bot.domain.codes import Code
from bot.domain.messages import TABLE, bare, explain
from bot.errors import Refused, Transient
from bot.web.limits import TooMany
from bot.web.pages import Viewer, page

STATUS: Mapping[str, int] = {
    Code.NOT_SIGNED_IN: 401,
    Code.SESSION_ENDED: 401,
    Code.TOKEN_INVALID: 401,
    Code.TOKEN_REVOKED: 401,
    Code.CSRF_REFUSED: 403,
    Code.DEVICE_MAY_NOT_APPROVE: 403,
    Code.DOOR_REFUSED: 403,
    Code.GROUPS_OVERAGE: 403,
    Code.NOT_LINKED: 403,
    Code.ROLES_TOO_OLD: 403,
    Code.ROLE_MISSING: 403,
    Code.SIGN_IN_OFF: 404,
    Code.SIGN_IN_REFUSED: 403,
    Code.SIGN_IN_TENANT: 403,
    Code.TOKEN_SCOPE: 403,
    Code.NOT_FOUND: 404,
    Code.REQUEST_TOO_SLOW: 408,
    Code.REQUEST_TOO_LARGE: 413,
    Code.HOST_REFUSED: 421,
    Code.TOO_MANY_REQUESTS: 429,
    Code.UNEXPECTED: 500,
}
"""What is not named here is 400: the request is at fault, and sending it again changes nothing."""
OAUTH: Mapping[str, str] = {
    Code.TOO_MANY_REQUESTS: "temporarily_unavailable",
    Code.UNEXPECTED: "server_error",
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """A refusal in words."""

    code: str
    title: str
    sentence: str
    hint: str
    status: int
    retry_after: int = 0


def said(fault: Refused | Transient) -> Said:
    """What there is to say about it."""
    title = explain(Code(fault.code)).title if fault.code in TABLE else "That is not possible"
    if isinstance(fault, Transient):
        wait = max(1, int(fault.retry_after or 10))
        return Said(
            code=fault.code,
            title=title,
            sentence=fault.sentence,
            hint="Try again in a minute.",
            status=503,
            retry_after=wait,
        )
    return Said(
        code=fault.code,
        title=title,
        sentence=fault.sentence,
        hint=fault.hint,
        status=STATUS.get(fault.code, 400),
        retry_after=_wait(fault),
    )


def _wait(fault: Refused) -> int:
    """Seconds until it is worth while to ask again. What a verb limits, it limits for ten minutes (`device_codes`)."""
    if isinstance(fault, TooMany):
        return fault.retry_after
    return 600 if fault.code == Code.TOO_MANY_REQUESTS else 0


def answer(
    request: web.Request,
    public_url: str,
    about: Said,
    *,
    reference: str = "",
    viewer: Viewer | None = None,
) -> web.Response:
    """In the shape that this door speaks. `reference`: under what the operator finds it in the log."""
    headers = {"Retry-After": str(about.retry_after)} if about.retry_after else {}
    path = request.path
    if path.startswith("/oidc/"):
        return _oauth(about, reference, headers)
    if path.startswith(("/api/", "/.well-known/")):
        return _problem(about, reference, headers)
    return _page(request, public_url, about, reference, viewer, headers)


def _oauth(about: Said, reference: str, headers: dict[str, str]) -> web.Response:
    other = "temporarily_unavailable" if about.status == 503 else "invalid_request"
    body = {
        "error": OAUTH.get(about.code, other),
        "error_description": described(about.sentence),
        "code": about.code,
        "hint": bare(about.hint, 500),
    }
    if reference:
        body["reference"] = reference
    return web.json_response(body, status=about.status, headers=headers)


def described(sentence: str) -> str:
    """As `error_description` may be: visible ASCII without quotation marks and backslashes."""
    return re.sub(r'[^ -~]|["\\]', "'", bare(sentence, 500))


def _problem(about: Said, reference: str, headers: dict[str, str]) -> web.Response:
    body: dict[str, str | int] = {
        "title": about.title,
        "status": about.status,
        "detail": about.sentence,
        "code": about.code,
        "hint": about.hint,
    }
    if reference:
        body["reference"] = reference
    if about.status == 401:
        headers = {**headers, "WWW-Authenticate": "Bearer"}
    return web.json_response(body, status=about.status, content_type="application/problem+json", headers=headers)


_AGAIN: Mapping[str, str] = {
    Code.NOT_SIGNED_IN: "Sign in",
    Code.SESSION_ENDED: "Sign in",
    Code.ROLES_TOO_OLD: "Ask for them again",
    Code.SIGN_IN_STATE: "Begin again",
    Code.SIGN_IN_REFUSED: "Begin again",
    Code.SIGN_IN_TENANT: "Begin again",
    Code.SIGN_IN_UNAVAILABLE: "Begin again",
}
"""What a sign-in mends, and what the way to it is called."""


def _page(
    request: web.Request,
    public_url: str,
    about: Said,
    reference: str,
    viewer: Viewer | None,
    headers: dict[str, str],
) -> web.Response:
    label = _AGAIN.get(about.code, "")
    # Only back to a page of this very path, which a sign-in checks once more; never to what the request names.
    back = request.path if request.path in ("/account", "/device") else "/account"
    shown = page(
        "error",
        public_url,
        viewer=viewer,
        status=about.status,
        said=about,
        reference=reference,
        again=f"/sign-in?to={quote(back, safe='')}" if label else "",
        again_label=label,
    )
    shown.headers.update(headers)
    return shown
