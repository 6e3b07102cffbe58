"""The managed identity of the pretend host: the metadata service of a virtual machine, and App Service's endpoint.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token. A machine points the
SDK here by AZURE_POD_IDENTITY_AUTHORITY_HOST, an App Service by IDENTITY_ENDPOINT and IDENTITY_HEADER. Nobody proves
anything: whoever runs on the host is the host. Numbers are strings, as they are on the real one.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bot.sim.wire import Wire

CLIENT_ID = "1de0717e-0000-4000-8000-00000000ba5e"
LIFETIME_S = 86399
MACHINE, APP_SERVICE = "/metadata/identity/oauth2/token", "/msi/token"


@dataclass(frozen=True, kw_only=True)
class Held:
    """Whom a managed identity's token speaks for, and to whom."""

    client_id: str
    resource: str
    expires: float


class HostIdentity:
    """One identity assigned by the system; `assign` adds one of a user's, `withdraw` leaves the host without any."""

    def __init__(self, wire: Wire, *, clock: Callable[[], float] = time.time) -> None:
        self.header = secrets.token_hex(16)
        self._wire, self._clock = wire, clock
        self._assigned = [CLIENT_ID]
        self._issued: dict[str, Held] = {}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("identity")])
        app.router.add_get(MACHINE, self._machine)
        app.router.add_get(APP_SERVICE, self._app_service)
        return app

    def assign(self, client_id: str) -> None:
        """One more identity; the first one is who answers when nobody asks by id."""
        self._assigned.append(client_id)

    def withdraw(self) -> None:
        """The host has no identity any more, and tokens given before go on until they run out."""
        self._assigned.clear()

    def forget_tokens(self) -> None:
        self._issued.clear()

    def holder(self, token: str) -> Held | None:
        """Whom this token speaks for; None when it is none of ours or has run out."""
        found = self._issued.get(token)
        return found if found and found.expires > self._clock() else None

    async def _machine(self, request: web.Request) -> web.Response:
        if request.headers.get("Metadata", "").lower() != "true" or "X-Forwarded-For" in request.headers:
            return _refusal("invalid_request", "Required metadata header not specified")
        return self._token(request)

    async def _app_service(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("X-IDENTITY-HEADER", "").encode(), self.header.encode()):
            return _refusal("invalid_request", "The identity header is another one", status=401)
        return self._token(request)

    def _token(self, request: web.Request) -> web.Response:
        resource = request.query.get("resource", "").rstrip("/")
        if not resource or "api-version" not in request.query:
            return _refusal("invalid_resource", "resource and api-version are required")
        wanted = request.query.get("client_id") or next(iter(self._assigned), "")
        if wanted not in self._assigned:
            return _refusal("invalid_request", "Identity not found")
        token, now = "pretend-identity-" + secrets.token_urlsafe(32), self._clock()
        self._issued[token] = Held(client_id=wanted, resource=resource, expires=now + LIFETIME_S)
        return web.json_response(
            {
                "access_token": token,
                "client_id": wanted,
                "expires_in": str(LIFETIME_S),
                "expires_on": str(int(now) + LIFETIME_S),
                "ext_expires_in": str(LIFETIME_S),
                "not_before": str(int(now) - 300),
                "resource": resource,
                "token_type": "Bearer",
            }
        )


def _refusal(error: str, description: str, *, status: int = 400) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)
