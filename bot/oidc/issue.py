"""The issuer: short-lived assertions for Entra, and the two documents by which Entra checks them.

The Azure window gets `Issuer.assertion` as a plain synchronous callable (azure-identity calls it on the event loop, so
it must be quick); `bot.web.oidc` serves `discovery` and `jwks`. It never calls out and never signs for anybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

from cachetools import LRUCache

from bot.oidc.keys import TERMS, KeyRing

LIFE_S = 600
"""How long an assertion is valid. Entra needs seconds."""
SECOND = 1_000_000
JWKS_PATH = "/.well-known/jwks"
DISCOVERY_PATH = "/.well-known/openid-configuration"


class Issuer:
    """Speaks for environments under one issuer address. `now_us` is the clock, microseconds UTC."""

    def __init__(self, issuer_url: str, ring: KeyRing, now_us: Callable[[], int]) -> None:
        self._issuer = issuer_url
        self._ring = ring
        self._now_us = now_us
        # An environment's assertion with the time it was made.
        self._made: LRUCache[str, tuple[int, str]] = LRUCache(maxsize=4096)

    def assertion(self, environment_id: str) -> str:
        """A JWT whose subject is `miso:env:<environment id>`, valid for at least half of its life.

        Signing takes under a millisecond, and happens once in half a life. Raises ValueError for anything but a
        canonical lower-case GUID, so that no other kind of subject can be asked for.
        """
        made = self._made.get(environment_id)
        now = self._now_us()
        if made is not None and 0 <= now - made[0] < LIFE_S * SECOND // 2:
            return made[1]
        if str(UUID(environment_id)) != environment_id:
            raise ValueError("an environment is named by a lower-case GUID")
        token = self._sign(subject(environment_id), now // SECOND)
        self._made[environment_id] = (now, token)
        return token

    def warm(self, environment_ids: Iterable[str]) -> None:
        """Sign ahead for these, so that their first deployment does not wait."""
        for environment_id in environment_ids:
            self.assertion(environment_id)

    def discovery(self) -> Mapping[str, Any]:
        """As far as federation reads https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata."""
        return {
            "issuer": self._issuer,
            "jwks_uri": self._issuer + JWKS_PATH,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [TERMS[self._ring.use].algorithm],
            "scopes_supported": ["openid"],
            "claims_supported": ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"],
        }

    def jwks(self) -> Mapping[str, Any]:
        """The public keys, newest last."""
        return self._ring.jwks()

    def _sign(self, sub: str, now: int) -> str:
        claims = {"iss": self._issuer, "sub": sub, "iat": now, "nbf": now, "exp": now + LIFE_S, "jti": uuid4().hex}
        return self._ring.current.sign(claims)


def subject(environment_id: str) -> str:
    """The subject that the environment's federated credential must name, exactly."""
    return f"miso:env:{environment_id}"
