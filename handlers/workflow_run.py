"""A workflow run has finished: perhaps a build that goes to dev."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import WorkflowRunEvent
from bot.services import releases
from bot.services.access import Origin
from bot.services.releases import Build

router = Router()


@router.register("workflow_run", action="completed")
async def completed(event: Event, miso: Miso) -> None:
    """Only a success in this very repository, of a push or of an open pull request, can be a build."""
    seen = WorkflowRunEvent.model_validate(event.data)
    run = seen.workflow_run
    home = run.head_repository is not None and run.head_repository.id == seen.repository.id
    if run.conclusion != "success" or run.event not in ("push", "pull_request") or not home:
        return
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    await releases.build_finished(miso, origin, Build(run_id=run.id, attempt=run.run_attempt, commit=run.head_sha))
