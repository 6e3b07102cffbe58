"""What was acknowledged is there, whatever happens to the process; what cannot be kept is never acknowledged."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from bot.domain.model import DeliveryState
from tests.store.conftest import OpenStore


async def ingest_and_kill(database: Path, run: str, acknowledgements: int) -> list[str]:
    """What a process had acknowledged when SIGKILL hit it, in the middle of its work."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.ingest", str(database), run, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(acknowledgements)]
    process.send_signal(signal.SIGKILL)
    lines += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -signal.SIGKILL
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


@pytest.mark.parametrize("acknowledgements", [1, 150, 700])
async def test_rule_24_nothing_acknowledged_is_lost_by_kill_9(
    engine: str, open_store: OpenStore, tmp_path: Path, acknowledgements: int
) -> None:
    assert engine == "sqlite"
    said = await ingest_and_kill(tmp_path / "miso.sqlite", "a", acknowledgements)
    said += await ingest_and_kill(tmp_path / "miso.sqlite", "b", acknowledgements)
    store = await open_store()
    kept = {delivery.guid: delivery.state for delivery in await store.deliveries(state=None, limit=10**6)}
    acknowledged = {line for line in said if not line.startswith("done ")}
    ended = {line.removeprefix("done ") for line in said if line.startswith("done ")}
    assert len(acknowledged) + len(ended) >= 2 * acknowledgements
    assert acknowledged <= kept.keys()
    assert ended <= {guid for guid, state in kept.items() if state is DeliveryState.DONE}
    # A delivery and the rows that it caused were written together or not at all.
    for guid, state in kept.items():
        if guid.endswith("0"):
            assert bool(await store.stream(f"s{guid}")) == (state is DeliveryState.DONE)
    assert await store.verify() == []
