"""Requests that a page, a browser or a network between makes in somebody's name, and those that are no requests."""

from __future__ import annotations

from urllib.parse import quote

from bot.services.bearer import fresh
from tests.hostile.bytes import Reply
from tests.hostile.ground import JSON, Ground
from tests.hostile.trick import DOOR, Request, row

APPROVE = "/api/v1/promotions/{stream}/approve"

# --- browsers --------------------------------------------------------------------------------------------------------


def forged(what: str, *headers: tuple[str, str], path: str = APPROVE, csrf: str = "own") -> Request:
    """A page of somebody else's sends a form in Bob's browser."""

    async def make(g: Ground) -> Reply:
        bob, ann = g.browsers["bob"], g.browsers["ann"]
        stamp = {"own": bob["X-Miso-Csrf"], "ann": ann["X-Miso-Csrf"], "": ""}.get(csrf, csrf)
        sent = [("Cookie", bob["Cookie"]), ("X-Miso-Csrf", stamp), JSON, *headers]
        return await g.raw(f"POST {path.format(stream=g.stream)}", *sent, body="{}")

    return row(what, 403, "csrf_refused", DOOR, make)


def leads(what: str, to: str) -> Request:
    return row(
        what,
        400,
        "request_malformed",
        DOOR,
        lambda g: g.raw(f"GET /sign-in?to={quote(to, safe='')}"),
    )


def turned_away(what: str, status: int, code: str, line: str, *headers: tuple[str, str], host: str = "") -> Request:
    return row(what, status, code, None, lambda g: g.raw(line, *headers, host=host))


CHUNKED = ("Transfer-Encoding", "chunked")
MANY = tuple((f"X-{n}", "a") for n in range(200))
BROWSERS = (
    forged("a form of another site", ("Origin", "https://evil.example")),
    forged("a form of a sandbox", ("Origin", "null")),
    forged("a form of our host on another port", ("Origin", "http://127.0.0.1:1")),
    forged("a form of our host by another scheme", ("Origin", "https://127.0.0.1")),
    forged("a form of a host that begins like ours", ("Origin", "http://127.0.0.1.evil.example")),
    forged("a form of a site beside ours", ("Sec-Fetch-Site", "same-site")),
    forged("a form without a stamp", csrf=""),
    forged("a form with the stamp of another session", csrf="ann"),
    forged("a form with a stamp of no key", csrf="a.b"),
    forged("a form that signs out", ("Origin", "https://evil.example"), path="/sign-out"),
    forged("a form that asks for a code to link", csrf="ann", path="/account/link"),
    turned_away("a look that would approve", 405, "not_found", f"GET {APPROVE.format(stream='promotion-' + '0' * 24)}"),
    row(
        "a look that says it is a form",
        200,
        "",
        None,
        lambda g: g.raw(
            f"GET /api/v1/promotions/{g.stream}",
            ("Cookie", g.browsers["bob"]["Cookie"]),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Method-Override", "POST"),
        ),
    ),
    turned_away("TRACE", 405, "not_found", "TRACE /account"),
    turned_away("CONNECT", 404, "not_found", "CONNECT evil.example:443"),
    turned_away("another host", 421, "host_refused", "GET /account", host="evil.example"),
    turned_away("two hosts", 400, "", "GET /account", ("Host", "evil.example")),
    turned_away("a body of two lengths", 400, "", "POST /oidc/token", ("Content-Length", "4"), CHUNKED),
    turned_away("headers without end", 400, "", "GET /account", *MANY),
    turned_away("a header without end", 400, "", "GET /account", ("X-Long", "a" * 9000)),
    turned_away(
        "more headers than anybody needs",
        413,
        "request_too_large",
        "GET /account",
        *MANY[:70],
    ),
    leads("a sign-in that leads elsewhere", "//evil.example"),
    leads("a sign-in that leads elsewhere by a backslash", "/\\evil.example"),
    leads("a sign-in that leads elsewhere in escapes", "/%2f%2fevil.example"),
    leads("a sign-in that leads to another header", "/account\r\nSet-Cookie: miso=x"),
    leads("a sign-in that leads to an account of a host", "/@evil.example"),
    row(
        "an answer of a sign-in that nobody began",
        400,
        "sign_in_state",
        DOOR,
        lambda g: g.raw(f"GET /sign-in/callback?code=a&state={fresh()}"),
    ),
    turned_away("a session of nobody", 401, "session_ended", "GET /api/v1/me", ("Cookie", f"miso={'a' * 43}")),
)
