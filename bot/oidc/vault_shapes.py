"""The public part of a vault's key, as the SDK shows it, in the form in which everything else here uses keys."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.oidc.keys import Public, Use, fitting_public


def public_of(use: Use, jwk: Any) -> Public | None:
    """None for a key of another kind than the use asks for, or one that cannot be read."""
    try:
        return fitting_public(use, _public(jwk))
    except (ValueError, TypeError, AttributeError):
        return None


def _public(jwk: Any) -> Public:
    kind, curve = (getattr(each, "value", each) for each in (jwk.kty, jwk.crv))
    if kind in ("EC", "EC-HSM") and curve == "P-256":
        return ec.EllipticCurvePublicNumbers(_number(jwk.x), _number(jwk.y), ec.SECP256R1()).public_key()
    if kind in ("RSA", "RSA-HSM"):
        return rsa.RSAPublicNumbers(_number(jwk.e), _number(jwk.n)).public_key()
    raise ValueError("another kind of key")


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")
