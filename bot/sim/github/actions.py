"""Workflow runs and the gates before protected environments.

https://docs.github.com/en/rest/actions/workflow-runs. A rejection ends the run; ten comments without a decision are
all that one gate takes.
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.problems import Problem
from bot.sim.github.routing import Answer, Call, GitHub, Routes, invalid
from bot.sim.github.shapes import places, work
from bot.sim.github.state import Gate, Repository, Run

routes = Routes()
REPORT_LIMIT = 10
COMMENT_LIMIT = 1024


def settle_gate(github: GitHub, repo: Repository, gate: Gate, state: str) -> None:
    """Open or close the gate. A closed one fails the run, an open one lets it go on."""
    gate.state = state
    run = repo.runs[gate.run_id]
    run.updated = github.state.clock()
    if state == "rejected":
        run.status, run.conclusion = "completed", "failure"
        github.events.workflow_run(repo, run, "completed")
    elif not any(other.state == "pending" and other.run_id == run.id for other in repo.gates):
        run.status = "in_progress"


def _run(call: Call) -> Run:
    found = call.repository.runs.get(call.number("run_id"))
    if found is None:
        raise Problem(404, "Not Found")
    return found


@routes("GET", "/repos/{owner}/{repo}/actions/runs", "actions:read")
def list_runs(call: Call) -> Any:
    """Newest first."""
    query, repo = call.request.query, call.repository
    found = [
        run
        for run in reversed(repo.runs.values())
        if query.get("event") in (None, run.event)
        and query.get("branch") in (None, run.head_branch)
        and query.get("head_sha") in (None, run.head_sha)
        and query.get("status") in (None, run.status, run.conclusion)
    ]
    return {
        "total_count": len(found),
        "workflow_runs": [work.workflow_run(call.state, repo, run) for run in call.page(found)],
    }


@routes("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", "actions:read")
def get_run(call: Call) -> Any:
    return work.workflow_run(call.state, call.repository, _run(call))


@routes("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/approvals", "actions:read")
def list_approvals(call: Call) -> Any:
    """What people decided at the gates of the run."""
    repo = call.repository
    written = []
    for approval in _run(call).approvals:
        environment = repo.environments[approval["environment"]]
        whole = places.environment(call.state, repo, environment)
        del whole["protection_rules"], whole["deployment_branch_policy"]
        written.append(
            {
                "environments": [whole],
                "state": approval["state"],
                "user": places.user(call.state, approval["user_id"]),
                "comment": approval["comment"],
            }
        )
    return written


@routes("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments", "actions:read")
def list_pending(call: Call) -> Any:
    repo, run = call.repository, _run(call)
    written = []
    for gate in repo.gates:
        if gate.run_id != run.id or gate.state != "pending":
            continue
        environment = repo.environments[gate.environment]
        whole = places.environment(call.state, repo, environment)
        written.append(
            {
                "environment": {key: whole[key] for key in ("id", "node_id", "name", "url", "html_url")},
                "wait_timer": 0,
                "wait_timer_started_at": None,
                "current_user_can_approve": False,
                "reviewers": [
                    {"type": "User", "reviewer": places.user(call.state, number)} for number in environment.reviewers
                ],
            }
        )
    return written


@routes("POST", "/repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule", "deployments:write")
def review_rule(call: Call) -> Any:
    """Approve, reject, or only say something. An App answers its own rule alone."""
    repo, run = call.repository, _run(call)
    name = call.text("environment_name")
    gate = next((g for g in repo.gates if g.run_id == run.id and g.environment == name), None)
    if gate is None or not repo.environments[name].app_rule:
        raise invalid("environment_name", "custom", "No pending deployment protection rule of this App")
    comment = call.maybe("comment", most=COMMENT_LIMIT)
    state = call.maybe("state")
    if state not in (None, "approved", "rejected"):
        raise invalid("state")
    if gate.state != "pending":
        raise invalid("state", "custom", "The deployment protection rule was already reviewed")
    if state is None:
        if not comment:
            raise invalid("comment", "missing_field")
        if len(gate.comments) >= REPORT_LIMIT:
            raise invalid("comment", "custom", f"No more than {REPORT_LIMIT} status reports are allowed")
    if comment is not None:
        gate.comments.append(comment)
    if state is not None:
        settle_gate(call.github, repo, gate, state)
    return Answer(204)
