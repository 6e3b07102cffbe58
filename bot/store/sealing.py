"""What must not be readable in the database: sealed with a key that lies in a file of its own beside it.

Called by `bot.app` once and by `SqliteStore` for continuation tokens: they are deleted with their result, but a page of
a database may keep a copy of what once lay on it. Whoever takes a copy of the database alone reads nothing of them.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class Seal:
    """Seals text. Fernet: AES-128-CBC and HMAC-SHA256 (https://github.com/fernet/spec)."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def at(cls, file: Path) -> Seal:
        """The key in this file, made with mode 600 when there is none. Two processes that start at once get one key."""
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(file.read_bytes().strip())
        with os.fdopen(handle, "wb") as made:
            made.write(key := Fernet.generate_key())
            made.flush()
            os.fsync(made.fileno())
        return cls(key)

    def close(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text, or "" for what was sealed with another key: then Azure is looked at instead."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, ValueError):
            return ""
