"""People sign in to the pretend Entra: authorization code with PKCE, id_tokens, and discovery as MSAL asks for it.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow. A code is judged really; the application
proves itself by a federated assertion, and no secret is taken for one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from bot.sim.entra.answers import Denied, missing
from bot.sim.issuers import pages
from bot.sim.issuers.codes import Asked, Reason, Unredeemable
from bot.sim.issuers.directory import MOST_GROUPS, Directory, Person

TITLE = "Pretend Entra"
LIFETIME_S = 3600
_GRANT_FAULTS: dict[Reason, tuple[int, str]] = {
    "unknown": (70000, "The provided value for the 'code' parameter is not valid."),
    "client": (70000, "The provided authorization code was issued to another client."),
    "used": (54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code."),
    "expired": (70008, "The provided authorization code has expired."),
    "redirect_uri": (500112, "The reply address does not match the one provided when requesting the code."),
    "verifier": (501481, "The Code_Verifier does not match the code_challenge supplied in the request."),
}


@dataclass(frozen=True, kw_only=True)
class SignInClient:
    """An application that people sign in to; its redirect addresses are compared whole."""

    tenant_id: str
    client_id: str
    redirect_uris: tuple[str, ...]


def origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


class SignIn(Directory):
    """The browser's half, and what the token endpoint gives for a code. `Entra` puts it on the wire."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__("entra", clock)
        self._clients: dict[str, SignInClient] = {}
        self._refresh: dict[str, tuple[str, str, str]] = {}

    def sign_in_client(self, tenant_id: str, client_id: str, *, redirect_uris: Sequence[str]) -> None:
        """Register an application that people sign in to. What it proves itself with is a federated credential."""
        self._clients[client_id.lower()] = SignInClient(
            tenant_id=tenant_id.lower(), client_id=client_id.lower(), redirect_uris=tuple(redirect_uris)
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        try:
            client = self._asking(request.match_info["tenant"], asked)
        except Denied as denied:
            return pages.went_wrong(TITLE, f"AADSTS{denied.code}: {denied.message}", status=denied.status)
        try:
            self._judge_request(asked)
            name = self._chosen
            if request.method == "POST":
                name = str((await request.post()).get("person", ""))
            if name is None:
                shown = {each.name: each.login for each in self._people.values()}
                return pages.choose(TITLE, f"{request.path}?{urlencode(asked)}", shown)
            person = self._may_enter(name, client)
        except Denied as denied:
            if denied.status != 302:
                return pages.went_wrong(TITLE, f"AADSTS{denied.code}: {denied.message}", status=denied.status)
            told = {"error": denied.error, "error_description": f"AADSTS{denied.code}: {denied.message}"}
            return self._back(asked, told)
        code = self._codes.issue(
            Asked(
                client_id=client.client_id,
                redirect_uri=asked["redirect_uri"],
                scope=asked.get("scope", ""),
                challenge=asked["code_challenge"],
                nonce=asked.get("nonce"),
                person=person.name,
            )
        )
        return self._back(asked, {"code": code, "session_state": str(uuid4())}, person, client)

    def _back(
        self,
        asked: dict[str, str],
        values: dict[str, str],
        person: Person | None = None,
        client: SignInClient | None = None,
    ) -> web.Response:
        whole: dict[str, str | None] = {**values, "state": asked.get("state")}
        if person is not None and client is not None and asked.get("client_info") == "1":
            whole["client_info"] = _client_info(person, client)
        return pages.go_back(asked["redirect_uri"], asked.get("response_mode", "query"), whole)

    def _asking(self, tenant: str, asked: dict[str, str]) -> SignInClient:
        """The application, once its address is one to send an answer to. Until then nothing is sent anywhere."""
        client = self._clients.get(asked.get("client_id", "").lower())
        if not any(each.tenant_id == tenant.lower() for each in self._clients.values()):
            raise Denied(90002, f"Tenant '{tenant}' not found.", status=400)
        if client is None or client.tenant_id != tenant.lower():
            told = f"Application with identifier '{asked.get('client_id')}' was not found in the directory."
            raise Denied(700016, told, status=400)
        if asked.get("redirect_uri") not in client.redirect_uris:
            told = f"The redirect URI '{asked.get('redirect_uri')}' specified in the request does not match."
            raise Denied(50011, told, status=400)
        return client

    @staticmethod
    def _judge_request(asked: dict[str, str]) -> None:
        if asked.get("response_type") != "code":
            raise Denied(700054, "Only response_type 'code' is enabled.", error="unsupported_response_type", status=302)
        if asked.get("response_mode", "query") not in ("query", "form_post"):
            raise Denied(9002313, "The response_mode is not supported.", error="invalid_request", status=302)
        challenge, method = asked.get("code_challenge", ""), asked.get("code_challenge_method")
        if method != "S256" or not 43 <= len(challenge) <= 128:
            raise Denied(50147, "Invalid size of Code_Challenge parameter.", error="invalid_request", status=302)

    def _may_enter(self, name: str, client: SignInClient) -> Person:
        person = self._people.get(name)
        if person is None:
            raise Denied(50034, f"The user account {name} does not exist in the directory.", status=400)
        if person.tenant_id not in (None, client.tenant_id):
            raise Denied(50020, f"User account '{person.login}' does not exist in this tenant.", status=400)
        if not person.enabled:
            raise Denied(50057, "The user account is disabled.", status=400)
        if self._declines:
            raise Denied(65004, "User declined to consent to access the app.", error="access_denied", status=302)
        return person

    def _by_code(self, form: dict[str, str], client_id: str, issuer: str) -> dict[str, Any]:
        """The token endpoint's answer to a code, once the client has proven itself."""
        for name in ("code", "redirect_uri", "code_verifier"):
            if not form.get(name):
                raise missing(name)
        try:
            asked = self._codes.redeem(
                form["code"],
                client_id=client_id,
                redirect_uri=form["redirect_uri"],
                verifier=form["code_verifier"],
            )
        except Unredeemable as fault:
            code, message = _GRANT_FAULTS[fault.reason]
            raise Denied(code, message, error="invalid_grant", status=400) from fault
        return self._tokens(asked.person, client_id, asked.scope, issuer, nonce=asked.nonce)

    def _by_refresh(self, form: dict[str, str], client_id: str, issuer: str) -> dict[str, Any]:
        """As of now: who was disabled or lost a group has lost it here."""
        person, owner, scope = self._refresh.get(form.get("refresh_token", ""), ("", "", ""))
        if not person or owner != client_id:
            raise Denied(70000, "The provided grant is not valid.", error="invalid_grant", status=400)
        return self._tokens(person, client_id, scope, issuer, nonce=None)

    def _tokens(self, name: str, client_id: str, scope: str, issuer: str, *, nonce: str | None) -> dict[str, Any]:
        person, client = self._people[name], self._clients[client_id]
        if not person.enabled:
            raise Denied(50057, "The user account is disabled.", error="invalid_grant", status=400)
        granted = set(scope.split())
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": LIFETIME_S - 1,
            "ext_expires_in": LIFETIME_S - 1,
            # For Microsoft Graph; nothing in this world takes it.
            "access_token": "pretend-graph-" + secrets.token_urlsafe(32),
            "client_info": _client_info(person, client),
        }
        if "openid" in granted:
            answer["id_token"] = self._id_token(person, client, issuer, granted, nonce)
        if "offline_access" in granted:
            answer["refresh_token"] = "pretend-refresh-" + secrets.token_urlsafe(48)
            self._refresh[answer["refresh_token"]] = (name, client_id, scope)
        return answer

    def _id_token(self, person: Person, client: SignInClient, issuer: str, granted: set[str], nonce: str | None) -> str:
        """https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference"""
        now = int(self._clock())
        pairwise = hashlib.sha256(f"{person.oid}{client.client_id}".encode()).digest()
        claims: dict[str, Any] = {
            "aud": client.client_id,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_S,
            "nonce": nonce,
            "oid": person.oid,
            "sub": base64.urlsafe_b64encode(pairwise).rstrip(b"=").decode(),
            "tid": client.tenant_id,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
            **_membership(person),
        }
        if "profile" in granted:
            claims |= {"name": person.name.title(), "preferred_username": person.login}
        return self._signed(claims)

    async def _discovery(self, request: web.Request) -> web.Response:
        tenant = self._tenant(request)
        if tenant is None:
            told = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}
            return web.json_response(told, status=400)
        base = f"{origin(request)}/{tenant}"
        return web.json_response(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{base}/v2.0",
                "request_uri_parameter_supported": False,
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "http_logout_supported": True,
                "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "oid", "tid", "ver"],
            }
        )

    async def _jwks(self, request: web.Request) -> web.Response:
        """Entra's keys name no algorithm, but the issuer that they sign for."""
        if self._tenant(request) is None:
            raise web.HTTPNotFound
        issuer = f"{origin(request)}/{{tenantid}}/v2.0"
        return web.json_response({"keys": self._keys.published(alg=None, issuer=issuer)})

    async def _logout(self, _: web.Request) -> web.Response:
        return pages.went_wrong(TITLE, "You signed out of your account.", status=200)

    def _tenant(self, request: web.Request) -> str | None:
        tenant = request.match_info["tenant"].lower()
        return tenant if any(each.tenant_id == tenant for each in self._clients.values()) else None


def _membership(person: Person) -> dict[str, Any]:
    """Groups, app roles, or where to ask for groups that do not fit."""
    roles = {"roles": list(person.app_roles)} if person.app_roles else {}
    if person.overage == "hasgroups":
        return roles | {"hasgroups": True}
    if person.overage == "claim_names" or len(person.groups) > MOST_GROUPS:
        endpoint = f"https://graph.microsoft.com/v1.0/users/{person.oid}/getMemberObjects"
        return roles | {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": endpoint}}}
    return roles | ({"groups": list(person.groups)} if person.groups else {})


def _client_info(person: Person, client: SignInClient) -> str:
    told = json.dumps({"uid": person.oid, "utid": client.tenant_id}).encode()
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()
