"""Bringing GitHub up to date with one stream: the third loop's verb.

It compares what each surface shows with what it should show now and sends only the difference, so it may be called any
number of times, by any replica. States in between may be skipped; the last one always lands. Before it creates
anything whose fate it does not know, it looks for our own mark. It never reads from GitHub what it decides by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from weakref import WeakValueDictionary

from bot.context import Miso, Repository
from bot.domain import freezes, messages, preview
from bot.domain.canonical import digest_of
from bot.domain.environment_story import EnvironmentKind
from bot.domain.freezes import Frozen
from bot.domain.messages import Links, Standing, bypass
from bot.domain.messages.preview import lines
from bot.domain.model import (
    Actor,
    ActorKind,
    Application,
    Ban,
    DeploymentStatus,
    Environment,
    Row,
    Stage,
    Status,
)
from bot.domain.permissions import REPORT
from bot.domain.promotion import Promotion, fold
from bot.domain.repository_config import ConfigFault
from bot.errors import Refused
from bot.services import drift, gate_report, holds, journal, notes, overview, policies, previews
from bot.services.board import Board, board_of, hash_of, put_check, take_turns
from bot.services.notes import Note

_comments: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()


async def show(miso: Miso, stream: str, seq: int) -> None:
    """Show this stream as it stands. Raises Transient or Refused; the loop comes again."""
    rows = await miso.store.stream(stream)
    if not rows:
        await miso.store.reported(stream, seq)
        return
    kind, again = rows[0].kind, 0
    if kind == "promotion.requested":
        await _promotion(miso, rows)
    elif kind in (Note.COMMAND_SEEN, Note.COMMAND_REFUSED, Note.COMMAND_ANSWERED):
        await _command(miso, rows)
    elif kind == Note.BUILD_REFUSED:
        await _refused_build(miso, rows)
    elif kind in (Note.DEPLOYMENT_FOREIGN, Note.GATE_BYPASSED):
        await _foreign(miso, rows)
    elif kind == Note.GATE_REQUESTED:
        again = await gate_report.show(miso, rows)
    elif kind in set(EnvironmentKind):
        await drift.show(miso, rows)
    elif kind in (Note.PULL_PREVIEWED, Note.PULL_CONFIGURED):
        await previews.show(miso, rows)
    await miso.store.reported(stream, seq if again else max(seq, rows[-1].seq), retry_at_us=again)


# --- promotions ------------------------------------------------------------------------------------------------------


async def _promotion(miso: Miso, rows: Sequence[Row]) -> None:
    promotion = fold(rows)
    if promotion.status is Status.NEWER:
        return
    environment = await miso.store.environment(promotion.environment_id)
    application = await miso.store.application(promotion.application_id)
    if environment is None or application is None:
        return
    request = promotion.request
    repository = miso.github.at(request.installation_id, request.release.repository_id, REPORT)
    board = await board_of(miso, promotion.stream, promotion.head_seq)
    home = f"{miso.rules.web_url}/{(await repository.identity()).full_name}"
    card = messages.report(
        promotion,
        application=application,
        environment=environment,
        now_us=miso.clock.now_us(),
        links=Links(repository_url=home, log_url=f"{home}/commit/{request.release.commit}/checks"),
        preview=_preview(promotion, environment),
    )
    # What is about to begin changes the comment when it has begun.
    waits = promotion.pauses > 0 or (promotion.status is Status.REQUESTED and request.approvals_needed > 0)
    beginning = promotion.status in (Status.REQUESTED, Status.APPROVED) and not waits
    await take_turns(
        lambda: _deployment(miso, board, repository, promotion, environment, card.deployment),
        lambda: put_check(board, repository, card.check),
        lambda: _comment(miso, repository, application, 0 if beginning else request.pull_request, home),
        lambda: _notices(miso, board, repository, promotion, environment),
    )


def _preview(promotion: Promotion, environment: Environment) -> str:
    request = promotion.request
    return lines(preview.of(environment, request.previous_plan, request.plan))


async def _notices(
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


async def _deployment(
    miso: Miso,
    board: Board,
    repository: Repository,
    promotion: Promotion,
    environment: Environment,
    status: DeploymentStatus,
) -> None:
    sha, name = promotion.request.release.commit, environment.github_name
    production = environment.stage is Stage.PRODUCTION

    async def create() -> int:
        return await repository.create_deployment(
            sha=sha, environment=name, production=production, description="", marker=promotion.stream
        )

    async def find() -> int | None:
        return await repository.find_deployment(sha=sha, environment=name, marker=promotion.stream)

    deployment = await board.put("deployment", promotion.stream, create=create, find=find)

    async def tell() -> int:
        await repository.deployment_status(deployment, status)
        return deployment

    async def again(_: int) -> bool:
        await tell()
        return True

    # GitHub keeps statuses as a log: another word or address is worth an entry, another sentence is not.
    said = {"state": status.state, "environment_url": status.environment_url}
    await board.put("status", digest_of(said), create=tell, update=again)
    if production and promotion.status is Status.LIVE:

        async def retire() -> int:
            old = await repository.older_deployments(name, deployment)
            for each in old:
                await repository.deployment_status(each, messages.retired(environment))
            return deployment

        await board.put("retired", promotion.stream, create=retire)


async def _comment(miso: Miso, repository: Repository, application: Application, number: int, home: str) -> None:
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
        preview=_preview(standing.latest, standing.environment),
    ).section


# --- commands --------------------------------------------------------------------------------------------------------


async def _command(miso: Miso, rows: Sequence[Row]) -> None:
    first: Row = rows[0]
    where = first.body
    repository = miso.github.at(int(where["installation"]), int(where["repository"]), REPORT)
    board = await board_of(miso, first.stream, rows[-1].seq)
    await take_turns(
        lambda: _reaction(board, repository, int(where["comment"]), refused=first.kind == Note.COMMAND_REFUSED),
        lambda: _reply(board, repository, int(where["pull_request"]), notes.last(rows, Note.COMMAND_ANSWERED)),
    )


async def _reaction(board: Board, repository: Repository, comment: int, *, refused: bool) -> None:
    if not comment:
        return
    content = "confused" if refused else "eyes"

    async def react() -> int:
        with suppress(Refused):
            # Its author may have deleted the comment meanwhile; the answer still stands below it.
            await repository.react(comment, content)
        return comment

    await board.put("reaction", content, create=react)


async def _reply(board: Board, repository: Repository, number: int, told: Row | None) -> None:
    if told is None or not told.body["markdown"]:
        return
    marker = messages.reply_marker(board.stream)
    body = messages.with_marker(marker, str(told.body["markdown"]))

    async def reply() -> int:
        return await repository.create_comment(number, body)

    async def find() -> int | None:
        return await repository.find_comment(number, marker)

    await board.put("reply", hash_of(body), create=reply, find=find)


# --- notices ---------------------------------------------------------------------------------------------------------


async def _refused_build(miso: Miso, rows: Sequence[Row]) -> None:
    body = rows[0].body
    check = messages.build_check(
        head_sha=str(body["commit"]),
        external_id=rows[0].stream,
        no=Refused(str(body["code"]), str(body["sentence"]), str(body["hint"])),
        faults=[ConfigFault(**fault) for fault in body["faults"]],
    )
    repository = miso.github.at(int(body["installation"]), int(body["repository"]), REPORT)
    await put_check(await board_of(miso, rows[0].stream, rows[-1].seq), repository, check)


async def _foreign(miso: Miso, rows: Sequence[Row]) -> None:
    """A deployment that went around us stands as a neutral check on the commit that it named."""
    last = rows[-1]
    environment = await miso.store.environment(last.environment_id)
    if environment is None:
        return
    body, mark = last.body, last.stream
    actor = Actor(kind=ActorKind(last.actor_kind), id=last.actor_id, login=str(body["login"]))
    commit = str(body["commit"])
    if last.kind == Note.GATE_BYPASSED:
        check = bypass.gate_check(environment, commit=commit, actor=actor, external_id=mark)
    elif body.get("reported"):
        by_actions = bool(body["by_actions"])
        check = bypass.reported_check(environment, commit=commit, actor=actor, by_actions=by_actions, external_id=mark)
    else:
        deployment = int(body["deployment"])
        check = messages.foreign_check(
            environment, commit=commit, actor=actor, deployment_id=deployment, external_id=mark
        )
    repository = miso.github.at(int(body["installation"]), int(body["repository"]), REPORT)
    await put_check(await board_of(miso, mark, last.seq), repository, check)
