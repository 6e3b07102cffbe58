"""A command typed on a pull request: from the comment to its one answer (path B).

Called by the `issue_comment` door. It finds out who typed and whether they may be heard, shows 👀 by a first row, does
what the command says through the verbs of `bot.services.promotions`, and records the answer; the report loop posts it.
Somebody without write access costs one 😕 and one row (rule 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from bot.context import Miso
from bot.domain import commands as grammar
from bot.domain import messages
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.commands import Command, CommandFault, NoCommand, Verb
from bot.domain.messages import refusal
from bot.domain.model import Actor, ActorKind, PullRequest, Row, Stage, Status
from bot.errors import Refused
from bot.services import access, journal, notes, overview, promotions
from bot.services.access import Origin, Place
from bot.services.notes import Note
from bot.services.promotions import Ask, text_hash

HOUR_US = 3_600_000_000
FOR_APPS = frozenset({Verb.PROMOTE, Verb.STATUS, Verb.WHY, Verb.HELP})
"""What an App on the operator's list may say: ask, and nothing that counts as a person's word (rule 6)."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A comment as a webhook told of it. The text is read again before anything is done with it."""

    pull_request: int
    comment_id: int
    login: str
    user_id: int
    is_bot: bool
    app_id: int
    text: str
    edited: bool
    editor_id: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the comment is told: Markdown, and the code for scripts ("" when all went well)."""

    markdown: str
    code: str = ""


async def written(miso: Miso, origin: Origin, comment: Written) -> None:
    """Hear a comment out. Ends with one answer, one 😕, or nothing when it was no command."""
    parsed = grammar.parse(comment.text)
    if isinstance(parsed, NoCommand):
        return
    pull = stream_of_pull(origin.repository_id, comment.pull_request)
    stream = journal.stream_id(pull, comment.comment_id, "edited" if comment.edited else "")
    rows = await miso.store.stream(stream)
    if notes.last(rows, Note.COMMAND_ANSWERED) or notes.last(rows, Note.COMMAND_REFUSED):
        return
    actor = Actor(
        kind=ActorKind.APP if comment.is_bot else ActorKind.PERSON,
        id=comment.app_id if comment.is_bot else comment.user_id,
        login=comment.login,
    )
    body = {
        "installation": origin.installation_id,
        "repository": origin.repository_id,
        "pull_request": comment.pull_request,
        "comment": comment.comment_id,
        "login": comment.login,
        "verb": parsed.verb if isinstance(parsed, Command) else "",
        "text": text_hash(comment.text),
    }
    if not rows:
        no = await _unheard(miso, origin, comment, actor)
        if no is Unheard.IN_SILENCE:
            return
        kind = Note.COMMAND_REFUSED if no else Note.COMMAND_SEEN
        show = no in ("", Code.PERMISSION_DENIED)
        body = {**body, "code": no} if no else body
        done = origin.delivery if no else ""
        if not await notes.write(miso, stream, rows, kind, actor, body, inbox_done=done, show=show) or no:
            return
        rows = await miso.store.stream(stream)
    answer = await _answer(miso, origin, comment, actor, parsed)
    told = {"markdown": answer.markdown, "code": answer.code}
    await notes.write(miso, stream, rows, Note.COMMAND_ANSWERED, actor, told, inbox_done=origin.delivery)


def stream_of_pull(repository_id: int, number: int | None = None) -> str:
    """How the names of the streams of all commands in a repository, or on one of its pull requests, begin."""
    return f"command-{repository_id}-" if number is None else f"command-{repository_id}-{number}"


class Unheard(Enum):
    """Beside the codes: not even a row is written."""

    IN_SILENCE = "in silence"


async def _unheard(miso: Miso, origin: Origin, comment: Written, actor: Actor) -> str | Unheard:
    """Why this account is not listened to, as a code; "" when it is. One row says that the limit was reached."""
    since, limit = miso.clock.now_us() - HOUR_US, miso.rules.commands_per_hour
    here = stream_of_pull(origin.repository_id)
    said = [
        await miso.store.count(kind, since, actor_id=actor.id, stream_prefix=here)
        for kind in (Note.COMMAND_SEEN, Note.COMMAND_REFUSED)
    ]
    if sum(said) >= limit:
        return Code.COMMAND_LIMIT if sum(said) == limit else Unheard.IN_SILENCE
    pull = f"{stream_of_pull(origin.repository_id, comment.pull_request)}-"
    heard = await miso.store.count(Note.COMMAND_SEEN, since, stream_prefix=pull)
    if heard >= miso.rules.pull_request_commands_per_hour:
        return Code.COMMAND_LIMIT
    if actor.kind is ActorKind.APP:
        return "" if actor.id in miso.rules.bots_that_may_request else Code.BOT_REFUSED
    role = await access.permission(access.facts_of(miso, origin), comment.login, comment.user_id)
    return "" if role.can_write else Code.PERMISSION_DENIED


async def _answer(miso: Miso, origin: Origin, comment: Written, actor: Actor, parsed: Command | CommandFault) -> Answer:
    try:
        if comment.edited:
            raise refusal(Code.EDITED_COMMENT)
        if isinstance(parsed, CommandFault):
            raise messages.fault(parsed)
        now = await access.facts_of(miso, origin).comment(comment.comment_id)
        if now is None or now.user_id != comment.user_id or text_hash(now.body) != text_hash(comment.text):
            raise refusal(Code.EDITED_COMMENT)
        if actor.kind is not ActorKind.PERSON and parsed.verb not in FOR_APPS:
            raise refusal(Code.BOT_REFUSED)
        return await _DO[parsed.verb](_Job(miso=miso, origin=origin, comment=comment, actor=actor, command=parsed))
    except Refused as no:
        return Answer(markdown=messages.reply_refused(no), code=no.code)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One command to be done."""

    miso: Miso
    origin: Origin
    comment: Written
    actor: Actor
    command: Command

    @property
    def cause(self) -> str:
        return f"comment:{self.origin.repository_id}:{self.comment.comment_id}"


async def _bound(job: _Job, stage: Stage) -> tuple[Place, Bound]:
    place = await access.bind(job.miso, job.origin, stage)
    if not isinstance(place.binding, Bound):
        raise refusal(place.binding, stage=stage)
    return place, place.binding


async def _merged(job: _Job, place: Place) -> PullRequest:
    """The pull request that the command was typed on, which must be merged into the default branch."""
    pull = await place.repository.pull_request(job.comment.pull_request)
    if pull is None or not pull.merged:
        fork = pull is not None and pull.head_repository_id != pull.base_repository_id
        raise refusal(Code.FORK_REFUSED if fork else Code.NOT_MERGED)
    if pull.base_branch != place.identity.default_branch:
        raise refusal(Code.NOT_MERGED)
    return pull


async def _ask(job: _Job, place: Place, bound: Bound) -> Ask:
    commit = job.command.sha or (await _merged(job, place)).merge_commit_sha
    release = await promotions.find_release(job.miso, bound.application, commit, bound.environment.stage)
    return Ask(
        cause=job.cause,
        actor=job.actor,
        origin=replace(job.origin, delivery=""),
        release=release,
        pull_request=job.comment.pull_request,
        comment_id=job.comment.comment_id,
        comment_hash=text_hash(job.comment.text),
    )


async def _promote(job: _Job) -> Answer:
    assert job.command.stage is not None  # the grammar gives one
    place, bound = await _bound(job, job.command.stage)
    ask = await _ask(job, place, bound)
    outcome = await promotions.request(job.miso, ask, place, bound.application, bound.environment)
    return _requested(outcome, bound)


async def _rollback(job: _Job) -> Answer:
    assert job.command.stage is not None
    place, bound = await _bound(job, job.command.stage)
    target = await promotions.rollback_target(job.miso, bound.application, bound.environment, job.command.sha)
    ask = Ask(
        cause=job.cause,
        actor=job.actor,
        origin=replace(job.origin, delivery=""),
        release=target,
        rollback=True,
        pull_request=job.comment.pull_request,
        comment_id=job.comment.comment_id,
        comment_hash=text_hash(job.comment.text),
    )
    outcome = await promotions.request(job.miso, ask, place, bound.application, bound.environment)
    return _requested(outcome, bound)


def _requested(outcome: promotions.Outcome, bound: Bound) -> Answer:
    if outcome.promotion is None:
        assert outcome.decision is not None
        code = outcome.decision.code or Code.NO_RULES
        return Answer(markdown=messages.reply_decision(outcome.decision, bound.environment), code=code)
    return Answer(markdown=messages.reply_requested(outcome.promotion, bound.environment))


async def _approve(job: _Job) -> Answer:
    stream = await _waiting_here(job, Code.NOTHING_TO_APPROVE, Status.REQUESTED)
    outcome = await promotions.approve(job.miso, stream, job.actor, job.origin, job.cause)
    environment = await job.miso.store.environment(outcome.promotion.environment_id) if outcome.promotion else None
    assert environment is not None
    assert outcome.promotion is not None
    if outcome.decision is not None and not outcome.decision.allowed:
        code = outcome.decision.code or Code.NO_RULES
        return Answer(markdown=messages.reply_decision(outcome.decision, environment), code=code)
    return Answer(markdown=messages.reply_approved(outcome.promotion, environment, job.actor))


async def _reject(job: _Job) -> Answer:
    stream = await _waiting_here(job, Code.NOTHING_TO_REJECT, Status.REQUESTED, Status.APPROVED)
    outcome = await promotions.reject(job.miso, stream, job.actor, job.origin, job.command.reason)
    assert outcome.promotion is not None
    environment = await job.miso.store.environment(outcome.promotion.environment_id)
    assert environment is not None
    return Answer(markdown=messages.reply_rejected(outcome.promotion, environment, job.actor))


async def _waiting_here(job: _Job, otherwise: Code, *statuses: Status) -> str:
    """The promotion that waits for a person on this pull request: the newest, when there are several.

    It must have been asked for before this comment was written, by GitHub's rising comment ids: a word that was meant
    for another release must not fall on one that was put in its place (rule 1).
    """
    rows = await job.miso.store.promotions(
        repository_id=job.origin.repository_id, pull_request=job.comment.pull_request, limit=50
    )
    stream = next((row.stream for row in rows if row.status in statuses), "")
    waiting = await journal.load(job.miso, stream) if stream else None
    if waiting is None or waiting.request.comment_id > job.comment.comment_id:
        raise refusal(otherwise)
    return stream


async def _clear(job: _Job) -> Answer:
    applications, _ = await access.registered(job.miso, job.origin.repository_id)
    if not applications:
        raise refusal(Code.REPOSITORY_NOT_REGISTERED)
    _, bound = await _bound(job, Stage.DEV)
    lifted = await promotions.clear(
        job.miso, bound.application, job.command.sha, job.actor, job.origin, job.command.reason
    )
    return Answer(markdown=messages.reply_cleared(lifted, job.actor, job.command.reason))


async def _status(job: _Job) -> Answer:
    seen = await overview.of_repository(job.miso, job.origin.repository_id)
    return Answer(markdown=messages.reply_status(seen, now_us=job.miso.clock.now_us()))


async def _why(job: _Job) -> Answer:
    assert job.command.stage is not None
    place, bound = await _bound(job, job.command.stage)
    ask = await _ask(job, place, bound)
    decision = await promotions.explain(job.miso, ask, place, bound.application, bound.environment)
    return Answer(markdown=messages.reply_why(decision, bound.environment, ask.release))


async def _help(job: _Job) -> Answer:
    return Answer(markdown=messages.reply_help())


_DO = {
    Verb.PROMOTE: _promote,
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.ROLLBACK: _rollback,
    Verb.CLEAR: _clear,
    Verb.STATUS: _status,
    Verb.WHY: _why,
    Verb.HELP: _help,
}


def where(rows: Sequence[Row]) -> dict[str, Any]:
    """Installation, repository, pull request and comment of a command's stream."""
    return dict(rows[0].body)
