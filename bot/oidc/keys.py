"""Uses of keys and what each fixes: kind, algorithm, type and audience. A key knows its use and can serve no other.

`bot.oidc.rings` holds keys, `disk` and `vault` keep them, `issue` signs with them; nobody else sees one. Private parts
are never logged and never leave the place that keeps them, but for files of our own in memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from bot.domain.key_life import Use as Use  # whoever takes a key takes its use from here too

RSA_BITS = 2048
SECRET_BYTES = 32

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a use fixes for a key that signs."""

    algorithm: str
    typ: str
    """`typ` of the JOSE header."""
    audience: str = ""
    """Empty: it is configured, once for all keys of the ring."""


TERMS: Mapping[Use, Terms] = {
    # Entra takes RS256 only, and this audience:
    # https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
    Use.ASSERTION: Terms(algorithm="RS256", typ="JWT", audience="api://AzureADTokenExchange"),
    # https://www.rfc-editor.org/rfc/rfc9068#section-2.1: the type tells an access token from every other JWT.
    Use.TOKEN: Terms(algorithm="ES256", typ="at+jwt"),
    # https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication
    Use.CLIENT: Terms(algorithm="RS256", typ="JWT"),
}


class SigningKey(Protocol):
    """A key that signs, wherever its private part is."""

    @property
    def use(self) -> Use: ...
    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint."""
        ...

    @property
    def jwk(self) -> Mapping[str, str]:
        """Public parts only, ready for a JWKS."""
        ...

    @property
    def public(self) -> Public: ...
    @property
    def at_hand(self) -> bool:
        """Whether `sign_now` can be asked; otherwise only `sign`."""
        ...

    def sign_now(self, data: bytes) -> bytes: ...
    async def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class LocalKey:
    """A key in memory. Parsing and checking RSA takes tens of milliseconds, so this lives as long as the process."""

    use: Use
    kid: str
    jwk: Mapping[str, str]
    public: Public = field(repr=False)
    _private: Private = field(repr=False)

    @property
    def at_hand(self) -> bool:
        return True

    def sign_now(self, data: bytes) -> bytes:
        algorithm: Any = jwt.get_algorithm_by_name(TERMS[self.use].algorithm)
        signature: bytes = algorithm.sign(data, self._private)
        return signature

    async def sign(self, data: bytes) -> bytes:
        return self.sign_now(data)


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """32 random bytes of one use."""

    use: Use
    kid: str
    """Of its hash, which tells nothing of it."""
    secret: bytes = field(repr=False)


def make_private(use: Use) -> Private:
    """A new private key of the kind that the use asks for."""
    if TERMS[use].algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def fitting_private(use: Use, key: object) -> Private | None:
    """The key when it is a private one of the kind that the use asks for."""
    if TERMS[use].algorithm == "ES256":
        return key if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else None
    return key if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS else None


def fitting_public(use: Use, key: object) -> Public | None:
    """The key when it is a public one of the kind that the use asks for."""
    if TERMS[use].algorithm == "ES256":
        return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS else None


def local(use: Use, private: Private) -> LocalKey:
    """The key of this use over a private part that fits it."""
    public = private.public_key()
    jwk = public_jwk(use, public)
    return LocalKey(use=use, kid=jwk["kid"], jwk=jwk, public=public, _private=private)


def secret(use: Use, value: bytes) -> SecretKey:
    """The symmetric key of this use."""
    return SecretKey(use=use, kid=hashlib.sha256(f"miso:{use}:".encode() + value).hexdigest()[:16], secret=value)


def public_jwk(use: Use, public: Public) -> Mapping[str, str]:
    """The required members of https://www.rfc-editor.org/rfc/rfc7518#section-6, with `kid`, `use` and `alg`."""
    members: tuple[str, ...] = ("kty", "n", "e")
    if isinstance(public, ec.EllipticCurvePublicKey):
        parts, members = ECAlgorithm.to_jwk(public, as_dict=True), ("kty", "crv", "x", "y")
    else:
        parts = RSAAlgorithm.to_jwk(public, as_dict=True)
    required = {member: str(parts[member]) for member in members}
    return {**required, "kid": thumbprint(required), "use": "sig", "alg": TERMS[use].algorithm}


def thumbprint(public: Mapping[str, str]) -> str:
    """https://www.rfc-editor.org/rfc/rfc7638: over the required members alone, in lexical order, without blanks."""
    canonical = json.dumps(dict(public), sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode("ascii")
