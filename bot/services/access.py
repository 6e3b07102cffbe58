"""Who is asking, and for what? Binds an event to the registry and a person to a role, both asked anew each time.

Called by the verbs before they decide. It reads and never writes. A repository's variables only select; what is used
afterwards is the registry's (security rules 5, 20, 34).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot.context import Miso, Repository
from bot.domain import catalog
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.model import Application, Environment, Permission, RepositoryFacts, Stage
from bot.domain.permissions import READ_FACTS


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
    identity: RepositoryFacts
    binding: Bound | Code


def facts_of(miso: Miso, origin: Origin) -> Repository:
    """The repository, to be read with least privilege."""
    return miso.github.at(origin.installation_id, origin.repository_id, READ_FACTS)


async def registered(miso: Miso, repository_id: int) -> tuple[tuple[Application, ...], tuple[Environment, ...]]:
    """Registry rows of this repository, by its numeric id. Local and quick."""
    applications = tuple(await miso.store.application_of(repository_id))
    found = [await miso.store.environments(application.id) for application in applications]
    return applications, tuple(environment for some in found for environment in some)


async def bind(miso: Miso, origin: Origin, where: Stage | str) -> Place:
    """Ask GitHub who this repository is and what it claims, at once, and hold both against the registry."""
    repository = facts_of(miso, origin)
    applications, environments = await registered(miso, origin.repository_id)
    name = next((e.github_name for e in environments if where in (e.stage, e.github_name)), None)
    identity, variables, here = await asyncio.gather(
        repository.identity(),
        repository.variables(),
        repository.environment_variables(name) if name else _nothing(),
    )
    binding = catalog.select(variables, here, identity, applications, environments, where)
    return Place(repository=repository, identity=identity, binding=binding)


async def permission(repository: Repository, login: str, user_id: int) -> Permission:
    """The role of an account now. None at all for a login that GitHub does not know or that is somebody else's by now.

    That is an answer, not a missing one: asking again would not help (rule 5). What could not be asked raises.
    """
    found = await repository.permission(login)
    if found is not None and found.user_id == user_id:
        return found
    return Permission(user_id=user_id, role_name="none", permission="none")


async def _nothing() -> None:
    return None
