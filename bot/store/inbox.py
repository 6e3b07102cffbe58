"""Units of the inbox: a delivery is stored once, claimed by one worker at a time, and done, retried or parked.

Called by `SqliteStore` with a connection inside a transaction. A body is sealed before it is written, is readable to
who takes or shows it, and is erased with the row that ends it. Nothing here looks into one: it is bytes, and a keyed
hash over them (rule 21) is all that is known about it, and that stays.

Sealing is done inside the unit: 19 KB, an ordinary body, take 6 µs and their hash 12, where their commit takes
thousands. The loop, which everybody shares, never waits for 25 MB.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection

from bot.domain.codes import Code
from bot.domain.model import ANY_VERSION, Delivery, DeliveryState, Keep, NewDelivery, Received
from bot.store import kept, passing
from bot.store.rows import Columns, delivery_from, text
from bot.store.sealing import FORM, Seal

ERASED = b""
"""A body that is gone. GitHub sends none that is empty."""
KIND, KEY = "store", "body_hash"
"""Where the key of the hashes is kept, sealed like the bodies."""


@dataclass(frozen=True)
class Bodies:
    """How bodies are closed, opened and recognised."""

    seal: Seal
    hash_key: bytes = field(repr=False)

    def hash(self, body: bytes) -> bytes:
        """Equal for equal bodies, and of no use to who guesses what one may say."""
        return _keyed(self.hash_key, hashlib.sha256(body).digest())

    def close(self, guid: str, body: bytes) -> bytes:
        return self.seal.close_bytes(body, "delivery", guid)

    def open(self, guid: str, stored: bytes) -> bytes | None:
        """None for what the present keys do not open. What begins as an object does was written before bodies were
        sealed: only objects are taken in."""
        if stored[:1] != bytes((FORM,)):
            return stored
        return self.seal.open_bytes(stored, "delivery", guid)


def bodies(db: Connection, seal: Seal, *, now_us: int) -> Bodies | None:
    """With the key of the hashes as it is kept; None where `make_key` has something to do."""
    row = kept.one(db, KIND, KEY, now_us=now_us)
    found = kept.opened(row, seal) if row else None
    if row is None or found is None or kept.sealed_by(row) != seal.newest:
        return None
    return Bodies(seal, bytes.fromhex(found.body["key"]))


def make_key(db: Connection, seal: Seal, *, now_us: int) -> None:
    """Make the key of the hashes where there is none, and keep it under the newest key of the seal.

    Hashes of an earlier version had no key: they get it, once. With a lost seal this key is lost too, and a replay of
    what came before is not recognised any more; effects are idempotent by their cause.
    """
    row = kept.one(db, KIND, KEY, now_us=now_us)
    found = kept.opened(row, seal) if row else None
    key = bytes.fromhex(found.body["key"]) if found else os.urandom(32)
    change = Keep(kind=KIND, key=KEY, body={"key": key.hex()}, version=ANY_VERSION, sealed=True)
    kept.write(db, kept.prepare(change, seal), now_us=now_us)
    if row is None:
        unkeyed = db.execute(passing.BODY_HASHES).fetchall()
        db.executemany(
            passing.KEY_BODY_HASH, ({"guid": guid, "body_hash": _keyed(key, hash_)} for guid, hash_ in unkeyed)
        )


def receive(db: Connection, delivery: NewDelivery, bodies: Bodies) -> Received:
    """One statement, because this is what the sender waits for."""
    row = db.execute(
        passing.RECEIVE,
        {
            "guid": delivery.guid,
            "event": delivery.event,
            "body": bodies.close(delivery.guid, delivery.body),
            "body_hash": bodies.hash(delivery.body),
            "received_us": delivery.received_us,
            "hook_target_id": delivery.hook_target_id,
        },
    ).fetchone()
    if row is None:
        return Received.KNOWN
    return Received.REOPENED if row[0] else Received.STORED


def take(db: Connection, bodies: Bodies, holder: str, limit: int, *, now_us: int, ttl_us: int) -> Sequence[Delivery]:
    """Oldest first. A delivery whose holder's time is over may be taken again: deliveries are at least once.

    One that the present keys do not open is parked: it can be retried when they are there again.
    """
    rows = db.execute(
        passing.TAKE_DELIVERIES,
        {"holder": holder, "limit": limit, "now_us": now_us, "until_us": now_us + ttl_us},
    ).fetchall()
    taken = []
    for row in rows:
        delivery = _opened(row, bodies)
        if delivery is None:
            failed(db, row[0], code=Code.BODY_SEALED, note="no key opens it", retry_at_us=None)
        else:
            taken.append(delivery)
    # RETURNING promises no order: https://www.sqlite.org/lang_returning.html
    return sorted(taken, key=lambda delivery: (delivery.received_us, delivery.guid))


def failed(db: Connection, guid: str, *, code: str, note: str, retry_at_us: int | None) -> None:
    values: dict[str, str | int] = {"guid": guid, "code": text(code), "note": text(note)}
    if retry_at_us is None:
        db.execute(passing.PARK_DELIVERY, values)
    else:
        db.execute(passing.RETRY_DELIVERY, {**values, "due_us": retry_at_us})


def done(db: Connection, guid: str, *, now_us: int) -> None:
    db.execute(passing.END_DELIVERY, {"guid": guid, "now_us": now_us, "erased": ERASED})


def reopen(db: Connection, guid: str) -> bool:
    """False when it is not parked, or its body is gone."""
    return db.execute(passing.REOPEN_DELIVERY, {"guid": guid}).fetchone() is not None


def erase_parked(db: Connection, *, before_us: int, limit: int) -> int:
    """How many bodies of parked deliveries that came before then were erased."""
    return db.execute(passing.ERASE_PARKED, {"before_us": before_us, "limit": limit, "erased": ERASED}).rowcount


def listing(
    db: Connection, bodies: Bodies, state: DeliveryState | None, limit: int, before_us: int
) -> Sequence[Delivery]:
    """Newest first; the next page begins before the `received_us` of the last one shown."""
    values: dict[str, str | int] = {"limit": limit}
    if state is not None:
        values["state"] = state.value
    if before_us:
        values["before_us"] = before_us
    query = passing.deliveries(state=state is not None, before=bool(before_us))
    return [_shown(row, bodies) for row in db.execute(query, values)]


def one(db: Connection, bodies: Bodies, guid: str) -> Delivery | None:
    row = db.execute(passing.ONE_DELIVERY, {"guid": guid}).fetchone()
    return _shown(row, bodies) if row else None


def _opened(row: Columns, bodies: Bodies) -> Delivery | None:
    guid, event, stored, *rest = row
    body = bodies.open(guid, stored)
    return None if body is None else delivery_from((guid, event, body, *rest))


def _shown(row: Columns, bodies: Bodies) -> Delivery:
    """What no key opens is shown as what it is to whoever looks: gone."""
    guid, event, _stored, *rest = row
    return _opened(row, bodies) or delivery_from((guid, event, ERASED, *rest))


def _keyed(key: bytes, hash_: bytes) -> bytes:
    return hmac.digest(key, hash_, "sha256")
