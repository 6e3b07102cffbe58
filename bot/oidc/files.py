"""Files that nobody but us may read: how they are checked, read, made and replaced.

Used by `bot.oidc.disk` and `bot.oidc.address` for keys and what is noted beside them. A file appears whole or not at
all; a link, another owner or a loose mode is refused. Several processes may do the same at once.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from bot.errors import ConfigError

MOST_BYTES = 65_536


def closed_directory(directory: Path) -> None:
    """Make it with mode 700 when it is missing. Raises ConfigError when it is not ours alone."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _ours(os.lstat(directory), directory, stat.S_ISDIR, "700")
    except OSError as fault:
        raise unreadable(directory, fault) from fault


def read_closed(file: Path) -> tuple[bytes, os.stat_result]:
    """Its bytes, and what the open file is. Raises FileNotFoundError, or ConfigError when it is not ours alone."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise unreadable(file, fault) from fault
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        _ours(found, file, stat.S_ISREG, "600")
        return opened.read(MOST_BYTES), found


def make_closed(file: Path, content: bytes) -> bool:
    """Write it whole under another name, then link it: the name appears at once, and for one winner only.

    False when somebody else was quicker; what is there then is theirs.
    """

    def link(temporary: str) -> bool:
        try:
            os.link(temporary, file)
        except FileExistsError:
            return False
        return True

    return _written(file, content, link)


def replace_closed(file: Path, content: bytes) -> None:
    """Put this content in place of what is there, at once."""

    def rename(temporary: str) -> bool:
        os.replace(temporary, file)
        return True

    _written(file, content, rename)


def unreadable(path: Path, fault: OSError) -> ConfigError:
    return ConfigError([f"the keys in '{path}' cannot be read or made: {fault.strerror}"])


def _written(file: Path, content: bytes, put: Callable[[str], bool]) -> bool:
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=file.parent)  # mode 600
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        done = put(temporary)
    except OSError as fault:
        raise unreadable(file, fault) from fault
    finally:
        Path(temporary).unlink(missing_ok=True)
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return done


def _ours(found: os.stat_result, path: Path, right_kind: Callable[[int], bool], mode: str) -> None:
    if not right_kind(found.st_mode):
        raise ConfigError([f"'{path}' is not what it should be: links and other kinds of files are refused for keys"])
    if found.st_uid != os.geteuid():
        raise ConfigError([f"'{path}' belongs to another user: chown it to the one that runs Miso"])
    if found.st_mode & 0o077:
        raise ConfigError([f"'{path}' is open to other users: chmod {mode} {path}, and replace a key that was read"])
