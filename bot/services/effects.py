"""The one function through which Azure is changed: write the intent, act, write the result.

Called by `bot.services.deploying` for every step; nothing else calls `Azure.apply` (a test holds it). After a crash it
reads before it acts: an outcome is found out by looking, never guessed, and a write is repeated only when Azure shows
that it did not happen. It is also the only place where a test may stop the process, before or after a step.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.model import (
    SYSTEM,
    Conflict,
    Environment,
    Fence,
    NewRow,
    Operation,
)
from bot.domain.promotion import Kind, Promotion, StepState
from bot.errors import MisoError, Transient
from bot.services import journal

Saved = Callable[[str], Awaitable[None]]
Keep = Callable[[], Awaitable[None]]
Act = Callable[[str, Saved, Keep], Awaitable[None]]
Read = Callable[[], Awaitable[Mapping[str, Any] | None]]


class LeaseLost(MisoError):
    """Somebody else took the environment over. Stop at once and write nothing more."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """The lease under which a deployment runs: what every row of it must carry."""

    stream: str
    environment: Environment
    epoch: int

    @property
    def fence(self) -> Fence:
        return Fence(resource=self.environment.resource, epoch=self.epoch)


def row(hold: Hold, kind: Kind, **body: Any) -> NewRow:
    """A row of a running deployment, written by the controller itself."""
    return NewRow(
        kind=kind,
        actor=SYSTEM,
        application_id=hold.environment.application_id,
        environment_id=hold.environment.id,
        epoch=hold.epoch,
        body=body,
    )


async def write(miso: Miso, hold: Hold, *rows: NewRow, free: bool = False, forget: tuple[str, ...] = ()) -> Promotion:
    """Append under the fence. Raises LeaseLost when the epoch is stale: a sleeper's late write changes nothing."""
    done = await journal.record(miso, hold.stream, lambda _: rows, fence=hold.fence, free=free, forget=forget)
    if done.conflict is Conflict.FENCE or done.promotion is None:
        raise LeaseLost
    return done.promotion


async def once(miso: Miso, hold: Hold, step: str, *, read: Read, act: Act, before: Mapping[str, Any]) -> None:
    """Make one effect happen exactly once, through any number of crashes.

    `read` answers what Azure shows when the effect is there, else None; it may raise Transient while Azure is in
    transition. `act(resume, saved, keep)` performs it, or continues the operation that `resume` names. `before` is what
    Azure showed before the first attempt; it is written down with the intent.
    """
    promotion = await journal.load(miso, hold.stream)
    known = promotion.step(step) if promotion else None
    if known and known.done_us:
        return
    operation = await _operation(miso, hold, step, promotion)
    after = await _found(miso, hold, known, operation, read) if known else None
    if after is None:
        # Written before every write, so that the newest one is what must have settled before the next.
        await write(miso, hold, row(hold, Kind.STEP_BEGUN, step=step, before=dict(before)))
        _stop(miso, f"{step}:before")
        await _act(miso, hold, step, operation, act)
        _stop(miso, f"{step}:after")
        after = await read()
    if after is None:
        raise Transient(Code.OUTCOME_UNKNOWN, "Azure took the change but does not show it yet.", outcome_unknown=True)
    await write(miso, hold, row(hold, Kind.STEP_DONE, step=step, after=dict(after)), forget=(step,))


async def _operation(miso: Miso, hold: Hold, step: str, promotion: Promotion | None) -> Operation | None:
    """The operation under way for this step. Not one of the way there, on the way back: it wrote something else."""
    first = next((s for s in promotion.steps if s.step == step), None) if promotion else None
    operation = await miso.store.operation(hold.stream, step)
    return operation if operation and first and operation.started_us >= first.begun_us else None


async def _act(miso: Miso, hold: Hold, step: str, operation: Operation | None, act: Act) -> None:
    async def saved(continuation: str) -> None:
        kept = await miso.store.save_operation(
            Operation(
                stream=hold.stream,
                step=step,
                epoch=hold.epoch,
                continuation=continuation,
                started_us=miso.clock.now_us(),
            )
        )
        if not kept:
            raise LeaseLost
        _stop(miso, f"{step}:taken")

    async def keep() -> None:
        await _keep(miso, hold)

    # A full lease now, and again directly before the one request that changes something: its own deadline is shorter
    # than a lease, so no write outlives the lease that it was made under.
    await keep()
    await act(operation.continuation if operation else "", saved, keep)


async def _found(
    miso: Miso, hold: Hold, begun: StepState, operation: Operation | None, read: Read
) -> Mapping[str, Any] | None:
    """What Azure shows of a step that was begun before; None when it did not happen and no longer can.

    A request that was cut off may still be on its way: before it is made a second time, Azure is watched for as long
    as it could arrive. An operation that Azure took since the step began has arrived, and is continued at once.
    """
    after = await read()
    taken = operation is not None and operation.started_us >= begun.begun_us
    until_us = begun.begun_us + int(miso.rules.settle_seconds * 1e6)
    while after is None and not taken and (left_us := until_us - miso.clock.now_us()) > 0:
        await miso.clock.sleep(min(left_us / 1e6, miso.rules.lease_ttl / 3))
        await _keep(miso, hold)
        after = await read()
    return after


async def _keep(miso: Miso, hold: Hold) -> None:
    """A full lease from now on. Raises LeaseLost when it is no longer ours."""
    if not await miso.store.renew(hold.environment.resource, hold.epoch, int(miso.rules.lease_ttl * 1e6)):
        raise LeaseLost


@asynccontextmanager
async def renewing(miso: Miso, hold: Hold) -> AsyncIterator[None]:
    """Keep the lease while the body runs; cancel the body when it is lost. Renewed in the lease table only."""
    body = asyncio.current_task()
    lost = False

    async def renew() -> None:
        nonlocal lost
        while True:
            await asyncio.sleep(miso.rules.lease_ttl / 3)
            with suppress(Transient):
                if not await miso.store.renew(hold.environment.resource, hold.epoch, int(miso.rules.lease_ttl * 1e6)):
                    lost = True
                    if body is not None:
                        body.cancel()
                    return

    task = asyncio.create_task(renew())
    try:
        yield
    except asyncio.CancelledError:
        if lost:
            raise LeaseLost from None
        raise
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _stop(miso: Miso, point: str) -> None:
    """Die here as a lost machine would, when a test asked for it (`MISO_TEST_STOP_AT`)."""
    if miso.rules.stop_at == point:
        os.kill(os.getpid(), signal.SIGKILL)
