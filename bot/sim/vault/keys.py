"""The keys of the pretend vault: their versions, who may use them when, and the cryptography itself.

https://learn.microsoft.com/rest/api/keyvault/keys. EC P-256 signs ES256; RSA signs RS256 and PS256, and wraps.
Private parts never leave: nothing here renders them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from bot.sim.issuers.keyring import base64url, signing_key

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
RSA_OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
EC_OPERATIONS = ["sign", "verify"]
OUTSIDE_ITS_TIME = ("verify", "decrypt", "unwrapKey")
"""What a key still does before its first and after its last moment."""

_SHA256 = Prehashed(hashes.SHA256())
_SIGN_PADDING: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size),
}
_WRAP_PADDING: dict[str, padding.AsymmetricPadding] = {
    "RSA-OAEP-256": padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None),
    "RSA-OAEP": padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None),
}


class VaultError(Exception):
    """An answer that is not what was asked for, in Key Vault's form."""

    def __init__(self, status: int, code: str, message: str, *, inner: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner


@dataclass
class Version:
    """One version of a key. Moments are whole seconds, as on the wire."""

    name: str
    id: str
    private: Private = field(repr=False)
    operations: list[str]
    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def attributes(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "enabled": self.enabled,
            "nbf": self.not_before,
            "exp": self.expires,
            "created": self.created,
            "updated": self.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
            "exportable": False,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def change(self, body: dict[str, Any], now: int) -> None:
        """What a request names is set; what it leaves out stays."""
        given = body.get("attributes") or {}
        self.enabled = given.get("enabled", self.enabled)
        self.not_before, self.expires = given.get("nbf", self.not_before), given.get("exp", self.expires)
        self.operations = body.get("key_ops") or self.operations
        tags: dict[str, str] | None = body.get("tags")
        self.tags = self.tags if tags is None else tags
        self.updated = now

    def jwk(self, url: str) -> dict[str, Any]:
        """The public part."""
        shown: dict[str, Any] = {"kid": f"{url}/keys/{self.name}/{self.id}", "key_ops": self.operations}
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return shown | {"kty": "RSA", "n": base64url(numbers.n), "e": base64url(numbers.e)}
        point = self.private.public_key().public_numbers()
        x, y = (_encoded(number.to_bytes(32, "big")) for number in (point.x, point.y))
        return shown | {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def judge(self, operation: str, now: float) -> None:
        """Whether the key may do this now."""
        told = f"Operation {operation} is not allowed"
        if not self.enabled:
            raise VaultError(403, "Forbidden", f"{told} on a disabled key.", inner="KeyDisabled")
        if operation not in self.operations:
            raise VaultError(403, "Forbidden", f"{told} by its key_ops.", inner="KeyOperationForbidden")
        if operation in OUTSIDE_ITS_TIME:
            return
        if self.not_before is not None and now < self.not_before:
            raise VaultError(403, "Forbidden", f"{told} on a key that is not yet valid.", inner="KeyNotYetValid")
        if self.expires is not None and now >= self.expires:
            raise VaultError(403, "Forbidden", f"{told} on an expired key.", inner="KeyExpired")

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        if len(digest) != 32:
            raise VaultError(400, "BadParameter", "Invalid length of 'value' for the algorithm.")
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(digest, _chosen(_SIGN_PADDING, algorithm), _SHA256)
        if algorithm != "ES256":
            raise _unfit(algorithm)
        r, s = decode_dss_signature(self.private.sign(digest, ec.ECDSA(_SHA256)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        try:
            if isinstance(self.private, rsa.RSAPrivateKey):
                how = _chosen(_SIGN_PADDING, algorithm)
                self.private.public_key().verify(signature, digest, how, _SHA256)
            elif algorithm != "ES256":
                raise _unfit(algorithm)
            else:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                self.private.public_key().verify(encode_dss_signature(r, s), digest, ec.ECDSA(_SHA256))
        except InvalidSignature:
            return False
        return True

    def wrap(self, algorithm: str, value: bytes) -> bytes:
        return self._rsa(algorithm).public_key().encrypt(value, _chosen(_WRAP_PADDING, algorithm))

    def unwrap(self, algorithm: str, value: bytes) -> bytes:
        try:
            return self._rsa(algorithm).decrypt(value, _chosen(_WRAP_PADDING, algorithm))
        except ValueError as fault:
            raise VaultError(400, "BadParameter", "The value could not be decrypted.") from fault

    def _rsa(self, algorithm: str) -> rsa.RSAPrivateKey:
        if not isinstance(self.private, rsa.RSAPrivateKey):
            raise _unfit(algorithm)
        return self.private


def _unfit(algorithm: str) -> VaultError:
    return VaultError(400, "BadParameter", f"Key and signing algorithm are incompatible: '{algorithm}'.")


def _chosen(table: dict[str, padding.AsymmetricPadding], algorithm: str) -> padding.AsymmetricPadding:
    found = table.get(algorithm)
    if found is None:
        raise _unfit(algorithm)
    return found


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys:
    """Every key by name, its versions oldest first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._versions: dict[str, list[Version]] = {}
        self._rsa_made = 0

    def create(self, name: str, body: dict[str, Any]) -> Version:
        kind = str(body.get("kty", "")).removesuffix("-HSM")
        if kind == "EC":
            if body.get("crv", "P-256") != "P-256":
                raise VaultError(400, "BadParameter", "The pretend vault has the curve P-256 only.")
            return self._add(name, ec.generate_private_key(ec.SECP256R1()), EC_OPERATIONS, body)
        if kind == "RSA":
            if body.get("key_size", 2048) != 2048:
                raise VaultError(400, "BadParameter", "The pretend vault has RSA keys of 2048 bits only.")
            self._rsa_made += 1
            return self._add(name, signing_key(f"vault-{self._rsa_made}"), RSA_OPERATIONS, body)
        raise VaultError(400, "BadParameter", f"Invalid value for 'kty': '{kind}'.")

    def rotate(self, name: str) -> Version:
        """A new version like the latest."""
        latest = self.get(name)
        kind = "RSA" if isinstance(latest.private, rsa.RSAPrivateKey) else "EC"
        return self.create(name, {"kty": kind, "key_ops": latest.operations, "tags": latest.tags})

    def get(self, name: str, version: str = "") -> Version:
        """A version, or the latest."""
        for found in reversed(self._versions.get(name, [])):
            if version in ("", found.id):
                return found
        message = f"A key with (name/id) {name}{f'/{version}' if version else ''} was not found in this key vault."
        raise VaultError(404, "KeyNotFound", message)

    def versions(self, name: str) -> list[Version]:
        self.get(name)
        return self._versions[name]

    def names(self) -> list[str]:
        return sorted(self._versions)

    def _add(self, name: str, private: Private, operations: list[str], body: dict[str, Any]) -> Version:
        now = int(self._clock())
        made = Version(
            name=name, id=uuid4().hex, private=private, operations=list(operations), created=now, updated=now
        )
        made.change(body, now)
        self._versions.setdefault(name, []).append(made)
        return made
