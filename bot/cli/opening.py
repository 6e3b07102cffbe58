"""How commands get at what the controller knows: the same settings, the same store, beside a running `miso serve`.

Used by `status` and `deliveries`. Nothing is served and no loop runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.app import building
from bot.context import Miso
from bot.errors import ConfigError
from bot.settings import load


@asynccontextmanager
async def opened() -> AsyncIterator[Miso]:
    """The hall over the store that is there. Raises ConfigError when there is none: reading must not make one."""
    settings = load()
    if not settings.store_path.is_file():
        raise ConfigError(
            [f"there is no store at '{settings.store_path}': set MISO_DATA_DIR to the controller's, or `miso register`"]
        )
    async with building(settings, adopts=False) as running:
        yield running.miso
