"""The hash chains: each row seals the one before it in its stream, each checkpoint seals many streams' heads.

`journal` calls `link` for every row and `checkpoint` after every unit; `SqliteStore.verify` calls `faults`. A changed
row shows by its own hash, a missing one by its neighbour; a cut tail or a stream that is gone shows in the checkpoints
and in the promotion that still sums it up. The chains are not keyed: whoever can rewrite the whole database, every
checkpoint included, can forge it whole, unless a copy of a checkpoint's hash is kept elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from sqlite3 import Connection
from typing import Any

from bot.store import statements
from bot.store.rows import HASHED, Columns, canonical, digest, row_hash

EVERY = 32
"""A checkpoint is written with the row whose position crosses a multiple of this."""


def link(columns: Mapping[str, Any], prev: str) -> dict[str, Any]:
    """The columns of a row, sealed to the hash of the row before it; empty for a stream's first."""
    linked = {**columns, "prev": prev}
    return {**linked, "hash": row_hash(linked)}


def checkpoint(db: Connection, first: int, last: int, *, now_us: int) -> None:
    """Seal the heads of all streams that moved since the last checkpoint, if rows `first`…`last` cross a border."""
    if last // EVERY == (first - 1) // EVERY:
        return
    number, after, prev = db.execute(statements.LAST_CHECKPOINT).fetchone() or (0, 0, "")
    heads = {stream: [seq, hash_] for stream, seq, hash_ in db.execute(statements.HEADS_SINCE, {"after": after})}
    sealed = {"number": number + 1, "at_us": now_us, "position": last, "heads": canonical(heads), "prev": prev}
    db.execute(statements.WRITE_CHECKPOINT, {**sealed, "hash": digest(*sealed.values())})


def faults(db: Connection) -> list[str]:
    """One sentence for each thing that is not as it was written."""
    return [*_rows(db), *_checkpoints(db), *_projections(db)]


def _rows(db: Connection) -> Iterator[str]:
    stream, seq, prev = "", 0, ""
    for row in db.execute(statements.EVERY_STREAM):
        columns = _columns(row)
        if columns["stream"] != stream:
            stream, seq, prev = columns["stream"], 0, ""
        if columns["seq"] != seq + 1:
            yield f"{stream}: row {columns['seq']} follows row {seq}"
        if columns["prev"] != prev:
            yield f"{stream}: row {columns['seq']} does not continue the row before it"
        if columns["hash"] != row_hash(columns):
            yield f"{stream}: row {columns['seq']} was changed"
        seq, prev = columns["seq"], columns["hash"]


def _checkpoints(db: Connection) -> Iterator[str]:
    expected, before = 1, ""
    for number, at_us, position, heads, prev, hash_ in db.execute(statements.CHECKPOINTS).fetchall():
        if number != expected:
            yield f"checkpoint {number} stands where checkpoint {expected} should"
        if prev != before:
            yield f"checkpoint {number} does not continue the one before it"
        if hash_ != digest(number, at_us, position, heads, prev):
            yield f"checkpoint {number} was changed"
        else:
            yield from _heads(db, number, json.loads(heads))
        expected, before = number + 1, hash_


def _heads(db: Connection, number: int, heads: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    for stream, (seq, hash_) in heads.items():
        found = db.execute(statements.HASH_AT, {"stream": stream, "seq": seq}).fetchone()
        if found is None:
            yield f"{stream}: row {seq}, sealed by checkpoint {number}, is gone"
        elif found[0] != hash_:
            yield f"{stream}: row {seq} is not the one that checkpoint {number} sealed"


def _projections(db: Connection) -> Iterator[str]:
    for stream, shown, head in db.execute(statements.PROJECTED_HEADS):
        if shown != head:
            yield f"{stream}: its promotion sums up {shown} rows, the journal ends at row {head}"


def _columns(row: Columns) -> dict[str, Any]:
    _position, *sealed, hash_ = row
    return {**dict(zip(HASHED, sealed, strict=True)), "hash": hash_}
