"""Opens connections to one SQLite file, and says `store_unavailable` for whatever the engine fails with.

Called by the writer and the readers. The file is ours alone (mode 0600), in WAL mode, with every commit synced to the
disk before it counts (https://www.sqlite.org/pragma.html#pragma_synchronous: FULL). Nothing here runs a verb.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.errors import ConfigError, Transient

OLDEST_SQLITE = (3, 40, 1)


def require_sqlite() -> None:
    """Raises ConfigError when the SQLite library is older than the one that this store is tested with."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigError([f"the SQLite library is {sqlite3.sqlite_version}; at least {wanted} is needed"])


def unavailable(error: BaseException | None = None, *, outcome_unknown: bool = False) -> Transient:
    """The one error that a caller of the store ever sees for its database.

    The engine's own words name files and statements, so only the kind of error is said.
    """
    what = getattr(error, "sqlite_errorname", "") or (type(error).__name__ if error else "closed")
    return Transient("store_unavailable", f"The database cannot be used ({what}).", outcome_unknown=outcome_unknown)


def is_unavailability(error: BaseException) -> bool:
    """Whether the engine or its disk failed, as opposed to a unit that asked for something wrong.

    A file that is no database, or a broken one, is a bare DatabaseError (https://docs.python.org/3/library/sqlite3.html).
    """
    if type(error) is sqlite3.DatabaseError:
        return True
    return isinstance(error, sqlite3.OperationalError | sqlite3.InternalError | OSError)


@contextmanager
def translated() -> Iterator[None]:
    """Turns failures of the engine into `Transient("store_unavailable")` and lets everything else through."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if is_unavailability(error):
            raise unavailable(error) from error
        raise


def make_file(path: Path) -> None:
    """Create the database file, readable by its owner alone; SQLite gives -wal and -shm the same mode.

    An existing file is tightened by path, never opened: closing any descriptor of it would drop the locks that another
    connection of this process holds (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    if stat.S_IMODE(path.stat().st_mode) != 0o600:
        path.chmod(0o600)


def connect(path: Path, *, busy_seconds: float, readonly: bool = False) -> sqlite3.Connection:
    """A connection in explicit transaction mode; the file must exist, so that a vanished one is never made anew.

    It may be used by one thread at a time, whichever that is.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is erased is overwritten, pages that a long body lay on included; FAST would leave those as they are
        # (https://www.sqlite.org/pragma.html#pragma_secure_delete). Whoever gets file and key together must find
        # nothing that is done. It costs a tenth of a millisecond for each webhook that ends, where FAST costs a
        # fortieth. The write-ahead log keeps earlier pages until it is folded in: everything secret there is sealed.
        connection.execute("PRAGMA secure_delete = ON")
        if readonly:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def enable_wal(connection: sqlite3.Connection) -> None:
    """Readers never wait for the writer; written into the file, so once is enough (https://www.sqlite.org/wal.html).

    Raises sqlite3.OperationalError where the file system cannot share memory between processes.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"journal mode {mode}")
