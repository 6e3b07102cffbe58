"""Units of the inbox: a delivery is stored once, claimed by one worker at a time, and done, retried or parked.

Called by `SqliteStore` with a connection inside a transaction. Nothing here looks into a body: it is bytes, and the
hash over them (rule 21) is all that is known about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from sqlite3 import Connection

from bot.domain.model import Delivery, DeliveryState, NewDelivery, Received
from bot.store import statements
from bot.store.rows import delivery_from, text


def receive(db: Connection, delivery: NewDelivery) -> Received:
    """One statement, because this is what the sender waits for."""
    row = db.execute(
        statements.RECEIVE,
        {
            "guid": delivery.guid,
            "event": delivery.event,
            "body": delivery.body,
            "body_hash": hashlib.sha256(delivery.body).digest(),
            "received_us": delivery.received_us,
            "hook_target_id": delivery.hook_target_id,
        },
    ).fetchone()
    if row is None:
        return Received.KNOWN
    return Received.REOPENED if row[0] else Received.STORED


def take(db: Connection, holder: str, limit: int, *, now_us: int, ttl_us: int) -> Sequence[Delivery]:
    """Oldest first. A delivery whose holder's time is over may be taken again: deliveries are at least once."""
    rows = db.execute(
        statements.TAKE_DELIVERIES,
        {"holder": holder, "limit": limit, "now_us": now_us, "until_us": now_us + ttl_us},
    ).fetchall()
    # RETURNING promises no order: https://www.sqlite.org/lang_returning.html
    return sorted(map(delivery_from, rows), key=lambda delivery: (delivery.received_us, delivery.guid))


def failed(db: Connection, guid: str, *, code: str, note: str, retry_at_us: int | None) -> None:
    values: dict[str, str | int] = {"guid": guid, "code": text(code), "note": text(note)}
    if retry_at_us is None:
        db.execute(statements.PARK_DELIVERY, values)
    else:
        db.execute(statements.RETRY_DELIVERY, {**values, "due_us": retry_at_us})


def done(db: Connection, guid: str, *, now_us: int) -> None:
    db.execute(statements.END_DELIVERY, {"guid": guid, "now_us": now_us})


def reopen(db: Connection, guid: str) -> bool:
    """False when it is not parked."""
    return db.execute(statements.REOPEN_DELIVERY, {"guid": guid}).fetchone() is not None


def listing(db: Connection, state: DeliveryState | None, limit: int, before_us: int) -> Sequence[Delivery]:
    """Newest first; the next page begins before the `received_us` of the last one shown."""
    values: dict[str, str | int] = {"limit": limit}
    if state is not None:
        values["state"] = state.value
    if before_us:
        values["before_us"] = before_us
    query = statements.deliveries(state=state is not None, before=bool(before_us))
    return [delivery_from(row) for row in db.execute(query, values)]


def one(db: Connection, guid: str) -> Delivery | None:
    row = db.execute(statements.ONE_DELIVERY, {"guid": guid}).fetchone()
    return delivery_from(row) if row else None
