"""Everything that a decision needs to know, fetched at once. What cannot be established stays None: unknown.

Called by the verbs for a request, an approval and the moment before the first effect, so that all three decide over
the same kind of facts and under the policy of that very moment. It reads and never writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.context import Miso, Repository
from bot.domain import plan, policy
from bot.domain.decision import Asked, Decision, Facts
from bot.domain.model import (
    ActorKind,
    Capacity,
    CheckSeen,
    EnvironmentState,
    Permission,
    Plan,
    PullRequest,
    Release,
)
from bot.domain.policy import commits_to_look_up
from bot.domain.rules import Policy, PolicySet
from bot.errors import MisoError
from bot.services import access, audits, holds, journal, policies
from bot.services.access import Place
from bot.services.policies import Effective

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known at one moment, and the policy that counts at it."""

    facts: Facts
    effective: Effective

    @property
    def policy(self) -> Policy | None:
        return self.effective.policy

    @property
    def policies(self) -> PolicySet:
        """The accepted policy as a whole; an empty one, which allows nothing, where there is none."""
        return self.effective.policies or PolicySet()

    def decide(self, miso: Miso, asked: Asked, now_us: int) -> Decision:
        """May this be asked for? The decision of every door."""
        return policy.decide(asked, self.facts, self.policy, miso.rules, now_us, self.policies)


async def gather(
    miso: Miso,
    asked: Asked,
    repository: Repository,
    placing: Awaitable[Place],
    *,
    permission: Permission | None = None,
) -> Known:
    """The facts for one request. Nothing waits for an answer that it does not need: two waves at most outside.

    `permission` is the requester's, where it was asked for this very decision.
    """
    (place, effective), about, facts = await asyncio.gather(
        _ruled(miso, asked, placing), _about(miso, asked, repository, permission), _with_range(miso, asked, repository)
    )
    facts = replace(
        facts,
        identity=place.identity,
        binding=place.binding,
        default_branch=place.identity.default_branch,
        config=effective.config,
        config_commit=effective.config_commit,
        image_exists=about.image_exists,
        tag_digest=about.tag_digest,
        permission=about.permission,
        commit=about.commit,
    )
    if asked.release is None or effective.policy is None:
        return Known(facts=facts, effective=effective)
    demanded = effective.policy
    pulls, checks, teams, capacity = await asyncio.gather(
        _pulls(asked, facts, demanded, repository),
        known(_checks(asked.release, demanded, repository)),
        _teams(miso, asked, place, demanded),
        known(_capacity(miso, asked, demanded)),
    )
    numbers = {pull.number for some in pulls.values() for pull in some}
    facts = replace(
        facts,
        pull_requests=pulls,
        pushers=await _pushers(miso, asked.application.repository_id, numbers),
        checks=tuple(checks) if checks is not None else None,
        teams=teams,
        capacity=capacity,
    )
    return Known(facts=facts, effective=effective)


async def _ruled(miso: Miso, asked: Asked, placing: Awaitable[Place]) -> tuple[Place, Effective]:
    """Where it is, and what the policy is there now: the repository may have tightened it on its default branch."""
    place = await placing
    branch = place.identity.default_branch
    return place, await policies.effective(miso, place.repository, asked.environment, branch)


async def _pulls(
    asked: Asked, facts: Facts, demanded: Policy, repository: Repository
) -> dict[str, tuple[PullRequest, ...]]:
    wanted = tuple(commits_to_look_up(asked, facts, demanded))
    found = await asyncio.gather(*(known(repository.pull_requests_of(sha)) for sha in wanted))
    return {sha: tuple(some) for sha, some in zip(wanted, found, strict=True) if some is not None}


async def _pushers(miso: Miso, repository_id: int, numbers: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Who was seen to push to these pull requests: GitHub tells it in webhooks and nowhere else."""
    streams = [miso.store.stream(audits.pushes(repository_id, number)) for number in numbers]
    found = await asyncio.gather(*streams)
    return {number: tuple(row.actor_id for row in rows) for number, rows in zip(numbers, found, strict=True)}


async def _checks(release: Release, demanded: Policy, repository: Repository) -> Sequence[CheckSeen]:
    names = {check.name for check in demanded.checks}
    return await repository.checks(release.commit, names) if names else ()


async def _teams(miso: Miso, asked: Asked, place: Place, demanded: Policy) -> frozenset[int] | None:
    if asked.requester.kind is not ActorKind.PERSON:
        return frozenset()
    owner, installation = place.identity.owner_id, place.installation_id
    return await access.teams(miso, installation, owner, asked.requester.id, policy.teams_named(demanded))


async def _capacity(miso: Miso, asked: Asked, demanded: Policy) -> Capacity | None:
    if demanded.min_instances <= 1 and demanded.min_zones <= 1:
        return None
    return await miso.azure.capacity(asked.environment, request_id=asked.stream or "decision")


async def _about(miso: Miso, asked: Asked, repository: Repository, seen: Permission | None) -> Facts:
    """What can be asked outside without knowing anything else."""
    requester, release = asked.requester, asked.release
    ask = seen is None and requester.kind is ActorKind.PERSON
    permission = known(access.permission(repository, requester.login, requester.id)) if ask else _given(seen)
    if release is None:
        return Facts(permission=await permission)
    exists, tag, commit, role = await asyncio.gather(
        known(miso.images.exists(release.image, release.digest, asked.environment)),
        known(_tag(miso, asked, release)),
        known(repository.commit(release.commit)),
        permission,
    )
    return Facts(image_exists=exists, tag_digest=tag, commit=commit, permission=role)


async def _with_range(miso: Miso, asked: Asked, repository: Repository) -> Facts:
    """What the store knows, and the commits between what runs and the release."""
    facts = await local(miso, asked)
    if asked.release is None or facts.running is None:
        return facts
    return replace(facts, range=await known(repository.compare(facts.running.commit, asked.release.commit)))


async def local(miso: Miso, asked: Asked) -> Facts:
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
    verified, bans = await asyncio.gather(
        store.promotions(application_id=asked.application.id, commit_prefix=release.commit, verified=True),
        holds.bans(miso, asked.application.id, release),
    )
    planned = plan.build(here, release, controller=miso.rules.controller)
    return replace(facts, plan=planned, verified=tuple(verified), bans=bans)


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


async def _given(seen: T) -> T:
    return seen
