"""A GitHub deployment was made: by us, by a workflow at its gate, or by somebody who went around us."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import DeploymentEvent, made_by, made_by_actions
from bot.services import audits
from bot.services.access import Origin

router = Router()


@router.register("deployment", action="created")
async def created(event: Event, miso: Miso) -> None:
    """Ours end here; everything else on a registered environment is written down, never executed."""
    seen = DeploymentEvent.model_validate(event.data)
    made = seen.deployment
    if made_by(made.performed_via_github_app, seen.sender, app_id=miso.rules.app_id, slug=miso.rules.app_slug):
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
        by_actions=made_by_actions(made.performed_via_github_app, seen.sender),
    )
