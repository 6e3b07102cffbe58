"""Hostile bearers, and what honest ones may not: at the API, at the assertion, at introspection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from bot.services.bearer import fresh, key_of
from tests.flows.workflow import Answer
from tests.hostile.bytes import Reply
from tests.hostile.forge import base64url, json_of
from tests.hostile.ground import FORM, Ground
from tests.hostile.subjects import respelled
from tests.hostile.trick import DOOR, Request, assertion, bearer, row

# --- bearers ---------------------------------------------------------------------------------------------------------


def shows(what: str, token: Callable[[Ground], str], code: str = "token_invalid") -> Request:
    """Something else for a deploy token, where one is asked for."""
    return row(what, 401, code, DOOR, lambda g: g.api("GET", "/me", token=token(g)))


def unsigned(token: str, **header: str) -> str:
    changed = {**jwt.get_unverified_header(token), **header}
    return f"{base64url(json_of(changed)).decode()}.{token.split('.')[1]}."


def swapped(g: Ground, **changes: Any) -> str:
    """The honest signature under other claims."""
    head, _, signature = g.token.split(".")
    claims = {**jwt.decode(g.token, options={"verify_signature": False}), **changes}
    return ".".join((head, base64url(json_of(claims)).decode(), signature))


def longer(g: Ground) -> str:
    return swapped(g, exp=2**35)


def spelled(g: Ground) -> str:
    return respelled(g.token)


def public(g: Ground) -> bytes:
    """The key of our tokens as everybody may read it, for a secret."""
    kid = jwt.get_unverified_header(g.token)["kid"]
    [key] = [key for key in g.stage.miso.oidc.jwks()["keys"] if key["kid"] == kid]
    return json.dumps(key).encode()


async def two_headers(g: Ground) -> Reply:
    return await g.raw("GET /api/v1/me", bearer(g.token), bearer(g.token))


OWN = ec.generate_private_key(ec.SECP256R1())
BEARERS = (
    shows("an assertion for Entra as a token", assertion),
    shows("an assertion of the sign-in as a token", lambda g: g.stage.running.issuer.sign_in_assertion()),
    shows("a subject token as a token", lambda g: g.forge.says()),
    shows(
        "a token for production",
        lambda g: swapped(g, environment_id=g.stage.environments["production"]),
    ),
    shows("a token that lives longer", longer),
    shows("a token without a signature", lambda g: unsigned(g.token, alg="none")),
    shows("a token whose signature was cut", lambda g: g.token[:-8]),
    shows("a token in another spelling", spelled),
    shows("a token of somebody's own key", lambda g: g.resigned(OWN, "ES256")),
    shows(
        "a token that brings its key",
        lambda g: g.resigned(OWN, "ES256", header={"jwk": {}}),
    ),
    shows("our public key for a secret", lambda g: g.resigned(public(g), "HS256")),
    shows("a token of the issuer of subjects", lambda g: g.resigned(g.forge.key, "RS256")),
    shows("an assertion that calls itself a token", lambda g: unsigned(assertion(g), typ="at+jwt")),
    shows("a token that was revoked", lambda g: g.revoked, "token_revoked"),
    shows("a refresh token", lambda g: "misor_" + "a" * 43),
    shows("a guessed token of a person", lambda g: fresh("misoa_")),
    shows("a person's token that was cut", lambda g: g.people["bob"][:-1]),
    shows("a person's token with a blank in it", lambda g: g.people["bob"][:20] + " " + g.people["bob"][20:]),
    shows("the hash of a token", lambda g: key_of(g.token)),
    row("two tokens at once", 400, "request_malformed", DOOR, two_headers),
    row(
        "a password for a token",
        400,
        "request_malformed",
        DOOR,
        lambda g: g.raw("GET /api/v1/me", ("Authorization", "Basic YW5uOnNlY3JldA==")),
    ),
    row("a token in the address", 401, "not_signed_in", None, lambda g: g.raw(f"GET /api/v1/me?token={g.token}")),
    row(
        "a token for a cookie",
        401,
        "session_ended",
        None,
        lambda g: g.raw("GET /api/v1/me", ("Cookie", f"miso={g.people['bob']}")),
    ),
)

# --- what a token and a person may not -------------------------------------------------------------------------------


def says(what: str, status: int, code: str, who: str, word: str, *, by: str = "browser", **more: Any) -> Request:
    """A word about the request that waits for production."""

    async def make(g: Ground) -> Answer:
        path = f"/promotions/{more.get('stream') or g.stream}/{word}"
        if by == "browser":
            return await g.api("POST", path, more.get("body", {}), **g.browsers[who])
        return await g.api("POST", path, more.get("body", {}), token=g.people[who] if by == "code" else g.token)

    return row(what, status, code, DOOR, make)


def promotes(what: str, status: int, code: str, **more: Any) -> Request:
    return row(what, status, code, DOOR, lambda g: g.workflow.promotes(g.token, more.pop("where", "dev"), **more))


async def revokes(g: Ground) -> Answer:
    return await g.api("POST", f"/tokens/{key_of(g.other)}/revoke", {}, token=g.token)


async def looks_elsewhere(g: Ground) -> Answer:
    return await g.api("GET", f"/promotions/{g.stream}", token=g.token)


async def links_herself(g: Ground) -> Answer:
    link = {"subject": "entra:tenant:eve", "github_id": g.stage.shop.people["bob"], "login": "bob"}
    return await g.api("POST", "/links", link, **g.browsers["eve"])


RIGHTS = (
    says("the author approves in a browser", 409, "author_is_approver", "ann", "approve"),
    says("a reader approves", 403, "permission_denied", "eve", "approve"),
    says("a reader rejects", 403, "permission_denied", "eve", "reject"),
    says("a sign-in by code approves production", 403, "device_may_not_approve", "bob", "approve", by="code"),
    says("somebody approves another commit", 409, "other_release_waits", "bob", "approve", body={"commit": "f" * 12}),
    says("somebody takes back what they did not give", 409, "nothing_to_revoke", "bob", "revoke"),
    says("a workflow approves", 404, "not_found", "", "approve", by="token"),
    says("a path for an id", 404, "not_found", "bob", "approve", stream="..%2f..%2fpromotion"),
    says("another stream for an id", 404, "not_found", "bob", "approve", stream="session-" + "0" * 24),
    row("a workflow looks at another environment", 404, "not_found", DOOR, looks_elsewhere),
    promotes("a token for another environment", 403, "token_scope", where="production"),
    promotes("a token for another commit", 403, "token_scope", commit="f" * 40),
    promotes("a workflow goes back", 403, "bot_refused", rollback=True),
    promotes("a workflow breaks glass", 403, "bot_refused", break_glass=True, reason="now"),
    promotes("a field that nobody knows", 400, "request_malformed", force=True),
    row("a workflow lists tokens", 403, "bot_refused", DOOR, lambda g: g.api("GET", "/tokens", token=g.token)),
    row("a workflow ends another's token", 403, "bot_refused", DOOR, revokes),
    row("somebody links themselves to another account", 403, "role_missing", DOOR, links_herself),
    row(
        "a workflow asks for an assertion",
        400,
        "assertion_refused",
        DOOR,
        lambda g: g.workflow.post("/oidc/assertion", {}, token=g.token),
    ),
    row(
        "an assertion asks for an assertion",
        401,
        "token_invalid",
        DOOR,
        lambda g: g.workflow.post("/oidc/assertion", {}, token=assertion(g)),
    ),
    row(
        "a workflow signs everybody out",
        403,
        "door_refused",
        None,
        lambda g: g.raw("POST /sign-out", FORM, bearer(g.token), body="session=all"),
    ),
)


def inspects(what: str, code: str, token: Callable[[Ground], str], by: Callable[[Ground], str]) -> Request:
    """Introspection has one answer for whatever it does not tell; the ledger has the reason."""
    return row(
        what, 200, "", DOOR, lambda g: g.workflow.post("/oidc/introspect", {"token": token(g)}, token=by(g)), told=code
    )


INSPECTIONS = (
    inspects("a token looks at another", "bot_refused", lambda g: g.token, lambda g: g.other),
    inspects("nobody looks at a token", "not_signed_in", lambda g: g.token, lambda g: ""),
    inspects("a reader looks at a token", "role_missing", lambda g: g.token, lambda g: g.people["eve"]),
    inspects(
        "a token that was changed looks at itself",
        "token_invalid",
        longer,
        longer,
    ),
    inspects(
        "a token in another spelling looks at itself",
        "token_invalid",
        spelled,
        spelled,
    ),
    inspects("an assertion looks at itself", "token_invalid", assertion, assertion),
    inspects("a revoked token looks at itself", "token_revoked", lambda g: g.revoked, lambda g: g.revoked),
    inspects("a person's token looks at itself", "token_invalid", lambda g: g.people["bob"], lambda g: g.people["bob"]),
)
