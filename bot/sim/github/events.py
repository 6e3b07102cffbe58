"""What the pretend GitHub tells the App: one method an event, each with the payload that GitHub describes.

https://docs.github.com/en/webhooks/webhook-events-and-payloads. Called by routes and verbs after the state changed.
An event goes out when the App is installed on the repository, not suspended, and subscribed to it.
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.git import Commit
from bot.sim.github.guest import Installation
from bot.sim.github.shapes import commits, places, pulls, work
from bot.sim.github.state import (
    CheckRun,
    Comment,
    CommitStatus,
    Deployment,
    DeploymentStatus,
    Environment,
    Gate,
    Pull,
    Repository,
    Review,
    Run,
    State,
)
from bot.sim.github.webhooks import Webhooks

Json = dict[str, Any]


class Events:
    def __init__(self, state: State, webhooks: Webhooks) -> None:
        self.state, self.webhooks = state, webhooks

    def _tell(self, event: str, repo: Repository, sender: int, payload: Json) -> None:
        installation = self.state.installation_for(repo)
        if installation is None or installation.suspended is not None or event not in installation.events:
            return
        whole = payload | {
            "repository": places.repository(self.state, repo),
            "sender": places.user(self.state, sender),
            "installation": {
                "id": installation.id,
                "node_id": self.state.node_id("INS", installation.id),
            },
        }
        if self.state.users[repo.owner_id].kind == "Organization":
            whole["organization"] = places.organization(self.state, repo.owner_id)
        self.webhooks.emit(event, whole, installation_id=installation.id, repository_id=repo.id)

    def push(
        self,
        repo: Repository,
        branch: str,
        before: str | None,
        new: list[Commit],
        after: str,
        who: int,
        *,
        forced: bool = False,
    ) -> None:
        person = self.state.users[who]
        page = places.repo_page(self.state, repo)
        written = [commits.pushed_commit(self.state, repo, commit) for commit in new]
        payload: Json = {
            "ref": f"refs/heads/{branch}",
            "before": before or "0" * 40,
            "after": after,
            "base_ref": None,
            "compare": f"{page}/compare/{(before or after)[:12]}...{after[:12]}",
            "created": before is None,
            "deleted": False,
            "forced": forced,
            "commits": written,
            "head_commit": commits.pushed_commit(self.state, repo, repo.commits[after]),
            "pusher": {"name": person.login, "email": person.email},
        }
        self._tell("push", repo, who, payload)

    def pull_request(self, repo: Repository, pull: Pull, action: str, who: int, **extra: Any) -> None:
        payload = {
            "action": action,
            "number": pull.number,
            "pull_request": pulls.full_pull(self.state, repo, pull),
        }
        self._tell("pull_request", repo, who, payload | extra)

    def review(self, repo: Repository, pull: Pull, review: Review) -> None:
        written = pulls.review(self.state, repo, pull, review) | {"state": review.state.lower()}
        payload = {
            "action": "submitted",
            "review": written,
            "pull_request": pulls.simple_pull(self.state, repo, pull),
        }
        self._tell("pull_request_review", repo, review.user_id, payload)

    def issue_comment(self, repo: Repository, comment: Comment, action: str, who: int, **extra: Any) -> None:
        payload = {
            "action": action,
            "issue": pulls.issue(self.state, repo, repo.pulls[comment.number]),
            "comment": pulls.comment(self.state, repo, comment),
        }
        self._tell("issue_comment", repo, who, payload | extra)

    def check_run(self, repo: Repository, check: CheckRun, action: str, who: int, **extra: Any) -> None:
        self._tell(
            "check_run",
            repo,
            who,
            {"action": action, "check_run": work.check_run(self.state, repo, check)} | extra,
        )

    def status(self, repo: Repository, status: CommitStatus) -> None:
        commit = repo.commits[status.sha]
        rendered = commits.commit(self.state, repo, commit)
        payload = {
            "id": status.id,
            "sha": status.sha,
            "name": self.state.full_name(repo),
            "target_url": status.target_url,
            "avatar_url": f"{self.state.web_url}/avatars/{status.creator_id}",
            "context": status.context,
            "description": status.description,
            "state": status.state,
            "commit": rendered,
            "branches": [
                {"name": name, "commit": {"sha": sha, "url": rendered["url"]}, "protected": False}
                for name, sha in repo.branches.items()
                if sha == status.sha
            ],
            "created_at": places.when(status.at),
            "updated_at": places.when(status.at),
        }
        self._tell("status", repo, status.creator_id, payload)

    def deployment(self, repo: Repository, deployment: Deployment, run: Run | None = None) -> None:
        payload = {
            "action": "created",
            "deployment": work.deployment(self.state, repo, deployment),
            "workflow": None if run is None else work.workflow(self.state, repo, run),
            "workflow_run": None if run is None else self._run_in_brief(repo, run),
        }
        self._tell("deployment", repo, deployment.creator_id, payload)

    def deployment_status(self, repo: Repository, deployment: Deployment, status: DeploymentStatus) -> None:
        """Nothing is sent for `inactive`, as GitHub documents."""
        if status.state == "inactive":
            return
        run = repo.runs.get(deployment.run_id) if deployment.run_id is not None else None
        payload = {
            "action": "created",
            "deployment": work.deployment(self.state, repo, deployment),
            "deployment_status": work.deployment_status(self.state, repo, deployment, status),
            "check_run": None,
            "workflow": None if run is None else work.workflow(self.state, repo, run),
            "workflow_run": None if run is None else self._run_in_brief(repo, run),
        }
        self._tell("deployment_status", repo, status.creator_id, payload)

    def protection_rule(self, repo: Repository, gate: Gate, run: Run) -> None:
        found = [
            pulls.full_pull(self.state, repo, pull)
            for pull in repo.pulls.values()
            if pull.head_sha == run.head_sha and pull.state == "open"
        ]
        payload = {
            "action": "requested",
            "environment": gate.environment,
            "event": run.event,
            "sha": run.head_sha,
            "ref": f"refs/heads/{run.head_branch}",
            "deployment_callback_url": (
                f"{places.repo_url(self.state, repo)}/actions/runs/{run.id}/deployment_protection_rule"
            ),
            "deployment": work.deployment(self.state, repo, repo.deployments[gate.deployment_id]),
            "pull_requests": found,
        }
        self._tell("deployment_protection_rule", repo, run.actor_id, payload)

    def deployment_review(
        self, repo: Repository, gate: Gate, environment: Environment, who: int, state: str, comment: str
    ) -> None:
        """What a person answered at a gate. `reviewers` are those whom the environment names; `approver` may be
        another, an administrator who went past the rules."""
        job = work.waiting_job(self.state, repo, gate)
        reviewers = [{"type": "User", "reviewer": places.user(self.state, each)} for each in environment.reviewers]
        payload = {
            "action": state,
            "approver": places.user(self.state, who),
            "comment": comment,
            "reviewers": reviewers,
            "since": places.when(gate.created),
            "workflow_job_run": job,
            "workflow_job_runs": [job],
            "workflow_run": self._run_in_brief(repo, repo.runs[gate.run_id]),
        }
        self._tell("deployment_review", repo, who, payload)

    def _run_in_brief(self, repo: Repository, run: Run) -> Json:
        """The run as deployment events carry it: without its commit, and without a word of earlier attempts."""
        whole = work.workflow_run(self.state, repo, run)
        del whole["head_commit"]
        whole["previous_attempt_url"] = None
        return whole

    def workflow_run(self, repo: Repository, run: Run, action: str) -> None:
        payload = {
            "action": action,
            "workflow": work.workflow(self.state, repo, run),
            "workflow_run": work.workflow_run(self.state, repo, run),
        }
        self._tell("workflow_run", repo, run.actor_id, payload)

    def repository(self, repo: Repository, action: str, who: int, changes: Json) -> None:
        self._tell("repository", repo, who, {"action": action, "changes": changes})

    def installation(self, installation: Installation, action: str, who: int, repositories: list[Repository]) -> None:
        """Comes to every App without a subscription, also while it is suspended."""
        payload: Json = {
            "action": action,
            "installation": places.installation(self.state, installation),
            "sender": places.user(self.state, who),
            "repositories": [self._short(repo) for repo in repositories],
        }
        if action == "created":
            payload["requester"] = None
        self.webhooks.emit("installation", payload, installation_id=installation.id, repository_id=None)

    def installation_repositories(
        self, installation: Installation, who: int, *, added: list[Repository], removed: list[Repository]
    ) -> None:
        payload: Json = {
            "action": "added" if added else "removed",
            "installation": places.installation(self.state, installation),
            "repository_selection": "all" if installation.selected is None else "selected",
            "repositories_added": [self._short(repo) for repo in added],
            "repositories_removed": [self._short(repo) for repo in removed],
            "requester": None,
            "sender": places.user(self.state, who),
        }
        self.webhooks.emit("installation_repositories", payload, installation_id=installation.id, repository_id=None)

    def _short(self, repo: Repository) -> Json:
        return {
            "id": repo.id,
            "node_id": self.state.node_id("R", repo.id),
            "name": repo.name,
            "full_name": self.state.full_name(repo),
            "private": repo.private,
        }
