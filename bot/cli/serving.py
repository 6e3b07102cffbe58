"""`miso serve`: the controller itself, in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import errno
import os
import signal

from rich.text import Text

from bot import telemetry
from bot.cli.screen import out
from bot.errors import ConfigError

NO_ADDRESS = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def serve() -> None:
    """Run the controller. It refuses to start, and names every fault at once, unless its settings are right."""
    asyncio.run(_serve())


async def _serve() -> None:
    from bot import app, settings

    loaded = settings.load()
    telemetry.configure(level=loaded.log_level, form=loaded.log_format)
    ready, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    address = f"{loaded.listen.host}:{loaded.listen.port}"
    told = asyncio.create_task(_tell(ready, address, loaded.public_url))
    try:
        await app.serve(loaded, ready=ready, stop=stop)
    except OSError as fault:
        if fault.errno not in NO_ADDRESS:
            raise
        why = os.strerror(fault.errno).lower()
        raise ConfigError([f"MISO_LISTEN is '{address}', which cannot be had: {why}"]) from None
    finally:
        told.cancel()


async def _tell(ready: asyncio.Event, address: str, public_url: str) -> None:
    await ready.wait()
    out().print(Text(f"Miso serves {public_url} on {address}; webhooks go to {public_url}/github/webhooks"))
