"""The unit of forgetting: what ran out is removed, and what nobody needs any more is erased, a little at a time.

Called by `SqliteStore.purge`, inside a transaction. Rows of the journal are never touched. What is removed here was
sealed or never secret; `connection` says what becomes of the pages that it lay on.
"""

from __future__ import annotations

from sqlite3 import Connection

from bot.store import inbox, kept, leases
from bot.store.sealing import Seal

BATCH = 1000
"""Most of a kind that one transaction removes, so that nobody waits long behind it."""
DAY_US = 86_400_000_000


def purge(db: Connection, seal: Seal, *, now_us: int, days: float) -> int:
    """How many things went; call again while it is as many as `BATCH`.

    Bodies of parked deliveries go after `days`, and so do operations that nobody took up again. The key of the bodies'
    hashes is sealed anew when the seal got a newer key, so that the old one may go.
    """
    if inbox.bodies(db, seal, now_us=now_us) is None:
        inbox.make_key(db, seal, now_us=now_us)
    before_us = now_us - int(days * DAY_US)
    return (
        kept.purge(db, now_us=now_us, limit=BATCH)
        + inbox.erase_parked(db, before_us=before_us, limit=BATCH)
        + leases.purge(db, before_us=before_us)
    )
