"""Somebody wrote a comment: perhaps a command."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import IssueCommentEvent
from bot.services import commands
from bot.services.access import Origin
from bot.services.answering import Written

router = Router()


@router.register("issue_comment", action="created")
@router.register("issue_comment", action="edited")
async def written(event: Event, miso: Miso) -> None:
    """Never our own: a bot that answers itself never stops (rule 15). Of comments on issues only a link is heard."""
    seen = IssueCommentEvent.model_validate(event.data)
    app = seen.comment.performed_via_github_app
    if app is not None and app.id == miso.rules.app_id:
        return
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    comment = Written(
        pull_request=seen.issue.number,
        comment_id=seen.comment.id,
        login=seen.comment.user.login,
        user_id=seen.comment.user.id,
        is_bot=seen.comment.user.type == "Bot" or app is not None,
        app_id=app.id if app is not None else 0,
        text=seen.comment.body,
        edited=event.data["action"] == "edited",
        editor_id=seen.sender.id,
        on_issue=seen.issue.pull_request is None,
    )
    await commands.written(miso, origin, comment)
