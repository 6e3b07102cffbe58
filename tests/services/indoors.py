"""A hall without windows: verbs that only read and write the store, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bot.context import Miso
from bot.domain.rules import Rules
from bot.store import SqliteStore


@dataclass
class HandClock:
    """Moves only when it is told to."""

    at_us: int = 1_795_000_000_000_000

    def now_us(self) -> int:
        return self.at_us

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("indoors nobody waits")

    def pass_(self, seconds: float) -> None:
        self.at_us += int(seconds * 1e6)


@dataclass
class Indoors:
    miso: Miso
    clock: HandClock


@asynccontextmanager
async def indoors(directory: Path) -> AsyncIterator[Indoors]:
    """A real store. Whoever looks outside finds nothing there, and fails."""
    clock = HandClock()
    store = await SqliteStore.open(directory / "miso.sqlite", clock_us=clock.now_us)
    nothing = cast(Any, None)
    miso = Miso(
        rules=Rules(controller="miso-test", app_id=99),
        store=store,
        clock=clock,
        github=nothing,
        azure=nothing,
        images=nothing,
        probe=nothing,
        oidc=nothing,
    )
    try:
        yield Indoors(miso=miso, clock=clock)
    finally:
        await store.close()
