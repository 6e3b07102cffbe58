"""The door to one repository: its name by id, a token for the job, and one more try where GitHub surely did nothing.

Facts and reports stand on it. Every address is built here from our own API base and the name that the numeric id has
now; no address out of a payload or an answer is ever asked (rules 18, 27). It never decides what an answer means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from cachetools import LRUCache

from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import RepositoryFacts
from bot.github import faults, shapes
from bot.github.faults import Answer
from bot.github.flight import Flights
from bot.github.tokens import Scope, Tokens
from bot.github.transport import Api, Write

T = TypeVar("T")

NAME_KEPT_US = 30_000_000
"""How long a repository's name is believed without asking: it may be renamed, and its old name be taken by another."""
PAGE = 100
MOVED = (301, 302, 307, 308)


def segment(text: str) -> str:
    """One path segment, all of it encoded. "." and ".." would climb out of the path: refused."""
    if text in ("", ".", ".."):
        raise refusal(Code.GITHUB_REFUSED)
    return quote(text, safe="")


def segments(path: str) -> str:
    """A path of several segments, each encoded by itself."""
    return "/".join(segment(part) for part in path.split("/"))


def query(**values: object) -> str:
    return "?" + urlencode(values)


@dataclass(frozen=True)
class Names:
    """Full names by repository id, each with the moment it was learnt. Shared by every door of the process."""

    kept: LRUCache[int, tuple[str, int]] = field(default_factory=lambda: LRUCache(4096))
    flights: Flights[RepositoryFacts] = field(default_factory=Flights)


class Door:
    """One repository through one scope. Cheap to make; tokens and names live in the window."""

    def __init__(self, tokens: Tokens, names: Names, scope: Scope, app: App, now_us: Callable[[], int]) -> None:
        (self._repository_id,) = scope.repository_ids
        self._tokens = tokens
        self._names = names
        self._scope = scope
        self._app = app
        self._now_us = now_us

    async def identity(self) -> RepositoryFacts:
        """By id, asked anew each time: follows a rename, shows a transfer."""
        return await self._tokens.using(self._scope, self._identify)

    async def _identify(self, api: Api) -> RepositoryFacts:
        data = await api.read(f"/repositories/{self._repository_id}")
        found = self._understood(shapes.repository, data)
        if found.id != self._repository_id or len(found.full_name.split("/")) != 2:
            raise faults.unavailable("GitHub answered with another repository")
        self._names.kept[found.id] = (found.full_name, self._now_us())
        return found

    async def _name(self, api: Api) -> tuple[str, bool]:
        """The repository's path, and whether it was learnt just now."""
        kept = self._names.kept.get(self._repository_id)
        if kept is not None and 0 <= self._now_us() - kept[1] < NAME_KEPT_US:
            return self._path(kept[0]), False
        found = await self._names.flights.join(self._repository_id, lambda: self._identify(api))
        return self._path(found.full_name), True

    @staticmethod
    def _path(full_name: str) -> str:
        return f"/repos/{segments(full_name)}"

    async def _here(self, ask: Callable[[Api, str], Awaitable[T]]) -> T:
        """Ask under the name that the repository has now.

        A redirect or a 404 under a name from memory may mean a rename: the name is asked for, and if it is another
        one, the request is sent again. GitHub acted upon neither, so this holds for writes as well.
        """

        async def under_name(api: Api) -> T:
            path, fresh = await self._name(api)
            try:
                return await ask(api, path)
            except Answer as answer:
                if fresh or answer.status not in (*MOVED, 404):
                    raise
                now = self._path((await self._identify(api)).full_name)
                if now == path:
                    raise
            return await ask(api, now)

        return await self._tokens.using(self._scope, under_name)

    async def _read(self, tail: str) -> Any:
        return await self._here(lambda api, path: api.read(path + tail))

    async def _find(self, tail: str, absent: tuple[int, ...] = (404,)) -> Any | None:
        """Like `_read`; None when GitHub answers that there is no such thing."""
        try:
            return await self._read(tail)
        except Answer as answer:
            if answer.status in absent:
                return None
            raise

    async def _write(self, method: Write, tail: str, data: Mapping[str, Any]) -> Any:
        return await self._here(lambda api, path: api.write(method, path + tail, data))

    async def _pages(
        self, tail: str, *, key: str = "", most: int = 10, size: int = PAGE, whole: bool = False, **values: object
    ) -> Sequence[dict[str, Any]]:
        """Items of a listing, at most `most` pages. `key` names the list in answers that wrap it.

        `whole`: a listing that does not end within these pages is unknown (`Transient`), never half told.
        """
        items: list[dict[str, Any]] = []
        for page in range(1, most + 1):
            data = await self._read(tail + query(**values, per_page=size, page=page))
            listed = self._understood(lambda answer: [dict(item) for item in (answer[key] if key else answer)], data)
            items += listed
            if len(listed) < size:
                return items
        if whole:
            raise faults.unavailable("GitHub's list is longer than we read")
        return items

    def _understood(self, read: Callable[[Any], T], data: Any) -> T:
        """What `read` makes of an answer; an answer of another shape is a fault of the line, not of a person."""
        try:
            return read(data)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise faults.unavailable(f"GitHub's answer was not understood ({type(error).__name__})") from None

    def _ours(self, repository_id: int) -> None:
        """Ids are compared after the answer as well: a name may have changed hands in between (rule 20)."""
        if repository_id != self._repository_id:
            self._names.kept.pop(self._repository_id, None)
            raise faults.unavailable("GitHub answered for another repository")


@dataclass(frozen=True)
class App:
    """Our App: its numeric id, and how to learn the login of its bot account, which marks what it wrote."""

    id: int
    login: Callable[[], Awaitable[str]]

    async def wrote(self, data: Mapping[str, Any], author: str) -> bool:
        """Whether our App made this comment or deployment. `author`: the key under which its account stands."""
        app, user = data.get("performed_via_github_app"), data.get(author)
        if isinstance(app, dict):
            return app.get("id") == self.id
        return isinstance(user, dict) and user.get("type") == "Bot" and user.get("login") == await self.login()
