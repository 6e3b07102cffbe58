"""What each typed command does, and what it is answered: one short function a verb, each ending in one call.

Called by `bot.services.commands` once a comment was heard and read again. Rights are asked by the verbs that are called
here; nothing is decided in this module.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.context import Miso
from bot.domain import messages
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.commands import Command, Verb
from bot.domain.decision import Decision
from bot.domain.identity import Deed, Principal, Resource
from bot.domain.messages import preview as previewing
from bot.domain.messages import refusal
from bot.domain.model import Actor, Environment, Permission, PullRequest, Release, Stage, Status
from bot.domain.promotion import Promotion
from bot.services import (
    access,
    agreements,
    approvals,
    authorization,
    choosing,
    holds,
    journal,
    links,
    locks,
    overview,
    policies,
    promotions,
    releases,
)
from bot.services.access import Origin, Place
from bot.services.promotions import Ask, Outcome, Word, text_hash


@dataclass(frozen=True, kw_only=True)
class Written:
    """A comment as a webhook told of it. The text is read again before anything is done with it."""

    pull_request: int
    """Number of the pull request, or of the issue."""
    comment_id: int
    login: str
    user_id: int
    is_bot: bool
    app_id: int
    text: str
    edited: bool
    editor_id: int
    on_issue: bool = False
    """It stands on an issue that is no pull request."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the comment is told: Markdown, and the code for scripts ("" when all went well)."""

    markdown: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command to be done."""

    miso: Miso
    origin: Origin
    comment: Written
    cause: str
    principal: Principal
    command: Command
    heard: Permission | None = None
    """What GitHub said of the account when it was listened to."""

    @property
    def actor(self) -> Actor:
        return self.principal.actor

    @property
    def stage(self) -> Stage:
        assert self.command.stage is not None  # the grammar gives one to every verb that asks for it
        return self.command.stage

    @property
    def word(self) -> Word:
        said = text_hash(self.comment.text)
        return Word(principal=self.principal, cause=self.cause, comment_id=self.comment.comment_id, comment_hash=said)


async def _bound(job: Job, stage: Stage) -> tuple[Place, Bound]:
    place = await access.bind(job.miso, job.origin, stage, job.actor)
    if not isinstance(place.binding, Bound):
        raise refusal(place.binding, stage=stage)
    return place, place.binding


async def _commit(job: Job, place: Place) -> str:
    """The commit that is meant: the one that was typed, else what the pull request was merged as.

    On a pull request that is still open the commit must be typed: its head can be swapped between reading and typing
    (rule 1).
    """
    pull = await place.repository.pull_request(job.comment.pull_request)
    if job.command.sha and (pull is None or not _of_a_fork(pull)):
        return job.command.sha
    if pull is None or not pull.merged:
        raise refusal(Code.FORK_REFUSED if pull is not None and _of_a_fork(pull) else Code.NOT_MERGED)
    if job.command.sha:
        return job.command.sha
    if pull.base_branch != place.identity.default_branch:
        raise refusal(Code.NOT_MERGED)
    return pull.merge_commit_sha


def _of_a_fork(pull: PullRequest) -> bool:
    """A fork's open pull request may say nothing; once merged it is a commit of ours (rule 7)."""
    return not pull.merged and pull.head_repository_id != pull.base_repository_id


async def _release(job: Job, place: Place, bound: Bound) -> Release | None:
    commit = await _commit(job, place)
    found = await choosing.find_release(job.miso, bound.application, commit, bound.environment.stage)
    return found or await releases.recorded(job.miso, place, bound.application, commit)


def _ask(job: Job, release: Release | None, *, rollback: bool = False) -> Ask:
    return Ask(
        cause=job.cause,
        principal=job.principal,
        origin=job.origin,
        release=release,
        rollback=rollback,
        break_glass=job.command.reason if job.command.break_glass else "",
        pull_request=job.comment.pull_request,
        comment_id=job.comment.comment_id,
        comment_hash=text_hash(job.comment.text),
    )


async def _promote(job: Job) -> Answer:
    place, bound = await _bound(job, job.stage)
    ask = _ask(job, await _release(job, place, bound))
    return _requested(await promotions.request(job.miso, ask, place, bound.application, bound.environment), bound)


async def _rollback(job: Job) -> Answer:
    place, bound = await _bound(job, job.stage)
    target = await choosing.rollback_target(job.miso, bound.application, bound.environment, job.command.sha)
    ask = _ask(job, target, rollback=True)
    return _requested(await promotions.request(job.miso, ask, place, bound.application, bound.environment), bound)


def _requested(outcome: Outcome, bound: Bound) -> Answer:
    if outcome.promotion is None:
        assert outcome.decision is not None
        return _decided(outcome.decision, bound.environment)
    shown = previewing.lines(outcome.preview) if outcome.preview is not None else ""
    return Answer(markdown=messages.reply_requested(outcome.promotion, bound.environment, preview=shown))


def _decided(no: Decision, environment: Environment) -> Answer:
    return Answer(markdown=messages.reply_decision(no, environment), code=no.code or Code.NO_RULES)


async def _approve(job: Job) -> Answer:
    stream = await _waiting_here(job, Code.NOTHING_TO_APPROVE, Status.REQUESTED)
    outcome = await approvals.approve(job.miso, stream, job.word, job.origin, commit=job.command.sha)
    promotion, environment = await _told(job, outcome)
    if promotion.changes:
        return Answer(markdown=messages.reply_changed(promotion), code=promotion.code)
    if outcome.decision is not None and not outcome.decision.allowed:
        return _decided(outcome.decision, environment)
    return Answer(markdown=messages.reply_approved(promotion, environment, job.actor))


async def _revoke(job: Job) -> Answer:
    stream = await _waiting_here(job, Code.NOTHING_TO_REVOKE, *promotions.OPEN)
    promotion, environment = await _told(job, await approvals.revoke(job.miso, stream, job.word))
    return Answer(markdown=messages.reply_revoked(promotion, environment, job.actor))


async def _reject(job: Job) -> Answer:
    if job.command.sha:
        return await _ban(job)
    stream = await _waiting_here(job, Code.NOTHING_TO_REJECT, *promotions.OPEN)
    outcome = await promotions.reject(job.miso, stream, job.word, job.origin, job.command.reason)
    promotion, environment = await _told(job, outcome)
    return Answer(markdown=messages.reply_rejected(promotion, environment, job.actor))


async def _ban(job: Job) -> Answer:
    place, bound = await _bound(job, Stage.DEV)
    release = await _release(job, place, bound)
    if release is None:
        raise refusal(Code.RELEASE_UNKNOWN, commit=job.command.sha[:12])
    ban = await promotions.reject_release(
        job.miso, bound.application, release, job.word, job.origin, job.command.reason
    )
    return Answer(markdown=messages.reply_banned(ban))


async def _cancel(job: Job) -> Answer:
    stream = await _waiting_here(job, Code.NOTHING_TO_CANCEL, *promotions.OPEN)
    outcome = await promotions.cancel(job.miso, stream, job.word, job.origin, job.command.reason)
    promotion, environment = await _told(job, outcome)
    return Answer(markdown=messages.reply_cancelled(promotion, environment, job.actor))


async def _told(job: Job, outcome: Outcome) -> tuple[Promotion, Environment]:
    """What an outcome speaks of. It stood there a moment ago, and nothing is ever removed."""
    promotion = outcome.promotion
    assert promotion is not None
    environment = await job.miso.store.environment(promotion.environment_id)
    assert environment is not None
    return promotion, environment


async def _waiting_here(job: Job, otherwise: Code, *statuses: Status) -> str:
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


async def _clear(job: Job) -> Answer:
    applications, _ = await access.registered(job.miso, job.origin.repository_id)
    if not applications:
        raise refusal(Code.REPOSITORY_NOT_REGISTERED)
    place, bound = await _bound(job, Stage.DEV)
    command = job.command
    done = await holds.clear(job.miso, place, bound.application, command.sha, job.principal, command.reason, job.cause)
    if done.needs:
        told = messages.reply_clear_asked(done.commit, job.actor, command.reason, done.needs)
        return Answer(markdown=told, code=Code.CLEAR_NEEDS_SECOND)
    return Answer(markdown=messages.reply_cleared(done.commit, done.by, command.reason))


async def _lock(job: Job) -> Answer:
    place, bound = await _bound(job, job.stage)
    known = await policies.effective(job.miso, place.repository, bound.environment, place.identity.default_branch)
    if known.policy is None:
        raise refusal(Code.NO_RULES)
    seconds, reason = job.command.seconds, job.command.reason
    until = job.miso.clock.now_us() + seconds * 1_000_000 if seconds else 0
    who = known.policy.request
    lock = await locks.lock(job.miso, place, bound.environment, job.principal, reason, until, job.cause, who=who)
    return Answer(markdown=messages.reply_locked(bound.environment, lock))


async def _unlock(job: Job) -> Answer:
    place, bound = await _bound(job, job.stage)
    reason = job.command.reason
    lock = await locks.unlock(job.miso, place, bound.environment, job.principal, reason, job.cause)
    return Answer(markdown=messages.reply_unlocked(bound.environment, lock, job.actor, reason))


async def _policy(job: Job) -> Answer:
    word, prefix = job.command.word, job.command.hash
    if word == "accept":
        done = await agreements.agree(job.miso, job.principal, prefix, job.cause)
        if done.accepted is None:
            told = messages.reply_policy_counted(done.proposal.hash, done.proposal.agreed)
            return Answer(markdown=told, code=Code.POLICY_WAITS)
        now = done.accepted
        return Answer(markdown=messages.reply_policy_accepted(now.version, now.hash, now.by, now.difference))
    if word == "reject":
        gone = await agreements.reject(job.miso, job.principal, prefix, job.cause)
        return Answer(markdown=messages.reply_policy_rejected(gone.hash, job.actor))
    await _looks(job)
    accepted, proposal = await policies.accepted(job.miso), await policies.pending(job.miso)
    told = messages.reply_policy(
        *((accepted.version, accepted.hash, accepted.at_us) if accepted is not None else (0, "", 0)),
        pending=proposal.hash if proposal is not None else "",
        difference=proposal.difference if proposal is not None else (),
        loosens=proposal.loosens if proposal is not None else (),
        given=proposal.agreed if proposal is not None else (),
    )
    return Answer(markdown=told)


async def _link(job: Job) -> Answer:
    await links.prove(job.miso, job.principal, job.command.code, job.cause)
    return Answer(markdown=messages.reply_linked(job.actor))


async def _looks(job: Job) -> None:
    """Whoever only asks needs a role too; what GitHub said of them a moment ago is enough."""
    here = Resource(repository_id=job.origin.repository_id)
    await authorization.authorize(job.miso, job.principal, Deed.LOOK, here, origin=job.origin, permission=job.heard)


async def _status(job: Job) -> Answer:
    await _looks(job)
    seen = await overview.of_repository(job.miso, job.origin.repository_id)
    return Answer(markdown=messages.reply_status(seen, now_us=job.miso.clock.now_us()))


async def _why(job: Job) -> Answer:
    await _looks(job)
    place, bound = await _bound(job, job.stage)
    ask = _ask(job, await _release(job, place, bound))
    decision = await promotions.explain(job.miso, ask, place, bound.application, bound.environment)
    return Answer(markdown=messages.reply_why(decision, bound.environment, ask.release))


async def _help(job: Job) -> Answer:
    await _looks(job)
    return Answer(markdown=messages.reply_help())


DO: Mapping[Verb, Callable[[Job], Awaitable[Answer]]] = {
    Verb.PROMOTE: _promote,
    Verb.APPROVE: _approve,
    Verb.REVOKE: _revoke,
    Verb.REJECT: _reject,
    Verb.CANCEL: _cancel,
    Verb.ROLLBACK: _rollback,
    Verb.CLEAR: _clear,
    Verb.LOCK: _lock,
    Verb.UNLOCK: _unlock,
    Verb.WHY: _why,
    Verb.POLICY: _policy,
    Verb.LINK: _link,
    Verb.STATUS: _status,
    Verb.HELP: _help,
}
"""Every verb of the grammar; a test holds the two together."""
