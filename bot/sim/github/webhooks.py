"""Signed webhooks of the pretend GitHub: one ordered sender, a delivery log, and the mischief that networks add.

Routes and verbs call `emit`; a task started by the world sends. As on GitHub nothing is ever redelivered by itself:
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import aiohttp

from bot.sim.github.state import State
from bot.sim.wire import Exchange, Wire

ANSWER_WITHIN = 10.0
"""Seconds: GitHub counts a slower answer as a failure."""


@dataclass
class Delivery:
    """One attempt to deliver one event. A redelivery is a row of its own under the same GUID."""

    id: int
    guid: str
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    body: bytes = field(repr=False)
    redelivery: bool = False
    delivered_at: float = 0.0
    duration: float = 0.0
    status: str = "pending"
    status_code: int = 0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""


class Webhooks:
    """The App's hook: where it points, what was sent, and what is held back."""

    def __init__(self, state: State, wire: Wire, *, url: str | None, secret: str) -> None:
        self.state, self.wire, self.url, self.secret = state, wire, url, secret
        self.log: list[Delivery] = []
        self.held: list[Delivery] | None = None
        self._mischief: list[tuple[Literal["drop", "duplicate"], str | None]] = []
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()

    def emit(
        self, event: str, payload: dict[str, Any], *, installation_id: int | None, repository_id: int | None
    ) -> None:
        """Write the event down and queue it; sent in this order unless the world was told to make trouble."""
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        delivery = Delivery(
            id=self.state.next_id(),
            guid=str(uuid.uuid4()),
            event=event,
            action=payload.get("action"),
            installation_id=installation_id,
            repository_id=repository_id,
            body=body,
        )
        trouble = next((entry for entry in self._mischief if entry[1] in (None, event)), None)
        if trouble is not None:
            self._mischief.remove(trouble)
        if trouble is not None and trouble[0] == "drop":
            delivery.status, delivery.status_code, delivery.delivered_at = "timed out", 504, self.state.clock()
            self.log.append(delivery)
            return
        for again in range(2 if trouble is not None else 1):
            one = replace(delivery, id=self.state.next_id()) if again else delivery
            if self.held is not None:
                self.held.append(one)
            else:
                self._queue.put_nowait(one)

    def hold(self) -> None:
        """Keep what comes until `release`."""
        self.held = self.held or []

    def release(self, *, order: Literal["fifo", "lifo", "shuffle"] = "fifo", seed: int = 0, copies: int = 1) -> int:
        """Send what was held, in this order and so many times each; answers how many that was."""
        held, self.held = self.held or [], None
        held = held + [replace(one, id=self.state.next_id()) for _ in range(copies - 1) for one in held]
        if order == "lifo":
            held.reverse()
        elif order == "shuffle":
            random.Random(seed).shuffle(held)
        for delivery in held:
            self._queue.put_nowait(delivery)
        return len(held)

    def trouble(self, kind: Literal["drop", "duplicate"], *, count: int = 1, event: str | None = None) -> None:
        """Lose, or send twice, the next `count` deliveries (of this event, when one is named)."""
        self._mischief += [(kind, event)] * count

    def redeliver(self, delivery_id: int) -> Delivery:
        """Queue the same body under the same GUID again, as a person or `POST …/attempts` asks for it."""
        old = next((entry for entry in self.log if entry.id == delivery_id), None)
        if old is None:
            raise LookupError(f"no delivery {delivery_id}")
        again = replace(old, id=self.state.next_id(), redelivery=True, status="pending", status_code=0)
        self._queue.put_nowait(again)
        return again

    def sign(self, body: bytes) -> str:
        return "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    async def delivered(self) -> None:
        """Until the queue is empty and the last answer is in."""
        await self._queue.join()

    async def run(self) -> None:
        """Send for ever, one after another. Cancelled by the world."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                delivery = await self._queue.get()
                try:
                    await self._send(session, delivery)
                finally:
                    self._queue.task_done()

    async def _send(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        delivery.request_headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/5a1b0c7",
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": "1",
            "X-GitHub-Hook-Installation-Target-ID": str(self.state.app.id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature-256": self.sign(delivery.body),
        }
        delivery.delivered_at = self.state.clock()
        self.log.append(delivery)
        started = time.monotonic()
        try:
            if self.url is None:
                raise aiohttp.ClientError("no hook URL")
            async with session.post(
                self.url, data=delivery.body, headers=delivery.request_headers, allow_redirects=False
            ) as answer:
                delivery.response_body = (await answer.read())[:65536].decode(errors="replace")
                delivery.response_headers = dict(answer.headers)
                delivery.status_code = answer.status
                delivery.status = "OK" if answer.ok else f"Invalid HTTP Response: {answer.status}"
        except TimeoutError:
            delivery.status, delivery.status_code = "timed out", 504
        except aiohttp.ClientError:
            delivery.status, delivery.status_code = "failed to connect to host", 502
        delivery.duration = round(time.monotonic() - started, 3)
        self._note(delivery)

    def _note(self, delivery: Delivery) -> None:
        self.wire.note(
            Exchange(
                server="webhook",
                method="POST",
                path=f"/{delivery.event}",
                query={},
                request_headers={key.lower(): value for key, value in delivery.request_headers.items()},
                request_body=delivery.body,
                status=delivery.status_code,
                response_headers={key.lower(): value for key, value in delivery.response_headers.items()},
                response_body=delivery.response_body.encode(),
            )
        )
