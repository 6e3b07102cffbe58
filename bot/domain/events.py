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
