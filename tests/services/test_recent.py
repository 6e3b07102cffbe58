"""A minute's memory for exchanges: what is remembered, for how long, and what never is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.context import Miso, Repository
from bot.domain.model import RepositoryFacts, WorkflowRun
from bot.domain.permissions import READ_FACTS, REPORT
from bot.errors import Transient
from bot.services.recent import FACTS, Memory, lately
from tests.services.indoors import HandClock

FACTS_OF = RepositoryFacts(id=2, full_name="contoso/shop", owner_id=3, default_branch="main")
RUN = WorkflowRun(
    id=7,
    attempt=1,
    path=".github/workflows/build.yml",
    event="push",
    conclusion="",
    head_branch="main",
    head_sha="a" * 40,
    head_repository_id=2,
    repository_id=2,
    actor_id=11,
)


class Outside:
    """GitHub and a registry that count what they are asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.run: WorkflowRun | None = RUN
        self.found: str | None = "sha256:1"
        self.fails = 0

    def at(self, installation_id: int, repository_id: int, permissions: Any) -> Outside:
        del installation_id, repository_id, permissions
        return self

    async def _told(self, *question: Any) -> None:
        self.asked.append(question)
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise Transient("github_unavailable", "It does not answer.")

    async def identity(self) -> RepositoryFacts:
        await self._told("identity")
        return FACTS_OF

    async def workflow_run(self, run_id: int) -> WorkflowRun | None:
        await self._told("run", run_id)
        return self.run

    async def checks(self, sha: str, names: Any) -> tuple[()]:
        await self._told("checks", sha, sorted(names))
        return ()

    async def permission(self, login: str) -> None:
        await self._told("permission", login)

    async def comment(self, comment_id: int) -> None:
        await self._told("comment", comment_id)

    async def digest(self, image: str, tag: str, environment: Any) -> str | None:
        await self._told("digest", image, tag, environment)
        return self.found


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def hall(outside: Outside, clock: HandClock) -> Miso:
    nothing = cast(Any, None)
    miso = Miso(
        rules=nothing,
        store=nothing,
        clock=clock,
        github=cast(Any, outside),
        azure=nothing,
        images=cast(Any, outside),
        probe=nothing,
        oidc=nothing,
    )
    return lately(miso)


async def test_a_fact_is_asked_once_a_minute(hall: Miso, outside: Outside, clock: HandClock) -> None:
    for seconds in (0, 30, 29.9):
        clock.pass_(seconds)
        assert await hall.github.at(1, 2, READ_FACTS).identity() == FACTS_OF
    assert len(outside.asked) == 1
    clock.pass_(0.2)
    await hall.github.at(1, 2, READ_FACTS).identity()
    assert len(outside.asked) == 2


async def test_of_each_installation_repository_and_set_of_rights_by_itself(hall: Miso, outside: Outside) -> None:
    for where in ((1, 2, READ_FACTS), (1, 3, READ_FACTS), (4, 2, READ_FACTS), (1, 2, REPORT), (1, 2, READ_FACTS)):
        await hall.github.at(*where).identity()
    assert len(outside.asked) == 4


async def test_who_asks_at_the_same_time_gets_one_answer(hall: Miso, outside: Outside) -> None:
    repository = hall.github.at(1, 2, READ_FACTS)
    await asyncio.gather(*(repository.checks("a", {"x", "y"}) for _ in range(20)))
    await repository.checks("a", ["y", "x"])
    assert outside.asked == [("checks", "a", ["x", "y"])]


async def test_who_hangs_up_takes_nobodys_answer_away(hall: Miso, outside: Outside) -> None:
    repository = hall.github.at(1, 2, READ_FACTS)
    first = asyncio.ensure_future(repository.identity())
    second = asyncio.ensure_future(repository.identity())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == FACTS_OF
    assert len(outside.asked) == 1


async def test_a_failure_is_not_remembered(hall: Miso, outside: Outside) -> None:
    outside.fails = 1
    repository = hall.github.at(1, 2, READ_FACTS)
    answers = await asyncio.gather(repository.identity(), repository.identity(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Transient, Transient]
    assert await repository.identity() == FACTS_OF


async def test_what_is_not_there_may_come_in_a_second(hall: Miso, outside: Outside) -> None:
    outside.found = None
    assert await hall.images.digest("r/shop", "a", None) is None
    outside.found = "sha256:1"
    assert await hall.images.digest("r/shop", "a", None) == "sha256:1"
    outside.found = "sha256:2"
    assert await hall.images.digest("r/shop", "a", None) == "sha256:1"


async def test_rule_31_a_run_is_remembered_for_seconds_and_only_while_it_goes_on(
    hall: Miso, outside: Outside, clock: HandClock
) -> None:
    repository = hall.github.at(1, 2, READ_FACTS)
    assert await repository.workflow_run(7) == RUN
    outside.run = replace(RUN, attempt=2)
    clock.pass_(9.9)
    assert await repository.workflow_run(7) == RUN
    clock.pass_(0.2)
    assert await repository.workflow_run(7) == outside.run
    clock.pass_(11)
    outside.run = replace(RUN, conclusion="success")
    await repository.workflow_run(7)
    await repository.workflow_run(7)
    assert len(outside.asked) == 4


async def test_rule_05_what_somebody_may_or_said_is_asked_each_time(hall: Miso, outside: Outside) -> None:
    repository = hall.github.at(1, 2, READ_FACTS)
    for _ in range(2):
        await repository.permission("ann")
        await repository.comment(5)
    assert len(outside.asked) == 4


def test_rule_05_no_question_about_people_is_among_the_facts() -> None:
    known = {name for name in vars(Repository) if not name.startswith("_")}
    assert known >= FACTS
    asking = known - FACTS
    assert {"permission", "collaborators", "comment"} <= asking


async def test_it_is_bounded(clock: HandClock) -> None:
    memory = Memory(clock, most=10)

    async def one() -> int:
        return 1

    asked = 0

    async def counted() -> int:
        nonlocal asked
        asked += 1
        return await one()

    for number in (*range(100), 99, 0):
        await memory.ask(number, counted)
    assert asked == 101  # the newest is known, and the oldest was forgotten
