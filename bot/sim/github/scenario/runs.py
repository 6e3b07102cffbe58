"""Verbs about workflow runs and the tokens that their jobs get."""

from __future__ import annotations

from typing import TypedDict

from bot.sim.github.checks import CONCLUSIONS
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground
from bot.sim.github.state import CheckRun, CommitStatus, Repository, Run


class RunSeen(TypedDict):
    id: int
    run_number: int
    run_attempt: int
    head_sha: str
    url: str


class Reported(TypedDict):
    id: int
    app_id: int


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
        """Run a workflow to its conclusion, or leave it running with None. `run_id` runs an old one again.

        For what an open pull request starts there is `run_for_pull`.
        """
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

    def run_for_pull(
        self,
        repository: str,
        number: int,
        *,
        path: str = ".github/workflows/build.yml",
        event: str = "pull_request",
        conclusion: str | None = "success",
    ) -> RunSeen:
        """The workflow that a pull request starts: on its head, in its branch's name, for the fork that holds it."""
        repo, state = self.repo(repository), self.github.state
        pull = self.pull(repo, number)
        head = None if pull.head_repository is None else state.repositories.get(pull.head_repository)
        if head is None:
            raise Misused("the pull request's fork is gone")
        return self.run_workflow(
            repository,
            path=path,
            event=event,
            head_sha=pull.head_sha,
            branch=pull.head_ref,
            actor=state.users[pull.user_id].login,
            conclusion=conclusion,
            head_repository=state.full_name(head),
        )

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
        self, repository: str, name: str, head_sha: str, *, app: str = "other-ci", conclusion: str | None = "success"
    ) -> Reported:
        """A check run of another App, perhaps under our name; without a conclusion it is still under way.

        Reported again it has a new id, as when its App runs it again. An App that may read checks hears of each.
        """
        repo, state = self.repo(repository), self.github.state
        if head_sha not in repo.commits:
            raise Misused(f"no commit {head_sha}")
        check = CheckRun(
            id=state.next_id(),
            name=name,
            head_sha=head_sha,
            app=app,
            external_id="",
            details_url=None,
            status="in_progress",
            conclusion=None,
            started=state.clock(),
            completed=None,
            output={},
        )
        repo.checks[check.id] = check
        self.github.events.check_run(repo, check, "created", state.foreign_bot(app).id)
        if conclusion is not None:
            self.finish_check(repository, check.id, conclusion)
        return {"id": check.id, "app_id": state.app_id(app)}

    def finish_check(self, repository: str, check_run_id: int, conclusion: str = "success") -> None:
        """Another App ends its check run."""
        repo, state = self.repo(repository), self.github.state
        check = repo.checks.get(check_run_id)
        if check is None or check.app == state.app.slug or conclusion not in CONCLUSIONS:
            raise Misused(f"check run {check_run_id} is no other App's, or {conclusion} is no conclusion")
        check.status, check.conclusion, check.completed = "completed", conclusion, state.clock()
        self.github.events.check_run(repo, check, "completed", state.foreign_bot(check.app).id)

    def _finish(self, repo: Repository, run: Run, conclusion: str) -> None:
        run.status, run.conclusion, run.updated = "completed", conclusion, self.github.state.clock()
        self.github.events.workflow_run(repo, run, "completed")
