"""Somebody reported how a GitHub deployment went: we ourselves, a workflow's job, or somebody who went around us."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import DeploymentStatusEvent, made_by, made_by_actions
from bot.domain.model import Actor, ActorKind
from bot.services import bypasses
from bot.services.access import Origin
from bot.services.bypasses import Reported

router = Router()


@router.register("deployment_status", action="created")
async def created(event: Event, miso: Miso) -> None:
    """Only "success" says that something runs; our own word is no news."""
    seen = DeploymentStatusEvent.model_validate(event.data)
    status, made = seen.deployment_status, seen.deployment
    if status.state != "success":
        return
    if made_by(status.performed_via_github_app, seen.sender, app_id=miso.rules.app_id, slug=miso.rules.app_slug):
        return
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    reported = Reported(
        deployment_id=made.id,
        run_id=seen.workflow_run.id if seen.workflow_run is not None else 0,
        commit=made.sha,
        environment=made.environment,
        by_actions=made_by_actions(status.performed_via_github_app, seen.sender),
    )
    actor = Actor(kind=ActorKind.PERSON, id=seen.sender.id, login=seen.sender.login)
    await bypasses.deployment_reported(miso, origin, actor, reported)
