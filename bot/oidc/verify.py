"""Subject tokens: ID tokens of listed issuers, verified in all but what the registry must say (rules 18 and 30).

Used through `Oidc.read_subject`; it is the only maker of `SignedClaims`. What a token says of itself before its
signature is verified decides one thing, which listed issuer's keys to ask; it never names a key or an address. Each way
to be wrong has a code of its own. https://www.rfc-editor.org/rfc/rfc8725
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode

from bot.domain.claims import Profile, SignedClaims
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.trust import Book, IssuerTrust
from bot.oidc.exact_json import exact_object
from bot.oidc.jwks import SECOND, IssuerKeys

MOST_CHARACTERS = 16_384
SKEW_S = 60
"""How far the issuer's clock and ours may be apart."""
LONGEST_S = 3600
"""No issuer's tokens need to live longer. How long a token's id must be remembered follows from it."""
MOST_ID = 200

ALGORITHMS: Mapping[Profile, str] = {
    Profile.GITHUB: "RS256",
    Profile.AZURE_DEVOPS: "RS256",
    Profile.GITLAB: "RS256",
}
"""What each issuer signs with. A token is never asked."""

REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "cty", "enc", "zip"})
"""A key or an address of one, an extension, or a token inside a token.

`x5t` is none of these: GitHub and Azure DevOps send that thumbprint, and nothing here looks at it.
https://docs.github.com/en/actions/concepts/security/openid-connect
"""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_FARTHEST = 2**40
"""Seconds: a number beyond it is no time."""


class SubjectReader:
    """Reads tokens of the issuers in `book`. `now_us` is the clock."""

    def __init__(self, keys: IssuerKeys, book: Book, now_us: Callable[[], int]) -> None:
        self._keys = keys
        self._book = book
        self._now_us = now_us

    async def read(self, token: str, *, audience: str) -> SignedClaims:
        """The verified token. `audience` is ours; an issuer whose tokens all have one of their own keeps that.

        Raises Refused with the code of the first thing that is wrong, Transient (`issuer_unavailable`).
        """
        header, claims, signature = _parts(token)
        _plain(header)
        trust = self._issuer(claims.get("iss"))
        algorithm = ALGORITHMS[trust.profile]
        if header.get("alg") != algorithm:
            raise refusal(Code.TOKEN_ALGORITHM)
        _signed(token, signature, await self._key(trust, header.get("kid")), algorithm)
        audience = trust.audience or audience
        if "aud" not in claims:
            raise refusal(Code.TOKEN_CLAIM_MISSING, key="aud")
        if not audience or claims["aud"] != audience:
            raise refusal(Code.AUDIENCE_REFUSED)
        return SignedClaims(
            issuer=trust.issuer,
            profile=trust.profile,
            audience=audience,
            jti=_id(claims),
            expires_us=self._until(claims) * SECOND,
            claims=claims,
        )

    def _issuer(self, said: object) -> IssuerTrust:
        """The listed issuer that the token names, letter by letter. Nothing was asked of anybody yet."""
        trust = self._book.issuers.get(said) if isinstance(said, str) else None
        if trust is None:
            raise refusal(Code.ISSUER_REFUSED)
        return trust

    async def _key(self, trust: IssuerTrust, kid: object) -> jwt.PyJWK:
        named = isinstance(kid, str) and 0 < len(kid) <= MOST_ID
        key = await self._keys.key(trust.issuer, str(kid), host=trust.jwks_host) if named else None
        if key is None:
            raise refusal(Code.TOKEN_KEY_UNKNOWN)
        return key

    def _until(self, claims: Mapping[str, Any]) -> int:
        """The second from which nobody here takes the token any more. Our clock: the library would read another."""
        now = self._now_us() // SECOND
        expires, begins, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
        if not 0 < expires - issued <= LONGEST_S:
            raise refusal(Code.TOKEN_LIFE)
        if now >= expires + SKEW_S:
            raise refusal(Code.TOKEN_EXPIRED)
        if max(begins, issued) > now + SKEW_S:
            raise refusal(Code.TOKEN_NOT_YET)
        return expires + SKEW_S


def _parts(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any], bytes]:
    """Header, payload and signature of a compact JWS, unverified. The size is looked at before anything else."""
    match = _COMPACT.fullmatch(token) if len(token) <= MOST_CHARACTERS else None
    if match is None:
        raise refusal(Code.TOKEN_MALFORMED)
    try:
        header, claims = exact_object(base64url_decode(match[1])), exact_object(base64url_decode(match[2]))
        signature = base64url_decode(match[3])
    except ValueError:
        raise refusal(Code.TOKEN_MALFORMED) from None
    if base64url_encode(signature) != match[3].encode():
        # Bits that no byte needs: another spelling of the same signature, and another hash of the same token.
        raise refusal(Code.TOKEN_MALFORMED)
    return header, claims, signature


def _plain(header: Mapping[str, Any]) -> None:
    """A header that brings nothing of its own. Our own tokens have another `typ` and are no subject tokens.

    https://www.rfc-editor.org/rfc/rfc8725#section-3.11
    """
    if REFUSED_HEADERS & header.keys() or header.get("typ", "JWT") != "JWT":
        raise refusal(Code.TOKEN_HEADER)


def _signed(token: str, signature: bytes, key: jwt.PyJWK, algorithm: str) -> None:
    """The library's part. The algorithm is ours, the key is the issuer's, and both must be made for each other.

    Not by `jwt.decode`: it would parse the token a second time, less strictly, and take four times as long for it.
    """
    if key.algorithm_name != algorithm:
        raise refusal(Code.TOKEN_ALGORITHM)
    if not key.Algorithm.verify(token.rpartition(".")[0].encode("ascii"), key.key, signature):
        raise refusal(Code.TOKEN_SIGNATURE)


def _id(claims: Mapping[str, Any]) -> str:
    said = claims.get("jti")
    if not isinstance(said, str) or not 0 < len(said) <= MOST_ID:
        raise refusal(Code.TOKEN_CLAIM_MISSING, key="jti")
    return said


def _moment(claims: Mapping[str, Any], name: str) -> int:
    """Whole seconds, as all of these issuers write them. A truth value is a number in Python, and none here."""
    said = claims.get(name)
    if not isinstance(said, int) or isinstance(said, bool) or not 0 < said < _FARTHEST:
        raise refusal(Code.TOKEN_CLAIM_MISSING, key=name)
    return said
