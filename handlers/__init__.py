"""Doors for GitHub: one file an event, named for what happened. Guard, read fields, make one call.

The worker looks a delivery's event up in `router` and awaits what it finds. A door decides nothing and deploys nothing;
what it reads is a hint that the verb asks GitHub about again.
"""

from __future__ import annotations

from gidgethub.routing import Router

from handlers import (
    check_run,
    deployment,
    deployment_protection_rule,
    deployment_review,
    deployment_status,
    installation,
    installation_repositories,
    issue_comment,
    pull_request,
    repository,
    workflow_run,
)

__all__ = ["router"]

router = Router(
    check_run.router,
    deployment.router,
    deployment_protection_rule.router,
    deployment_review.router,
    deployment_status.router,
    installation.router,
    installation_repositories.router,
    issue_comment.router,
    pull_request.router,
    repository.router,
    workflow_run.router,
)
