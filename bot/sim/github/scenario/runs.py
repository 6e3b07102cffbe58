"""Verbs about workflow runs and the tokens that their jobs get."""

from __future__ import annotations

from typing import TypedDict

from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground, Identified
from bot.sim.github.state import CheckRun, CommitStatus, Repository, Run


class RunSeen(TypedDict):
    id: int
    run_number: int
    run_attempt: int
    head_sha: str
    url: str


class Runs(Ground):
    def run_workflow(
        self,
        repository: str,
        *,
        path: str = ".github/workflows/build.yml",
        event: str = "push",
        head_sha: str | None = None,
        branch: str | None = None,
        actor: str | None = None,
        conclusion: str | None = "success",
        run_id: int | None = None,
        head_repository: str | None = None,
    ) -> RunSeen:
        """Run a workflow to its conclusion, or leave it running with None. `run_id` runs an old one again."""
        repo, state = self.repo(repository), self.github.state
        name = branch or repo.default_branch
        sha = head_sha or repo.branches.get(name)
        if sha is None or sha not in repo.commits:
            raise Misused(f"no commit {sha} on {name}")
        who = self.person(actor).id if actor is not None else repo.commits[sha].author.user_id or repo.owner_id
        if run_id is not None:
            run = self.run(repo, run_id)
            run.attempt, run.conclusion, run.updated = run.attempt + 1, None, state.clock()
        else:
            run = Run(
                id=state.next_id(),
                path=path,
                event=event,
                head_sha=sha,
                head_branch=name,
                head_repository=repo.id if head_repository is None else self.repo(head_repository).id,
                actor_id=who,
                number=sum(old.path == path for old in repo.runs.values()) + 1,
                attempt=1,
                workflow_id=repo.workflows.setdefault(path, state.next_id()),
                status="queued",
                conclusion=None,
                created=state.clock(),
                updated=state.clock(),
            )
            repo.runs[run.id] = run
        run.status = "queued"
        self.github.events.workflow_run(repo, run, "requested")
        run.status = "in_progress"
        self.github.events.workflow_run(repo, run, "in_progress")
        if conclusion is not None:
            self._finish(repo, run, conclusion)
        return {
            "id": run.id,
            "run_number": run.number,
            "run_attempt": run.attempt,
            "head_sha": run.head_sha,
            "url": f"{state.web_url}/{state.full_name(repo)}/actions/runs/{run.id}",
        }

    def complete_run(self, repository: str, run_id: int, conclusion: str = "success") -> None:
        repo = self.repo(repository)
        self._finish(repo, self.run(repo, run_id), conclusion)

    def report_status(
        self, repository: str, login: str, sha: str, context: str, *, state: str = "success", description: str = ""
    ) -> None:
        """Somebody with `statuses:write` reports a commit status under whatever name they like."""
        repo, who, at = self.repo(repository), self.person(login).id, self.github.state.clock()
        if sha not in repo.commits:
            raise Misused(f"no commit {sha}")
        status = CommitStatus(self.github.state.next_id(), sha, context, state, description, None, who, at)
        repo.statuses.append(status)
        self.github.events.status(repo, status)

    def foreign_check(
        self, repository: str, name: str, head_sha: str, *, app: str = "other-ci", conclusion: str = "success"
    ) -> Identified:
        """A check run of another App, perhaps under our name. Nobody tells our App about it but a listing."""
        repo, state = self.repo(repository), self.github.state
        check = CheckRun(
            id=state.next_id(),
            name=name,
            head_sha=head_sha,
            app=app,
            external_id="",
            details_url=None,
            status="completed",
            conclusion=conclusion,
            started=state.clock(),
            completed=state.clock(),
            output={},
        )
        repo.checks[check.id] = check
        return {"id": check.id}

    def _finish(self, repo: Repository, run: Run, conclusion: str) -> None:
        run.status, run.conclusion, run.updated = "completed", conclusion, self.github.state.clock()
        self.github.events.workflow_run(repo, run, "completed")
