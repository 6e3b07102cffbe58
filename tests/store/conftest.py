"""The store under test, one engine after another. A second engine is one more name and one more way to open it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bot.context import Store
from bot.store import SqliteStore
from tests.store.builders import Clock

OpenStore = Callable[[], Awaitable[Store]]


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_store(engine: str, tmp_path: Path, clock: Clock) -> AsyncIterator[OpenStore]:
    """Opens the same database as often as it is called, as several processes would; closes all of them at the end."""
    assert engine == "sqlite"
    async with contextlib.AsyncExitStack() as stack:

        async def one() -> Store:
            store = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=clock)
            stack.push_async_callback(store.close)
            return store

        yield one


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()
