"""Keys on disk: `<use>.<number>.<form>`, and beside each a note of its life. For `bot.oidc.rings`.

The note is written before the key appears, and a key appears whole and for one winner: whoever loses the race for a
number takes the winner's. A key without a note was made at its file's time and signs since.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.domain.key_life import KeyLife
from bot.errors import ConfigError
from bot.oidc.files import closed_directory, make_closed, read_closed, replace_closed
from bot.oidc.keys import SECRET_BYTES, TERMS, LocalKey, SecretKey, Use, fitting_private, local, make_private, secret

K = TypeVar("K")
KeyOf = TypeVar("KeyOf", covariant=True)


class Note(BaseModel):
    """What stands beside a key."""

    model_config = ConfigDict(strict=True, frozen=True)

    made_us: int
    signs_us: int
    withdrawn_us: int = 0


class Form(Protocol[KeyOf]):
    """How a key is written into its file."""

    @property
    def suffix(self) -> str: ...
    async def make(self) -> bytes: ...
    async def read(self, file: Path, content: bytes) -> KeyOf:
        """Raises ConfigError for what is no such key."""
        ...


class DiskPlace(Generic[K]):
    """One ring's keys in a directory of ours (mode 700, made when missing)."""

    def __init__(self, directory: Path, use: Use, form: Form[K]) -> None:
        self._directory = directory
        self._use = use
        self._form = form
        self._name = re.compile(rf"{use}\.(?P<number>\d{{4,9}}){re.escape(form.suffix)}")
        self._read: dict[tuple[str, int, int], K] = {}

    async def look(self) -> Mapping[str, tuple[KeyLife, K]]:
        """Every key that is there, by name. Raises ConfigError when one is not as it should be."""
        contents = await asyncio.to_thread(self._contents)
        found: dict[str, tuple[KeyLife, K]] = {}
        held: dict[tuple[str, int, int], K] = {}
        for name, (life, content, stat) in contents.items():
            # Parsing takes long; the same file is parsed once.
            identity = (name, stat.st_ino, stat.st_mtime_ns)
            known = self._read.get(identity)
            held[identity] = known or await self._form.read(self._file(name), content)
            found[name] = (life, held[identity])
        self._read = held
        return found

    async def make(self, life: KeyLife) -> None:
        """A new key with this life, unless another process made one of this name meanwhile."""
        content = await self._form.make()
        await asyncio.to_thread(self._make, life, content)

    async def change(self, life: KeyLife) -> None:
        """Another life for a key that is there."""
        await asyncio.to_thread(self._note, life)

    async def retire(self, life: KeyLife, until_us: int) -> None:
        """Nothing to write: it follows from the next one's note."""

    async def remove(self, name: str) -> None:
        """The key first: without its note it would be taken for one that signs."""

        def gone() -> None:
            self._file(name).unlink(missing_ok=True)
            self._note_file(name).unlink(missing_ok=True)

        await asyncio.to_thread(gone)

    def next_name(self, names: Mapping[str, object]) -> str:
        """The number after the highest."""
        return f"{max((int(name) for name in names), default=0) + 1:04}"

    def _contents(self) -> Mapping[str, tuple[KeyLife, bytes, os.stat_result]]:
        closed_directory(self._directory)
        found = {}
        for file in sorted(self._directory.iterdir()):
            match = self._name.fullmatch(file.name)
            if match is None:
                continue
            note = self._noted(match["number"])
            try:
                content, stat = read_closed(file)
            except FileNotFoundError:
                continue  # another process removed it between two looks
            since = stat.st_mtime_ns // 1000
            life = KeyLife(name=match["number"], made_us=since, signs_us=since)
            if note is not None:
                life = replace(life, **note.model_dump())
            found[life.name] = (life, content, stat)
        return found

    def _make(self, life: KeyLife, content: bytes) -> None:
        closed_directory(self._directory)
        if self._file(life.name).exists():
            return
        self._note(life)
        make_closed(self._file(life.name), content)

    def _note(self, life: KeyLife) -> None:
        note = Note(made_us=life.made_us, signs_us=life.signs_us, withdrawn_us=life.withdrawn_us)
        replace_closed(self._note_file(life.name), note.model_dump_json(indent=2).encode() + b"\n")

    def _noted(self, name: str) -> Note | None:
        file = self._note_file(name)
        try:
            return Note.model_validate_json(read_closed(file)[0])
        except FileNotFoundError:
            return None
        except ValidationError:
            raise ConfigError([f"'{file}' does not say when its key was made: restore it from a backup"]) from None

    def _file(self, name: str) -> Path:
        return self._directory / f"{self._use}.{name}{self._form.suffix}"

    def _note_file(self, name: str) -> Path:
        return self._directory / f"{self._use}.{name}.json"


class Pem:
    """A private key as unencrypted PKCS #8."""

    suffix = ".pem"

    def __init__(self, use: Use) -> None:
        self._use = use

    async def make(self) -> bytes:
        return await asyncio.to_thread(self._made)

    def _made(self) -> bytes:
        return make_private(self._use).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    async def read(self, file: Path, content: bytes) -> LocalKey:
        return await asyncio.to_thread(self._parsed, file, content)

    def _parsed(self, file: Path, content: bytes) -> LocalKey:
        try:
            private: object = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        fitting = fitting_private(self._use, private)
        if fitting is None:
            wanted = TERMS[self._use].algorithm
            raise ConfigError([f"'{file}' holds no unencrypted key for {wanted}; restore it from a backup"])
        return local(self._use, fitting)


class Plain:
    """32 random bytes, as base64url."""

    suffix = ".key"

    def __init__(self, use: Use) -> None:
        self._use = use

    async def make(self) -> bytes:
        return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES))

    async def read(self, file: Path, content: bytes) -> SecretKey:
        return secret(self._use, secret_bytes(file, content))


class Wrapped:
    """32 random bytes, wrapped by a key that stays elsewhere, as base64url."""

    suffix = ".wrapped"

    def __init__(
        self, use: Use, wrap: Callable[[bytes], Awaitable[bytes]], unwrap: Callable[[bytes], Awaitable[bytes]]
    ) -> None:
        self._use = use
        self.wrap = wrap
        self._unwrap = unwrap

    async def make(self) -> bytes:
        return await self.wrap(secrets.token_bytes(SECRET_BYTES))

    async def read(self, file: Path, content: bytes) -> SecretKey:
        value = await self._unwrap(content)
        if len(value) != SECRET_BYTES:
            raise ConfigError([f"'{file}' holds no wrapped key of {SECRET_BYTES} bytes; restore it from a backup"])
        return secret(self._use, value)


async def moved_in(directory: Path, use: Use, form: Wrapped) -> None:
    """Wrap the keys that still lie here as they are, and remove those: the vault was switched on."""

    def plain() -> list[tuple[Path, bytes]]:
        return [(file, secret_bytes(file, read_closed(file)[0])) for file in sorted(directory.glob(f"{use}.*.key"))]

    for file, value in await asyncio.to_thread(plain):
        wrapped = await form.wrap(value)
        make_closed(file.with_suffix(form.suffix), wrapped)
        file.unlink(missing_ok=True)


def secret_bytes(file: Path, content: bytes) -> bytes:
    """What `Plain` wrote. Raises ConfigError for anything else."""
    try:
        value = base64.b64decode(content.strip(), altchars=b"-_", validate=True)
    except ValueError:
        value = b""
    if len(value) != SECRET_BYTES:
        raise ConfigError([f"'{file}' holds no key of {SECRET_BYTES} bytes; restore it from a backup"])
    return value
