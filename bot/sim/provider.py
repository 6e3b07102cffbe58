"""A pretend OpenID provider that is not Entra: code with PKCE, `private_key_jwt`, and groups in the id_token.

https://openid.net/specs/openid-connect-core-1_0.html. A client is known by the address of its keys and signs what it
proves itself with (https://www.rfc-editor.org/rfc/rfc7523): each `jti` once, for the token endpoint alone. The answer
to the browser names its issuer (https://www.rfc-editor.org/rfc/rfc9207).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web

from bot.sim.issuers import pages
from bot.sim.issuers.codes import Asked, Unredeemable
from bot.sim.issuers.directory import Directory, Person
from bot.sim.wire import Wire

TITLE = "Pretend provider"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_S = 600
MOST_S = 600
"""The longest life of a client's assertion."""


@dataclass(frozen=True, kw_only=True)
class Client:
    id: str
    jwks_uri: str
    redirect_uris: tuple[str, ...]


class Refused(Exception):
    """An error of RFC 6749."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class Provider(Directory):
    """People as in Entra's directory; their `groups` may be names."""

    def __init__(
        self, wire: Wire, *, fetch: Callable[[str], Awaitable[Any]], clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__("provider", clock)
        self.url = ""
        self._wire, self._fetch = wire, fetch
        self._applications: dict[str, Client] = {}
        self._spent: set[str] = set()

    def client(self, client_id: str, *, jwks_uri: str, redirect_uris: Sequence[str]) -> None:
        """Register an application that people sign in to."""
        self._applications[client_id] = Client(id=client_id, jwks_uri=jwks_uri, redirect_uris=tuple(redirect_uris))

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("provider")])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        return app

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "scopes_supported": ["openid", "profile", "groups"],
                "claims_supported": ["sub", "name", "preferred_username", "groups"],
            }
        )

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self._keys.published()})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        client = self._applications.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client.redirect_uris:
            return pages.went_wrong(TITLE, "This application or its address is not registered here.")
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return self._back(asked, {"error": "invalid_request"})
        name = self._chosen
        if request.method == "POST":
            name = str((await request.post()).get("person", ""))
        if name is None:
            shown = {each.name: each.login for each in self._people.values()}
            return pages.choose(TITLE, f"{request.path}?{urlencode(asked)}", shown)
        person = self._people.get(name)
        if person is None or not person.enabled or self._declines:
            return self._back(asked, {"error": "access_denied"})
        code = self._codes.issue(
            Asked(
                client_id=client.id,
                redirect_uri=asked["redirect_uri"],
                scope=asked.get("scope", ""),
                challenge=asked.get("code_challenge", ""),
                nonce=asked.get("nonce"),
                person=person.name,
            )
        )
        return self._back(asked, {"code": code})

    def _back(self, asked: dict[str, str], values: dict[str, str]) -> web.Response:
        whole = {**values, "state": asked.get("state"), "iss": self.url}
        return pages.go_back(asked["redirect_uri"], asked.get("response_mode", "query"), whole)

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        try:
            client = await self._proven(form)
            if form.get("grant_type") != "authorization_code":
                raise Refused("unsupported_grant_type", "Only authorization_code is supported.")
            asked = self._codes.redeem(
                form.get("code", ""),
                client_id=client.id,
                redirect_uri=form.get("redirect_uri", ""),
                verifier=form.get("code_verifier", ""),
            )
        except Refused as refused:
            told = {"error": refused.error, "error_description": refused.description}
            return web.json_response(told, status=refused.status)
        except Unredeemable as fault:
            told = {"error": "invalid_grant", "error_description": f"The code is not good: {fault.reason}."}
            return web.json_response(told, status=400)
        answer = {
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "access_token": "pretend-provider-access",
            "id_token": self._id_token(self._people[asked.person], asked),
        }
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def _proven(self, form: dict[str, str]) -> Client:
        """By a signature with one of the keys that the client publishes; a secret proves nothing."""
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_secret" in form:
            raise Refused("invalid_client", "This client proves itself by private_key_jwt.", status=401)
        try:
            client = self._applications[jwt.decode(assertion, options={"verify_signature": False})["sub"]]
            keys = jwt.PyJWKSet.from_dict(await self._fetch(client.jwks_uri))
            claims = jwt.decode(
                assertion,
                keys[jwt.get_unverified_header(assertion)["kid"]],
                algorithms=["RS256", "ES256"],
                audience=f"{self.url}/token",
                issuer=client.id,
                # The times are judged below, by this world's clock.
                options={
                    "require": ["iss", "sub", "aud", "exp", "jti"],
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except Exception as fault:  # whatever is wrong with it, a provider tells a client no more than this
            raise Refused("invalid_client", f"The assertion is not good: {fault}", status=401) from fault
        if not self._clock() < float(claims["exp"]) <= self._clock() + MOST_S:
            raise Refused("invalid_client", "The assertion has expired, or lives for too long.", status=401)
        if claims["jti"] in self._spent or form.get("client_id", client.id) != client.id:
            raise Refused("invalid_client", "The assertion was used before, or is of another client.", status=401)
        self._spent.add(claims["jti"])
        return client

    def _id_token(self, person: Person, asked: Asked) -> str:
        now, granted = int(self._clock()), asked.scope.split()
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": person.oid,
            "aud": asked.client_id,
            "iat": now,
            "exp": now + LIFETIME_S,
            "nonce": asked.nonce,
        }
        if "profile" in granted:
            claims |= {"name": person.name.title(), "preferred_username": person.login}
        if "groups" in granted:
            claims["groups"] = list(person.groups)
        return self._signed(claims)
