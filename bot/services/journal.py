"""Writing to a stream: decide on what is read, append, and after a lost race read and decide again.

Every verb that moves a promotion on goes through `record`; so the projections always stand in the same transaction as
the rows that they sum up, and a result row is never dropped because another writer took its number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.context import Miso
from bot.domain import environments
from bot.domain.model import Append, Claim, Conflict, EnvironmentState, Fence, NewRow, Row
from bot.domain.promotion import Kind, Promotion, apply, fold, project
from bot.errors import Transient

RACES = 20
"""So many lost races in a row are a fault, not bad luck: a stream has tens of rows."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What came of it. `conflict` is LEASE or FENCE when nothing could be written; SEQ and ENVIRONMENT were retried."""

    promotion: Promotion | None
    epoch: int = 0
    conflict: Conflict | None = None
    rows: int = 0


def stream_id(kind: str, *cause: object) -> str:
    """Name of a stream, derived from what caused it: a delivery that comes twice makes one story (at-least-once)."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in cause).encode()).hexdigest()
    return f"{kind}-{digest[:24]}"


async def load(miso: Miso, stream: str) -> Promotion | None:
    """The promotion of this stream as it stands; None when there is none."""
    rows = await miso.store.stream(stream)
    return fold(rows) if rows else None


async def record(
    miso: Miso,
    stream: str,
    decide: Callable[[Promotion | None], Sequence[NewRow]],
    *,
    claim: Claim | None = None,
    fence: Fence | None = None,
    free: bool = False,
    forget: tuple[str, ...] = (),
    inbox_done: str = "",
    beside: Sequence[Append] = (),
) -> Recorded:
    """Append what `decide` answers to the stream's state; nothing when it answers with no row.

    `decide` is called again with the newer state when somebody else wrote in between, so it must be pure. `beside` are
    appends to other streams that must stand or fall with this one.
    """
    for _ in range(RACES):
        rows = await miso.store.stream(stream)
        before = fold(rows) if rows else None
        new = tuple(decide(before))
        if not new and not beside:
            if inbox_done:
                await miso.store.delivery_done(inbox_done)
            return Recorded(promotion=before)
        append = await _prepare(miso, stream, before, new, claim, fence, free, forget)
        if append is None:
            return Recorded(promotion=before, conflict=Conflict.LEASE)
        written = await miso.store.append([append, *beside] if new else list(beside), inbox_done=inbox_done)
        if isinstance(written, Conflict):
            if written in (Conflict.LEASE, Conflict.FENCE):
                return Recorded(promotion=before, conflict=written)
            continue
        after = await load(miso, stream)
        return Recorded(promotion=after, epoch=written.epochs.get(stream, 0), rows=len(new))
    raise Transient("store_unavailable", "Too many writers wanted the same place in the journal.")


async def _prepare(
    miso: Miso,
    stream: str,
    before: Promotion | None,
    new: tuple[NewRow, ...],
    claim: Claim | None,
    fence: Fence | None,
    free: bool,
    forget: tuple[str, ...],
) -> Append | None:
    now = miso.clock.now_us()
    head = before.head_seq if before else 0
    promotion, environment = before, None
    for number, row in enumerate(new, start=head + 1):
        stored = as_row(row, stream, number, now)
        promotion = fold([stored]) if promotion is None else apply(promotion, stored)
        if row.kind == Kind.DEPLOY_STARTED and await _taken(miso, promotion):
            return None
        environment = await _environment(miso, environment, stored, promotion) or environment
    return Append(
        stream=stream,
        seq=head + 1,
        rows=new,
        at_us=now,
        promotion=project(promotion) if promotion else None,
        environment=environment,
        claim=claim,
        fence=fence,
        free=free,
        forget=forget,
        show=True,
    )


async def _taken(miso: Miso, promotion: Promotion) -> bool:
    """Whether another promotion's deployment is still half done there. Holds at the write: the version is compared."""
    state = await miso.store.environment_state(promotion.environment_id)
    return state.busy not in ("", promotion.stream)


async def _environment(
    miso: Miso, pending: EnvironmentState | None, row: Row, promotion: Promotion
) -> EnvironmentState | None:
    """The environment after this row, one version above what the store holds however many rows the unit has."""
    state = pending or await miso.store.environment_state(promotion.environment_id)
    after = environments.apply(state, row, promotion)
    if after is None:
        return None
    return replace(after, version=state.version + (1 if pending is None else 0))


def as_row(row: NewRow, stream: str, seq: int, at_us: int) -> Row:
    """A new row as the fold will see it. Hashes and position are the store's to give."""
    return Row(
        position=0,
        stream=stream,
        seq=seq,
        kind=row.kind,
        v=row.v,
        at_us=at_us,
        actor_kind=row.actor.kind,
        actor_id=row.actor.id,
        application_id=row.application_id,
        environment_id=row.environment_id,
        epoch=row.epoch,
        body=row.body,
        prev="",
        hash="",
    )
