"""What stands in a pull request's conversation: the one comment that is kept up to date, reminders, a lost place.

Called by `reporting` for promotions. The comment is edited, because many would bury one another; what somebody should
notice is a comment of its own, because an edited one calls nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from bot.context import Miso, Repository
from bot.domain import freezes, messages, preview
from bot.domain.freezes import Frozen
from bot.domain.messages import Links, Standing
from bot.domain.messages.preview import lines
from bot.domain.model import ActorKind, Application, Ban, Environment, Status
from bot.domain.promotion import Promotion
from bot.services import holds, journal, overview, policies
from bot.services.board import Board, board_of, hash_of

_comments: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()


def shown_plan(promotion: Promotion, environment: Environment) -> str:
    request = promotion.request
    return lines(preview.of(environment, request.previous_plan, request.plan))


async def notices(
    miso: Miso, board: Board, repository: Repository, promotion: Promotion, environment: Environment
) -> None:
    """What is worth a comment of its own, because an edited one calls nobody: reminders, and a lost place."""
    request = promotion.request
    if promotion.status is Status.REQUESTED and promotion.reminders:
        text = messages.reminder(promotion, environment, now_us=miso.clock.now_us())
        await _say(board, repository, request.pull_request, f"reminder-{promotion.reminders}", text)
    if promotion.status is Status.SUPERSEDED and request.requester.kind is ActorKind.PERSON:
        newer = await journal.load(miso, promotion.superseded_by)
        if newer is not None:
            text = messages.superseded(promotion, environment, newer)
            await _say(board, repository, request.pull_request, "superseded", text)


async def _say(board: Board, repository: Repository, number: int, surface: str, markdown: str) -> None:
    """One comment that is written once and never changed."""
    if not number:
        return
    marker = messages.reply_marker(f"{board.stream}-{surface}")

    async def create() -> int:
        return await repository.create_comment(number, messages.with_marker(marker, markdown))

    async def find() -> int | None:
        return await repository.find_comment(number, marker)

    await board.put(surface, marker, create=create, find=find)


async def keep(miso: Miso, repository: Repository, application: Application, number: int, home: str) -> None:
    """The one comment of a pull request: edited, not repeated. Its surface belongs to the pull request's own stream."""
    if not number:
        return
    lock = _comments.setdefault((application.repository_id, number), asyncio.Lock())
    async with lock:
        standings = await overview.of_application(miso, application, pull_request=number)
        now = miso.clock.now_us()
        body = messages.sticky_comment(
            application,
            standings,
            pull_request=number,
            sections={each.environment.id: _section(miso, each, home) for each in standings},
            now_us=now,
            frozen=await _frozen(miso, standings, now),
            bans=await _bans(miso, application, standings),
        )
        board = await board_of(miso, f"pull:{application.id}:{number}", 0)

        async def create() -> int:
            return await repository.create_comment(number, body)

        async def update(comment_id: int) -> bool:
            return await repository.update_comment(comment_id, body)

        async def find() -> int | None:
            return await repository.find_comment(number, messages.sticky_marker(application.id, number))

        await board.put("comment", hash_of(body), create=create, update=update, find=find)


async def _frozen(miso: Miso, standings: Sequence[Standing], now_us: int) -> dict[str, Frozen]:
    """The freeze that is on by the installation's policy, by environment."""
    accepted = await policies.accepted(miso)
    found: dict[str, Frozen] = {}
    for standing in standings:
        policy = accepted.policies.of(standing.environment) if accepted is not None else None
        on = freezes.active(policy.freezes, now_us) if policy is not None else None
        if on is not None:
            found[standing.environment.id] = on
    return found


async def _bans(miso: Miso, application: Application, standings: Sequence[Standing]) -> tuple[Ban, ...]:
    """Bans of what this pull request asked for."""
    releases = [standing.latest.request.release for standing in standings if standing.latest is not None]
    found = [await holds.bans(miso, application.id, release) for release in dict.fromkeys(releases)]
    return tuple(dict.fromkeys(ban for some in found for ban in some))


def _section(miso: Miso, standing: Standing, home: str) -> str:
    """The folded story of what this pull request last asked for in an environment."""
    if standing.latest is None or standing.latest.status is Status.NEWER:
        return ""
    return messages.report(
        standing.latest,
        application=standing.application,
        environment=standing.environment,
        now_us=miso.clock.now_us(),
        links=Links(repository_url=home),
        preview=shown_plan(standing.latest, standing.environment),
    ).section
