"""Releases that must not go on: bans that a person spoke, holds after a rollback, and lifting either with four eyes.

Called by the commands and by `bot.services.knowledge`. A ban stands in two streams, the commit's and the digest's, so
that neither a rebuilt commit nor the same image under another commit gets past it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.context import Miso
from bot.domain import release_story
from bot.domain.codes import Code
from bot.domain.identity import Deed, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import (
    Actor,
    Application,
    Ban,
    Environment,
    Hold,
    NewRow,
    Release,
    Row,
    Untrusted,
)
from bot.domain.promotion import Kind, Promotion
from bot.domain.release_story import ReleaseKind, ReleaseStory
from bot.errors import Transient
from bot.services import authorization, journal, notes, policies
from bot.services.access import Place
from bot.services.notes import Note

_PAGE = 500


def stream_of(application_id: str, which: str) -> str:
    """Stream of what was said about a commit or a digest of an application."""
    return journal.stream_id("release", application_id, which)


async def bans(miso: Miso, application_id: str, release: Release) -> tuple[Ban, ...]:
    """Bans of this commit or of this digest."""
    stories = await asyncio.gather(
        *(_story(miso, stream_of(application_id, which)) for which in (release.commit, release.digest))
    )
    return tuple(dict.fromkeys(story.ban for story in stories if story.ban is not None))


async def _story(miso: Miso, stream: str) -> ReleaseStory:
    return release_story.fold(await miso.store.stream(stream))


async def ban(
    miso: Miso, application: Application, release: Release, actor: Actor, reason: Untrusted, cause: str
) -> Ban:
    """Write down that a release is rejected for good. Who may say so is asked by `promotions.reject_release`."""
    body = {
        "commit": release.commit,
        "digest": release.digest,
        "reason": reason,
        "login": actor.login,
        "cause": cause,
    }
    await _say(miso, application, (release.commit, release.digest), ReleaseKind.REJECTED, actor, body)
    found = await bans(miso, application.id, release)
    if not found:
        raise Transient(Code.STORE_UNAVAILABLE, "The rejection was written and lifted again at once.")
    return found[0]


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What came of a clearance: lifted, or how many more must agree."""

    commit: str
    by: tuple[Actor, ...]
    needs: int = 0
    """0: it is lifted."""


async def clear(
    miso: Miso, place: Place, application: Application, commit: str, principal: Principal, reason: Untrusted, cause: str
) -> Cleared:
    """One operator's word that a held or banned release may try again. The last one needed lifts every hold and ban.

    `commit`: at least 12 digits. Who is an operator, and how many must agree, says the accepted policy.
    """
    resource = Resource(application_id=application.id, repository_id=application.repository_id)
    await authorization.authorize(miso, principal, Deed.CLEAR, resource, place=place)
    accepted = await policies.accepted(miso)
    if accepted is None:
        raise refusal(Code.NO_RULES)
    actor, people = principal.actor, accepted.policies.clear_people
    found, holding = await _held(miso, application, commit)
    if found is None:
        raise refusal(Code.NOT_HELD)
    full, digests = found
    body: dict[str, Any] = {"commit": full, "reason": reason, "login": actor.login, "cause": cause}
    stream = stream_of(application.id, full)
    await _append(miso, stream, application, ReleaseKind.CLEAR_ASKED, actor, body)
    agreed = (await _story(miso, stream)).fresh(miso.clock.now_us())
    by = tuple(word.actor for word in agreed)
    if len(by) < people:
        return Cleared(commit=full, by=by, needs=people - len(by))
    for environment, hold in holding:
        await _lift(miso, environment, hold, actor, reason)
    body = {**body, "by": [word.actor.id for word in agreed], "cause": f"{cause}:cleared"}
    # The commit's stream is the last: as long as it does not say so, the words still count, and a second delivery
    # completes what a crash cut in two.
    await _say(miso, application, (*digests, full), ReleaseKind.CLEARED, actor, body)
    return Cleared(commit=full, by=by)


async def _held(
    miso: Miso, application: Application, commit: str
) -> tuple[tuple[str, tuple[str, ...]] | None, list[tuple[Environment, Hold]]]:
    """The one commit that is meant with every image of it that is banned, and every hold on it. None when nothing
    keeps it."""
    holding: list[tuple[Environment, Hold]] = []
    for environment in await miso.store.environments(application.id):
        state = await miso.store.environment_state(environment.id)
        holding += [(environment, hold) for hold in state.held if hold.commit.startswith(commit)]
    banned = await _banned(miso, application, commit)
    meant = {hold.commit for _, hold in holding} | banned.keys()
    if len(meant) > 1:
        raise refusal(Code.SHA_AMBIGUOUS)
    full = next(iter(meant), None)
    return ((full, tuple(sorted(banned.get(full, ())))) if full is not None else None), holding


async def _banned(miso: Miso, application: Application, commit: str) -> dict[str, set[str]]:
    """Digests that are banned under each commit that begins so. A commit that was built twice has two, and one that
    nobody has asked for yet may be banned as well: what was said is asked, not what was promoted."""
    said: dict[str, set[str]] = {}
    after = 0
    while rows := await miso.store.ledger(kinds=(ReleaseKind.REJECTED,), after=after, limit=_PAGE):
        after = rows[-1].position
        for row in rows:
            if row.application_id == application.id and str(row.body["commit"]).startswith(commit):
                said.setdefault(str(row.body["commit"]), set()).add(str(row.body["digest"]))
    found: dict[str, set[str]] = {}
    for full, digests in said.items():
        bans = {digest: (await _story(miso, stream_of(application.id, digest))).ban for digest in digests}
        own = {digest for digest, ban in bans.items() if ban is not None and ban.commit == full}
        if own or (await _story(miso, stream_of(application.id, full))).ban is not None:
            found[full] = own
    return found


async def _lift(miso: Miso, environment: Environment, hold: Hold, actor: Actor, reason: Untrusted) -> None:
    row = NewRow(
        kind=Kind.HOLD_CLEARED,
        actor=actor,
        application_id=environment.application_id,
        environment_id=environment.id,
        body={"reason": reason, "login": actor.login, "commit": hold.commit},
    )

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        return [row] if now is not None and now.held else []

    await journal.record(miso, hold.stream, decide)


async def _say(
    miso: Miso,
    application: Application,
    streams: Sequence[str],
    kind: ReleaseKind,
    actor: Actor,
    body: dict[str, Any],
) -> None:
    """To every stream of a release, one after the other: a second delivery completes what a crash cut in two."""
    for which in streams:
        await _append(miso, stream_of(application.id, which), application, kind, actor, body)


async def _append(
    miso: Miso, stream: str, application: Application, kind: ReleaseKind, actor: Actor, body: dict[str, Any]
) -> None:
    for _ in range(journal.RACES):
        rows: Sequence[Row] = await miso.store.stream(stream)
        if body["cause"] in release_story.fold(rows).causes:
            return
        note = Note(kind.value)
        if await notes.write(miso, stream, rows, note, actor, body, application_id=application.id, show=False):
            return
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same place in the journal.")
