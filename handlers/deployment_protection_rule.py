"""A workflow run waits at an environment's gate and asks us."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import GateEvent
from bot.domain.model import Actor, ActorKind
from bot.services import gates
from bot.services.access import Origin

router = Router()


@router.register("deployment_protection_rule", action="requested")
async def requested(event: Event, miso: Miso) -> None:
    """A missing field means wait, never approve: such a delivery is parked for a person (rule 26)."""
    seen = GateEvent.model_validate(event.data)
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    await gates.requested(
        miso,
        origin,
        Actor(kind=ActorKind.PERSON, id=seen.sender.id, login=seen.sender.login),
        environment=seen.environment,
        commit=seen.deployment.sha,
        deployment_id=seen.deployment.id,
        full_name=seen.repository.full_name,
        callback_url=seen.deployment_callback_url,
    )
