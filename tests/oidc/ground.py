"""What tests of keys stand on: a clock that is moved by hand, rings in a directory, hand-made tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.oidc.issue import SECOND, Issuer
from bot.oidc.opening import open_rings
from bot.oidc.rings import Rings

ISSUER = "https://miso.example"
ENVIRONMENT = "0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10"
OTHER = "5d1a4f2e-0c3b-4a68-8f7d-1e2c3b4a5d6f"
START = 1_790_000_000 * SECOND
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Time:
    """Microseconds that pass when a test says so."""

    def __init__(self, us: int = START) -> None:
        self.us = us

    def now_us(self) -> int:
        return self.us


async def rings_in(directory: Path, time: Time, **changes: Any) -> Rings:
    """Rings of `ISSUER` in this directory, on this clock."""
    return await open_rings(directory, **{"issuer": ISSUER, "now_us": time.now_us, **changes})


async def issuer_in(directory: Path, time: Time, **changes: Any) -> Issuer:
    return Issuer(ISSUER, await rings_in(directory, time, **changes), time.now_us)


def claims(token: str) -> dict[str, Any]:
    """What it says, unverified."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def header(token: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(token))


def encoded(part: Mapping[str, Any] | bytes) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def put(directory: Path, content: bytes, name: str, mode: int = 0o600) -> Path:
    """A file as somebody left it there."""
    directory.mkdir(mode=0o700, exist_ok=True)
    file = directory / name
    file.write_bytes(content)
    file.chmod(mode)
    return file
