"""A process that takes in deliveries as fast as it can and says each GUID once it is acknowledged. Killed by a test."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from bot.store import SqliteStore
from tests.store.builders import append, delivery

CLIENTS = 16


async def main(path: str, run: str) -> None:
    store = await SqliteStore.open(path, clock_us=lambda: 1)
    numbers = itertools.count()

    async def client() -> None:
        for number in numbers:
            guid = f"{run}-{number}"
            await store.receive(delivery(guid, os.urandom(4096)))
            os.write(1, f"{guid}\n".encode())
            if number % 10 == 0:
                await store.append([append(f"s{guid}", 1)], inbox_done=guid)
                os.write(1, f"done {guid}\n".encode())

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
