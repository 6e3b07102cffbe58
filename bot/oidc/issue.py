"""The issuer: short-lived assertions, deploy tokens, and the documents by which others check what Miso signs.

The Azure window gets `Issuer.assertion` as a plain synchronous callable (azure-identity calls it on the event loop, so
it must be quick); `bot.web.oidc` serves `discovery` and `jwks`. It never calls out but to its own key vault, and each
kind of token has keys of its own: what one of them signed is nothing to whoever trusts another.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from cachetools import LRUCache, TTLCache

from bot import telemetry
from bot.domain.claims import DeployClaims, OwnClaims
from bot.domain.codes import Code
from bot.domain.messages import explain
from bot.errors import MisoError, Transient
from bot.oidc import own
from bot.oidc.jws import compact, signing_input
from bot.oidc.keys import TERMS, SigningKey, Use
from bot.oidc.rings import Ring, Rings

log = telemetry.logger("issuer")

LIFE_S = 600
"""How long an assertion is valid. Entra needs seconds."""
LEAST_S = 60
"""What an assertion that was signed ahead must still be good for."""
WANTED_US = 86_400_000_000
"""An assertion that nobody asked for during a day is not signed ahead any more."""
CLIENT_LIFE_S = 120
SECOND = 1_000_000
JWKS_PATH = "/.well-known/jwks"
DISCOVERY_PATH = "/.well-known/openid-configuration"
GRANT_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS_OF_PEOPLE = ("urn:ietf:params:oauth:grant-type:device_code", "refresh_token")
SIGN_IN_SUBJECT = "miso:signin"
AT_ONCE = 8
"""Signatures that a vault is asked for side by side."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """An assertion, when it was made and by which key."""

    at_us: int
    kid: str
    token: str


class Issuer:
    """Speaks under one issuer address. `now_us` is the clock, microseconds UTC.

    `audience` is that of our own tokens, the issuer's address where it is empty; `client_id` is how another sign-in
    service knows Miso; `device` whether the command line may sign in.
    """

    def __init__(
        self,
        issuer_url: str,
        rings: Rings,
        now_us: Callable[[], int],
        *,
        audience: str = "",
        client_id: str = "",
        device: bool = True,
    ) -> None:
        self._issuer = issuer_url
        self._audience = audience or issuer_url
        self._client_id = client_id
        self._device = device
        self._rings = rings
        self._now_us = now_us
        # By subject. Those that were asked for are signed ahead, where a key is not at hand.
        self._made: LRUCache[str, Made] = LRUCache(maxsize=4096)
        self._wanted: TTLCache[str, None] = TTLCache(maxsize=4096, ttl=WANTED_US, timer=now_us)
        self._signing: dict[str, asyncio.Task[None]] = {}
        self._limit = asyncio.Semaphore(AT_ONCE)
        if self._audience == TERMS[Use.ASSERTION].audience:
            raise ValueError("our own tokens cannot have the audience of assertions for Entra")

    # --- assertions for Entra

    def assertion(self, environment_id: str) -> str:
        """A JWT whose subject is `miso:env:<environment id>`, for Entra, valid for a minute at least.

        Signing takes under a millisecond, and happens once in half a life. With keys in a vault it was done ahead;
        where there is none, one is begun and Transient (`key_vault_unavailable`) raised. Raises ValueError for anything
        but a canonical lower-case GUID, so that no other kind of subject can be asked for.
        """
        return self._ready(subject(environment_id))

    def sign_in_assertion(self) -> str:
        """The same with the subject `miso:signin`: Miso itself, where people sign in with Entra."""
        return self._ready(SIGN_IN_SUBJECT)

    async def workflow_assertion(self, environment_id: str) -> str:
        """An assertion for Entra whose subject is `miso:workflow:<environment id>`, and never another."""
        return await self._signed(self._rings.assertion, self._claims(workflow_subject(environment_id)))

    async def warm(self, environment_ids: Iterable[str], *, sign_in: bool = False) -> None:
        """Sign ahead for these, and for people's sign-in, so that the first who need one do not wait."""
        for wanted in (*map(subject, environment_ids), *((SIGN_IN_SUBJECT,) if sign_in else ())):
            self._wanted[wanted] = None
        await self._ahead()

    async def tend(self) -> None:
        """Look after the keys, and sign ahead what a vault signs. Cheap when nothing is due; never raises for it."""
        await self._rings.tend()
        if not self._rings.assertion.current.at_hand:
            await self._ahead()

    async def close(self) -> None:
        """Let go of what is being signed ahead."""
        for task in (under_way := list(self._signing.values())):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    # --- for other doors

    async def client_assertion(self, endpoint: str) -> str:
        """Who we are, to the token endpoint of the sign-in service that was configured, by `private_key_jwt`."""
        parts = urlsplit(endpoint)
        if not self._client_id or self._rings.client is None:
            raise ValueError("no sign-in service is configured that asks for it")
        if parts.scheme not in ("https", "http") or not parts.hostname or endpoint == self._audience:
            raise ValueError("a client assertion is for another service's token endpoint")
        now = self._now_us() // SECOND
        claims = {"iss": self._client_id, "sub": self._client_id, "iat": now, "nbf": now, "exp": now + CLIENT_LIFE_S}
        return await self._signed(self._rings.client, {**claims, "jti": uuid4().hex}, endpoint)

    async def issue(self, claims: DeployClaims) -> str:
        """A signed deploy token. Raises Transient (`key_vault_unavailable`)."""
        return await self._signed(self._rings.token, own.written(claims, self._issuer), self._audience)

    def read_own(self, token: str) -> OwnClaims:
        """A deploy token of ours. Raises Refused (`token_invalid`); revocation is the store's to know."""
        find = self._rings.token.find
        return own.read(token, issuer=self._issuer, audience=self._audience, find=find, now_us=self._now_us())

    def stamp(self, purpose: str, text: str) -> str:
        """A keyed hash of this text for this purpose: for forms and cookies."""
        key = self._rings.cookie.current
        return f"{key.kid}.{_keyed(key.secret, purpose, text)}"

    def stamped(self, purpose: str, text: str, stamp: str) -> bool:
        """Whether a stamp was made here, by a key that still counts. In constant time but for the key's name."""
        kid, _, mac = stamp.partition(".")
        key = self._rings.cookie.find(kid)
        expected = _keyed(key.secret, purpose, text) if key is not None else ""
        # A header may hold what is no text.
        return bool(expected) and hmac.compare_digest(expected.encode(), mac.encode("utf-8", "surrogatepass"))

    # --- documents

    def discovery(self) -> Mapping[str, Any]:
        """https://www.rfc-editor.org/rfc/rfc8414#section-2 and, as far as federation reads it,
        https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata.
        """
        at_the_device = {"device_authorization_endpoint": self._issuer + "/oidc/device_authorization"}
        return {
            "issuer": self._issuer,
            "jwks_uri": self._issuer + JWKS_PATH,
            "token_endpoint": self._issuer + "/oidc/token",
            "introspection_endpoint": self._issuer + "/oidc/introspect",
            "revocation_endpoint": self._issuer + "/oidc/revoke",
            **(at_the_device if self._device else {}),
            "grant_types_supported": [GRANT_EXCHANGE, *(GRANTS_OF_PEOPLE if self._device else ())],
            # A workflow proves itself by its subject token, a person by a code; there are no clients with secrets.
            "token_endpoint_auth_methods_supported": ["none"],
            "introspection_endpoint_auth_methods_supported": ["none", "Bearer"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [TERMS[Use.ASSERTION].algorithm],
            "scopes_supported": ["openid", "deploy"],
            "claims_supported": ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"],
        }

    def jwks(self) -> Mapping[str, Any]:
        """The public keys of every use, each with `kid`, `use` and `alg`."""
        return self._rings.jwks()

    # --- signing

    def _ready(self, sub: str) -> str:
        now = self._now_us()
        made = self._made.get(sub)
        key = self._rings.assertion.current
        if not key.at_hand:
            self._wanted[sub] = None
        if made is not None and self._fresh(made, key.kid, now):
            return made.token
        if key.at_hand:
            data = signing_input(key, {**self._claims(sub), "aud": TERMS[Use.ASSERTION].audience})
            made = Made(at_us=now, kid=key.kid, token=compact(key, data, key.sign_now(data)))
            self._made[sub] = made
            return made.token
        counts = made is not None and self._rings.assertion.find(made.kid) is not None
        if made is not None and counts and 0 <= now - made.at_us < (LIFE_S - LEAST_S) * SECOND:
            return made.token
        self._begin(sub)
        raise Transient(Code.KEY_VAULT_UNAVAILABLE, explain(Code.KEY_VAULT_UNAVAILABLE).sentence)

    async def _ahead(self) -> None:
        """Sign for every subject that was asked for and whose assertion is half over, or of a key before."""
        now, kid = self._now_us(), self._rings.assertion.current.kid
        due = [sub for sub in list(self._wanted) if not self._fresh(self._made.get(sub), kid, now)]
        await asyncio.gather(*(self._begin(sub) for sub in due))

    def _begin(self, sub: str) -> asyncio.Task[None]:
        """Sign for this subject beside everything else, once however many ask for it."""
        if sub not in self._signing:
            self._signing[sub] = asyncio.get_running_loop().create_task(self._sign_ahead(sub))
            self._signing[sub].add_done_callback(lambda _: self._signing.pop(sub, None))
        return self._signing[sub]

    async def _sign_ahead(self, sub: str) -> None:
        async with self._limit:
            now, kid = self._now_us(), self._rings.assertion.current.kid
            try:
                token = await self._signed(self._rings.assertion, self._claims(sub))
            except MisoError as fault:
                log.warning("assertion not signed ahead", code=getattr(fault, "code", ""))
                return
            self._made[sub] = Made(at_us=now, kid=kid, token=token)

    @staticmethod
    def _fresh(made: Made | None, kid: str, now: int) -> bool:
        return made is not None and made.kid == kid and 0 <= now - made.at_us < LIFE_S * SECOND // 2

    def _claims(self, sub: str) -> Mapping[str, Any]:
        now = self._now_us() // SECOND
        return {"iss": self._issuer, "sub": sub, "iat": now, "nbf": now, "exp": now + LIFE_S, "jti": uuid4().hex}

    async def _signed(self, ring: Ring[SigningKey], claims: Mapping[str, Any], audience: str = "") -> str:
        """The audience belongs to the use; where it is configured, to whoever asks here."""
        key = ring.current
        fixed = TERMS[ring.use].audience
        if fixed and audience:
            raise ValueError("the audience belongs to the key's use")
        data = signing_input(key, {**claims, "aud": fixed or audience})
        return compact(key, data, await key.sign(data))


def subject(environment_id: str) -> str:
    """The subject that the environment's federated credential must name, exactly."""
    return f"miso:env:{_guid(environment_id)}"


def workflow_subject(environment_id: str) -> str:
    """The subject of a federated credential for the environment's workflows, where an operator allows those."""
    return f"miso:workflow:{_guid(environment_id)}"


def _guid(environment_id: str) -> str:
    if str(UUID(environment_id)) != environment_id:
        raise ValueError("an environment is named by a lower-case GUID")
    return environment_id


def _keyed(key: bytes, purpose: str, text: str) -> str:
    """Purpose and text cannot run into one another: the purpose's length stands before both."""
    said = f"{len(purpose)}:{purpose}{text}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()
