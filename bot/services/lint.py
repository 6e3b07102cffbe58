"""Could anybody ever approve this? What a policy makes impossible, found before somebody runs into it.

Called by `miso policy lint`, `miso doctor` and the check on a pull request that changes `.github/miso.yml`. It gathers
who is in the repository and in the teams that the policies name, and hands it to `bot.domain.satisfiable`. It reads and
never writes. What GitHub does not tell is a finding of its own: unknown is not fine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from bot.context import Miso
from bot.domain import repository_config, satisfiable, tightness
from bot.domain.codes import Code
from bot.domain.model import Application, Collaborator, Stage
from bot.domain.policy import teams_named
from bot.domain.policy_keys import Override
from bot.domain.rules import PolicySet
from bot.domain.satisfiable import Finding, Level
from bot.services import access, own_file
from bot.services.access import Origin
from bot.services.knowledge import known
from bot.services.policies import accepted, tightened

Overrides = Mapping[Stage, Override]


async def of_application(
    miso: Miso, application: Application, *, policies: PolicySet | None = None
) -> tuple[Finding, ...]:
    """What is wrong for one application, under the policy in force or another one, and the repository's own file."""
    installation = await known(miso.github.installation_of(application.repository_id, application.owner_id))
    origin = Origin(installation_id=installation, repository_id=application.repository_id) if installation else None
    repository = access.facts_of(miso, origin) if origin else None
    identity = await known(repository.identity()) if repository else None
    if origin is None or repository is None or identity is None:
        return await _of(miso, application, None, policies, {}, "")
    own = await own_file.read(repository, identity.default_branch)
    unread = (Finding(level=_level(own.config), code=own.config),) if own.config else ()
    found = await _of(miso, application, origin, policies, own.overrides, identity.default_branch)
    return (*unread, *await _looser(miso, application, policies, own.overrides), *found)


async def of_repository(miso: Miso, origin: Origin, overrides: Overrides) -> tuple[Finding, ...]:
    """What would be wrong if the repository's own file said this: for the pull request that changes it."""
    applications = await miso.store.application_of(origin.repository_id)
    identity = await known(access.facts_of(miso, origin).identity())
    branch = identity.default_branch if identity else ""
    found = await asyncio.gather(*(_of(miso, each, origin, None, overrides, branch) for each in applications))
    return tuple(finding for some in found for finding in some)


async def _looser(miso: Miso, application: Application, other: PolicySet | None, overrides: Overrides) -> list[Finding]:
    """What the repository's own file asks for in vain: the policy is tighter there. On a pull request each stands in
    its line instead."""
    now = await accepted(miso)
    whole, found = other or (now.policies if now else PolicySet()), list[Finding]()
    for environment in await miso.store.environments(application.id):
        policy, override = whole.of(environment), overrides.get(environment.stage)
        for key, _ in tightness.ignored(policy, override) if policy is not None and override is not None else ():
            values = {"path": repository_config.PATH, "stage": environment.stage.value, "key": key}
            found.append(
                Finding(level="warning", code=Code.CONFIG_LOOSER, environment_id=environment.id, values=values)
            )
    return found


async def _of(
    miso: Miso,
    application: Application,
    origin: Origin | None,
    other: PolicySet | None,
    overrides: Overrides,
    default_branch: str,
) -> tuple[Finding, ...]:
    """`other`: a policy in place of the one in force. `origin`: None where GitHub does not show the repository."""
    now = await accepted(miso)
    whole = other or (now.policies if now else PolicySet())
    environments = tuple(await miso.store.environments(application.id))
    found = {each.id: tightened(whole, each, overrides) for each in environments}
    demanded = {guid: policy for guid, policy in found.items() if policy is not None}
    named = {team for policy in demanded.values() for team in teams_named(policy)}
    people, teams = await asyncio.gather(_people(miso, origin), _teams(miso, application, origin, named))
    return satisfiable.findings(
        environments,
        demanded,
        people,
        teams,
        miso.rules.registries,
        whole,
        now_us=miso.clock.now_us(),
        default_branch=default_branch,
    )


def _level(config: Code) -> Level:
    """A file that has faults or is missing stops every promotion; one that could not be read may be in order."""
    return "warning" if config is Code.GITHUB_UNAVAILABLE else "error"


async def _people(miso: Miso, origin: Origin | None) -> tuple[Collaborator, ...] | None:
    found = await known(access.facts_of(miso, origin).collaborators()) if origin else None
    return tuple(found) if found is not None else None


async def _teams(
    miso: Miso, application: Application, origin: Origin | None, named: Collection[int]
) -> dict[int, frozenset[int]]:
    """Members of each of these teams. One that is missing here could not be read, or there is no such team."""
    if origin is None:
        return {}
    asked = [known(miso.github.team(origin.installation_id, application.owner_id, team)) for team in named]
    found = zip(named, await asyncio.gather(*asked), strict=True)
    return {team: frozenset(account.id for account in some) for team, some in found if some is not None}
