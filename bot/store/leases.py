"""Units of leases and operations: who may act on a resource now, under which epoch, and how to resume what it began.

Called by `SqliteStore` and by `journal`, inside a transaction. Whether a lease has run out is judged inside each
statement by the bound clock, never before it. A lease's row is never deleted, so that its epoch only rises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from sqlite3 import Connection

from bot.domain.model import Claim, Fence, Operation
from bot.store import passing, statements
from bot.store.rows import operation_from
from bot.store.sealing import Seal


def claim(db: Connection, claim: Claim, stream: str, *, now_us: int) -> int | None:
    """The new epoch, or None while somebody else holds the resource."""
    row = db.execute(
        statements.CLAIM,
        {
            "resource": claim.resource,
            "holder": claim.holder,
            "stream": stream,
            "until_us": now_us + claim.ttl_us,
            "now_us": now_us,
        },
    ).fetchone()
    return int(row[0]) if row else None


def holds(db: Connection, fence: Fence, *, now_us: int) -> bool:
    """Whether this epoch still is the resource's and has not run out."""
    values = {"resource": fence.resource, "epoch": fence.epoch, "now_us": now_us}
    return db.execute(statements.FENCE, values).fetchone() is not None


def free(db: Connection, resource: str, epoch: int) -> None:
    """Anybody may take it from now on."""
    db.execute(statements.FREE, {"resource": resource, "epoch": epoch})


def renew(db: Connection, resource: str, epoch: int, *, now_us: int, ttl_us: int) -> bool:
    """False when the lease ran out or is another's: what ran out is claimed anew, never prolonged."""
    values = {"resource": resource, "epoch": epoch, "now_us": now_us, "until_us": now_us + ttl_us}
    return db.execute(statements.RENEW, values).fetchone() is not None


def held(db: Connection, *, now_us: int) -> Mapping[str, tuple[str, str, int, int]]:
    rows = db.execute(statements.LEASES, {"now_us": now_us})
    return {resource: (holder, stream, epoch, until_us) for resource, holder, stream, epoch, until_us in rows}


def save_operation(db: Connection, operation: Operation) -> bool:
    """False when the stream's lease was given back or taken by somebody since."""
    row = db.execute(
        statements.SAVE_OPERATION,
        {
            "stream": operation.stream,
            "step": operation.step,
            "epoch": operation.epoch,
            "continuation": operation.continuation,
            "started_us": operation.started_us,
        },
    ).fetchone()
    return row is not None


def operation(db: Connection, stream: str, step: str) -> Operation | None:
    row = db.execute(statements.ONE_OPERATION, {"stream": stream, "step": step}).fetchone()
    return operation_from(row) if row else None


def sealed(operation: Operation, seal: Seal) -> Operation:
    return replace(operation, continuation=seal.close(operation.continuation, *_place(operation)))


def opened(operation: Operation, seal: Seal) -> Operation:
    """Without its continuation where that was sealed with a key that is gone: then Azure is looked at instead."""
    continuation = seal.open(operation.continuation, *_place(operation))
    if continuation is None:
        continuation = seal.open_unbound(operation.continuation)
    return replace(operation, continuation=continuation or "")


def purge(db: Connection, *, before_us: int) -> int:
    """How many operations that began before then were forgotten: Azure knows nothing of them any more, nor need we."""
    return db.execute(passing.PURGE_OPERATIONS, {"before_us": before_us}).rowcount


def _place(operation: Operation) -> tuple[str, ...]:
    return "operation", operation.stream, operation.step


def forget(db: Connection, stream: str, step: str) -> None:
    db.execute(statements.FORGET_OPERATION, {"stream": stream, "step": step})
