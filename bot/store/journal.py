"""Units of the journal: rows of one or more streams with everything that must be true or become true beside them.

Called by `SqliteStore`, inside a transaction and a savepoint. What does not fit raises `Undo` with the `Conflict` that
tells why, so that nothing of the unit stays. A row is written once and never changed or deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from bot.domain.model import Append, Conflict, Row, Written
from bot.store import chain, inbox, kept, leases, projections, reports, statements
from bot.store.rows import canonical, row_from, text
from bot.store.writer import Undo


@dataclass(frozen=True)
class Prepared:
    """An append whose rows are spelled out already: on the caller's side, where a fault of its own belongs."""

    append: Append
    columns: tuple[dict[str, Any], ...]


def prepare(append: Append) -> Prepared:
    """Raises ValueError or TypeError for what can never be written."""
    last = append.seq + len(append.rows) - 1
    if not append.rows:
        raise ValueError(f"{append.stream}: an append without rows")
    if append.promotion is not None and (append.promotion.stream, append.promotion.head_seq) != (append.stream, last):
        raise ValueError(f"{append.stream}: its promotion must sum up rows 1 to {last} of this stream")
    if append.free and append.fence is None and append.claim is None:
        raise ValueError(f"{append.stream}: nothing is held that could be given back")
    columns = tuple(
        {
            "stream": append.stream,
            "seq": append.seq + at,
            "kind": text(row.kind),
            "v": row.v,
            "actor_kind": row.actor.kind.value,
            "actor_id": row.actor.id,
            "application_id": row.application_id,
            "environment_id": row.environment_id,
            "epoch": row.epoch,
            "body": canonical(row.body),
        }
        for at, row in enumerate(append.rows)
    )
    return Prepared(append, columns)


def write(
    db: Connection,
    units: Sequence[Prepared],
    *,
    inbox_done: str = "",
    keep: Sequence[kept.Prepared] = (),
    now_us: int,
) -> Written:
    """All of it; raises `Undo(Conflict)` at the first thing that does not fit."""
    epochs: dict[str, int] = {}
    heads: dict[str, int] = {}
    for unit in units:
        append = unit.append
        epoch = _lease(db, unit, now_us=now_us)
        if append.claim is not None and epoch is not None:
            epochs[append.stream] = epoch
        heads[append.stream] = write_rows(db, unit.columns, epoch=epoch, now_us=append.at_us or now_us)
        if append.show:
            reports.to_report(db, append.stream, heads[append.stream], now_us=now_us)
        if append.environment is not None and not projections.set_environment(db, append.environment):
            raise Undo(Conflict.ENVIRONMENT)
        if append.promotion is not None:
            projections.project(db, append.promotion)
        for step in append.forget:
            leases.forget(db, append.stream, step)
        _free(db, append, epoch)
    if not all(kept.write(db, change, now_us=now_us) for change in keep):
        raise Undo(Conflict.KEPT)
    if inbox_done:
        inbox.done(db, inbox_done, now_us=now_us)
    return Written(epochs=epochs, heads=heads)


def write_rows(db: Connection, columns: Sequence[dict[str, Any]], *, epoch: int | None, now_us: int) -> int:
    """Link rows of one stream to its head; their new head. `epoch` replaces the one that the rows brought."""
    _, prev = _fits(db, columns[0])
    positions = []
    for brought in columns:
        timed = {**brought, "at_us": now_us, "epoch": brought["epoch"] if epoch is None else epoch}
        linked = chain.link(timed, prev)
        row = db.execute(statements.APPEND, linked).fetchone()
        if row is None:
            raise Undo(Conflict.SEQ)
        positions.append(row[0])
        prev = linked["hash"]
    chain.checkpoint(db, positions[0], positions[-1], now_us=now_us)
    return int(columns[-1]["seq"])


def head(db: Connection, stream: str) -> tuple[int, str]:
    """Number and hash of the last row; 0 and nothing for a stream that is not there."""
    seq, hash_ = db.execute(statements.HEAD, {"stream": stream}).fetchone() or (0, "")
    return seq, hash_


def _fits(db: Connection, first: dict[str, Any]) -> tuple[int, str]:
    seq, hash_ = head(db, first["stream"])
    if first["seq"] != seq + 1:
        raise Undo(Conflict.SEQ)
    return seq, hash_


def _lease(db: Connection, unit: Prepared, *, now_us: int) -> int | None:
    """The epoch that the rows carry, None to leave theirs.

    The seq is looked at first: whoever lost it must read again anyway, and then sees who holds the lease.
    """
    append = unit.append
    _fits(db, unit.columns[0])
    if append.fence is not None and not leases.holds(db, append.fence, now_us=now_us):
        raise Undo(Conflict.FENCE)
    if append.claim is None:
        return append.fence.epoch if append.fence else None
    epoch = leases.claim(db, append.claim, append.stream, now_us=now_us)
    if epoch is None:
        raise Undo(Conflict.LEASE)
    return epoch


def _free(db: Connection, append: Append, epoch: int | None) -> None:
    if not append.free:
        return
    if append.fence is not None:
        leases.free(db, append.fence.resource, append.fence.epoch)
    elif append.claim is not None and epoch is not None:
        leases.free(db, append.claim.resource, epoch)


def stream(db: Connection, name: str) -> Sequence[Row]:
    return [row_from(row) for row in db.execute(statements.STREAM, {"stream": name})]


def newest(db: Connection, name: str, kind: str) -> Row | None:
    """From the end of the stream through its index: streams in which kinds are rare are short ones."""
    row = db.execute(statements.NEWEST, {"stream": name, "kind": kind}).fetchone()
    return row_from(row) if row else None


def count(db: Connection, kind: str, since_us: int, actor_id: int | None, stream_prefix: str) -> int:
    """By account through the index on accounts; by stream alone through the one on streams.

    Raises ValueError for neither: that would walk the whole ledger, for whoever makes us count.
    """
    if actor_id is None and not stream_prefix:
        raise ValueError("what is counted names an account or streams")
    values: dict[str, str | int] = {"kind": kind, "since_us": since_us, "low": stream_prefix}
    values["high"] = stream_prefix + "\U0010ffff"
    query = statements.COUNT_OF_STREAMS
    if actor_id is not None:
        query, values["actor_id"] = statements.COUNT, actor_id
    return int(db.execute(query, values).fetchone()[0])


def ledger(db: Connection, kinds: Sequence[str], environment_id: str, after: int, limit: int) -> Sequence[Row]:
    """The next page begins after the `position` of the last row shown."""
    values: dict[str, str | int] = {"after": after, "limit": limit, "environment_id": environment_id}
    values |= {f"kind_{at}": kind for at, kind in enumerate(kinds)}
    query = statements.ledger(kinds=len(kinds), environment=bool(environment_id))
    return [row_from(row) for row in db.execute(query, values)]
