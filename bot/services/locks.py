"""Locks: a person keeps an environment as it is, for a while or until the lock is taken off.

Called by the commands. A lock stops promotions by everybody else (`bot.domain.conditions`); it is nothing that runs,
and no lease. Nothing here touches Azure or a promotion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bot.context import Miso
from bot.domain import environment_story
from bot.domain.codes import Code
from bot.domain.identity import Deed, Principal
from bot.domain.messages import refusal
from bot.domain.model import Actor, Environment, EnvironmentState, Lock, Row, Untrusted
from bot.domain.rules import Who
from bot.errors import Refused, Transient
from bot.services import access, authorization, journal, notes
from bot.services.access import Place
from bot.services.notes import Note


def stream_of(environment_id: str) -> str:
    """The stream of an environment itself: its locks, and what was changed there behind Miso's back."""
    return journal.stream_id("environment", environment_id)


async def lock(
    miso: Miso,
    place: Place,
    environment: Environment,
    principal: Principal,
    reason: Untrusted,
    until_us: int,
    cause: str,
    *,
    who: Who,
) -> Lock:
    """Put a lock on, or change one's own. `until_us` 0: until it is taken off. The same cause twice is one lock.

    `who` may ask for promotions here, and so keep others from it. Raises Refused: `reason_missing`, or
    `already_locked` while another's lock holds.
    """
    actor = principal.actor
    await authorization.authorize(miso, principal, Deed.LOCK, authorization.about(environment), place=place)
    await access.must_be(miso, place, actor, who)
    if not reason.strip():
        raise refusal(Code.REASON_MISSING, stage=environment.stage)

    def check(state: EnvironmentState) -> None:
        held = _held(miso, state)
        if held is not None and held.owner != actor:
            raise _no(Code.ALREADY_LOCKED, environment, held)

    body = {"reason": reason, "login": actor.login, "until_us": until_us, "cause": cause}
    _, written = await _write(miso, environment, Note.ENVIRONMENT_LOCKED, actor, body, check)
    return environment_story.lock_of(written)


async def unlock(
    miso: Miso, place: Place, environment: Environment, principal: Principal, reason: Untrusted, cause: str
) -> Lock:
    """Take a lock off and give it back: one's own, or with a reason another's where an operator does it.

    Raises Refused: `not_locked`, `not_yours` or `reason_missing`.
    """
    actor, here = principal.actor, authorization.about(environment)
    await authorization.authorize(miso, principal, Deed.UNLOCK, here, place=place)
    owned = _held(miso, await miso.store.environment_state(environment.id))
    others = owned is not None and owned.owner != actor
    may_take = others and await authorization.may(miso, principal, Deed.TAKE_LOCK, here, place=place)

    def check(state: EnvironmentState) -> None:
        held = _held(miso, state)
        if held is None:
            raise refusal(Code.NOT_LOCKED, stage=environment.stage)
        if held.owner != actor and not may_take:
            raise _no(Code.NOT_YOURS, environment, held)
        if held.owner != actor and not reason.strip():
            raise _no(Code.REASON_MISSING, environment, held)

    body = {"reason": reason, "login": actor.login, "cause": cause}
    rows, written = await _write(miso, environment, Note.ENVIRONMENT_UNLOCKED, actor, body, check)
    lifted = environment_story.lock_before(rows, written)
    if lifted is None:
        raise refusal(Code.NOT_LOCKED, stage=environment.stage)
    return lifted


def _held(miso: Miso, state: EnvironmentState) -> Lock | None:
    """The lock that counts now; one that has run out is none."""
    return state.lock if state.lock is not None and state.lock.holds(miso.clock.now_us()) else None


def _no(code: Code, environment: Environment, held: Lock) -> Refused:
    return refusal(code, stage=environment.stage, who=held.owner.login, until=held.until_us, reason=held.reason)


async def _write(
    miso: Miso,
    environment: Environment,
    kind: Note,
    actor: Actor,
    body: dict[str, Any],
    check: Callable[[EnvironmentState], None],
) -> tuple[Sequence[Row], Row]:
    """The rows of the stream, and the one of this kind and cause among them, written if nothing speaks against it."""
    stream = stream_of(environment.id)
    for _ in range(journal.RACES):
        # Read before the rows: whatever is written in between makes it too old to be set.
        state = await miso.store.environment_state(environment.id)
        rows = await miso.store.stream(stream)
        for row in rows:
            if row.kind == kind and row.body["cause"] == body["cause"]:
                return rows, row
        check(state)
        # The next round finds it, or what was written instead.
        await notes.write(
            miso,
            stream,
            rows,
            kind,
            actor,
            body,
            application_id=environment.application_id,
            environment_id=environment.id,
            state=state,
            show=False,
        )
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same environment.")
