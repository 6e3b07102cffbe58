"""`POST /github/webhooks`: judge what can be judged without parsing, keep it durably, then say 202.

Called by GitHub. Before the answer it looks at size, content type, headers, signature and first byte, each fault with a
status of its own; whatever needs the parsed body is judged later by the worker, where nothing can be lost. It never
logs a body, and says nothing that helps somebody who guesses signatures (security rules 21 to 24).
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Sequence

from aiohttp import web

from bot.context import Miso
from bot.domain.model import NewDelivery, Received
from bot.errors import Transient

PATH = "/github/webhooks"
MOST_BYTES_AT_ONCE = 64 * 1024 * 1024
"""Of all bodies that are being read now: whoever sends them has proven nothing yet."""
MOST_BYTES = 25 * 1024 * 1024
"""GitHub never sends more. https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap"""
READ_SECONDS = 8.0
"""GitHub gives up after ten. https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks"""

_SIGNATURE = re.compile(rb"sha256=[0-9a-f]{64}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_EVENT = re.compile(r"[a-z][a-z_]{1,63}", re.ASCII)
_TARGET = re.compile(r"[0-9]{0,20}", re.ASCII)


def routes(miso: Miso, secrets: Sequence[str]) -> list[web.RouteDef]:
    """The webhook route. `secrets`: the present one and, while rotating, the one before. An empty one is a bug."""
    keys = tuple(secret.encode() for secret in secrets)
    if not keys or not all(keys):
        raise ValueError("a webhook secret is needed")
    room = Room()

    async def receive(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return _no(415, "content_type", "Set the hook's content type to application/json.")
        if (request.content_length or 0) > MOST_BYTES:
            return _no(413, "body_too_large", "GitHub sends at most 25 MB.")
        signature = request.headers.get("X-Hub-Signature-256", "")
        if not _SIGNATURE.fullmatch(signature.encode("utf-8", "replace")):
            return _no(401, "signature", "The signature does not fit the body and our secret.")
        body = await _whole(request, room)
        if isinstance(body, web.Response):
            return body
        if not signed(body, signature, keys):
            return _no(401, "signature", "The signature does not fit the body and our secret.")
        guid = request.headers.get("X-GitHub-Delivery", "")
        event = request.headers.get("X-GitHub-Event", "")
        target = request.headers.get("X-GitHub-Hook-Installation-Target-ID", "")
        if not (_GUID.fullmatch(guid) and _EVENT.fullmatch(event) and _TARGET.fullmatch(target)):
            return _no(400, "headers", "X-GitHub-Delivery and X-GitHub-Event do not have GitHub's form.")
        if body.lstrip(b" \t\r\n")[:1] != b"{":
            return _no(422, "not_an_object", "A webhook body is one JSON object.")
        delivery = NewDelivery(
            guid=guid.lower(),
            event=event,
            body=body,
            received_us=miso.clock.now_us(),
            hook_target_id=target,
        )
        try:
            received = await miso.store.receive(delivery)
        except Transient:
            return _no(503, "store_unavailable", "The inbox cannot be written; send it again later.")
        return web.Response(status=202, text=_TOLD[received], content_type="application/json")

    return [web.post(PATH, receive)]


def signed(body: bytes, header: str, keys: Sequence[bytes]) -> bool:
    """Whether one of the keys made this signature: SHA-256 only, compared as bytes in constant time (rule 22)."""
    given = header.encode("utf-8", "replace")
    if not _SIGNATURE.fullmatch(given):
        return False
    fits = False
    for key in keys:
        expected = b"sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest().encode()
        fits |= hmac.compare_digest(expected, given)
    return fits


class Full(Exception):
    """More is being read at once than this process wants to hold for strangers."""


class Room:
    """Bytes of all bodies that are being read now: nobody has proven yet that they come from GitHub."""

    def __init__(self, most: int = MOST_BYTES_AT_ONCE) -> None:
        self._left = most

    async def read(self, request: web.Request) -> bytes | None:
        """The body, or None as soon as it is too large: nothing beyond the cap is ever held. Raises Full."""
        parts: list[bytes] = []
        size = 0
        try:
            async for part in request.content.iter_any():
                size += len(part)
                self._left -= len(part)
                if size > MOST_BYTES:
                    return None
                if self._left < 0:
                    raise Full
                parts.append(part)
        finally:
            self._left += size
        return parts[0] if len(parts) == 1 else b"".join(parts)


async def _whole(request: web.Request, room: Room) -> bytes | web.Response:
    """The body, or the answer to one that cannot be had."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            body = await room.read(request)
    except TimeoutError:
        return _no(408, "body_too_slow", "The body did not arrive in time.")
    except (web.RequestPayloadError, ConnectionError):
        return _no(400, "body_unreadable", "The body is not what its headers say.")
    except Full:
        return _no(503, "too_much_at_once", "Too much is arriving at once; send it again later.")
    return _no(413, "body_too_large", "GitHub sends at most 25 MB.") if body is None else body


_TOLD = {received: f'{{"delivery":"{received.value}"}}' for received in Received}


def _no(status: int, code: str, hint: str) -> web.Response:
    headers = {"Retry-After": "10"} if status == 503 else {}
    return web.json_response({"code": code, "hint": hint}, status=status, headers=headers)
