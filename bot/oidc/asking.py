"""Requests to the sign-in service: its own host only, no redirects, a cap on what comes back, and never a long wait.

Used by `sign_in`, for MSAL, which runs in a thread and asks through `Bridge`, and by `provider`. Both so use the one
session of the process, with its certificates.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from bot.oidc.id_tokens import unavailable

MOST_BYTES = 256 * 1024
SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """As MSAL wants to see one."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """MSAL calls it for what it does not understand."""
        if self.status_code >= 400:
            raise unavailable()

    def document(self) -> Mapping[str, Any]:
        """The JSON object that it holds; an empty one for anything else."""
        try:
            said = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}


class Service:
    """One service. `base`: what it is asked under; another host or scheme is never asked."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._origin = URL(base).origin()

    def own(self, url: object) -> bool:
        """Whether an address is this service's."""
        try:
            found = URL(url, encoded=True) if isinstance(url, str) else URL()
            return found.origin() == self._origin and found.user is None
        except ValueError:
            return False

    async def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises Transient (`sign_in_unavailable`) where there is no answer, or none that is one."""
        if not self.own(url):
            raise unavailable()
        # Uncompressed, so that the cap counts what would be held.
        sent = {"Accept": "application/json", **(headers or {}), "Accept-Encoding": "identity"}
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._session.request(
                    method, url, params=params, data=data, headers=sent, allow_redirects=False
                ) as answer,
            ):
                body = await answer.content.read(MOST_BYTES + 1)
                while len(body) <= MOST_BYTES and (more := await answer.content.read(MOST_BYTES + 1)):
                    body += more
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise unavailable() from None
        if answer.status >= 500 or answer.status == 429 or len(body) > MOST_BYTES:
            raise unavailable()
        return Answer(answer.status, body.decode("utf-8", "replace"), dict(answer.headers))


class Bridge:
    """The HTTP client of MSAL's thread: each request is made on the loop, and waited for.

    https://msal-python.readthedocs.io/en/latest/#msal.ClientApplication.params.http_client
    """

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> Answer:
        return self._wait("GET", url, params, None, headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> Answer:
        return self._wait("POST", url, params, data, headers)

    def close(self) -> None:
        """The session is not ours."""

    def _wait(self, method: str, url: str, params: Any, data: Any, headers: Any) -> Answer:
        asked = self._service.ask(method, url, params=params, data=data, headers=headers)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(SECONDS + 5)
