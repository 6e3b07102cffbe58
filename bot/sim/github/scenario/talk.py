"""Verbs about what people say and press: comments, buttons of check runs."""

from __future__ import annotations

from typing import TypedDict

from bot.sim.github.conversation import add_comment, change_comment, remove_comment
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground
from bot.sim.github.state import CheckRun, Comment, Repository


class Said(TypedDict):
    id: int
    url: str


class Talk(Ground):
    def comment(self, repository: str, number: int, login: str, text: str, *, via_app: str | None = None) -> Said:
        """Say something on a pull request; `via_app` is the slug of an App that the person wrote through."""
        repo, state = self.repo(repository), self.github.state
        self.pull(repo, number)
        said = add_comment(self.github, repo, number, self.person(login).id, text, via_app)
        page = f"{state.web_url}/{state.full_name(repo)}/pull/{number}"
        return {"id": said.id, "url": f"{page}#issuecomment-{said.id}"}

    def _comment(self, repository: str, comment_id: int) -> tuple[Repository, Comment]:
        repo = self.repo(repository)
        if comment_id not in repo.comments:
            raise Misused(f"no comment {comment_id}")
        return repo, repo.comments[comment_id]

    def edit_comment(self, repository: str, comment_id: int, text: str, *, login: str | None = None) -> None:
        """Change what was said, by its writer unless somebody is named."""
        repo, comment = self._comment(repository, comment_id)
        who = comment.user_id if login is None else self.person(login).id
        change_comment(self.github, repo, comment, text, who)

    def delete_comment(self, repository: str, comment_id: int) -> None:
        repo, comment = self._comment(repository, comment_id)
        remove_comment(self.github, repo, comment, comment.user_id)

    def _check(self, repository: str, check_run_id: int) -> tuple[Repository, CheckRun]:
        repo = self.repo(repository)
        if check_run_id not in repo.checks:
            raise Misused(f"no check run {check_run_id}")
        return repo, repo.checks[check_run_id]

    def click(self, repository: str, check_run_id: int, identifier: str, login: str, *, force: bool = False) -> None:
        """Press a button. Only one that is shown can be pressed, unless `force` replays an old page."""
        repo, check = self._check(repository, check_run_id)
        if not force and identifier not in [action["identifier"] for action in check.actions]:
            raise Misused(f"the check run offers no {identifier}")
        who = self.person(login).id
        self.github.events.check_run(repo, check, "requested_action", who, requested_action={"identifier": identifier})

    def rerequest(self, repository: str, check_run_id: int, login: str) -> None:
        """Press "Re-run"."""
        repo, check = self._check(repository, check_run_id)
        self.github.events.check_run(repo, check, "rerequested", self.person(login).id)
