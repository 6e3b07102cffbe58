"""What there is to see of a repository, for assertions and for the demo's last check."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bot.sim.github.scenario.ground import Ground
from bot.sim.github.state import Comment, Deployment, Pull, Repository

Json = dict[str, Any]


class Seen(Ground):
    def state(self, repository: str) -> Json:
        """Branches, pull requests with comments, deployments with statuses, check runs, runs and gates."""
        repo, state = self.repo(repository), self.github.state
        return {
            "id": repo.id,
            "repository": state.full_name(repo),
            "default_branch": repo.default_branch,
            "branches": dict(repo.branches),
            "pulls": [self._pull_seen(repo, pull) for pull in repo.pulls.values()],
            "deployments": [self._deployment_seen(deployment) for deployment in repo.deployments.values()],
            "checks": [
                {
                    "id": check.id,
                    "name": check.name,
                    "head_sha": check.head_sha,
                    "status": check.status,
                    "conclusion": check.conclusion,
                    "external_id": check.external_id,
                    "details_url": check.details_url,
                    "title": check.output.get("title"),
                    "summary": check.output.get("summary"),
                    "text": check.output.get("text"),
                    "app": check.app,
                    "actions": [dict(action) for action in check.actions],
                    "annotations": [dict(annotation) for annotation in check.annotations],
                }
                for check in repo.checks.values()
            ],
            "runs": [
                {
                    "id": run.id,
                    "path": run.path,
                    "event": run.event,
                    "status": run.status,
                    "conclusion": run.conclusion,
                    "head_sha": run.head_sha,
                    "head_branch": run.head_branch,
                    "attempt": run.attempt,
                }
                for run in repo.runs.values()
            ],
            "gates": [asdict(gate) for gate in repo.gates],
        }

    def people(self, repository: str) -> dict[str, int]:
        """Login → numeric id of everybody with a role there, as policies name people."""
        return {self.github.state.users[number].login: number for number in self.repo(repository).collaborators}

    def _pull_seen(self, repo: Repository, pull: Pull) -> Json:
        return {
            "number": pull.number,
            "title": pull.title,
            "state": pull.state,
            "merged": pull.merged_at is not None,
            "head_sha": pull.head_sha,
            "merge_commit_sha": pull.merge_commit_sha,
            "comments": [self._comment_seen(entry) for entry in repo.comments.values() if entry.number == pull.number],
        }

    def _comment_seen(self, comment: Comment) -> Json:
        users = self.github.state.users
        return {
            "id": comment.id,
            "login": users[comment.user_id].login,
            "body": comment.body,
            "edited": comment.updated != comment.created,
            "via_app": comment.app,
            "reactions": [
                {"login": users[reaction.user_id].login, "content": reaction.content} for reaction in comment.reactions
            ],
        }

    def _deployment_seen(self, deployment: Deployment) -> Json:
        kept = ("id", "sha", "ref", "environment", "task", "payload", "description", "production", "transient")
        shown = ("id", "state", "description", "environment_url", "log_url")
        return {
            **{key: getattr(deployment, key) for key in kept},
            "creator": self.github.state.users[deployment.creator_id].login,
            "statuses": [{key: getattr(status, key) for key in shown} for status in deployment.statuses],
        }
