"""What the API and the token routes answer when they refuse: the usual words, and the decision rule by rule.

Used by `bot.web.api` and `bot.web.tokens` around each of their doors; what these do not know themselves, the guard
answers. Every text is bare of Markdown: it is read in the log of a workflow.
https://www.rfc-editor.org/rfc/rfc9457 · https://www.rfc-editor.org/rfc/rfc6749#section-5.2
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from aiohttp import web

from bot.domain.codes import Code
from bot.domain.decision import RuleResult
from bot.domain.messages import bare, rules_table
from bot.errors import Refused, Transient
from bot.services.exchange import WrongTarget
from bot.services.leave import Undecided
from bot.web import answers

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ERRORS: Mapping[str, str] = {
    Code.GRANT_UNSUPPORTED: "unsupported_grant_type",
    Code.SIGN_IN_OFF: "unauthorized_client",
    Code.AUTHORIZATION_PENDING: "authorization_pending",
    Code.SLOW_DOWN: "slow_down",
    Code.DEVICE_CODE: "expired_token",
    Code.DEVICE_DENIED: "access_denied",
    Code.REFRESH_REFUSED: "invalid_grant",
    Code.REFRESH_REUSED: "invalid_grant",
    Code.TOO_MANY_REQUESTS: "temporarily_unavailable",
    Code.TOKEN_INVALID: "invalid_token",
    Code.TOKEN_REVOKED: "invalid_token",
    Code.NOT_SIGNED_IN: "invalid_token",
}
"""Names that protocols give. Anything else is `invalid_request`, as https://www.rfc-editor.org/rfc/rfc8693#section-2.2.2
wants it of a subject token that is invalid or that no policy accepts."""
STATUS: Mapping[str, int] = {
    Code.TOKEN_EXPIRED: 401,
    Code.BOT_REFUSED: 403,
    Code.NOT_ADMINISTRATOR: 403,
    Code.NOT_IN_TEAM: 403,
    Code.NOT_YOURS: 403,
    Code.PERMISSION_DENIED: 403,
    Code.NOTHING_TO_APPROVE: 409,
    Code.NOTHING_TO_CANCEL: 409,
    Code.NOTHING_TO_REJECT: 409,
    Code.NOTHING_TO_REVOKE: 409,
    Code.OTHER_RELEASE_WAITS: 409,
}
"""Of the API, beside those of `answers`. A token that runs out here is ours: another one is all that is needed."""
MARKS: Mapping[str, str] = {"✗": "fail", "?": "unknown", "⚠": "skipped", "✓": "pass"}
_NEVER_KEPT = {"Cache-Control": "no-store"}


def rules_shown(rules: Sequence[RuleResult]) -> list[dict[str, str]]:
    """Every rule as `/why` tells it, what stands in the way first."""
    return [
        {
            "rule": line.rule,
            "state": MARKS[line.mark],
            "title": bare(line.title, 200),
            "text": bare(line.text, 800),
            "who": line.who,
            "code": line.code,
        }
        for line in rules_table(rules)
    ]


def oauth(handler: Handler) -> Handler:
    """A door of the token routes."""

    @wraps(handler)
    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Refused, Transient) as fault:
            return _oauth(fault)

    return answered


def problem(handler: Handler) -> Handler:
    """A door of the API."""

    @wraps(handler)
    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Refused, Transient) as fault:
            return _problem(fault)

    return answered


def _oauth(fault: Refused | Transient) -> web.Response:
    about = answers.said(fault)
    other = "temporarily_unavailable" if about.status == 503 else "invalid_request"
    body: dict[str, Any] = {
        "error": "invalid_target" if isinstance(fault, WrongTarget) else ERRORS.get(about.code, other),
        "error_description": bare(about.sentence, 800),
        "code": about.code,
        "hint": bare(about.hint, 800),
    }
    if isinstance(fault, Undecided):
        body["rules"] = rules_shown(fault.rules)
    # A grant that is refused is a bad request (RFC 6749, section 5.2); only a bearer is unauthorized (RFC 6750).
    status = 400 if body["error"] in ("invalid_grant", "unauthorized_client") else about.status
    return web.json_response(body, status=status, headers=_headers(about, status, str(body["error"])))


def _problem(fault: Refused | Transient) -> web.Response:
    about = answers.said(fault)
    # A decision says nothing against the request: it says that things do not stand so.
    status = 409 if isinstance(fault, Undecided) else STATUS.get(about.code, about.status)
    body: dict[str, Any] = {
        "title": about.title,
        "status": status,
        "detail": bare(about.sentence, 800),
        "code": about.code,
        "hint": bare(about.hint, 800),
    }
    if isinstance(fault, Undecided):
        body["rules"] = rules_shown(fault.rules)
    headers = _headers(about, status, "invalid_token")
    return web.json_response(body, status=status, content_type="application/problem+json", headers=headers)


def _headers(about: answers.Said, status: int, error: str) -> dict[str, str]:
    headers = dict(_NEVER_KEPT)
    if about.retry_after:
        headers["Retry-After"] = str(about.retry_after)
    if status == 401:
        # https://www.rfc-editor.org/rfc/rfc6750#section-3
        headers["WWW-Authenticate"] = f'Bearer realm="miso", error="{error}"'
    return headers
