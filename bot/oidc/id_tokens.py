"""ID tokens of the sign-in service, verified by ourselves: signature, algorithm, issuer, audience, nonce, times.

Used by `sign_in` and `provider`. MSAL verifies none of it, and says so; a token that came over TLS from the token
endpoint is verified here all the same. Whoever signs in is told that it was refused, the log is told why.
https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.errors import Refused, Transient
from bot.oidc.jwks import SECOND, IssuerKeys
from bot.telemetry import logger

MOST_CHARACTERS = 64 * 1024
"""An ID token with two hundred groups has about ten thousand."""
SKEW_S = 60
MOST_AGE_S = 600
"""It is read directly after it was made."""
_REQUIRED = ("iss", "sub", "aud", "exp", "iat", "nonce")
_FOREIGN = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "cty", "enc", "zip"})
"""What would bring a key of its own, or an extension that nobody agreed on. Entra's own header has `x5t`."""

log = logger(__name__)


class IdTokens:
    """Reads them. `algorithms`: what this service signs with; a token is never asked."""

    def __init__(self, keys: IssuerKeys, now_us: Callable[[], int], *, algorithms: tuple[str, ...]) -> None:
        self._keys = keys
        self._now_us = now_us
        self._algorithms = algorithms

    async def read(self, token: object, *, issuer: str, client_id: str, nonce: str) -> Mapping[str, Any]:
        """What a token of this issuer for this client says. Raises Refused, or Transient when its keys are away."""
        if not isinstance(token, str) or not 0 < len(token) <= MOST_CHARACTERS:
            raise wrong("no ID token")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as fault:
            raise wrong(type(fault).__name__) from None
        kid, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(kid, str) or not kid or len(kid) > 200 or _FOREIGN & header.keys():
            raise wrong("its header")
        if algorithm not in self._algorithms or header.get("typ", "JWT") != "JWT":
            raise wrong("its algorithm or type")
        claims = self._verified(token, await self._key(issuer, kid), str(algorithm))
        if claims["iss"] != issuer:
            raise wrong("its issuer")
        if claims["aud"] not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
            raise wrong("its audience")
        said = claims["nonce"]
        if not isinstance(said, str) or not nonce or not hmac.compare_digest(said.encode(), nonce.encode()):
            raise wrong("its nonce")
        self._in_time(claims)
        return claims

    async def _key(self, issuer: str, kid: str) -> jwt.PyJWK:
        try:
            key = await self._keys.key(issuer, kid)
        except Transient:
            raise unavailable() from None
        if key is None:
            raise wrong("its key is not published")
        return key

    @staticmethod
    def _verified(token: str, key: jwt.PyJWK, algorithm: str) -> Mapping[str, Any]:
        # Times are judged below, by our own clock; what PyJWT would compare is not the injected one.
        options: Any = {
            "require": list(_REQUIRED),
            **{f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub")},
        }
        try:
            return dict(jwt.decode(token, key, algorithms=[algorithm], options=options))
        except jwt.PyJWTError as fault:
            raise wrong(type(fault).__name__) from None

    def _in_time(self, claims: Mapping[str, Any]) -> None:
        now = self._now_us() // SECOND
        expires, issued = (_moment(claims[name]) for name in ("exp", "iat"))
        begins = _moment(claims.get("nbf", issued))
        if expires <= now - SKEW_S or issued < now - MOST_AGE_S or max(issued, begins) > now + SKEW_S:
            raise wrong("its times")


def groups(said: object, kind: str) -> frozenset[str]:
    """A claim that lists groups or app roles, as `<kind>:<value>`. Raises Refused for one that is no list of texts."""
    if said is None:
        return frozenset()
    if not isinstance(said, list) or not all(isinstance(each, str) and 0 < len(each) <= 300 for each in said):
        raise wrong(f"its {kind}s")
    return frozenset(f"{kind}:{each}" for each in said)


def wrong(what: str) -> Refused:
    """The refusal to raise. The person learns that it failed; what failed is in the log, in our words."""
    log.warning("a sign-in was refused", why=what)
    return refusal(Code.SIGN_IN_REFUSED)


def unavailable() -> Transient:
    """The sign-in service cannot be reached."""
    said = refusal(Code.SIGN_IN_UNAVAILABLE)
    return Transient(said.code, said.sentence)


def _moment(said: object) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or not 0 < said < 2**40:
        raise wrong("its times")
    return said
