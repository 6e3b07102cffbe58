"""What was asked outside within the last minute: a hall whose GitHub and registries answer from memory where they may.

Only the token exchange decides in it, because a hundred jobs of one commit would ask the same hundred times; nothing
that changes Azure ever does. Remembered are facts about repositories, commits and images, by installation and
repository, for at most `SECONDS`. Never remembered: who may do what, what somebody said, whatever is not there, and
a run that has ended. The store is asked each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from cachetools import LRUCache

from bot.context import Clock, GitHub, Images, Miso, Repository
from bot.domain.model import WorkflowRun

T = TypeVar("T")

SECONDS = 60.0
RUN_SECONDS = 10.0
"""A run ends or is started again; nobody starts one again within so few seconds of its begin."""
MOST = 8192
"""Answers that are kept at once; the ones that nobody asked for longest go first."""
FACTS = frozenset(
    {
        "identity",
        "variables",
        "environment_variables",
        "file",
        "head",
        "commit",
        "pull_request",
        "pull_requests_of",
        "compare",
        "workflow_run",
        "checks",
    }
)
"""Of `bot.context.Repository`. Whatever is not named here, roles and comments above all, is asked each time."""


def lately(miso: Miso) -> Miso:
    """The same hall with a memory of its own, for as long as whoever made it keeps it."""
    memory = Memory(miso.clock)
    github = cast(GitHub, _GitHub(miso.github, memory))
    images = cast(Images, _Remembering(miso.images, memory, ("images",), frozenset({"digest", "exists"})))
    return replace(miso, github=github, images=images)


class Memory:
    """Answers by question. Whoever asks while the same question is under way waits for its answer."""

    def __init__(self, clock: Clock, *, most: int = MOST) -> None:
        self._clock = clock
        self._known: LRUCache[Hashable, tuple[int, asyncio.Future[Any]]] = LRUCache(maxsize=most)

    async def ask(self, question: Hashable, asking: Callable[[], Awaitable[T]], *, seconds: float = SECONDS) -> T:
        """The answer, new or remembered. A failure is told to everybody who waits for it and remembered by nobody."""
        now = self._clock.now_us()
        until, under_way = self._known.get(question, (0, None))
        if under_way is None or not now < until:
            under_way = asyncio.ensure_future(asking())
            self._known[question] = (now + int(seconds * 1e6), under_way)
            under_way.add_done_callback(lambda answer: self._answered(question, answer))
        # Whoever asked first may hang up; the others still want the answer.
        return cast(T, await asyncio.shield(under_way))

    def _answered(self, question: Hashable, answer: asyncio.Future[Any]) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        mine = self._known.get(question, (0, None))[1] is answer
        if mine and (failed or not _worth_keeping(answer.result())):
            del self._known[question]


def _worth_keeping(found: object) -> bool:
    """What is not there may come in a second, and a run that has ended may be started again."""
    return found is not None and not (isinstance(found, WorkflowRun) and found.conclusion)


class _Remembering:
    """A window of the hall whose named questions are answered from memory; everything else goes straight through."""

    def __init__(self, window: object, memory: Memory, where: tuple[Hashable, ...], questions: frozenset[str]) -> None:
        self._window, self._memory, self._where, self._questions = window, memory, where, questions

    def __getattr__(self, name: str) -> Any:
        asking = getattr(self._window, name)
        if name not in self._questions:
            return asking
        seconds = RUN_SECONDS if name == "workflow_run" else SECONDS

        async def ask(*given: Any) -> Any:
            question = (*self._where, name, *(_hashable(each) for each in given))
            return await self._memory.ask(question, lambda: asking(*given), seconds=seconds)

        return ask


class _GitHub(_Remembering):
    """Doors to repositories, each with its memory under installation, repository and permissions."""

    def __init__(self, github: GitHub, memory: Memory) -> None:
        super().__init__(github, memory, ("github",), frozenset({"installation_of"}))

    def at(self, installation_id: int, repository_id: int, permissions: Mapping[str, str]) -> Repository:
        repository = self._window.at(installation_id, repository_id, permissions)  # type: ignore[attr-defined]  # GitHub
        where = ("repository", installation_id, repository_id, tuple(sorted(permissions.items())))
        return cast(Repository, _Remembering(repository, self._memory, where, FACTS))


def _hashable(given: Any) -> Hashable:
    return frozenset(given) if isinstance(given, set | list) else given
