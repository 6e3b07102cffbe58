"""What a decision costs: a policy of a hundred rules over a journal that grows from a hundred rows to ten thousand.

The store is the real one, in a file; what the outside would answer is given, so that only reading the journal and
deciding is measured. The wish is that the curve is flat: a decision reads projections and a handful of short streams.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.context import Miso
from bot.domain.decision import Facts
from bot.domain.model import Append, CheckSeen, Environment, EnvironmentState, NewRow, Release, Status
from bot.domain.policy import decide, decide_effect, evidence_of
from bot.domain.promotion import VERSION, Kind, fold, project, request_as_body
from bot.domain.rules import Freeze, Policy, RequiredCheck
from bot.services import knowledge
from bot.services.journal import as_row
from bot.store.sqlite import SqliteStore
from tests.bench.figures import Figure, milliseconds, percentile
from tests.domain import given

SIZES = (100, 1_000, 10_000)
WISH_MS = 5.0
CHECKS, FREEZES = 45, 33
"""With the rules that always hold, a hundred and one."""


def policy() -> Policy:
    """A policy of a hundred rules: checks, freezes that repeat, and everything that a policy can demand besides."""
    checks = tuple(RequiredCheck(name=f"scan {number}", app_id=1000 + number) for number in range(CHECKS))
    freezes = tuple(
        Freeze(name=f"night {number}", starts="2020-01-02T01:00", minutes=1, repeats="FREQ=DAILY", zone="Europe/Berlin")
        for number in range(FREEZES)
    )
    return replace(given.POLICY, checks=checks, freezes=freezes)


async def measure(*, rounds: int, small: bool, say: Callable[[str], None]) -> list[Figure]:
    """p50 of reading and deciding at each size of the journal, and the last against the first."""
    sizes, taken = SIZES[:1] if small else SIZES, 20 if small else 100
    samples: dict[int, tuple[list[float], list[float]]] = {size: ([], []) for size in sizes}
    async with AsyncExitStack() as stack:
        halls = {size: await stack.enter_async_context(_hall(size)) for size in sizes}
        for number in range(rounds):
            say(f"decisions over journals of {sizes[0]} to {sizes[-1]} rows, round {number + 1} of {rounds}")
            # In turn, so that a slow moment of the machine falls on all sizes alike.
            for size in sizes:
                for into, more in zip(samples[size], await _rounds(halls[size], taken), strict=True):
                    into.extend(more)
    found = [(size, percentile(read, 0.5), percentile(judged, 0.5)) for size, (read, judged) in samples.items()]
    figures = [
        Figure(
            group="Deciding",
            what=f"100 rules, {size:,} rows in the journal, p50",
            value=milliseconds(read + judged),
            against=f"reading {milliseconds(read)}, deciding {milliseconds(judged)}",
            wish=f"< {WISH_MS:.0f} ms",
            met=(read + judged) * 1000 < WISH_MS,
        )
        for size, read, judged in found
    ]
    first, last = found[0][1] + found[0][2], found[-1][1] + found[-1][2]
    if not small:
        growth = last / first
        figures.append(
            Figure(
                group="Deciding",
                what=f"{SIZES[-1]:,} rows against {SIZES[0]:,}",
                value=f"{growth:.2f} ×",
                against=" → ".join(f"{(read + judged) * 1000:.2f}" for _, read, judged in found) + " ms",
                wish="flat, < 1.5 ×",
                met=growth < 1.5,
            )
        )
    return figures


@asynccontextmanager
async def _hall(size: int) -> AsyncIterator[Miso]:
    """A hall whose store holds so many rows, and which has no windows: what is measured asks nothing of the outside."""
    with tempfile.TemporaryDirectory(prefix="miso-bench-") as folder:
        store = await SqliteStore.open(Path(folder) / "miso.sqlite", clock_us=lambda: given.NOW)
        try:
            await _fill(store, size)
            nobody: Any = None
            windows = dict.fromkeys(("github", "azure", "images", "probe", "oidc", "clock"), nobody)
            yield Miso(rules=given.RULES, store=store, **windows)
        finally:
            await store.close()


async def _rounds(miso: Miso, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds for reading what the store knows, and for the decisions at request and effect together."""
    demanded, asked = policy(), replace(given.asked(), stream="promotion-now")
    seen = tuple(
        CheckSeen(id=number, name=check.name, app_id=check.app_id, status="completed", conclusion="success")
        for number, check in enumerate(demanded.checks)
    )
    outside = given.facts()
    reading, judging = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        local = await knowledge.local(miso, asked)
        read = time.perf_counter()
        facts = _with(local, outside, seen)
        decision = decide(asked, facts, demanded, miso.rules, given.NOW)
        assert not decision.refused, decision.obstacles
        promotion = given.promotion(first=given.requested(given.request(policy=demanded)))
        assert evidence_of(asked, facts, demanded, miso.rules) is not None
        judged = time.perf_counter()
        decide_effect(promotion, asked, facts, demanded, miso.rules, given.NOW)
        reading.append(read - began)
        judging.append(judged - read + (time.perf_counter() - judged))
    return reading, judging


def _with(local: Facts, outside: Facts, seen: tuple[CheckSeen, ...]) -> Facts:
    """What the store said, beside answers of the outside that are given."""
    return replace(
        outside,
        environments=local.environments,
        states=local.states,
        open=local.open,
        verified=local.verified,
        bans=local.bans,
        plan=local.plan,
        running=local.running,
        running_plan=local.running_plan,
        range=outside.range if local.running is not None else None,
        checks=seen,
    )


async def _fill(store: SqliteStore, size: int) -> None:
    """The registry, the release healthy in test, another in production, and a long past of other releases."""
    await store.register(given.APPLICATION, [given.DEV, given.TEST, given.PRODUCTION])
    await _live(store, "promotion-test", given.asked().release, given.TEST, 0)
    old = given.release(given.OLD, given.OLD_DIGEST)
    await _live(store, "promotion-old", old, given.PRODUCTION, 0)
    for number in range(max(0, size - 4) // 2):
        past = given.release(f"{number:040x}", f"sha256:{number:064x}")
        await _live(store, f"promotion-{number}", past, given.DEV, number)


async def _live(store: SqliteStore, stream: str, release: Release | None, where: Environment, number: int) -> None:
    """A promotion that went well: asked for and healthy, with its projections beside it."""
    assert release is not None
    body = request_as_body(replace(given.request(where), release=release, approvals_needed=0))
    at_us = given.NOW - 100 * given.HOUR + number
    rows = (
        NewRow(kind=Kind.REQUESTED, actor=given.ASKER, application_id=given.APPLICATION.id, environment_id=where.id,
               body=body, v=VERSION),
        NewRow(kind=Kind.PROBE_PASSED, actor=given.ASKER, application_id=given.APPLICATION.id, environment_id=where.id,
               body={"evidence": "http"}),
    )  # fmt: skip
    promotion = fold([as_row(row, stream, seq, at_us) for seq, row in enumerate(rows, start=1)])
    assert promotion.status is Status.LIVE
    before = await store.environment_state(where.id)
    after = EnvironmentState(environment_id=where.id, version=before.version + 1, running=stream, last_verified=stream)
    await store.append(
        [Append(stream=stream, seq=1, rows=rows, at_us=at_us, promotion=project(promotion), environment=after)]
    )
