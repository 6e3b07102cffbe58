"""The RSA keys of one pretend issuer: one signs, the older ones stay published until they are forgotten.

Making a key takes longer than most tests, so each is made once a process and found again by its name.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def signing_key(name: str) -> rsa.RSAPrivateKey:
    """A key by name, the same one for the life of the process."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keyring:
    """`name` must be of one issuer alone: two rings of one name would hold the same keys."""

    def __init__(self, name: str) -> None:
        self._name, self._made = name, 1
        self._kids = [f"{name}-1"]

    def rotate(self, *, forget: bool = False) -> str:
        """Sign with a new key from now on. `forget` also withdraws the old ones. Gives the new key's id."""
        self._made += 1
        kid = f"{self._name}-{self._made}"
        self._kids = [kid] + ([] if forget else self._kids)
        return kid

    def sign(
        self, claims: Mapping[str, Any], *, headers: Mapping[str, Any] | None = None, algorithm: str = "RS256"
    ) -> str:
        """A compact JWS. `headers` are laid over `typ` and `kid`; None removes one."""
        kid = self._kids[0]
        whole: dict[str, Any] = {"typ": "JWT", "kid": kid} | dict(headers or {})
        key = None if algorithm == "none" else signing_key(kid)
        return jwt.encode(
            dict(claims),
            key,  # type: ignore[arg-type]  # "none" is signed with nothing, and that is wanted here
            algorithm=algorithm,
            headers={name: value for name, value in whole.items() if value is not None or name == "typ"},
        )

    def published(self, **also: Any) -> list[dict[str, Any]]:
        """The keys of the JWKS, newest first; `also` is written on each, and None takes a member away."""
        keys = []
        for kid in self._kids:
            public = signing_key(kid).public_key().public_numbers()
            key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": base64url(public.n)}
            key |= {"e": base64url(public.e), **also}
            keys.append({name: value for name, value in key.items() if value is not None})
        return keys
