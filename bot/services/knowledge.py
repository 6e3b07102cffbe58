"""Everything that a decision needs to know, fetched at once. What cannot be established stays None: unknown.

Called by `bot.services.promotions` for a request, an approval and the moment before the first effect, so that all
three decide over the same kind of facts. It reads and never writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

from bot.context import Miso
from bot.domain import plan
from bot.domain.decision import Asked, Facts
from bot.domain.model import ActorKind, CommitRange, EnvironmentState, Plan, PullRequest, Release
from bot.domain.policy import commits_to_look_up
from bot.errors import MisoError
from bot.services import access, journal
from bot.services.access import Place

T = TypeVar("T")


async def gather(miso: Miso, asked: Asked, place: Place) -> Facts:
    """The facts for one request. Local ones first, then everything outside concurrently."""
    here = asked.environment
    environments = tuple(await miso.store.environments(asked.application.id))
    states = {e.id: await miso.store.environment_state(e.id) for e in environments}
    running, running_plan = await runs(miso, states.get(here.id))
    facts = Facts(
        identity=place.identity,
        binding=place.binding,
        environments=environments,
        states=states,
        running=running,
        running_plan=running_plan,
        open=tuple(await miso.store.open_promotions(environment_id=here.id)),
    )
    release = asked.release
    if release is None:
        return facts
    facts = replace(
        facts,
        plan=plan.build(here, release, controller=miso.rules.controller),
        verified=tuple(
            await miso.store.promotions(
                application_id=asked.application.id, commit_prefix=release.commit, verified=True
            )
        ),
    )
    return await _outside(miso, asked, release, facts, place)


async def _outside(miso: Miso, asked: Asked, release: Release, facts: Facts, place: Place) -> Facts:
    repository, requester = place.repository, asked.requester
    person = requester.kind is ActorKind.PERSON
    exists, tag, between, commit, permission = await asyncio.gather(
        known(miso.images.exists(release.image, release.digest, asked.environment)),
        known(_tag(miso, asked, release)),
        known(repository.compare(facts.running.commit, release.commit)) if facts.running else _none(),
        known(repository.commit(release.commit)),
        known(access.permission(repository, requester.login, requester.id)) if person else _none(),
    )
    facts = replace(
        facts,
        image_exists=exists,
        tag_digest=tag,
        range=between if isinstance(between, CommitRange) else None,
        commit=commit,
        permission=permission,
    )
    wanted = tuple(commits_to_look_up(asked, facts, miso.rules.policies.get(asked.environment.stage)))
    found = await asyncio.gather(*(known(repository.pull_requests_of(sha)) for sha in wanted))
    pulls: dict[str, tuple[PullRequest, ...]] = {
        sha: tuple(some) for sha, some in zip(wanted, found, strict=True) if some is not None
    }
    return replace(facts, pull_requests=pulls)


async def _tag(miso: Miso, asked: Asked, release: Release) -> str:
    """What the tag points to now: "" when it is gone."""
    if not release.tag:
        return release.digest
    return await miso.images.digest(release.image, release.tag, asked.environment) or ""


async def runs(miso: Miso, state: EnvironmentState | None) -> tuple[Release | None, Plan | None]:
    """What runs in an environment as far as the journal knows, and the plan that it runs with."""
    if state is None or not state.running:
        return None, None
    promotion = await journal.load(miso, state.running)
    if promotion is None:
        return None, None
    return promotion.request.release, promotion.request.plan


async def known(asking: Awaitable[T]) -> T | None:
    """The answer, or None when it could not be had: then the rule that needs it does not pass."""
    try:
        return await asking
    except MisoError:
        return None


async def _none() -> None:
    return None
