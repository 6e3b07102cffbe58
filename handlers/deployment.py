"""A GitHub deployment was made: by us, by a workflow at its gate, or by somebody who went around us."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import DeploymentEvent
from bot.services import audits
from bot.services.access import Origin

router = Router()

ACTIONS_BOT = "github-actions[bot]"
"""No person can have this login: GitHub allows no brackets in one."""


@router.register("deployment", action="created")
async def created(event: Event, miso: Miso) -> None:
    """Ours end here; everything else on a registered environment is written down, never executed."""
    seen = DeploymentEvent.model_validate(event.data)
    made = seen.deployment
    app = made.performed_via_github_app
    # GitHub does not always name the App; its account's name is reserved for it then.
    if (app is not None and app.id == miso.rules.app_id) or (
        app is None and seen.sender.type == "Bot" and seen.sender.login == f"{miso.rules.app_slug}[bot]"
    ):
        return
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    await audits.deployment_seen(
        miso,
        origin,
        deployment_id=made.id,
        commit=made.sha,
        environment=made.environment,
        login=seen.sender.login,
        user_id=seen.sender.id,
        # A job with `environment:` makes GitHub create one in this name, with or without naming the App.
        by_actions=(app is not None and app.slug == "github-actions") or seen.sender.login == ACTIONS_BOT,
    )
