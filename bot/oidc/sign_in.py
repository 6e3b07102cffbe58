"""People sign in with Entra: authorization code and PKCE by MSAL, and the ID token verified by ourselves.

One of the two makers of `SignedIn`; `provider` is for other services. There is no client secret: Miso proves
itself with an assertion of its own (`miso:signin`), which a federated credential of the application trusts. Of what
Entra gives nothing is kept but who the person is; no refresh token is asked for.
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from bot.domain.codes import Code
from bot.domain.identity import SignedIn
from bot.domain.messages import refusal
from bot.errors import MisoError
from bot.oidc.asking import Bridge, Service
from bot.oidc.id_tokens import IdTokens, groups, log, wrong
from bot.oidc.jwks import IssuerKeys

ALGORITHMS = ("RS256",)
_ANSWER = ("code", "state", "error", "error_description", "client_info")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MOST = 8192
"""Characters of one value that comes back in an address."""


class EntraSignIn:
    """`authority` without tenant; `assertion` gives Miso's own and is called on the loop; `keys` are shared."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        authority: str,
        tenant: str,
        client_id: str,
        assertion: Callable[[], str],
        keys: IssuerKeys,
        now_us: Callable[[], int],
    ) -> None:
        # Only where it is used, and before anybody waits for it: it takes a while to load.
        import msal  # type: ignore[import-untyped]  # it ships no types

        # It would rather have the answer posted, but no cookie that is ours alone comes with another site's form; a
        # code that stays in the browser's history is spent, and was good with our verifier only.
        warnings.filterwarnings("ignore", message="response_mode='form_post'")
        self._library: Any = msal
        self._tenant = tenant.lower()
        self._authority = f"{authority}/{self._tenant}"
        self._client_id = client_id
        self._assertion = assertion
        self._service = Service(session, authority)
        self._tokens = IdTokens(keys, now_us, algorithms=ALGORITHMS)

    async def begin(self, *, state: str, redirect: str, silent: bool = False) -> tuple[str, str]:
        """The address to go to, and the flow that `finish` needs."""
        flow = await self._msal(
            lambda app: app.initiate_auth_code_flow(
                [], redirect_uri=redirect, state=state, prompt="none" if silent else None
            )
        )
        address = str(flow["auth_uri"])
        if not self._service.own(address):
            raise wrong("an address elsewhere")
        return address, json.dumps(flow)

    async def finish(self, kept: str, answer: Mapping[str, str], *, redirect: str) -> SignedIn:
        """Redeem the code. `redirect` stands in the flow already, where MSAL takes it from."""
        flow: dict[str, Any] = json.loads(kept)
        if flow.get("redirect_uri") != redirect:
            raise wrong("another address to come back to")
        [nonce] = parse_qs(urlsplit(flow["auth_uri"]).query)["nonce"]
        given = {name: answer[name][:_MOST] for name in _ANSWER if name in answer}
        result = await self._msal(lambda app: app.acquire_token_by_auth_code_flow(flow, given))
        if "id_token" not in result:
            raise wrong(_codes(result))
        issuer = f"{self._authority}/v2.0"
        claims = await self._tokens.read(result["id_token"], issuer=issuer, client_id=self._client_id, nonce=nonce)
        return self._person(claims)

    def _person(self, claims: Mapping[str, Any]) -> SignedIn:
        """https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference"""
        if claims.get("tid") != self._tenant:
            raise refusal(Code.SIGN_IN_TENANT)
        oid = claims.get("oid")
        if not isinstance(oid, str) or not _GUID.fullmatch(oid):
            raise wrong("its object id")
        elsewhere = claims.get("_claim_names")
        if claims.get("hasgroups") or (isinstance(elsewhere, dict) and "groups" in elsewhere):
            raise refusal(Code.GROUPS_OVERAGE)
        name = claims.get("name")
        return SignedIn(
            subject=f"entra:{self._tenant}:{oid}",
            name=name if isinstance(name, str) else "",
            groups=groups(claims.get("groups"), "group") | groups(claims.get("roles"), "role"),
        )

    async def _msal(self, call: Callable[[Any], Any]) -> Mapping[str, Any]:
        """MSAL blocks, so it gets a thread; and an application of its own each time, so that it remembers nobody."""
        bridge = Bridge(self._service, asyncio.get_running_loop())
        proof = self._assertion()

        def in_thread() -> Any:
            return call(
                self._library.ConfidentialClientApplication(
                    self._client_id,
                    authority=self._authority,
                    client_credential={"client_assertion": lambda: proof},
                    instance_discovery=False,
                    exclude_scopes=["offline_access"],
                    http_client=bridge,
                )
            )

        try:
            return dict(await asyncio.to_thread(in_thread))
        except MisoError:
            raise
        except (ValueError, KeyError, RuntimeError, TypeError) as fault:
            # What MSAL raises for answers that it cannot use; their text is somebody else's.
            raise wrong(f"MSAL: {type(fault).__name__}") from None


def _codes(result: Mapping[str, Any]) -> str:
    """What Entra said, as far as it is a number or a word of its own list."""
    codes = [code for code in result.get("error_codes", []) if isinstance(code, int)]
    found = re.findall(r"AADSTS(\d{4,8})", str(result.get("error_description", "")))
    error = re.sub(r"[^a-z_]", "", str(result.get("error", "")))[:60]
    log.info("the sign-in service said no", error=error, aadsts=codes or found[:3])
    return f"refused there: {error}"
