"""Deployments and their statuses, with GitHub's traps: automatic merging, required contexts, selective inactivation.

https://docs.github.com/en/rest/deployments
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.git import Person, make_commit, merge_base, only_in
from bot.sim.github.problems import Problem
from bot.sim.github.routing import Answer, Call, GitHub, Routes, invalid
from bot.sim.github.shapes import places, work
from bot.sim.github.state import CommitStatus, Deployment, DeploymentStatus, Environment, Repository

routes = Routes()
STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
DESCRIPTION_LIMIT = 140


def add_deployment(github: GitHub, repo: Repository, deployment: Deployment) -> Deployment:
    """Keep it and tell the App. An environment of a new name comes into being without any rule, as on GitHub."""
    state = github.state
    repo.deployments[deployment.id] = deployment
    if deployment.environment not in repo.environments:
        repo.environments[deployment.environment] = Environment(
            id=state.next_id(), name=deployment.environment, created=state.clock()
        )
    github.events.deployment(repo, deployment, repo.runs.get(deployment.run_id or 0))
    return deployment


def add_status(
    github: GitHub, repo: Repository, deployment: Deployment, status: DeploymentStatus, *, auto_inactive: bool = True
) -> DeploymentStatus:
    """Keep it, tell the App, and switch off earlier successes where GitHub does: never those of production."""
    deployment.statuses.append(status)
    if status.state == "success" and auto_inactive:
        for other in list(repo.deployments.values()):
            if (
                other.id < deployment.id
                and other.environment == deployment.environment
                and other.active()
                and not other.transient
                and not other.production
            ):
                other.statuses.append(_inactive(github, other, status))
    github.events.deployment_status(repo, deployment, status)
    return status


def _inactive(github: GitHub, deployment: Deployment, because: DeploymentStatus) -> DeploymentStatus:
    return DeploymentStatus(
        id=github.state.next_id(),
        state="inactive",
        description="",
        environment=deployment.environment,
        environment_url="",
        log_url="",
        creator_id=because.creator_id,
        app=because.app,
        at=github.state.clock(),
    )


def _deployment(call: Call) -> Deployment:
    found = call.repository.deployments.get(call.number("deployment_id"))
    if found is None:
        raise Problem(404, "Not Found")
    return found


@routes("GET", "/repos/{owner}/{repo}/deployments", "deployments:read")
def list_deployments(call: Call) -> Any:
    """Newest first; `sha`, `ref`, `task` and `environment` narrow."""
    query = call.request.query
    found = [
        deployment
        for deployment in reversed(call.repository.deployments.values())
        if all(
            query.get(key) in (None, "none", getattr(deployment, key)) for key in ("sha", "ref", "task", "environment")
        )
    ]
    return [work.deployment(call.state, call.repository, deployment) for deployment in call.page(found)]


@routes("POST", "/repos/{owner}/{repo}/deployments", "deployments:write")
def create_deployment(call: Call) -> Any:
    repo, state = call.repository, call.state
    ref = call.text("ref")
    try:
        sha = repo.resolve(ref)
    except Problem:
        raise Problem(422, f"No ref found for: {ref}") from None
    description = call.maybe("description", most=DESCRIPTION_LIMIT)
    if call.flag("auto_merge", True):
        merged = _auto_merge(call, repo, ref, sha)
        if merged is not None:
            return merged
    _contexts(call, repo, sha)
    environment = call.text("environment", default="production")
    payload = call.body.get("payload", "")
    if not isinstance(payload, str | dict):
        raise invalid("payload")
    deployment = Deployment(
        id=state.next_id(),
        sha=sha,
        ref=ref,
        task=call.text("task", default="deploy", most=128),
        payload=payload,
        environment=environment,
        description=description,
        creator_id=state.bot.id,
        app=state.app.slug,
        created=state.clock(),
        transient=call.flag("transient_environment", False),
        production=call.flag("production_environment", environment == "production"),
    )
    return Answer(201, work.deployment(state, repo, add_deployment(call.github, repo, deployment)))


def _auto_merge(call: Call, repo: Repository, ref: str, sha: str) -> Answer | None:
    """202 and no deployment when the default branch had to be merged into the ref first; 409 when that conflicts."""
    default = repo.branches[repo.default_branch]
    if ref not in repo.branches or not only_in(repo.commits, default, sha):
        return None
    base = merge_base(repo.commits, default, sha)
    before = repo.commits[base].tree if base is not None else {}
    ours, theirs = repo.commits[sha].tree, repo.commits[default].tree
    paths = set(before) | set(ours) | set(theirs)
    if any(
        before.get(p) != ours.get(p) and before.get(p) != theirs.get(p) and ours.get(p) != theirs.get(p) for p in paths
    ):
        raise Problem(409, f"Conflict merging {repo.default_branch} into {ref}.")
    tree = {p: text for p in paths if (text := (ours if ours.get(p) != before.get(p) else theirs).get(p)) is not None}
    bot = call.state.bot
    person = Person(bot.login, bot.email, bot.id)
    commit = make_commit(
        message=f"Merge branch '{repo.default_branch}' into {ref}",
        author=person,
        committer=person,
        parents=(sha, default),
        tree=tree,
        at=call.state.clock(),
    )
    repo.commits[commit.sha], before_sha, repo.branches[ref] = commit, sha, commit.sha
    call.github.events.push(repo, ref, before_sha, [commit], commit.sha, bot.id)
    return Answer(202, {"message": f"Auto-merged {repo.default_branch} into {ref} on deployment."})


def _contexts(call: Call, repo: Repository, sha: str) -> None:
    """Without `required_contexts` every context that was ever reported for the commit must be green."""
    latest = {status.context: status.state for status in repo.statuses if status.sha == sha}
    for check in repo.checks.values():
        if check.head_sha == sha:
            green = check.conclusion in ("success", "neutral", "skipped")
            latest[check.name] = "success" if green else "pending"
    wanted = call.body.get("required_contexts")
    if wanted is None:
        wanted = list(latest)
    if not isinstance(wanted, list):
        raise invalid("required_contexts")
    failed = [context for context in wanted if latest.get(context) != "success"]
    if failed:
        contexts = [{"context": context, "state": latest.get(context, "pending")} for context in wanted]
        error = {"contexts": contexts, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}
        raise Problem(409, "Conflict: Commit status checks failed for " + ", ".join(failed), [error])


@routes("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}", "deployments:read")
def get_deployment(call: Call) -> Any:
    return work.deployment(call.state, call.repository, _deployment(call))


@routes("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", "deployments:read")
def list_statuses(call: Call) -> Any:
    """Newest first."""
    deployment = _deployment(call)
    found = call.page(list(reversed(deployment.statuses)))
    return [work.deployment_status(call.state, call.repository, deployment, status) for status in found]


@routes("POST", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", "deployments:write")
def create_status(call: Call) -> Any:
    deployment, state = _deployment(call), call.state
    if call.text("state") not in STATES:
        raise invalid("state")
    if "log_url" in call.body and "target_url" in call.body:
        raise invalid("log_url", "custom", "log_url and target_url exclude each other")
    status = DeploymentStatus(
        id=state.next_id(),
        state=call.text("state"),
        description=call.text("description", most=DESCRIPTION_LIMIT, default=""),
        environment=call.text("environment", default=deployment.environment),
        environment_url=_web(call, "environment_url"),
        log_url=_web(call, "log_url") or _web(call, "target_url"),
        creator_id=state.bot.id,
        app=state.app.slug,
        at=state.clock(),
    )
    add_status(call.github, call.repository, deployment, status, auto_inactive=call.flag("auto_inactive", True))
    return Answer(201, work.deployment_status(state, call.repository, deployment, status))


def _web(call: Call, key: str) -> str:
    url = call.text(key, default="")
    if url and not url.startswith(("http://", "https://")):
        raise invalid(key, "custom", f"{key} must use http(s) scheme")
    return url


@routes("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses:write")
def create_commit_status(call: Call) -> Any:
    repo, state = call.repository, call.state
    if call.text("state") not in ("error", "failure", "pending", "success"):
        raise invalid("state")
    if call.name("sha") not in repo.commits:
        raise Problem(422, f"No commit found for SHA: {call.name('sha')}")
    status = CommitStatus(
        id=state.next_id(),
        sha=call.name("sha"),
        context=call.text("context", default="default"),
        state=call.text("state"),
        description=call.maybe("description", most=DESCRIPTION_LIMIT),
        target_url=call.maybe("target_url"),
        creator_id=state.bot.id,
        at=state.clock(),
    )
    repo.statuses.append(status)
    call.github.events.status(repo, status)
    return Answer(201, work.commit_status(state, repo, status))


@routes("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", "statuses:read")
def list_commit_statuses(call: Call) -> Any:
    sha = call.repository.resolve(call.name("ref"))
    found = [status for status in reversed(call.repository.statuses) if status.sha == sha]
    return [work.commit_status(call.state, call.repository, status) for status in call.page(found)]


@routes("GET", "/repos/{owner}/{repo}/commits/{ref}/status", "statuses:read")
def combined_status(call: Call) -> Any:
    repo, sha = call.repository, call.repository.resolve(call.name("ref"))
    latest = {status.context: status for status in repo.statuses if status.sha == sha}
    states = {status.state for status in latest.values()}
    worst = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    written = []
    for status in latest.values():
        entry = work.commit_status(call.state, repo, status)
        del entry["creator"]
        written.append(entry)
    api = places.repo_url(call.state, repo)
    return {
        "state": worst,
        "statuses": written,
        "sha": sha,
        "total_count": len(latest),
        "repository": places.minimal_repository(call.state, repo),
        "commit_url": f"{api}/commits/{sha}",
        "url": f"{api}/commits/{sha}/status",
    }
