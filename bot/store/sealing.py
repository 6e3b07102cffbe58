"""What must not be readable in the database: sealed with keys that are kept elsewhere, and bound to its place.

Made by `bot.app`; used by `SqliteStore` for continuation tokens, bodies of webhooks and whatever is kept sealed.
Whoever takes a copy of the database alone reads nothing of them; whoever can write it cannot pass one off as another.

AES-256-GCM under random nonces (https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf, section
8.2.2 and 8.3: fewer than 2^32 of them with one key, which is many years of webhooks and more than a key's life). What
is sealed carries its key's name, so that keys can be replaced while older ones still open.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
FORM = 1
"""First byte of what is sealed. It tells a later form from this one."""


@dataclass(frozen=True)
class Keys:
    """By name, and which of them seals. Replaced as one, while other threads seal."""

    ciphers: Mapping[str, AESGCM]
    newest: str


class Seal:
    """Seals bytes and text with the newest of its keys, and opens what any of them sealed."""

    def __init__(self, keys: Sequence[tuple[str, bytes]], *, fernet: Sequence[bytes] = ()) -> None:
        """Names and keys, the newest last. `fernet` are keys of an earlier version, which open and never seal."""
        self._fernet = [Fernet(key) for key in fernet]
        self._keys = _keys(keys)

    @classmethod
    def at(cls, file: Path) -> Seal:
        """The key in this file, made with mode 600 when there is none. Processes that start at once get one key.

        The file holds it as earlier versions wrote it, so that what they sealed with it still opens.
        """
        if not file.exists():
            _make(file, Fernet.generate_key())
        key = file.read_bytes().strip()
        return cls([("file", base64.urlsafe_b64decode(key))], fernet=[key])

    def use(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """These are the keys from now on, the newest last. From any thread."""
        self._keys = _keys(keys)

    @property
    def newest(self) -> str:
        """Name of the key that seals now."""
        return self._keys.newest

    def close_bytes(self, content: bytes, *place: str) -> bytes:
        """Sealed for `place`, which is a table and a key: it opens nowhere else."""
        keys = self._keys
        name, nonce = keys.newest.encode(), os.urandom(NONCE_BYTES)
        sealed = keys.ciphers[keys.newest].encrypt(nonce, content, _bound(place))
        return b"".join((bytes((FORM, len(name))), name, nonce, sealed))

    def open_bytes(self, sealed: bytes, *place: str) -> bytes | None:
        """None for what was sealed with a key that is not here, for another place, or was changed."""
        cipher = self._keys.ciphers.get(sealed_with(sealed))
        if cipher is None:
            return None
        at = 2 + sealed[1]
        try:
            return cipher.decrypt(sealed[at : at + NONCE_BYTES], sealed[at + NONCE_BYTES :], _bound(place))
        except (InvalidTag, ValueError):
            return None

    def close(self, text: str, *place: str) -> str:
        return base64.urlsafe_b64encode(self.close_bytes(text.encode(), *place)).decode("ascii")

    def open(self, sealed: str, *place: str) -> str | None:
        """None for what does not open; see `open_bytes`."""
        try:
            opened = self.open_bytes(base64.urlsafe_b64decode(sealed), *place)
        except (binascii.Error, ValueError):
            return None
        return None if opened is None else opened.decode()

    def open_unbound(self, sealed: str) -> str | None:
        """What an earlier version sealed with Fernet (https://github.com/fernet/spec), which binds to no place."""
        for fernet in self._fernet:
            try:
                return fernet.decrypt(sealed.encode()).decode()
            except (InvalidToken, ValueError):
                continue
        return None


def sealed_with(sealed: bytes) -> str:
    """Name of the key; "" for what is not of this form. Nothing is proven by it."""
    if len(sealed) < 2 or sealed[0] != FORM:
        return ""
    return sealed[2 : 2 + sealed[1]].decode(errors="replace")


def _keys(keys: Sequence[tuple[str, bytes]]) -> Keys:
    if not keys or any(not 0 < len(name.encode()) < 256 for name, _ in keys):
        raise ValueError("a seal needs a key, and each key a short name")
    return Keys({name: _cipher(key) for name, key in keys}, keys[-1][0])


def _cipher(key: bytes) -> AESGCM:
    # A key for this alone: the one that was given may serve Fernet too, and one key has one purpose.
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"miso seal AES-256-GCM").derive(key))


def _make(file: Path, key: bytes) -> None:
    """The file appears with its whole content or not at all; where another was quicker, that one stays."""
    handle, new = tempfile.mkstemp(prefix=".new-", dir=file.parent)  # mode 600
    try:
        with os.fdopen(handle, "wb") as made:
            made.write(key)
            made.flush()
            os.fsync(made.fileno())
        with suppress(FileExistsError):
            os.link(new, file)
    finally:
        Path(new).unlink()


def _bound(place: Sequence[str]) -> bytes:
    return json.dumps(place).encode()
