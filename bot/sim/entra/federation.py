"""Federated credentials of the pretend Entra, and how an assertion is judged by them.

It really verifies: it fetches the issuer's discovery document and keys, checks signature and times, and matches issuer,
audience and subject exactly. https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import jwt

from bot.sim.entra.answers import Denied

AUDIENCE = "api://AzureADTokenExchange"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_CREDENTIALS = 20
MAX_LENGTH = 600

Fetch = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class FederatedCredential:
    """One trust: assertions of `issuer` for exactly `subject` and `audience` speak as `client_id` in `tenant_id`."""

    tenant_id: str
    client_id: str
    issuer: str
    subject: str
    audience: str = AUDIENCE


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Whom a bearer token speaks for."""

    tenant_id: str
    client_id: str
    resource: str
    expires: float


async def judge(
    credentials: list[FederatedCredential], fetch: Fetch, now: float, *, tenant: str, client_id: str, assertion: str
) -> None:
    """Whether this assertion speaks for that application in that tenant; `Denied` says why not."""
    in_tenant = [c for c in credentials if c.tenant_id.lower() == tenant.lower()]
    if not in_tenant:
        raise Denied(90002, f"Tenant '{tenant}' not found.", error="invalid_request", status=400)
    mine = [c for c in in_tenant if c.client_id.lower() == client_id.lower()]
    if not mine:
        raise Denied(
            700016,
            f"Application with identifier '{client_id}' was not found in the directory '{tenant}'.",
            error="unauthorized_client",
            status=400,
        )
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as fault:
        raise Denied(50027, "JWT token is invalid or malformed.", status=401) from fault
    _match(mine, claims)
    await _verify(fetch, now, assertion, header, str(claims["iss"]), str(claims["aud"]))


def _match(mine: list[FederatedCredential], claims: dict[str, Any]) -> None:
    """Exact and case-sensitive; each kind of miss has its own code."""
    issuer, audience, subject = claims.get("iss"), claims.get("aud"), claims.get("sub")
    told = "No matching federated identity record found for presented assertion"
    if not any(c.issuer == issuer for c in mine):
        raise Denied(700211, f"{told} issuer '{issuer}'.")
    if not any(c.issuer == issuer and c.audience == audience for c in mine):
        raise Denied(700212, f"{told} audience '{audience}'.")
    if not any((c.issuer, c.audience, c.subject) == (issuer, audience, subject) for c in mine):
        raise Denied(
            700213,
            f"{told} subject '{subject}'. Please check your federated identity credential Subject, Audience and"
            " Issuer against the presented assertion.",
        )


async def _verify(fetch: Fetch, now: float, assertion: str, header: dict[str, Any], issuer: str, audience: str) -> None:
    """Signature by the issuer's published keys, and the times."""
    try:
        discovery = await fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
        keys = jwt.PyJWKSet.from_dict(await fetch(str(discovery["jwks_uri"])))
    except Exception as fault:  # whatever goes wrong while looking at the issuer, Entra answers with one code
        raise Denied(50166, "Request to External OIDC endpoint failed.", status=400) from fault
    if discovery.get("issuer") != issuer:
        raise Denied(50166, "The issuer of the discovery document is another one.", status=400)
    key = next((k for k in keys.keys if k.key_id == header.get("kid")), None)
    if key is None or header.get("alg") != "RS256":
        raise Denied(700027, "Client assertion failed signature validation: the key was not found.")
    try:
        claims = jwt.decode(
            assertion,
            key.key,
            algorithms=["RS256"],
            audience=audience,
            # The times are judged below, by this world's clock.
            options={
                "require": ["iss", "sub", "aud", "exp"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as fault:
        raise Denied(700027, "Client assertion failed signature validation.") from fault
    skew = 300
    if not float(claims.get("nbf", 0)) - skew <= now <= float(claims["exp"]) + skew:
        raise Denied(700024, "Client assertion is not within its valid time range.")
