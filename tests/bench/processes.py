"""Child processes of the bench: started as modules of this repository, spoken to by JSON lines, ended for certain.

Used by every part of the bench. A child prints one JSON line when it is ready, perhaps more later, and ends when its
standard input closes, so that none outlives a bench that is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

READY_SECONDS = 30.0
END_SECONDS = 10.0


class Child:
    """One running child."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def line(self, timeout: float = READY_SECONDS) -> Any:
        """The next JSON line. Raises TimeoutError, or RuntimeError when the child ended instead."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout):
            text = await self._process.stdout.readline()
        if not text:
            raise RuntimeError(f"a process of the bench ended ({self._process.returncode})")
        return json.loads(text)

    def resident(self) -> float:
        """Resident memory in MiB (Linux)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the kernel does not tell the resident memory")

    async def end(self) -> None:
        """Close its input; kill it when it does not take the hint."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """`python -m module arguments`, ended on the way out. `environment`: settings of Miso for the child alone."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**clean, **(environment or {})},
        limit=64 * 1024 * 1024,
    )
    running = Child(process)
    try:
        yield running
    finally:
        await running.end()


async def until_input_closes() -> None:
    """What a child waits for."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


def tell(**what: Any) -> None:
    """One JSON line to whoever started this process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
