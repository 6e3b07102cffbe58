"""What comes in by the API, for a person or for a workflow's token: the same verbs as every other door (rule 16).

Called by `bot.web.api`. It finds what is meant, and makes one call. A token asks for what it was made for and nothing
else; a person names the commit, because nobody reads a pull request here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.context import Miso
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.identity import Deed, Grant, Principal
from bot.domain.messages import refusal, refusal_of
from bot.domain.model import Application, Environment, Release, Untrusted
from bot.domain.promotion import Promotion
from bot.errors import Refused
from bot.services import approvals, choosing, journal, leave, overview, promotions, releases
from bot.services.access import Origin, Place
from bot.services.authorization import about, authorize, may
from bot.services.leave import Undecided
from bot.services.overview import Standing
from bot.services.promotions import Ask, Outcome, Word


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for, checked in form only."""

    application_id: str
    environment_id: str
    commit: str
    """Empty: what the token says, or for a rollback what was healthy before."""
    rollback: bool
    break_glass: str
    """Why rules are gone past; empty: they are not."""
    cause: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A promotion and where it goes."""

    promotion: Promotion
    application: Application
    environment: Environment


async def promote(miso: Miso, principal: Principal, wanted: Wanted) -> Seen:
    """Ask for a release in an environment. Raises `Undecided` with every rule where nothing came of it."""
    if principal.grant is not None:
        return await _by_workflow(miso, principal, principal.grant, wanted)
    environment = await miso.store.environment(wanted.environment_id)
    if environment is not None:
        # Before anything is looked up for them: GitHub's patience belongs to those who may ask (rule 15).
        deed = Deed.ROLL_BACK if wanted.rollback else Deed.PROMOTE
        await authorize(miso, principal, deed, about(environment))
    place, bound = await leave.where(miso, wanted.application_id, wanted.environment_id)
    release = await _meant(miso, place, bound, wanted)
    ask = Ask(
        cause=wanted.cause,
        principal=principal,
        origin=place.origin,
        release=release,
        rollback=wanted.rollback,
        break_glass=wanted.break_glass,
        pull_request=await releases.pull_request_of(place, release.commit) if release is not None else 0,
    )
    outcome = await promotions.request(miso, ask, place, bound.application, bound.environment)
    seen = _came_of(outcome, bound.application, bound.environment)
    asked = seen.promotion.request
    same = asked.rollback == wanted.rollback and asked.break_glass == wanted.break_glass
    if not same or not asked.release.commit.startswith(wanted.commit):
        # The key was used for something else before; that is what its stream tells.
        raise refusal(Code.REQUEST_MALFORMED, word="Idempotency-Key")
    return seen


async def _by_workflow(miso: Miso, principal: Principal, grant: Grant, wanted: Wanted) -> Seen:
    own = (wanted.application_id, wanted.environment_id) == (grant.application_id, grant.environment_id)
    if not own or not grant.commit.startswith(wanted.commit):
        raise refusal(Code.TOKEN_SCOPE)
    if wanted.rollback or wanted.break_glass:
        raise refusal(Code.BOT_REFUSED)
    place, bound, running = await leave.of_grant(miso, grant, principal.actor)
    resource = replace(about(bound.environment), repository_id=place.identity.id, commit=grant.commit)
    await authorize(miso, principal, Deed.PROMOTE, resource, place=place)
    return _came_of(await leave.promote(miso, principal, place, bound, running), bound.application, bound.environment)


async def _meant(miso: Miso, place: Place, bound: Bound, wanted: Wanted) -> Release | None:
    if wanted.rollback:
        return await choosing.rollback_target(miso, bound.application, bound.environment, wanted.commit)
    if not wanted.commit:
        raise refusal(Code.REQUEST_MALFORMED, word="commit")
    found = await choosing.find_release(miso, bound.application, wanted.commit, bound.environment.stage)
    return found or await releases.recorded(miso, place, bound.application, wanted.commit)


def _came_of(outcome: Outcome, application: Application, environment: Environment) -> Seen:
    if outcome.promotion is None:
        if outcome.decision is None:
            raise refusal(Code.NO_RULES)
        raise Undecided(refusal_of(outcome.decision), outcome.decision.rules)
    return Seen(promotion=outcome.promotion, application=application, environment=environment)


async def look(miso: Miso, principal: Principal, stream: str) -> Seen:
    """A promotion, for whoever may see it. One that a token is not for does not exist for it."""
    promotion = await journal.load(miso, stream) if stream.startswith("promotion-") else None
    environment = await miso.store.environment(promotion.environment_id) if promotion is not None else None
    application = await miso.store.application(environment.application_id) if environment is not None else None
    if promotion is None or environment is None or application is None:
        raise refusal(Code.NOT_FOUND)
    resource = about(environment, stream=stream)
    try:
        await authorize(miso, principal, Deed.LOOK, resource)
    except Refused as no:
        raise refusal(Code.NOT_FOUND) if no.code == Code.TOKEN_SCOPE else no from None
    return Seen(promotion=promotion, application=application, environment=environment)


@dataclass(frozen=True, kw_only=True)
class Overview:
    """An application as far as somebody may see it: what runs where, and what waits."""

    application: Application
    places: tuple[tuple[Standing, tuple[str, ...]], ...]
    """Each environment with the streams of what is open there, the newest first."""


async def overview_of(miso: Miso, principal: Principal) -> tuple[Overview, ...]:
    """What there is for whoever may see it. A token sees the environment that it is for."""
    found = []
    for application in await miso.store.applications():
        places = [
            (standing, await _open(miso, standing.environment))
            for standing in await overview.of_application(miso, application)
            if await may(miso, principal, Deed.LOOK, about(standing.environment))
        ]
        if places:
            found.append(Overview(application=application, places=tuple(places)))
    return tuple(found)


async def _open(miso: Miso, environment: Environment) -> tuple[str, ...]:
    rows = await miso.store.open_promotions(environment_id=environment.id)
    return tuple(row.stream for row in sorted(rows, key=lambda row: -row.requested_us))


async def say(
    miso: Miso, principal: Principal, stream: str, deed: Deed, *, commit: str, reason: str, cause: str
) -> Seen:
    """Approve, reject, revoke or cancel: the verb of every other door."""
    seen = await look(miso, principal, stream)
    request = seen.promotion.request
    if commit and not request.release.commit.startswith(commit):
        raise refusal(Code.OTHER_RELEASE_WAITS, commit=request.release.commit[:12], stage=seen.environment.stage)
    word = Word(principal=principal, cause=cause)
    origin = Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)
    match deed:
        case Deed.APPROVE:
            outcome = await approvals.approve(miso, stream, word, origin, commit=commit)
        case Deed.REVOKE:
            outcome = await approvals.revoke(miso, stream, word)
        case Deed.REJECT:
            outcome = await promotions.reject(miso, stream, word, origin, Untrusted(reason))
        case Deed.CANCEL:
            outcome = await promotions.cancel(miso, stream, word, origin, Untrusted(reason))
        case _:
            raise refusal(Code.NOT_FOUND)
    if outcome.decision is not None and not outcome.decision.allowed:
        raise Undecided(refusal_of(outcome.decision), outcome.decision.rules)
    return _came_of(outcome, seen.application, seen.environment)
