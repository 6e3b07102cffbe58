"""Somebody pressed a button on one of our check runs."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import CheckRunEvent
from bot.services import buttons
from bot.services.access import Origin
from bot.services.buttons import Click

router = Router()


@router.register("check_run", action="requested_action")
async def requested_action(event: Event, miso: Miso) -> None:
    """Only our own App's check runs have our buttons."""
    seen = CheckRunEvent.model_validate(event.data)
    if seen.requested_action is None or seen.check_run.app.id != miso.rules.app_id:
        return
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    click = Click(
        check_id=seen.check_run.id,
        stream=seen.check_run.external_id or "",
        identifier=seen.requested_action.identifier,
        login=seen.sender.login,
        user_id=seen.sender.id,
        is_bot=seen.sender.type == "Bot",
    )
    await buttons.pressed(miso, origin, click)
