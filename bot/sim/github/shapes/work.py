"""Deployments, check runs, commit statuses, workflow runs and hook deliveries as JSON."""

from __future__ import annotations

import hashlib
from typing import Any

from bot.sim.github.shapes.commits import simple_commit
from bot.sim.github.shapes.places import (
    Json,
    app,
    app_or_none,
    minimal_repository,
    repo_page,
    repo_url,
    user,
    when,
    when_or_none,
)
from bot.sim.github.shapes.pulls import minimal_pulls
from bot.sim.github.state import (
    ACTIONS,
    CheckRun,
    CommitStatus,
    Deployment,
    DeploymentStatus,
    Gate,
    Repository,
    Run,
    State,
)


def deployment(state: State, repo: Repository, found: Deployment) -> Json:
    api = f"{repo_url(state, repo)}/deployments/{found.id}"
    return {
        "url": api,
        "id": found.id,
        "node_id": state.node_id("DE", found.id),
        "sha": found.sha,
        "ref": found.ref,
        "task": found.task,
        "payload": found.payload,
        "original_environment": found.environment,
        "environment": found.environment,
        "description": found.description,
        "creator": user(state, found.creator_id),
        "created_at": when(found.created),
        "updated_at": when(found.statuses[-1].at if found.statuses else found.created),
        "statuses_url": f"{api}/statuses",
        "repository_url": repo_url(state, repo),
        "transient_environment": found.transient,
        "production_environment": found.production,
        "performed_via_github_app": app_or_none(state, found.app),
    }


def deployment_status(state: State, repo: Repository, parent: Deployment, found: DeploymentStatus) -> Json:
    api = f"{repo_url(state, repo)}/deployments/{parent.id}"
    return {
        "url": f"{api}/statuses/{found.id}",
        "id": found.id,
        "node_id": state.node_id("DES", found.id),
        "state": found.state,
        "creator": user(state, found.creator_id),
        "description": found.description,
        "environment": found.environment,
        "target_url": found.log_url,
        "created_at": when(found.at),
        "updated_at": when(found.at),
        "deployment_url": api,
        "repository_url": repo_url(state, repo),
        "environment_url": found.environment_url,
        "log_url": found.log_url,
        "performed_via_github_app": app_or_none(state, found.app),
    }


def check_run(state: State, repo: Repository, found: CheckRun) -> Json:
    api = f"{repo_url(state, repo)}/check-runs/{found.id}"
    page = f"{repo_page(state, repo)}/runs/{found.id}"
    return {
        "id": found.id,
        "name": found.name,
        "node_id": state.node_id("CR", found.id),
        "head_sha": found.head_sha,
        "external_id": found.external_id,
        "url": api,
        "html_url": page,
        "details_url": found.details_url or page,
        "status": found.status,
        "conclusion": found.conclusion,
        "started_at": when(found.started),
        "completed_at": when_or_none(found.completed),
        "output": {
            "title": found.output.get("title"),
            "summary": found.output.get("summary"),
            "text": found.output.get("text"),
            "annotations_count": len(found.annotations),
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": {"id": _suite(found.head_sha, found.app)},
        "app": app(state, found.app),
        "pull_requests": minimal_pulls(state, repo, found.head_sha),
    }


def annotation(state: State, repo: Repository, check: CheckRun, given: Json) -> Json:
    places = {key: given.get(key) for key in ("start_column", "end_column", "title", "raw_details")}
    kept = {key: given[key] for key in ("path", "start_line", "end_line", "annotation_level", "message")}
    page = f"{repo_page(state, repo)}/blob/{check.head_sha}/{given['path']}"
    return {**kept, **places, "blob_href": page}


def _suite(head_sha: str, app: str = ACTIONS) -> int:
    """Each App has one suite of check runs on a commit."""
    return int(hashlib.sha256(f"{head_sha} {app}".encode()).hexdigest()[:8], 16)


def commit_status(state: State, repo: Repository, found: CommitStatus) -> Json:
    return {
        "url": f"{repo_url(state, repo)}/statuses/{found.sha}",
        "avatar_url": f"{state.web_url}/avatars/{found.creator_id}",
        "id": found.id,
        "node_id": state.node_id("SC", found.id),
        "state": found.state,
        "description": found.description,
        "target_url": found.target_url,
        "context": found.context,
        "created_at": when(found.at),
        "updated_at": when(found.at),
        "creator": user(state, found.creator_id),
    }


def _workflow_name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0].capitalize()


def workflow_run(state: State, repo: Repository, run: Run) -> Json:
    api = f"{repo_url(state, repo)}/actions/runs/{run.id}"
    head = state.repositories.get(run.head_repository, repo)
    return {
        "id": run.id,
        "name": _workflow_name(run.path),
        "node_id": state.node_id("WFR", run.id),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "display_title": repo.commits[run.head_sha].message.partition("\n")[0],
        "run_number": run.number,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": run.workflow_id,
        "check_suite_id": _suite(run.head_sha),
        "check_suite_node_id": state.node_id("CS", _suite(run.head_sha)),
        "url": api,
        "html_url": f"{repo_page(state, repo)}/actions/runs/{run.id}",
        "pull_requests": minimal_pulls(state, repo, run.head_sha),
        "created_at": when(run.created),
        "updated_at": when(run.updated),
        "actor": user(state, run.actor_id),
        "run_attempt": run.attempt,
        "referenced_workflows": [],
        "run_started_at": when(run.created),
        "triggering_actor": user(state, run.actor_id),
        "jobs_url": f"{api}/jobs",
        "logs_url": f"{api}/logs",
        "check_suite_url": f"{repo_url(state, repo)}/check-suites/{_suite(run.head_sha)}",
        "artifacts_url": f"{api}/artifacts",
        "cancel_url": f"{api}/cancel",
        "rerun_url": f"{api}/rerun",
        "previous_attempt_url": f"{api}/attempts/{run.attempt - 1}" if run.attempt > 1 else None,
        "workflow_url": f"{repo_url(state, repo)}/actions/workflows/{run.workflow_id}",
        "head_commit": simple_commit(repo.commits[run.head_sha]),
        "repository": minimal_repository(state, repo),
        "head_repository": minimal_repository(state, head),
    }


def waiting_job(state: State, repo: Repository, gate: Gate) -> Json:
    """The job before a gate, as reviews name it. It has no name yet, nor a conclusion."""
    job, at = gate.deployment_id, when(gate.created)
    return {
        "id": job,
        "name": None,
        "status": "waiting",
        "conclusion": None,
        "environment": gate.environment,
        "html_url": f"{repo_page(state, repo)}/actions/runs/{gate.run_id}/job/{job}",
        "created_at": at,
        "updated_at": at,
    }


def workflow(state: State, repo: Repository, run: Run) -> Json:
    """The workflow of a run, as events carry it."""
    return {
        "id": run.workflow_id,
        "node_id": state.node_id("W", run.workflow_id),
        "name": _workflow_name(run.path),
        "path": run.path,
        "state": "active",
        "created_at": when(repo.created),
        "updated_at": when(repo.created),
        "url": f"{repo_url(state, repo)}/actions/workflows/{run.workflow_id}",
        "html_url": f"{repo_page(state, repo)}/blob/{repo.default_branch}/{run.path}",
        "badge_url": f"{repo_page(state, repo)}/workflows/{_workflow_name(run.path)}/badge.svg",
    }


def variable(name: str, value: str, at: float) -> dict[str, Any]:
    return {"name": name, "value": value, "created_at": when(at), "updated_at": when(at)}
