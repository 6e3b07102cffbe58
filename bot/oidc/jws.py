"""The compact form of a signed token (RFC 7515), written by a key that may be elsewhere and read without doubt.

Used by `bot.oidc.issue` for tokens of our own. A token has one spelling only: who holds it cannot make a second one
with another hash, so a revocation by hash is a revocation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jwt.utils import base64url_decode, base64url_encode

from bot.oidc.keys import TERMS, SigningKey

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
MOST_CHARACTERS = 8192


class Unreadable(ValueError):
    """Why a text is no token in the one spelling that we write."""


def signing_input(key: SigningKey, claims: Mapping[str, Any]) -> bytes:
    """Header and payload, as https://www.rfc-editor.org/rfc/rfc7515#section-7.1 joins them."""
    terms = TERMS[key.use]
    header = {"alg": terms.algorithm, "kid": key.kid, "typ": terms.typ}
    return b".".join(base64url_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def compact(key: SigningKey, data: bytes, signature: bytes) -> str:
    """The whole token."""
    if TERMS[key.use].algorithm == "ES256":
        signature = _lower(signature)
    return b".".join((data, base64url_encode(signature))).decode("ascii")


def header_of(token: str) -> Mapping[str, Any]:
    """What the header says. Raises Unreadable for any but the one spelling of a token. Verifies nothing."""
    match = _COMPACT.fullmatch(token) if len(token) <= MOST_CHARACTERS else None
    if match is None:
        raise Unreadable("not a signed token in compact form")
    try:
        header = json.loads(base64url_decode(match[1]))
        signature = base64url_decode(match[3])
    except (ValueError, RecursionError) as fault:
        raise Unreadable("not JSON in base64url") from fault
    if not isinstance(header, dict):
        raise Unreadable("not a JSON object")
    if base64url_encode(signature) != match[3].encode() or (len(signature) == 64 and _lower(signature) != signature):
        raise Unreadable("another spelling of a signature")
    return header


def _lower(signature: bytes) -> bytes:
    """Of the two signatures that ECDSA counts as one, (r, s) and (r, n - s), the one with the lower s."""
    s = int.from_bytes(signature[32:], "big")
    return signature if s <= _P256_ORDER // 2 else signature[:32] + (_P256_ORDER - s).to_bytes(32, "big")
