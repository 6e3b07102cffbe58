"""Whoever makes hostile tokens: holds an honest one, the keys of its issuer and of another, and changes what it likes.

A `Forge` comes from any pretend world, so the same rows can be thrown at the reader alone and at the whole exchange.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.domain.codes import Code
from bot.sim.issuers.keyring import signing_key
from bot.sim.world import World

ENTERPRISE = "/acme-inc"
"""A second listed issuer, with keys of its own."""


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One trick. `code` is what it must be refused with; None: it is no trick, and must be let through."""

    what: str
    make: Callable[[Forge], str]
    code: Code | None


@dataclass(frozen=True, kw_only=True)
class Forge:
    """`header` and `claims` are an honest token's."""

    issuer: str
    enterprise: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def at(cls, world: World, repository: str, *, audience: str, environment: str, **job: Any) -> Self:
        """A forge with the token that an honest job of this repository just got."""
        token = world.actions.actions_token(repository, audience=audience, environment=environment, **job)["token"]
        return cls(
            issuer=world.actions.actions_issuer(),
            enterprise=world.actions.actions_issuer(ENTERPRISE),
            header=jwt.get_unverified_header(token),
            claims=jwt.decode(token, options={"verify_signature": False}),
        )

    @property
    def now(self) -> int:
        return int(self.claims["iat"])

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The issuer's own."""
        return signing_key(self.header["kid"])

    @property
    def enterprise_kid(self) -> str:
        return f"{self.header['kid'].rpartition('-')[0]}{ENTERPRISE.replace('/', '-')}-1"

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def says(self, **changes: Any) -> str:
        """A rightly signed token with other claims; None takes one away."""
        return self.signed(self.header, laid_over(self.claims, changes))

    def says_as_it_is(self, **changes: Any) -> str:
        """The same, where None is said as `null`."""
        return self.signed(self.header, {**self.claims, **changes})

    def headed(self, **changes: Any) -> str:
        """An honest token with another header, signed rightly over it."""
        return self.signed(laid_over(self.header, changes), self.claims)

    def signed(
        self,
        header: Mapping[str, Any] | bytes,
        claims: Mapping[str, Any] | bytes,
        *,
        algorithm: str = "RS256",
        key: Any = None,
    ) -> str:
        """Any header over any payload, signed with this algorithm whatever the header says of it."""
        data = b".".join(base64url(part if isinstance(part, bytes) else json_of(part)) for part in (header, claims))
        if algorithm.startswith("HS"):
            # By hand: the library refuses to do what attackers do, take a public key for a secret.
            signature = hmac.new(key, data, hashlib.sha256).digest()
        else:
            made = jwt.get_algorithm_by_name(algorithm)
            signature = made.sign(data, key or self.key)
        return (data + b"." + base64url(signature)).decode()


def laid_over(whole: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def json_of(part: Mapping[str, Any]) -> bytes:
    return json.dumps(part, ensure_ascii=False).encode()


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
