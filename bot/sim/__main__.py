"""`python -m bot.sim`: a pretend world in its own process. Prints one JSON line with every address, then serves.

It ends on SIGTERM, on SIGINT, or when its standard input closes, so that it never outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import signal
import stat
import sys
from dataclasses import asdict
from pathlib import Path

from bot.sim.wire import Observer
from bot.sim.world import SERVERS, Options, World


def _ports(text: str) -> dict[str, int]:
    """`github=8081,web=8082`"""
    pairs = dict(entry.split("=", 1) for entry in text.split(",") if entry)
    unknown = set(pairs) - set(SERVERS)
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SERVERS)}")
    return {name: int(port) for name, port in pairs.items()}


def _observer(text: str) -> Observer:
    """`package.module:function`"""
    module, _, name = text.partition(":")
    found: Observer = getattr(importlib.import_module(module), name)
    return found


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m bot.sim", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--ports", type=_ports, default={}, help="github=8081,web=8082,…; any free port otherwise")
    parser.add_argument("--webhook-url", help="where the App's webhooks go")
    parser.add_argument("--webhook-secret", default=Options().webhook_secret)
    parser.add_argument("--directory", type=Path, help="where the CA and the App's key are written")
    parser.add_argument("--check", type=_observer, action="append", default=[], help="module:function that judges")
    parser.add_argument("--no-record", action="store_true", help="keep no log of what was exchanged")
    given = parser.parse_args()
    return Options(
        ports=given.ports,
        webhook_url=given.webhook_url,
        webhook_secret=given.webhook_secret,
        directory=given.directory,
        keep_exchanges=not given.no_record,
        observers=tuple(given.check),
    )


async def _stdin_closed(stop: asyncio.Event) -> None:
    """Only a pipe is a sign of life of a parent; a terminal or /dev/null is not."""
    if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        return
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass
    stop.set()


async def _serve(options: Options) -> None:
    async with World.running(options) as world:
        print(json.dumps(asdict(world.addresses)), flush=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        watcher = asyncio.create_task(_stdin_closed(stop))
        await stop.wait()
        watcher.cancel()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
