"""Which of the keys that an issuer publishes may verify anything."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from bot.oidc.jwks import MOST_KEYS, Unusable, usable_keys
from bot.sim.issuers.keyring import Keyring


def published(**changes: Any) -> dict[str, Any]:
    whole = {**Keyring("mine").published()[0], **changes}
    return {name: value for name, value in whole.items() if value is not None}


def elliptic(curve: ec.EllipticCurve, **changes: Any) -> dict[str, Any]:
    found = ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True)
    return {**found, "kid": "e", **changes}


def short(bits: int) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "short"}


@pytest.mark.parametrize(
    "key",
    [
        published(),
        published(use=None, alg=None),
        published(key_ops=["verify"]),
        published(x5t="abc", x5c=["certificate"]),
        elliptic(ec.SECP256R1()),
        elliptic(ec.SECP256R1(), use="sig", alg="ES256"),
    ],
)
def test_keys_that_may_verify(key: dict[str, Any]) -> None:
    assert list(usable_keys({"keys": [key]})) == [key["kid"]]


@pytest.mark.parametrize(
    "key",
    [
        published(kid=None),
        published(kid=""),
        published(kid=1),
        published(kid="k" * 201),
        published(kty=None),
        published(kty="oct", k="c2VjcmV0"),
        published(kty=["RSA"]),
        published(use="enc"),
        published(use=1),
        published(alg="RS512"),
        published(alg="HS256"),
        published(alg="none"),
        published(key_ops=["sign"]),
        published(key_ops="verify"),
        published(n=None),
        published(n=5),
        published(n="AQAB"),
        published(e="AA"),
        published(n="!"),
        published(d="AQAB"),
        short(1024),
        elliptic(ec.SECP384R1()),
        elliptic(ec.SECP256K1()),
        elliptic(ec.SECP256R1(), alg="ES384"),
        elliptic(ec.SECP256R1(), x="AQAB"),
        "text",
        None,
        [],
    ],
)
def test_keys_that_may_not_verify(key: Any) -> None:
    """They are left out, and the others stay; alone, they are no answer."""
    good = published(kid="good")
    assert list(usable_keys({"keys": [key, good]})) == ["good"]
    with pytest.raises(Unusable):
        usable_keys({"keys": [key]})


def test_a_name_that_stands_twice_is_nobodys() -> None:
    good = published(kid="good")
    assert list(usable_keys({"keys": [published(), published(), good]})) == ["good"]
    assert list(usable_keys({"keys": [published(), elliptic(ec.SECP384R1(), kid="mine-1"), good]})) == ["good"]


@pytest.mark.parametrize("keys", [None, {}, "x", [], [published(kid=str(n)) for n in range(MOST_KEYS + 1)]])
def test_what_is_no_list_of_keys(keys: Any) -> None:
    with pytest.raises(Unusable):
        usable_keys({"keys": keys})
