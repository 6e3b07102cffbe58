"""A Miso over HTTP, as the person who signed in on this machine. Used by every command that acts for somebody.

Nothing else is asked: no settings of the controller, no store. A token goes to the address that it came from and to no
other: no redirect is followed. What cannot be reached is Transient, what was refused is Denied, with the server's own
code, words and rules.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import time
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.cli import session
from bot.cli.session import Session
from bot.domain.codes import Code
from bot.domain.messages import plain, refusal
from bot.errors import Refused, Transient

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
CLIENT = "miso-cli"
"""Our client id: a public client, known to everybody (https://www.rfc-editor.org/rfc/rfc6749#section-2.1)."""
TOKEN, REVOKE, DEVICE = "/oidc/token", "/oidc/revoke", "/oidc/device_authorization"
PATIENCE = 60.0
"""Seconds for one answer; a question that waits for something is answered within half of it."""
MOST_BYTES = 4 * 1024 * 1024
EARLY_SECONDS = 30.0
"""An access token that runs out sooner than this is replaced first."""


class Outside(BaseModel):
    """What a server says. Fields that we do not know are no fault: it may be newer than this command line."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Tokens(Outside):
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.1"""

    access_token: str = Field(repr=False, min_length=8, max_length=4096)
    refresh_token: str = Field(repr=False, min_length=8, max_length=4096)
    expires_in: float = Field(gt=0)

    def session(self, url: str, *, asked: float, subject: str = "") -> Session:
        """To be kept. `asked`: when it was asked for, so that the time on the way counts as spent."""
        return Session(
            url=url,
            access=self.access_token,
            refresh=self.refresh_token,
            expires=asked + self.expires_in,
            subject=subject,
        )


class Problem(Outside):
    """https://www.rfc-editor.org/rfc/rfc9457, or the error body of https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""

    code: str = ""
    error: str = ""
    detail: str = ""
    error_description: str = ""
    hint: str = ""


class Denied(Refused):
    """The server said no. `document` is all that it said."""

    def __init__(self, problem: Problem, document: Mapping[str, Any], status: int) -> None:
        said = problem.detail or problem.error_description or f"The server refused it with status {status}."
        code = problem.code or problem.error or f"http_{status}"
        super().__init__(plain(code, 60), plain(said, 600), plain(problem.hint, 600))
        self.document = document
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Server:
    """One Miso. `url` is its base address."""

    http: aiohttp.ClientSession
    url: str

    async def form(self, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """An OAuth question, without who asks. Raises Denied or Transient."""
        return await self._ask("POST", path, data={**fields, "client_id": CLIENT})

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str = ""
    ) -> dict[str, Any]:
        """A question to the API as whoever is signed in. `key`: the same for every try of one invocation."""
        headers = {"Idempotency-Key": key} if key else {}
        access = await self._access()
        for last in (False, True):
            try:
                signed = {**headers, "Authorization": f"Bearer {access}"}
                return await self._ask(method, path, json=body, headers=signed)
            except Denied as no:
                if no.status != 401 or last:
                    raise
                # It ended before its time: by a change of roles, or by the clock of this machine.
                access = await self._access(refused=access)
        raise AssertionError("two tries")  # the second one answers or raises

    async def _access(self, *, refused: str = "") -> str:
        """An access token that should be taken; `refused` was not."""
        kept = self._kept()
        if _fresh(kept) and kept.access != refused:
            return kept.access
        async with session.locked():
            kept = self._kept()  # another `miso` may have done it meanwhile
            if _fresh(kept) and kept.access != refused:
                return kept.access
            return await _to_its_end(self._refresh(kept))

    async def _refresh(self, kept: Session) -> str:
        """https://www.rfc-editor.org/rfc/rfc6749#section-6"""
        asked = time.time()
        try:
            answer = await self.form(TOKEN, {"grant_type": "refresh_token", "refresh_token": kept.refresh})
        except Denied as no:
            if no.document.get("error") == "invalid_grant":
                session.remove()  # a refresh token that was refused will be refused for ever
            raise
        new = understood(Tokens, answer).session(self.url, asked=asked, subject=kept.subject)
        session.write(new)
        return new.access

    def _kept(self) -> Session:
        kept = session.read()
        if kept is None or kept.url != self.url:
            raise refusal(Code.NOT_SIGNED_IN)
        return kept

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        import aiohttp

        try:
            async with self.http.request(
                method,
                f"{self.url}{path}",
                data=data,
                json=json,
                headers=headers,
                allow_redirects=False,
                proxy=_proxy(self.url),
            ) as answer:
                content = await answer.content.read(MOST_BYTES + 1)
                while not answer.content.at_eof() and len(content) <= MOST_BYTES:
                    content += await answer.content.read(MOST_BYTES)
                return _judged(answer, content)
        except TimeoutError:
            raise Transient("unreachable", f"{self.url} did not answer in time.", outcome_unknown=True) from None
        except aiohttp.ClientError as fault:
            why = plain(str(fault), 200) or type(fault).__name__
            raise Transient("unreachable", f"{self.url} does not answer: {why}.") from None


@asynccontextmanager
async def server(url: str) -> AsyncIterator[Server]:
    """A way to that Miso. Authorities: those of the system, or `SSL_CERT_FILE` as OpenSSL reads it."""
    import aiohttp

    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    agent = {"User-Agent": f"{CLIENT}/{version('miso-controller')}", "Accept": "application/json"}
    timeout = aiohttp.ClientTimeout(total=PATIENCE, connect=10)
    async with aiohttp.ClientSession(connector=connector, headers=agent, timeout=timeout) as http:
        yield Server(http=http, url=url)


@asynccontextmanager
async def signed_in() -> AsyncIterator[Server]:
    """A way to the Miso at which somebody is signed in on this machine. Raises Refused when nobody is."""
    kept = session.read()
    if kept is None:
        raise refusal(Code.NOT_SIGNED_IN)
    async with server(kept.url) as there:
        yield there


def invocation() -> str:
    """A key for one invocation of a command: however often it is sent, it is done once."""
    return f"cli-{secrets.token_hex(16)}"


def understood(kind: type[M], answer: Any) -> M:
    """An answer in the form that it should have. Raises Transient: what another version says may change again."""
    try:
        return kind.model_validate(answer)
    except ValidationError as fault:
        where = ", ".join(".".join(str(part) for part in each["loc"]) for each in fault.errors()[:5])
        raise Transient("not_understood", f"The server's answer was not understood ({plain(where, 200)}).") from None


def _judged(answer: aiohttp.ClientResponse, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or len(content) > MOST_BYTES:
        # A proxy or somebody else's server; a proxy's 502 passes, a page where Miso should be does not.
        raise Transient("not_understood", f"What answered with status {answer.status} there is no Miso.")
    if answer.status < 300:
        return document
    problem = understood(Problem, document)
    if answer.status == 429 or answer.status >= 500:
        wait = answer.headers.get("Retry-After", "")
        said = plain(problem.detail or problem.error_description, 600) or f"The server failed ({answer.status})."
        raise Transient(
            plain(problem.code or problem.error, 60) or f"http_{answer.status}",
            said,
            retry_after=float(wait) if wait.isdecimal() and len(wait) < 7 else None,
        )
    raise Denied(problem, document, answer.status)


def _fresh(kept: Session) -> bool:
    return kept.expires - time.time() > EARLY_SECONDS


def _proxy(url: str) -> str | None:
    """As `HTTPS_PROXY` and `NO_PROXY` say. aiohttp's own way would read `~/.netrc` too, and send what stands there."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Not broken off by Ctrl-C: a refresh token that was sent and whose successor was not kept ends the sign-in."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
