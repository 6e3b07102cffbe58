"""Units of what expires: spent token ids, deploy tokens, sessions, codes; and links, which stay until they are taken.

Called by `SqliteStore` and by `journal`, inside a transaction and a savepoint. Whether something has run out is judged
inside each statement by the bound clock; what has run out is as if it were not there, removed or not. Nothing here
knows what is kept, or opens what is sealed: the caller does, on its own side of the writer.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from bot.domain.model import ANY_VERSION, Keep, Kept
from bot.store import passing
from bot.store.rows import Columns, canonical, text
from bot.store.sealing import Seal, sealed_with
from bot.store.writer import Undo


@dataclass(frozen=True)
class Prepared:
    """A change whose body is spelled out and sealed already: on the caller's side, where a fault of its own belongs."""

    keep: Keep
    body: str | None


def prepare(change: Keep, seal: Seal) -> Prepared:
    """Raises ValueError or TypeError for what can never be kept."""
    names = change.kind, change.key, change.owner
    if not (change.kind and change.key) or any(text(name) != name for name in names):
        raise ValueError("what is kept needs a kind and a key of plain text")
    if change.version < ANY_VERSION:
        raise ValueError("a version is a number from 1, 0 for none, or ANY_VERSION")
    if change.body is None:
        return Prepared(change, None)
    body = canonical(change.body)
    return Prepared(change, seal.close(body, *_place(change.kind, change.key)) if change.sealed else body)


def write(db: Connection, change: Prepared, *, now_us: int) -> bool:
    """False where it does not fit; then nothing was changed."""
    keep = change.keep
    values = {"kind": keep.kind, "key": keep.key, "version": keep.version, "now_us": now_us}
    if change.body is not None:
        values |= {"owner": keep.owner, "body": change.body, "sealed": int(keep.sealed), "until_us": keep.until_us}
        query = {0: passing.KEEP_NEW, ANY_VERSION: passing.KEEP_ANY}.get(keep.version, passing.KEEP_CHANGED)
        return db.execute(query, values).fetchone() is not None
    if keep.version == 0:  # nothing is asked for but that there is none
        return db.execute(passing.ONE_KEPT, values).fetchone() is None
    if keep.version == ANY_VERSION:
        db.execute(passing.TAKE_AWAY, values)
        return True
    return db.execute(passing.TAKE_AWAY_VERSION, values).fetchone() is not None


def write_all(db: Connection, changes: Sequence[Prepared], *, now_us: int) -> bool:
    """All of them; raises `Undo` at the first that does not fit."""
    if not all(write(db, change, now_us=now_us) for change in changes):
        raise Undo(False)
    return True


def purge(db: Connection, *, now_us: int, limit: int) -> int:
    """How many of those that ran out were removed; the rest is for the next time."""
    return db.execute(passing.PURGE_KEPT, {"now_us": now_us, "limit": limit}).rowcount


def one(db: Connection, kind: str, key: str, *, now_us: int) -> Columns | None:
    row: Columns | None = db.execute(passing.ONE_KEPT, {"kind": kind, "key": key, "now_us": now_us}).fetchone()
    return row


def listing(db: Connection, kind: str, owner: str, after: str, limit: int, *, now_us: int) -> Sequence[Columns]:
    """By rising key; the next page begins after the last one shown."""
    values: dict[str, str | int] = {"kind": kind, "after": after, "limit": limit, "now_us": now_us}
    if owner:
        values["owner"] = owner
    return db.execute(passing.kept_by(owner=bool(owner)), values).fetchall()


def opened(row: Columns, seal: Seal) -> Kept | None:
    """None for what was sealed with a key that is gone: nobody can be told what it says, so it is not there."""
    kind, key, owner, body, sealed, version, created_us, until_us = row
    if sealed:
        body = seal.open(body, *_place(kind, key))
        if body is None:
            return None
    return Kept(
        kind=kind,
        key=key,
        owner=owner,
        body=json.loads(body),
        version=version,
        created_us=created_us,
        until_us=until_us,
    )


def sealed_by(row: Columns) -> str:
    """Name of the key that the body is sealed with; "" where it is not sealed."""
    _kind, _key, _owner, body, sealed, *_ = row
    return sealed_with(urlsafe_b64decode(body)) if sealed else ""


def _place(kind: str, key: str) -> tuple[str, ...]:
    return "kept", kind, key
