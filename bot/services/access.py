"""Who is asking, and for what? Binds an event to the registry and a person to a role, both asked anew each time.

Called by the verbs before they decide. It reads and never writes. A repository's variables only select; what is used
afterwards is the registry's (security rules 5, 20, 34).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from bot.context import Miso, Repository
from bot.domain import catalog
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.conditions import person_may
from bot.domain.decision import Standing
from bot.domain.messages import refusal
from bot.domain.model import Actor, ActorKind, Application, Environment, Permission, RepositoryFacts, Stage
from bot.domain.permissions import READ_FACTS
from bot.domain.rules import Who
from bot.errors import MisoError


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request came in: the delivery that is done once it is recorded, and the repository it speaks of."""

    installation_id: int
    repository_id: int
    delivery: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository as GitHub shows it now, with what its variables select for one environment."""

    repository: Repository
    installation_id: int
    identity: RepositoryFacts
    binding: Bound | Code
    person: Actor | None = None
    """Whose permission was asked in the same breath."""
    permission: Permission | None = None

    @property
    def origin(self) -> Origin:
        return Origin(installation_id=self.installation_id, repository_id=self.identity.id)

    def seen(self, actor: Actor) -> Permission | None:
        """What GitHub said of this account when the place was bound; None: it was not asked about them."""
        return self.permission if actor == self.person else None


def facts_of(miso: Miso, origin: Origin) -> Repository:
    """The repository, to be read with least privilege."""
    return miso.github.at(origin.installation_id, origin.repository_id, READ_FACTS)


async def registered(miso: Miso, repository_id: int) -> tuple[tuple[Application, ...], tuple[Environment, ...]]:
    """Registry rows of this repository, by its numeric id. Local and quick."""
    applications = tuple(await miso.store.application_of(repository_id))
    found = [await miso.store.environments(application.id) for application in applications]
    return applications, tuple(environment for some in found for environment in some)


async def bind(miso: Miso, origin: Origin, where: Stage | str, who: Actor | None = None) -> Place:
    """Ask GitHub who this repository is and what it claims, at once, and hold both against the registry.

    `who`: a person whose permission is asked with it, so that nobody need ask again for the same decision.
    """
    repository = facts_of(miso, origin)
    applications, environments = await registered(miso, origin.repository_id)
    name = next((e.github_name for e in environments if where in (e.stage, e.github_name)), None)
    asked = who if who is not None and who.kind is ActorKind.PERSON and who.id > 0 else None
    identity, variables, here, role = await asyncio.gather(
        repository.identity(),
        repository.variables(),
        repository.environment_variables(name) if name else _nothing(),
        permission(repository, asked.login, asked.id) if asked is not None else _nothing(),
    )
    return Place(
        repository=repository,
        installation_id=origin.installation_id,
        identity=identity,
        binding=catalog.select(variables, here, identity, applications, environments, where),
        person=asked,
        permission=role,
    )


async def permission(repository: Repository, login: str, user_id: int) -> Permission:
    """The role of an account now. None at all for a login that GitHub does not know or that is somebody else's by now.

    That is an answer, not a missing one: asking again would not help (rule 5). What could not be asked raises.
    """
    found = await repository.permission(login)
    if found is not None and found.user_id == user_id:
        return found
    return Permission(user_id=user_id, role_name="none", permission="none")


async def teams(
    miso: Miso, installation_id: int, owner_id: int, user_id: int, named: Collection[int]
) -> frozenset[int] | None:
    """Of these teams of the owner, those that the account is a member of, by ids alone. None: not all could be read."""
    try:
        members = await asyncio.gather(*(miso.github.team(installation_id, owner_id, team) for team in named))
    except MisoError:
        return None
    if any(accounts is None for accounts in members):
        return None  # no such team: a policy that names it is wrong, and nobody passes by it
    found = zip(named, members, strict=True)
    return frozenset(team for team, accounts in found if any(a.id == user_id for a in accounts or ()))


async def standing(miso: Miso, place: Place, actor: Actor, named: Collection[int]) -> Standing:
    """What somebody may do now: the role, and which of the teams that a policy names they are in."""
    seen = place.seen(actor)
    role, member_of = await asyncio.gather(
        permission(place.repository, actor.login, actor.id) if seen is None else _known(seen),
        teams(miso, place.installation_id, place.identity.owner_id, actor.id, named),
    )
    return Standing(permission=role, teams=member_of)


async def _known(seen: Permission) -> Permission:
    return seen


async def must_be(miso: Miso, place: Place, actor: Actor, who: Who) -> None:
    """Refuse whoever is no person or not one of these people at this moment (rules 5 and 6)."""
    if actor.kind is not ActorKind.PERSON:
        raise refusal(Code.BOT_REFUSED)
    result = person_may("requester", actor, await standing(miso, place, actor, who.teams), who)
    if not result.passed:
        raise refusal(result.code or Code.PERMISSION_DENIED, **result.values)


def ready(place: Place) -> asyncio.Future[Place]:
    """A place that was bound already, where one is awaited."""
    known = asyncio.get_running_loop().create_future()
    known.set_result(place)
    return known


async def _nothing() -> None:
    return None
