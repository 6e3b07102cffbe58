"""The App as the pretend GitHub's guest: who it is, what it may do by default, where it is installed, its tokens.

Data alone; `apps` holds the routes and `credentials` judges what a request brings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

APP_PERMISSIONS = {
    "actions": "read",
    "actions_variables": "read",
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "environments": "read",
    "issues": "write",
    "members": "read",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
APP_EVENTS = (
    "check_run",
    "check_suite",
    "deployment",
    "deployment_protection_rule",
    "deployment_review",
    "deployment_status",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "push",
    "release",
    "repository",
    "status",
    "workflow_run",
)


@dataclass
class Installation:
    id: int
    account_id: int
    permissions: dict[str, str]
    events: tuple[str, ...]
    selected: set[int] | None
    created: float
    suspended: float | None = None
    suspended_by: int | None = None


@dataclass(frozen=True)
class Token:
    """One installation token with the scope it was asked for. `repositories` None: all of the installation."""

    value: str = field(repr=False)
    installation_id: int
    repositories: frozenset[int] | None
    permissions: dict[str, str]
    expires: float


@dataclass(frozen=True)
class AppIdentity:
    """The one App that the pretend GitHub knows as its guest. `public_key` verifies its JWT."""

    id: int
    slug: str
    public_key: Any
    permissions: dict[str, str]
    events: tuple[str, ...]
    client_id: str = "Iv23liMisoDemo000000"
