"""The pretend Entra ID: the token endpoint that changes a federated client assertion into a bearer token for ARM.

It really verifies: it fetches the issuer's discovery document and keys, checks signature and times, and matches issuer,
audience and subject exactly against the federated credentials that it was given. It answers with AADSTS codes.
https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web

from bot.sim.wire import Wire

AUDIENCE = "api://AzureADTokenExchange"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_S = 3599
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


class Denied(Exception):
    """An answer of the token endpoint that is not a token."""

    def __init__(self, code: int, message: str, *, error: str = "invalid_client", status: int = 401) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.error = error
        self.status = status


class Entra:
    """Token endpoint plus the list of what it issued; ARM and the registry ask `principal` about a bearer token."""

    def __init__(self, wire: Wire, *, fetch: Fetch, clock: Callable[[], float] = time.time) -> None:
        self.credentials: list[FederatedCredential] = []
        self._wire = wire
        self._fetch = fetch
        self._clock = clock
        self._issued: dict[str, Principal] = {}

    def federate(
        self, tenant_id: str, client_id: str, *, issuer: str, subject: str, audience: str = AUDIENCE
    ) -> FederatedCredential:
        """Register a federated credential, within the limits that the real one has."""
        mine = [c for c in self.credentials if c.client_id == client_id]
        if len(mine) >= MAX_CREDENTIALS or len(issuer) > MAX_LENGTH or len(subject) > MAX_LENGTH:
            raise ValueError("at most 20 credentials an application, issuer and subject at most 600 characters")
        credential = FederatedCredential(
            tenant_id=tenant_id, client_id=client_id, issuer=issuer, subject=subject, audience=audience
        )
        self.credentials.append(credential)
        return credential

    def principal(self, bearer: str) -> Principal | None:
        """Whom this token speaks for; None when it was never issued, was revoked or has run out."""
        found = self._issued.get(bearer)
        return found if found and found.expires > self._clock() else None

    def forget_tokens(self) -> None:
        """Every token issued so far stops working, as after a revocation."""
        self._issued.clear()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("entra")])
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        try:
            resource = self._judge_form(form)
            await self._judge(request.match_info["tenant"], form["client_id"], form["client_assertion"])
        except Denied as denied:
            return self._refusal(denied)
        bearer = "pretend-entra-" + secrets.token_urlsafe(32)
        self._issued[bearer] = Principal(
            tenant_id=request.match_info["tenant"].lower(),
            client_id=form["client_id"].lower(),
            resource=resource,
            expires=self._clock() + LIFETIME_S,
        )
        answer = {
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "ext_expires_in": LIFETIME_S,
            "access_token": bearer,
        }
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    @staticmethod
    def _judge_form(form: dict[str, str]) -> str:
        """The resource that is asked for, once every field has the form that the client credentials flow demands."""
        for name in ("client_id", "grant_type", "scope", "client_assertion", "client_assertion_type"):
            if not form.get(name):
                raise Denied(
                    900144,
                    f"The request body must contain the following parameter: '{name}'.",
                    error="invalid_request",
                    status=400,
                )
        if form["grant_type"] != "client_credentials":
            raise Denied(70003, "Unsupported grant type.", error="unsupported_grant_type", status=400)
        if form["client_assertion_type"] != ASSERTION_TYPE:
            raise Denied(50027, "The assertion type is not supported.", error="invalid_request", status=400)
        if not form["scope"].endswith("/.default"):
            raise Denied(
                1002012,
                "The provided value for scope is not valid. Client credential flows must have a scope value with"
                " /.default suffixed to the resource identifier.",
                error="invalid_scope",
                status=400,
            )
        return form["scope"].removesuffix("/.default")

    async def _judge(self, tenant: str, client_id: str, assertion: str) -> None:
        in_tenant = [c for c in self.credentials if c.tenant_id.lower() == tenant.lower()]
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
        self._match(mine, claims)
        await self._verify(assertion, header, str(claims["iss"]), str(claims["aud"]))

    @staticmethod
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

    async def _verify(self, assertion: str, header: dict[str, Any], issuer: str, audience: str) -> None:
        """Signature by the issuer's published keys, and the times."""
        try:
            discovery = await self._fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
            keys = jwt.PyJWKSet.from_dict(await self._fetch(str(discovery["jwks_uri"])))
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
                options={"require": ["iss", "sub", "aud", "exp"], "verify_exp": False, "verify_nbf": False},
            )
        except jwt.PyJWTError as fault:
            raise Denied(700027, "Client assertion failed signature validation.") from fault
        now, skew = self._clock(), 300
        if not float(claims.get("nbf", 0)) - skew <= now <= float(claims["exp"]) + skew:
            raise Denied(700024, "Client assertion is not within its valid time range.")

    def _refusal(self, denied: Denied) -> web.Response:
        trace, correlation = str(uuid4()), str(uuid4())
        at = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        body = {
            "error": denied.error,
            "error_description": f"AADSTS{denied.code}: {denied.message} Trace ID: {trace} Correlation ID:"
            f" {correlation} Timestamp: {at}",
            "error_codes": [denied.code],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={denied.code}",
        }
        return web.json_response(body, status=denied.status)
