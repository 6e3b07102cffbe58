"""The doors for people, open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.lodge import Lodge, lodge


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lodge]:
    async with lodge(tmp_path) as opened:
        yield opened
