"""A pull request was opened, pushed to, reopened, made ready or pointed at another branch.

Whoever pushed to it does not approve it, whatever name the commits bear; and what merging it would change is shown.
"""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import PullRequestEvent
from bot.domain.model import Actor, ActorKind
from bot.services import previews
from bot.services.access import Origin

router = Router()


@router.register("pull_request", action="opened")
@router.register("pull_request", action="synchronize")
async def pushed(event: Event, miso: Miso) -> None:
    """The sender is the account that pushed; GitHub says so nowhere else (rule 9)."""
    seen = PullRequestEvent.model_validate(event.data)
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    pusher = Actor(kind=ActorKind.PERSON, id=seen.sender.id, login=seen.sender.login)
    await previews.moved(miso, origin, seen.pull_request.number, pusher)


@router.register("pull_request", action="reopened")
@router.register("pull_request", action="ready_for_review")
@router.register("pull_request", action="edited")
async def reconsidered(event: Event, miso: Miso) -> None:
    """Nobody pushed. Of edits only another base branch changes anything."""
    if event.data["action"] == "edited" and "base" not in (event.data.get("changes") or {}):
        return
    seen = PullRequestEvent.model_validate(event.data)
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    await previews.moved(miso, origin, seen.pull_request.number, None)
