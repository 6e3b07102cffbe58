"""Everything that a decision needs to know, fetched at once. What cannot be established stays None: unknown.

Called by `bot.services.promotions` for a request, an approval and the moment before the first effect, so that all
three decide over the same kind of facts. It reads and never writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from dataclasses import replace
from typing import TypeVar

from bot.context import Miso, Repository
from bot.domain import plan
from bot.domain.decision import Asked, Facts
from bot.domain.model import ActorKind, EnvironmentState, Plan, PullRequest, Release
from bot.domain.policy import commits_to_look_up
from bot.errors import MisoError
from bot.services import access, audits, journal

T = TypeVar("T")


async def gather(miso: Miso, asked: Asked, repository: Repository) -> Facts:
    """The facts for one request, all but where it is (`identity`, `binding`): that is bound by the caller.

    Everything outside is asked at once, except for the pull requests of commits that another answer names.
    """
    if asked.release is None:
        return await _local(miso, asked)
    about, facts = await asyncio.gather(
        _about(miso, asked, asked.release, repository), _with_range(miso, asked, asked.release, repository)
    )
    facts = replace(
        facts,
        image_exists=about.image_exists,
        tag_digest=about.tag_digest,
        permission=about.permission,
        commit=about.commit,
    )
    wanted = tuple(commits_to_look_up(asked, facts, miso.rules.policies.get(asked.environment.stage)))
    found = await asyncio.gather(*(known(repository.pull_requests_of(sha)) for sha in wanted))
    pulls: dict[str, tuple[PullRequest, ...]] = {
        sha: tuple(some) for sha, some in zip(wanted, found, strict=True) if some is not None
    }
    numbers = {pull.number for some in pulls.values() for pull in some}
    return replace(facts, pull_requests=pulls, pushers=await _pushers(miso, asked.application.repository_id, numbers))


async def _pushers(miso: Miso, repository_id: int, numbers: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Who was seen to push to these pull requests: GitHub tells it in webhooks and nowhere else."""
    streams = [miso.store.stream(audits.pushes(repository_id, number)) for number in numbers]
    found = await asyncio.gather(*streams)
    return {number: tuple(row.actor_id for row in rows) for number, rows in zip(numbers, found, strict=True)}


async def _about(miso: Miso, asked: Asked, release: Release, repository: Repository) -> Facts:
    """What can be asked outside without knowing anything else."""
    requester = asked.requester
    person = requester.kind is ActorKind.PERSON
    exists, tag, commit, permission = await asyncio.gather(
        known(miso.images.exists(release.image, release.digest, asked.environment)),
        known(_tag(miso, asked, release)),
        known(repository.commit(release.commit)),
        known(access.permission(repository, requester.login, requester.id)) if person else _none(),
    )
    return Facts(image_exists=exists, tag_digest=tag, commit=commit, permission=permission)


async def _with_range(miso: Miso, asked: Asked, release: Release, repository: Repository) -> Facts:
    """What the store knows, and the commits between what runs and the release."""
    facts = await _local(miso, asked)
    between = await known(repository.compare(facts.running.commit, release.commit)) if facts.running else None
    return replace(facts, range=between)


async def _local(miso: Miso, asked: Asked) -> Facts:
    """What the store knows, and the plan."""
    here, release, store = asked.environment, asked.release, miso.store
    environments, opened = await asyncio.gather(
        store.environments(asked.application.id), store.open_promotions(environment_id=here.id)
    )
    found = await asyncio.gather(*(store.environment_state(each.id) for each in environments))
    states = {state.environment_id: state for state in found}
    running, running_plan = await runs(miso, states.get(here.id))
    facts = Facts(
        environments=tuple(environments),
        states=states,
        running=running,
        running_plan=running_plan,
        open=tuple(opened),
    )
    if release is None:
        return facts
    verified = await store.promotions(application_id=asked.application.id, commit_prefix=release.commit, verified=True)
    planned = plan.build(here, release, controller=miso.rules.controller)
    return replace(facts, plan=planned, verified=tuple(verified))


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
