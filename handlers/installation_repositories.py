"""Repositories were added to an installation, or taken from it."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import InstallationEvent

router = Router()


@router.register("installation_repositories", action="removed")
async def removed(event: Event, miso: Miso) -> None:
    """A token that was given for a repository that is no longer ours to see ends now, not in an hour (rule 35)."""
    await miso.github.forget(InstallationEvent.model_validate(event.data).installation.id)
