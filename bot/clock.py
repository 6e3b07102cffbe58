"""The real clock: the one place where the controller reads the time or sleeps. Put into the hall by `bot.app`."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Microseconds UTC, from the machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
