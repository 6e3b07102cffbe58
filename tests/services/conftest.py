"""Controllers without windows, over one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.context import Miso
from tests.services.indoors import indoors


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Miso, Miso]]:
    """Two of them, each with its own connection."""
    async with indoors(tmp_path) as one, indoors(tmp_path) as two:
        yield one.miso, two.miso


@pytest.fixture
def miso(replicas: tuple[Miso, Miso]) -> Miso:
    return replicas[0]
