"""Units of reporting: which streams changed since they were shown, and what each thing on GitHub shows now.

Called by `SqliteStore`, inside a transaction. Intermediate states may be skipped, the last one never: a stream stays
unreported until somebody says that its head was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from bot.domain.model import Surface
from bot.store import statements
from bot.store.rows import surface_from


def surfaces(db: Connection, stream: str) -> Sequence[Surface]:
    return [surface_from(row) for row in db.execute(statements.SURFACES, {"stream": stream})]


def save_surface(db: Connection, surface: Surface) -> None:
    db.execute(
        statements.SAVE_SURFACE,
        {
            "stream": surface.stream,
            "surface": surface.surface,
            "remote_id": surface.remote_id,
            "shown_seq": surface.shown_seq,
            "body_hash": surface.body_hash,
        },
    )


def to_report(db: Connection, stream: str, seq: int, *, now_us: int) -> None:
    """This stream has something to show up to `seq`. One that waits after a failure goes on waiting."""
    db.execute(statements.TO_REPORT, {"stream": stream, "seq": seq, "now_us": now_us})


def unreported(db: Connection, limit: int, *, now_us: int) -> Sequence[tuple[str, int]]:
    rows = db.execute(statements.UNREPORTED, {"limit": limit, "now_us": now_us})
    return [(stream, head_seq) for stream, head_seq in rows]


def reported(db: Connection, stream: str, seq: int, *, retry_at_us: int, now_us: int) -> None:
    if retry_at_us:
        db.execute(statements.REPORT_LATER, {"stream": stream, "seq": seq, "due_us": retry_at_us})
    else:
        db.execute(statements.REPORTED, {"stream": stream, "seq": seq, "now_us": now_us})
