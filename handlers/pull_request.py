"""Somebody pushed to a pull request: their approval of it will not count, whatever name the commits bear."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import PullRequestEvent
from bot.services import audits
from bot.services.access import Origin

router = Router()


@router.register("pull_request", action="opened")
@router.register("pull_request", action="synchronize")
async def pushed(event: Event, miso: Miso) -> None:
    """The sender is the account that pushed; GitHub says so nowhere else (rule 9)."""
    seen = PullRequestEvent.model_validate(event.data)
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    await audits.pushed(
        miso, origin, pull_request=seen.pull_request.number, user_id=seen.sender.id, login=seen.sender.login
    )
