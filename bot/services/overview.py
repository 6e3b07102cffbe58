"""What runs where: the environments of an application with what runs and what is under way in each.

Called by the reports, by `/status` and by `miso status`. It reads projections and at most two streams an environment.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.context import Miso
from bot.domain.model import Application, Environment, EnvironmentState
from bot.domain.promotion import Promotion
from bot.services import journal


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One environment at this moment."""

    application: Application
    environment: Environment
    state: EnvironmentState
    running: Promotion | None
    latest: Promotion | None
    """The newest request, when it is another one than `running`."""


async def of_application(miso: Miso, application: Application, *, pull_request: int = 0) -> tuple[Standing, ...]:
    """Every environment in the order of stages. With `pull_request`, the newest request of that pull request."""
    order = ("dev", "test", "production")
    found = []
    for environment in sorted(await miso.store.environments(application.id), key=lambda e: order.index(e.stage)):
        state = await miso.store.environment_state(environment.id)
        running = await journal.load(miso, state.running) if state.running else None
        rows = await miso.store.promotions(environment_id=environment.id, pull_request=pull_request, limit=1)
        latest = await journal.load(miso, rows[0].stream) if rows else None
        found.append(
            Standing(application=application, environment=environment, state=state, running=running, latest=latest)
        )
    return tuple(found)


async def of_repository(miso: Miso, repository_id: int) -> tuple[Standing, ...]:
    """The same for every application of a repository."""
    applications = await miso.store.application_of(repository_id)
    found = [await of_application(miso, application) for application in applications]
    return tuple(standing for some in found for standing in some)
