"""Requests as bytes, for what no honest client would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Headers = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Reply:
    """What came back for these bytes."""

    status: int
    head: str
    text: str

    @property
    def code(self) -> str:
        """The reason, from whichever shape the door speaks."""
        if self.text.startswith("{"):
            said: dict[str, Any] = json.loads(self.text)
            return str(said.get("code", ""))
        return self.text.partition("Reason: <code>")[2].partition("<")[0]


async def send(url: str, line: str | bytes, headers: Headers = (), body: bytes = b"", *, host: str = "") -> Reply:
    """One request with these headers as they stand here, and its answer."""
    there = url.partition("://")[2]
    name, _, port = there.partition(":")
    sent: list[tuple[str, str | bytes]] = [("Host", host or there), ("Connection", "close"), *headers]
    if body:
        sent.append(("Content-Length", str(len(body))))
    head = [_bytes(line) + b" HTTP/1.1", *(_bytes(name) + b": " + _bytes(value) for name, value in sent)]
    reader, writer = await asyncio.open_connection(name, int(port))
    try:
        writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    top, _, rest = answer.partition(b"\r\n\r\n")
    shown = top.decode("latin-1")
    return Reply(int(shown.split()[1]), shown, rest.decode("utf-8", "replace"))


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
