"""People sign in with another OpenID provider than Entra: authorization code and PKCE, and `private_key_jwt`.

The other maker of `SignedIn`. The provider publishes who it is under the issuer that the operator named;
its token endpoint and its keys must be on that very host. No client secret, no token is kept.
https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth · https://www.rfc-editor.org/rfc/rfc7636
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from bot.domain.identity import SignedIn
from bot.oidc.asking import Service
from bot.oidc.id_tokens import IdTokens, groups, log, unavailable, wrong
from bot.oidc.jwks import DISCOVERY, IssuerKeys

ALGORITHMS = ("RS256", "ES256")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MOST_CODE = 4096
_MOST_SUBJECT = 255


class ProviderSignIn:
    """`client_assertion` proves who Miso is to an endpoint; `groups_claim` names the claim with the groups."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        issuer: str,
        client_id: str,
        groups_claim: str,
        client_assertion: Callable[[str], Awaitable[str]],
        keys: IssuerKeys,
        now_us: Callable[[], int],
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._groups_claim = groups_claim
        self._client_assertion = client_assertion
        self._service = Service(session, issuer)
        self._tokens = IdTokens(keys, now_us, algorithms=ALGORITHMS)

    async def begin(self, *, state: str, redirect: str, silent: bool = False) -> tuple[str, str]:
        """The address to go to, and the verifier and nonce that `finish` needs."""
        about = await self._about()
        address = about["authorization_endpoint"]
        parts = urlsplit(address) if isinstance(address, str) else None
        if parts is None or parts.query or parts.fragment or parts.scheme != urlsplit(self._issuer).scheme:
            raise wrong("the address of its pages")
        verifier, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect,
            "scope": self._scope(about.get("scopes_supported")),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"prompt": "none"} if silent else {}),
        }
        kept = {"verifier": verifier, "nonce": nonce, "redirect": redirect}
        return f"{address}?{urlencode(asked)}", json.dumps(kept)

    async def finish(self, kept: str, answer: Mapping[str, str], *, redirect: str) -> SignedIn:
        """Redeem the code. Where the provider says in the answer who it is, it must be this one (RFC 9207)."""
        flow: dict[str, str] = json.loads(kept)
        code = answer.get("code", "")
        if "error" in answer or not 0 < len(code) <= _MOST_CODE:
            raise wrong("refused there")
        if not hmac.compare_digest(answer.get("iss", self._issuer).encode(), self._issuer.encode()):
            raise wrong("an answer of another provider")
        if flow["redirect"] != redirect:
            raise wrong("another address to come back to")
        endpoint = (await self._about())["token_endpoint"]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self._client_id,
            "code_verifier": flow["verifier"],
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": await self._client_assertion(endpoint),
        }
        told = await self._service.ask("POST", endpoint, data=form)
        document = told.document()
        if told.status_code != 200:
            error = re.sub(r"[^a-z_]", "", str(document.get("error", "")))[:60]
            log.info("the sign-in service said no", error=error)
            raise wrong("refused there")
        claims = await self._tokens.read(
            document.get("id_token"), issuer=self._issuer, client_id=self._client_id, nonce=flow["nonce"]
        )
        return self._person(claims)

    def _person(self, claims: Mapping[str, Any]) -> SignedIn:
        sub = claims["sub"]
        if not isinstance(sub, str) or not 0 < len(sub) <= _MOST_SUBJECT:
            raise wrong("its subject")
        name = claims.get("name")
        return SignedIn(
            subject=f"oidc:{self._issuer}#{sub}",
            name=name if isinstance(name, str) else "",
            groups=groups(claims.get(self._groups_claim), "group") | groups(claims.get("roles"), "role"),
        )

    def _scope(self, supported: object) -> str:
        """Some providers tell groups only to who asks for them by a scope of the claim's name."""
        asks = isinstance(supported, list) and self._groups_claim in supported
        return f"openid profile {self._groups_claim}" if asks else "openid profile"

    async def _about(self) -> Mapping[str, Any]:
        """The discovery document, as far as it is needed here."""
        told = await self._service.ask("GET", self._issuer + DISCOVERY)
        document = told.document()
        if told.status_code != 200:
            raise unavailable()
        if document.get("issuer") != self._issuer or not self._service.own(document.get("token_endpoint")):
            raise wrong("its discovery document")
        if not isinstance(document.get("authorization_endpoint"), str):
            raise wrong("its discovery document")
        return document
