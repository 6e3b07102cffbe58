"""What the pretend GitHub remembers: people, repositories, pull requests, deployments, checks, runs, installations.

Written by the REST routes and by the scenario verbs alike; rendered by `shapes`. Times are seconds since the epoch by
the world's clock, ids are numbers from one counter. Nothing here speaks HTTP.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.sim.github.git import Commit, Tree
from bot.sim.github.guest import AppIdentity, Installation, Token
from bot.sim.github.problems import Problem

ACTIONS = "github-actions"
"""Slug of the App under which the jobs of workflows report their check runs; its id on github.com is 15368."""


@dataclass
class User:
    id: int
    login: str
    kind: str = "User"
    name: str = ""
    email: str = ""


@dataclass
class Reaction:
    id: int
    user_id: int
    content: str
    at: float


@dataclass
class Comment:
    """A comment of a pull request's conversation. `app`: slug of the App it was written through, if any."""

    id: int
    number: int
    user_id: int
    body: str
    created: float
    updated: float
    app: str | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class Review:
    id: int
    user_id: int
    state: str
    body: str
    commit_id: str
    at: float


@dataclass
class Pull:
    """One pull request. `head_repository` is None once its fork was deleted."""

    number: int
    id: int
    title: str
    body: str
    user_id: int
    head_ref: str
    head_sha: str
    head_repository: int | None
    head_user: int
    base_ref: str
    base_sha: str
    created: float
    updated: float
    commits: list[str] = field(default_factory=list)
    state: str = "open"
    merged_at: float | None = None
    closed_at: float | None = None
    merged_by: int | None = None
    merge_commit_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)


@dataclass
class DeploymentStatus:
    id: int
    state: str
    description: str
    environment: str
    environment_url: str
    log_url: str
    creator_id: int
    app: str | None
    at: float


@dataclass
class Deployment:
    id: int
    sha: str
    ref: str
    task: str
    payload: Any
    environment: str
    description: str | None
    creator_id: int
    app: str | None
    created: float
    transient: bool
    production: bool
    statuses: list[DeploymentStatus] = field(default_factory=list)
    run_id: int | None = None

    def active(self) -> bool:
        return bool(self.statuses) and self.statuses[-1].state == "success"


@dataclass
class CheckRun:
    id: int
    name: str
    head_sha: str
    app: str
    external_id: str
    details_url: str | None
    status: str
    conclusion: str | None
    started: float
    completed: float | None
    output: dict[str, Any]
    actions: list[dict[str, str]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class CommitStatus:
    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator_id: int
    at: float


@dataclass
class Run:
    """One attempt-counted run of a workflow."""

    id: int
    path: str
    event: str
    head_sha: str
    head_branch: str
    head_repository: int
    actor_id: int
    number: int
    attempt: int
    workflow_id: int
    status: str
    conclusion: str | None
    created: float
    updated: float
    approvals: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Gate:
    """One protected job that waits: a run, an environment, and what was said about it."""

    run_id: int
    environment: str
    deployment_id: int
    created: float
    state: str = "pending"
    comments: list[str] = field(default_factory=list)


@dataclass
class Environment:
    id: int
    name: str
    reviewers: list[int] = field(default_factory=list)
    app_rule: bool = False
    prevent_self_review: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    created: float = 0.0


@dataclass
class Repository:
    """One repository. Forks share the dictionary `commits` with their parent, as GitHub's networks do."""

    id: int
    owner_id: int
    name: str
    private: bool
    default_branch: str
    created: float
    fork_of: int | None = None
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    collaborators: dict[int, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    statuses: list[CommitStatus] = field(default_factory=list)
    runs: dict[int, Run] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)
    workflows: dict[str, int] = field(default_factory=dict)

    def tree(self, ref: str) -> Tree:
        return self.commits[self.resolve(ref)].tree

    def resolve(self, ref: str) -> str:
        """The SHA behind a branch, a full ref or an unambiguous SHA of at least seven digits; 404 otherwise."""
        name = ref.removeprefix("refs/").removeprefix("heads/")
        if name in self.branches:
            return self.branches[name]
        if ref in self.commits:
            return ref
        found = [sha for sha in self.commits if len(ref) >= 7 and sha.startswith(ref)]
        if len(found) == 1:
            return found[0]
        raise Problem(404, f"No commit found for SHA: {ref}")


@dataclass
class Team:
    """A team of an organisation: user id → `member` or `maintainer`. Members of child teams are its members too."""

    id: int
    organization_id: int
    name: str
    slug: str
    parent_id: int | None = None
    members: dict[int, str] = field(default_factory=dict)


class State:
    """Everything that the pretend GitHub remembers, with the few look-ups that every part needs."""

    def __init__(self, app: AppIdentity, clock: Callable[[], float] = time.time) -> None:
        self.app, self.clock = app, clock
        self.api_url = self.web_url = ""
        self.users: dict[int, User] = {}
        self.foreign_apps: dict[str, int] = {ACTIONS: 15368}
        self.teams: dict[int, Team] = {}
        self.repositories: dict[int, Repository] = {}
        self.redirects: dict[str, int] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.rate_limit = 5000
        self.used: dict[str, int] = {}
        self._ids: Iterator[int] = itertools.count(1001)
        self.bot = self.add_user(f"{app.slug}[bot]", kind="Bot")
        self.actions_bot = self.add_user("github-actions[bot]", kind="Bot")
        self.web_flow = self.add_user("web-flow", email="noreply@github.com", name="GitHub")
        self.app_owner = self.add_user("miso-makers", kind="Organization")

    def next_id(self) -> int:
        return next(self._ids)

    def node_id(self, kind: str, number: int | str) -> str:
        return f"{kind}_{hashlib.sha256(f'{kind}{number}'.encode()).hexdigest()[:16]}"

    def add_user(self, login: str, *, kind: str = "User", name: str = "", email: str = "") -> User:
        number = self.next_id()
        user = User(number, login, kind, name or login, email or f"{number}+{login}@users.noreply.github.com")
        self.users[number] = user
        return user

    def user(self, login: str) -> User:
        """The account of that login, whatever its case; 404 when there is none."""
        for user in self.users.values():
            if user.login.casefold() == login.casefold():
                return user
        raise Problem(404, "Not Found")

    def app_id(self, slug: str) -> int:
        """The id of the guest App, or of any other App, which needs no more than a name here."""
        if slug == self.app.slug:
            return self.app.id
        return self.foreign_apps.setdefault(slug, self.next_id())

    def foreign_bot(self, slug: str) -> User:
        """The account under which another App acts."""
        login = f"{slug}[bot]"
        known = (user for user in self.users.values() if user.login == login)
        return next(known, None) or self.add_user(login, kind="Bot")

    def full_name(self, repository: Repository) -> str:
        return f"{self.users[repository.owner_id].login}/{repository.name}"

    def by_name(self, full_name: str) -> Repository | None:
        wanted = full_name.casefold()
        for repository in self.repositories.values():
            if self.full_name(repository).casefold() == wanted:
                return repository
        return None

    def moved_to(self, full_name: str) -> Repository | None:
        """Where a former name leads now."""
        number = self.redirects.get(full_name.casefold())
        return self.repositories.get(number) if number is not None else None

    def installation_for(self, repository: Repository) -> Installation | None:
        """The App's installation that covers this repository, suspended or not."""
        for installation in self.installations.values():
            if installation.account_id == repository.owner_id and (
                installation.selected is None or repository.id in installation.selected
            ):
                return installation
        return None
