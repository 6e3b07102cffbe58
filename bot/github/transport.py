"""gidgethub on our session: bounded, patient with reads, careful with writes, silent about tokens.

`Api` speaks for one credential. It never follows a redirect (a token must not reach another host), never repeats a
write whose outcome is unknown, and remembers answers by ETag for its own token alone (an ETag depends on the token).
`Pace` keeps one installation inside GitHub's limits. Called by `bot.github.tokens` and `bot.github.repository`.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import aiohttp
import gidgethub
import gidgethub.aiohttp
from cachetools import LRUCache
from yarl import URL

from bot.domain.messages import plain
from bot.errors import MisoError, Transient
from bot.github import faults
from bot.telemetry import logger

API_VERSION = "2022-11-28"
"""The version whose shapes this window reads. `2026-03-10` took `merge_commit_sha` out of pull requests.

https://docs.github.com/en/rest/about-the-rest-api/api-versions
"""
TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
LONGEST_ANSWER = 16 * 1024 * 1024
"""Bytes; a page of a hundred commits with their files stays far below."""
LONGEST_KEPT = 32 * 1024
"""Bytes; larger answers are not remembered by ETag, so that a token's memory stays small."""
ANSWERS_KEPT = 64
TRIES = 3
EXPECTED = (301, 302, 307, 308, 401, 404)
"""Refusals that belong to every day and stand in no log."""

log = logger(__name__)

Write = Literal["POST", "PATCH", "DELETE"]
Kept = tuple[str | None, str | None, Any, str | None]


class Pace:
    """One budget: nothing is sent before the moment that GitHub named, writes keep their distance.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#pause-between-mutative-requests
    """

    def __init__(self, spacing: float, now_us: Callable[[], int], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._spacing_us = int(spacing * 1e6)
        self._now_us = now_us
        self._sleep = sleep
        self._closed_until_us = 0
        self._next_write_us = 0

    async def turn(self, *, write: bool) -> None:
        """Wait for this request's turn. Raises `Transient` (github_throttled) instead of waiting out a limit."""
        self._check()
        if not write:
            return
        now = self._now_us()
        start = max(now, self._next_write_us)
        self._next_write_us = start + self._spacing_us
        if start > now:
            await self._sleep((start - now) / 1e6)
            self._check()

    def stay_away(self, seconds: float) -> None:
        self._closed_until_us = max(self._closed_until_us, self._now_us() + int(seconds * 1e6))

    def _check(self) -> None:
        left = (self._closed_until_us - self._now_us()) / 1e6
        if left > 0:
            raise faults.throttled(left)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What every credential of one GitHub shares: session, address, our name, time. `api_url` has no trailing slash."""

    session: aiohttp.ClientSession
    api_url: str
    user_agent: str
    now_us: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]]


class Api(gidgethub.aiohttp.GitHubAPI):
    """GitHub's REST API with one credential. Paths start with a slash and are encoded by the caller.

    Raises `Refused` (`faults.Answer`, with the status) and `Transient`, nothing else.
    """

    def __init__(self, line: Line, pace: Pace, credential: Callable[[], str], *, app: bool = False) -> None:
        remembered: LRUCache[str, Kept] = LRUCache(ANSWERS_KEPT)
        super().__init__(line.session, line.user_agent, base_url=line.api_url, cache=remembered)
        self._line = line
        self._pace = pace
        self._credential = credential
        self._app = app

    async def read(self, path: str) -> Any:
        """GET. Three tries when GitHub or the connection breaks; a 304 is answered from memory and costs nothing."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._settled("GET", path, lambda: self.getitem(path, None))
            except Transient as error:
                if error.retry_after is not None or attempt == TRIES:
                    raise
                # Full jitter, so that many readers do not come back together. Not a secret.
                await self.sleep(random.uniform(0.1, 0.4) * 2**attempt)  # noqa: S311 - jitter needs no secrecy
        raise AssertionError("unreachable")

    async def write(self, method: Write, path: str, data: Any) -> Any:
        """One write, sent once. `Transient.outcome_unknown` says that it may have happened."""
        verbs: Mapping[Write, Callable[..., Awaitable[Any]]]
        verbs = {"POST": self.post, "PATCH": self.patch, "DELETE": self.delete}
        send = verbs[method]
        return await self._settled(method, path, lambda: send(path, None, data=data))

    async def _settled(self, method: str, path: str, send: Callable[[], Awaitable[Any]]) -> Any:
        write = method != "GET"
        try:
            return await send()
        except MisoError:
            raise
        except gidgethub.HTTPException as error:
            self._refuse(error, method, path)
        except aiohttp.ClientConnectorError:
            raise faults.unavailable("GitHub cannot be reached") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            # Without its cause: aiohttp's errors carry the request with its Authorization header (rule 17).
            what = f"the connection to GitHub was lost ({type(error).__name__})"
            raise faults.unavailable(what, outcome_unknown=write) from None
        except (gidgethub.GitHubException, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = f"GitHub's answer was not understood ({type(error).__name__})"
            raise faults.unavailable(what, outcome_unknown=write) from None

    def _refuse(self, error: gidgethub.HTTPException, method: str, path: str) -> NoReturn:
        meant = faults.meaning(error, write=method != "GET", now_us=self._line.now_us())
        status = int(error.status_code)
        if status not in EXPECTED:
            log.warning("github refused", method=method, path=path, status=status, said=plain(str(error)))
        if isinstance(meant, Transient) and meant.retry_after is not None:
            self._pace.stay_away(meant.retry_after)
        raise meant from None

    async def manage_rate_limit(self, *, method: str, url: str) -> None:
        # What is sent as the App itself changes nothing that counts as content: tokens and their end.
        await self._pace.turn(write=method != "GET" and not self._app)

    async def sleep(self, seconds: float) -> None:
        await self._line.sleep(seconds)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        if not url.startswith(f"{self._line.api_url}/"):
            raise faults.unavailable("GitHub pointed to another host")
        scheme = "Bearer" if self._app else "token"
        sent = {**headers, "authorization": f"{scheme} {self._credential()}", "x-github-api-version": API_VERSION}
        async with self._session.request(
            method, URL(url, encoded=True), headers=sent, data=body, allow_redirects=False, timeout=TIMEOUT
        ) as response:
            chunks = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                chunks += chunk
                if len(chunks) > LONGEST_ANSWER:
                    raise faults.unavailable("GitHub's answer is too large", outcome_unknown=method != "GET")
            received = {name.lower(): value for name, value in response.headers.items()}
        if received.get("x-ratelimit-remaining") == "0":
            self._pace.stay_away(faults.until_reset(received, self._line.now_us()) or 0.0)
        if len(chunks) > LONGEST_KEPT:
            received.pop("etag", None)
            received.pop("last-modified", None)
        return response.status, received, bytes(chunks)
