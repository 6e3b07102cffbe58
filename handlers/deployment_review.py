"""A person answered at an environment's gate: as one of its reviewers, or as an administrator past every rule."""

from __future__ import annotations

from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Miso
from bot.domain.events import DeploymentReviewEvent, made_by
from bot.domain.model import Actor, ActorKind
from bot.services import bypasses
from bot.services.access import Origin
from bot.services.bypasses import Review

router = Router()


@router.register("deployment_review", action="approved")
async def approved(event: Event, miso: Miso) -> None:
    """Our own answers come back here too, and are no news."""
    seen = DeploymentReviewEvent.model_validate(event.data)
    approver, run = seen.approver or seen.sender, seen.workflow_run
    if run is None or made_by(None, approver, app_id=miso.rules.app_id, slug=miso.rules.app_slug):
        return
    origin = Origin(delivery=event.delivery_id, installation_id=seen.installation.id, repository_id=seen.repository.id)
    jobs = [*seen.workflow_job_runs, *([seen.workflow_job_run] if seen.workflow_job_run is not None else [])]
    named = {kind: frozenset(r.reviewer.id for r in seen.reviewers if r.reviewer is not None and r.type == kind)
             for kind in ("User", "Team")}  # fmt: skip
    review = Review(
        run_id=run.id,
        attempt=run.run_attempt,
        commit=run.head_sha,
        environments=tuple(dict.fromkeys(job.environment for job in jobs if job.environment)),
        users=named["User"],
        teams=named["Team"],
        owner_id=seen.repository.owner.id,
    )
    actor = Actor(kind=ActorKind.PERSON, id=approver.id, login=approver.login)
    await bypasses.gate_passed(miso, origin, actor, review)
