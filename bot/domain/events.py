"""The parts of GitHub's webhook payloads that Miso reads, as pydantic models: the shape that each event must have.

A payload that does not fit is parked with `event_shape`; unknown keys are GitHub's right. Everything read here is a
hint: verbs ask GitHub again before an effect (rule 21). https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Owner(Payload):
    id: int


class RepositoryPart(Payload):
    id: int
    full_name: str
    default_branch: str = ""
    owner: Owner


class RepositoryId(Payload):
    id: int


class InstallationPart(Payload):
    id: int


class AccountPart(Payload):
    id: int
    login: str
    type: str = "User"


class AppPart(Payload):
    id: int
    slug: str | None = None


def made_by(app: AppPart | None, sender: AccountPart, *, app_id: int, slug: str) -> bool:
    """Whether an App did it. GitHub does not always name the App; its account's name is reserved for it then."""
    if app is not None:
        return app.id == app_id
    return sender.type == "Bot" and sender.login == f"{slug}[bot]"


ACTIONS = "github-actions"
"""The App whose account acts for workflows; no person can have its login, because GitHub allows no brackets in one."""


def made_by_actions(app: AppPart | None, sender: AccountPart) -> bool:
    """Whether a workflow's job did it: GitHub makes deployments for jobs with `environment:`, in this name."""
    return (app is not None and app.slug == ACTIONS) or sender.login == f"{ACTIONS}[bot]"


class Event(Payload):
    """What every event of a repository carries. Without `installation` it cannot be ours."""

    repository: RepositoryPart
    installation: InstallationPart
    sender: AccountPart


class InstallationEvent(Payload):
    """installation, installation_repositories: of an account, not of one repository."""

    installation: InstallationPart


class WorkflowRunPart(Payload):
    id: int
    run_attempt: int = 1
    event: str
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: Sha
    path: str
    head_repository: RepositoryId | None = None


class WorkflowRunEvent(Event):
    workflow_run: WorkflowRunPart


class IssuePart(Payload):
    number: int
    pull_request: dict[str, Any] | None = None


class CommentPart(Payload):
    id: int
    body: str
    user: AccountPart
    performed_via_github_app: AppPart | None = None


class IssueCommentEvent(Event):
    issue: IssuePart
    comment: CommentPart


class CheckRunPart(Payload):
    id: int
    external_id: str | None = None
    head_sha: Sha
    app: AppPart


class RequestedAction(Payload):
    identifier: Annotated[str, Field(max_length=20)]


class CheckRunEvent(Event):
    check_run: CheckRunPart
    requested_action: RequestedAction | None = None


class DeploymentPart(Payload):
    id: int
    sha: Sha
    environment: str
    creator: AccountPart | None = None
    performed_via_github_app: AppPart | None = None


class DeploymentEvent(Event):
    deployment: DeploymentPart


class RunInBrief(Payload):
    id: int
    run_attempt: int = 1
    head_sha: Sha


class DeploymentStatusPart(Payload):
    id: int
    state: str
    performed_via_github_app: AppPart | None = None


class DeploymentStatusEvent(Event):
    deployment: DeploymentPart
    deployment_status: DeploymentStatusPart
    workflow_run: RunInBrief | None = None


class NumberPart(Payload):
    id: int


class ReviewerPart(Payload):
    """Somebody whom an environment names as a reviewer: `type` is "User" or "Team"."""

    type: str = ""
    reviewer: NumberPart | None = None


class JobRunPart(Payload):
    environment: str = ""


class DeploymentReviewEvent(Event):
    """`deployment_review`: a person's answer at an environment's gate. What is missing tells of no bypass."""

    approver: AccountPart | None = None
    reviewers: list[ReviewerPart] = []
    workflow_job_run: JobRunPart | None = None
    workflow_job_runs: list[JobRunPart] = []
    workflow_run: RunInBrief | None = None


class GateEvent(Payload):
    """`deployment_protection_rule`: only action, repository and sender are sure; what is missing means wait."""

    repository: RepositoryPart
    installation: InstallationPart
    sender: AccountPart
    environment: str
    deployment_callback_url: str
    deployment: DeploymentPart


class RepositoryChange(Event):
    """renamed, transferred: the new names stand in `repository`."""


class PullRequestPart(Payload):
    number: int
    merged: bool = False
    merge_commit_sha: str | None = None


class PullRequestEvent(Event):
    pull_request: PullRequestPart
