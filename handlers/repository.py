"""A repository was renamed or transferred."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import RepositoryChange
from bot.services import audits
from bot.services.access import Origin

router = Router()


@router.register("repository", action="renamed")
@router.register("repository", action="transferred")
async def moved(event: Event, miso: Miso) -> None:
    """The id stays, so a rename is followed; a new owner's deployments are refused until the registry names it."""
    seen = RepositoryChange.model_validate(event.data)
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    await audits.repository_moved(
        miso,
        origin,
        full_name=seen.repository.full_name,
        owner_id=seen.repository.owner.id,
        user_id=seen.sender.id,
        login=seen.sender.login,
    )
