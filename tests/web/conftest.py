"""The doors for people, open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.lodge import OPERATORS, Lodge, lodge
from tests.web.program import Program


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lodge]:
    async with lodge(tmp_path) as opened:
        yield opened


@pytest.fixture
async def program(here: Lodge) -> Program:
    here.person("ann", groups=[OPERATORS])
    await here.browser.sign_in()
    return Program(here)
