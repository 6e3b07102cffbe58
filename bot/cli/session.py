"""Where the command line keeps who is signed in: one small file that nobody else may read.

Used by `login` and `calling`. It holds tokens of the person who signed in, and nothing of the controller: the command
line acts from any machine and never needs the controller's settings. Refresh tokens may be used once, so whoever wants
to use one holds the lock, reads the file again, and writes before it lets go.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import ConfigError, Transient

FILE, LOCK = "session.json", "session.lock"
MOST_BYTES = 64 * 1024
LOCK_SECONDS = 40.0
"""Longer than any refresh may take."""

Secret = Annotated[str, Field(repr=False, min_length=8, max_length=4096, pattern=r"^[!-~]+$")]


def address(text: str) -> str:
    """A base address: https, or http on loopback. Raises ValueError with what is wrong."""
    from bot.settings.forms import base_url

    return base_url(text)


class Session(BaseModel):
    """Somebody who is signed in at a Miso, as far as this machine knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    url: Annotated[str, AfterValidator(address)]
    access: Secret
    refresh: Secret
    expires: float
    """When the access token runs out, in Unix seconds of this machine's clock."""
    subject: str = Field(max_length=500)


def place() -> Path:
    """The folder, by https://specifications.freedesktop.org/basedir-spec/latest/: a relative path there is ignored."""
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".config") / "miso"


def read() -> Session | None:
    """Who is signed in; None when nobody is. Raises ConfigError for a file that others could read or have changed."""
    try:
        with _folder() as folder:
            number = os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
            with os.fdopen(number, "rb") as file:
                _private(os.fstat(number), place() / FILE, stat.S_IFREG)
                text = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise _fault(fault) from None
    try:
        return Session.model_validate_json(text)
    except ValidationError:
        raise ConfigError([f"'{place() / FILE}' is not a session: remove it and run `miso login` again"]) from None


def write(session: Session) -> None:
    """Keep it: whole or not at all, also when the machine stops in the middle."""
    place().mkdir(mode=0o700, parents=True, exist_ok=True)
    new = f".{FILE}.{os.getpid()}"
    try:
        with _folder() as folder:
            with suppress(FileNotFoundError):
                os.unlink(new, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(new, flags, 0o600, dir_fd=folder), "w", encoding="utf-8") as file:
                file.write(session.model_dump_json(indent=2))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, FILE, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
    except OSError as fault:
        raise _fault(fault) from None


def remove() -> None:
    """Forget it."""
    try:
        with suppress(FileNotFoundError), _folder() as folder:
            os.unlink(FILE, dir_fd=folder)
    except OSError as fault:
        raise _fault(fault) from None


@asynccontextmanager
async def locked() -> AsyncIterator[None]:
    """While the block runs, no other `miso` of this person changes the session. Raises Transient after a while."""
    place().mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _folder() as folder:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            number = os.open(LOCK, flags, 0o600, dir_fd=folder)
    except OSError as fault:
        raise _fault(fault) from None
    try:
        await _lock(number)
        yield
    finally:
        os.close(number)


async def _lock(number: int) -> None:
    """Not by waiting in the kernel: Ctrl-C must end it."""
    over = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > over:
                raise Transient("session_locked", "Another `miso` is changing the session and does not end.") from None
        await asyncio.sleep(0.05)


@contextmanager
def _folder() -> Iterator[int]:
    """The folder, opened and looked at, so that nobody can put another in its place meanwhile."""
    number = os.open(place(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _private(os.fstat(number), place(), stat.S_IFDIR)
        yield number
    finally:
        os.close(number)


def _private(found: os.stat_result, path: Path, kind: int) -> None:
    mode = "700" if kind == stat.S_IFDIR else "600"
    if stat.S_IFMT(found.st_mode) != kind or found.st_uid != os.geteuid():
        raise ConfigError([f"'{path}' is not yours, or not what it should be: remove it and run `miso login` again"])
    if found.st_mode & 0o077:
        raise ConfigError([f"'{path}' is open to others: `chmod {mode} {path}`, and `miso logout` if they may have read"
                           " it"])  # fmt: skip


def _fault(fault: OSError) -> ConfigError:
    why = os.strerror(fault.errno or 0).lower()
    return ConfigError([f"the session in '{place()}' cannot be used ({why}): it must be a folder of your own, no link"])
