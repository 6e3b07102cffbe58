"""The App was installed somewhere, suspended or removed."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import InstallationEvent

router = Router()


@router.register("installation", action="suspend")
@router.register("installation", action="deleted")
async def ended(event: Event, miso: Miso) -> None:
    """What was cached for an installation ends with it (rule 35)."""
    await miso.github.forget(InstallationEvent.model_validate(event.data).installation.id)
