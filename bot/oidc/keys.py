"""The signing keys on disk. `bot.app` opens a ring at start; `bot.oidc.issue` signs with it; nobody else sees a key.

A ring holds the keys of one use, and a use fixes algorithm and audience: no caller can make a key speak to somebody
else. Files are ours alone or the start is refused. A key never leaves this module, and is never logged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.errors import ConfigError


class Use(StrEnum):
    """What a ring is for. The value names its files."""

    ASSERTION = "assertion"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a use fixes."""

    algorithm: str
    audience: str
    make: Callable[[], rsa.RSAPrivateKey]


RSA_BITS = 2048

TERMS: Mapping[Use, Terms] = {
    # Entra takes RS256 only, and this audience:
    # https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
    Use.ASSERTION: Terms(
        algorithm="RS256",
        audience="api://AzureADTokenExchange",
        make=lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
    ),
}


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One key. Parsing PEM and checking an RSA key takes tens of milliseconds, so this lives as long as the process."""

    use: Use
    kid: str
    """RFC 7638 thumbprint."""
    jwk: Mapping[str, str]
    """Public parts only, ready for a JWKS."""
    _private: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT of these claims for the audience of this key's use. Raises ValueError when they name one themselves."""
        if "aud" in claims:
            raise ValueError("the audience belongs to the key, not to the claims")
        terms = TERMS[self.use]
        return jwt.encode(
            {**claims, "aud": terms.audience},
            self._private,
            algorithm=terms.algorithm,
            headers={"kid": self.kid},
        )


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """All keys of one use, oldest first. Every one is published; the newest signs."""

    use: Use
    keys: tuple[SigningKey, ...]

    @property
    def current(self) -> SigningKey:
        return self.keys[-1]

    def jwks(self) -> Mapping[str, Any]:
        """RFC 7517 key set, without a private part."""
        return {"keys": [dict(key.jwk) for key in self.keys]}


def open_ring(directory: Path, use: Use = Use.ASSERTION) -> KeyRing:
    """The ring in `directory` (mode 700, made when missing), with a first key when there is none.

    Takes up to a second: call it before serving. Several processes may do so at once and get the same key. Raises
    `ConfigError` when directory or files belong to somebody else, are open to others, or hold no such key.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _ours(os.lstat(directory), directory, stat.S_ISDIR, "700")
        files = sorted(directory.glob(f"{use}.*.pem"))
        if not files:
            _make_first(directory, use)
            files = sorted(directory.glob(f"{use}.*.pem"))
        return KeyRing(use=use, keys=tuple(_load(file, use) for file in files))
    except OSError as fault:
        raise ConfigError([f"the keys in '{directory}' cannot be read or made: {fault.strerror}"]) from fault


def _make_first(directory: Path, use: Use) -> None:
    """Write the key completely under another name, then link it: the name appears whole, and for one winner only."""
    pem = (
        TERMS[use]
        .make()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=directory)  # mode 600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, directory / f"{use}.0001.pem")
        except FileExistsError:
            return  # another replica was quicker; its key is the ring's
    finally:
        os.unlink(temporary)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(file: Path, use: Use) -> SigningKey:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        _ours(os.fstat(descriptor), file, stat.S_ISREG, "600")
        pem = opened.read(65_536)
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    terms = TERMS[use]
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < RSA_BITS:
        raise ConfigError([f"'{file}' holds no unencrypted key for {terms.algorithm}; restore it from a backup"])
    public = _public(private)
    kid = thumbprint(public)
    jwk = {**public, "kid": kid, "use": "sig", "alg": terms.algorithm}
    return SigningKey(use=use, kid=kid, jwk=jwk, _private=private)


def thumbprint(public: Mapping[str, str]) -> str:
    """https://www.rfc-editor.org/rfc/rfc7638: over the required members alone, in lexical order, without blanks."""
    canonical = json.dumps(dict(public), sort_keys=True, separators=(",", ":")).encode()
    return _base64url(hashlib.sha256(canonical).digest())


def _public(private: rsa.RSAPrivateKey) -> dict[str, str]:
    """The required members of RFC 7518, section 6.3.1."""
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}


def _integer(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _ours(found: os.stat_result, path: Path, right_kind: Callable[[int], bool], mode: str) -> None:
    if not right_kind(found.st_mode):
        raise ConfigError([f"'{path}' is not what it should be: links and other kinds of files are refused for keys"])
    if found.st_uid != os.geteuid():
        raise ConfigError([f"'{path}' belongs to another user: chown it to the one that runs Miso"])
    if found.st_mode & 0o077:
        raise ConfigError([f"'{path}' is open to other users: chmod {mode} {path}, and replace a key that was read"])
