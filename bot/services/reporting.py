"""Bringing GitHub up to date with one stream: the third loop's verb.

It compares what each surface shows with what it should show now and sends only the difference, so it may be called any
number of times, by any replica. States in between may be skipped; the last one always lands. Before it creates
anything whose fate it does not know, it looks for our own mark. It never reads from GitHub what it decides by.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bot.context import Miso, Repository
from bot.domain import messages
from bot.domain.canonical import digest_of
from bot.domain.environment_story import EnvironmentKind
from bot.domain.messages import Links, bypass
from bot.domain.model import (
    Actor,
    ActorKind,
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
from bot.services import conversation, drift, gate_report, notes, previews
from bot.services.board import Board, board_of, hash_of, put_check, take_turns
from bot.services.notes import Note


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
        preview=conversation.shown_plan(promotion, environment),
    )
    # What is about to begin changes the comment when it has begun.
    waits = promotion.pauses > 0 or (promotion.status is Status.REQUESTED and request.approvals_needed > 0)
    beginning = promotion.status in (Status.REQUESTED, Status.APPROVED) and not waits
    await take_turns(
        lambda: _deployment(miso, board, repository, promotion, environment, card.deployment),
        lambda: put_check(board, repository, card.check),
        lambda: conversation.keep(miso, repository, application, 0 if beginning else request.pull_request, home),
        lambda: conversation.notices(miso, board, repository, promotion, environment),
    )


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
