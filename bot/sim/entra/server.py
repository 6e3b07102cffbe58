"""The pretend Entra ID on the wire: one token endpoint for workloads and for people who signed in.

A workload changes a federated client assertion into a bearer token for ARM; the controller itself changes a person's
code into an id_token, and proves who it is in the same way. Answers carry AADSTS codes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.sim.entra.answers import Denied, missing, refusal
from bot.sim.entra.federation import (
    ASSERTION_TYPE,
    AUDIENCE,
    MAX_CREDENTIALS,
    MAX_LENGTH,
    FederatedCredential,
    Fetch,
    Principal,
    judge,
)
from bot.sim.entra.sign_in import SignIn, origin
from bot.sim.wire import Wire

LIFETIME_S = 3599


class Entra(SignIn):
    """Token endpoint plus the list of what it issued; ARM and the registry ask `principal` about a bearer token."""

    def __init__(self, wire: Wire, *, fetch: Fetch, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.credentials: list[FederatedCredential] = []
        self._wire = wire
        self._fetch = fetch
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
        self._refresh.clear()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("entra")])
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        app.router.add_get("/{tenant}/oauth2/v2.0/authorize", self._authorize)
        app.router.add_post("/{tenant}/oauth2/v2.0/authorize", self._authorize)
        app.router.add_get("/{tenant}/oauth2/v2.0/logout", self._logout)
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/{tenant}/discovery/v2.0/keys", self._jwks)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        tenant = request.match_info["tenant"].lower()
        try:
            answer = await self._answer(form, tenant, f"{origin(request)}/{tenant}/v2.0")
        except Denied as denied:
            return refusal(denied, self._clock())
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def _answer(self, form: dict[str, str], tenant: str, issuer: str) -> dict[str, Any]:
        grant = form.get("grant_type")
        if grant in ("authorization_code", "refresh_token"):
            client_id = form.get("client_id", "").lower()
            await self._prove(form, tenant, client_id)
            if client_id not in self._clients:
                raise Denied(700016, "Nobody signs in to this application.", error="unauthorized_client", status=400)
            give = self._by_code if grant == "authorization_code" else self._by_refresh
            return give(form, client_id, issuer)
        resource = self._judge_form(form)
        await self._judged(form, tenant)
        bearer = "pretend-entra-" + secrets.token_urlsafe(32)
        self._issued[bearer] = Principal(
            tenant_id=tenant,
            client_id=form["client_id"].lower(),
            resource=resource,
            expires=self._clock() + LIFETIME_S,
        )
        return {
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "ext_expires_in": LIFETIME_S,
            "access_token": bearer,
        }

    async def _prove(self, form: dict[str, str], tenant: str, client_id: str) -> None:
        """By an assertion alone: a secret is always the wrong one."""
        if not client_id:
            raise missing("client_id")
        if form.get("client_secret"):
            raise Denied(7000215, "Invalid client secret provided.")
        if not form.get("client_assertion"):
            told = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise Denied(7000218, told)
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Denied(50027, "The assertion type is not supported.", error="invalid_request", status=400)
        await self._judged(form, tenant)

    async def _judged(self, form: dict[str, str], tenant: str) -> None:
        await judge(
            self.credentials,
            self._fetch,
            self._clock(),
            tenant=tenant,
            client_id=form["client_id"],
            assertion=form["client_assertion"],
        )

    @staticmethod
    def _judge_form(form: dict[str, str]) -> str:
        """The resource that is asked for, once every field has the form that the client credentials flow demands."""
        for name in ("client_id", "grant_type", "scope", "client_assertion", "client_assertion_type"):
            if not form.get(name):
                raise missing(name)
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
