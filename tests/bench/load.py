"""`python -m tests.bench.load PORT COUNT CONNECTIONS SEED`: signed deliveries as fast as a server takes them.

A process of its own, made so that it is not what is measured: each request is bytes before the clock starts, each
connection a bare asyncio protocol that sends its next request when the last was answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import sys
import time
import uuid
from dataclasses import dataclass, field

from tests.bench.processes import tell
from tests.bench.settings import SECRET

LONGEST_SECONDS = 25.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_LENGTH = re.compile(rb"content-length: (\d+)", re.I)


def body(number: int, *, size: int = 20_000) -> bytes:
    """A `workflow_run` payload of about `size` bytes that no other number has."""
    run = {"id": number, "event": "push", "head_sha": f"{number:040x}", "conclusion": "success", "run_attempt": 1}
    commits = [{"id": f"{n:040x}", "message": "A change\n" * 4, "author": {"name": "Ann"}} for n in range(200)]
    head = {"action": "completed", "workflow_run": run, "installation": {"id": 1}, "repository": {"id": 1}}
    short = len(json.dumps(head | {"commits": []}))
    each = (len(json.dumps(commits)) - 2) / len(commits)
    kept = commits[: max(0, int((size - short) / each))]
    return json.dumps(head | {"commits": kept}).encode()


def request(number: int, guid: str) -> bytes:
    """One whole HTTP request."""
    content = body(number)
    signature = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
    lines = (
        "POST /github/webhooks HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: GitHub-Hookshot/044aadd",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        f"X-GitHub-Delivery: {guid}",
        "X-GitHub-Event: workflow_run",
        "X-GitHub-Hook-ID: 1",
        "X-GitHub-Hook-Installation-Target-ID: 4242",
        "X-GitHub-Hook-Installation-Target-Type: integration",
        f"X-Hub-Signature-256: sha256={signature}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass
class Run:
    """What is left to send, and what came back."""

    waiting: list[bytes]
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """Sends one request after another until none is left."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def next(self) -> None:
        if not self._run.waiting:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._run.waiting.pop())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        if len(rest) < (int(length[1]) if length else 0):
            return
        self._run.seconds.append(time.perf_counter() - self._sent)
        found = _STATUS.match(head)
        status = int(found[1]) if found else 0
        self._run.statuses[status] = self._run.statuses.get(status, 0) + 1
        self._buffer = b""
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def main(port: int, count: int, connections: int, seed: int) -> None:
    names = (str(uuid.uuid4()) for _ in range(count))
    run = Run([request(seed * 1_000_000 + number, name) for number, name in enumerate(names)])
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(lambda: Connection(run), "127.0.0.1", port))[1] for _ in range(connections)]
    busy, began = time.process_time(), time.perf_counter()
    for connection in made:
        connection.next()
    async with asyncio.timeout(LONGEST_SECONDS):
        await asyncio.gather(*(connection.done for connection in made))
    spent = time.perf_counter() - began
    tell(
        seconds=spent,
        busy=(time.process_time() - busy) / spent,
        statuses={str(status): many for status, many in run.statuses.items()},
        latencies=sorted(run.seconds),
    )


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:5])))
