"""Verbs about pull requests: opened from a branch or a fork, pushed to, merged in three ways, closed, reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from bot.sim.github.git import Commit, merge_base
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.code import Code, Files
from bot.sim.github.scenario.ground import Identified
from bot.sim.github.state import Pull, Repository, Review, User


class PullSeen(TypedDict):
    number: int
    head_sha: str
    base_sha: str
    merge_commit_sha: str | None
    state: str
    merged: bool
    url: str


class Pulls(Code):
    def open_pull_request(
        self,
        repository: str,
        author: str,
        title: str,
        files: Files,
        *,
        branch: str | None = None,
        base: str | None = None,
        body: str = "",
        fork_owner: str | None = None,
        co_authors: Sequence[str] = (),
        unknown_author: bool = False,
    ) -> PullSeen:
        """A branch with one commit and a pull request for it, from a fork when its owner is named."""
        repo, state, who = self.repo(repository), self.github.state, self.person(author)
        base_name = base or repo.default_branch
        number = len(repo.pulls) + 1
        name = branch or f"change-{number}"
        home = repo if fork_owner is None else self._fork(repo, fork_owner)
        start = repo.branches[base_name]
        commit = self._commit_by(
            repo, start, author, files, title, co_authors=co_authors, unknown_author=unknown_author
        )
        self._move(home, name, commit, who)
        pull = Pull(
            number=number,
            id=state.next_id(),
            title=title,
            body=body,
            user_id=who.id,
            head_ref=name,
            head_sha=commit.sha,
            head_repository=home.id,
            head_user=home.owner_id,
            base_ref=base_name,
            base_sha=start,
            created=state.clock(),
            updated=state.clock(),
            commits=[commit.sha],
        )
        repo.pulls[number] = pull
        self.github.events.pull_request(repo, pull, "opened", who.id)
        return self._seen(repo, pull)

    def _fork(self, repo: Repository, owner: str) -> Repository:
        """The fork of that owner. It shares its parent's commits."""
        state, account = self.github.state, self.person(owner)
        for other in state.repositories.values():
            if other.fork_of == repo.id and other.owner_id == account.id:
                return other
        fork = Repository(
            id=state.next_id(),
            owner_id=account.id,
            name=repo.name,
            private=repo.private,
            default_branch=repo.default_branch,
            created=state.clock(),
            fork_of=repo.id,
            branches=dict(repo.branches),
            commits=repo.commits,
        )
        state.repositories[fork.id] = fork
        return fork

    def push_to_pull(
        self,
        repository: str,
        number: int,
        author: str,
        files: Files,
        *,
        message: str = "Change more",
        co_authors: Sequence[str] = (),
        unknown_author: bool = False,
        pusher: str | None = None,
    ) -> PullSeen:
        """One more commit on a pull request's branch. `pusher`: who pushes it, when that is not its author."""
        repo = self.repo(repository)
        pull, who = self.pull(repo, number), self.person(pusher or author)
        if pull.state != "open" or pull.head_repository is None:
            raise Misused("the pull request is closed or its fork is gone")
        commit = self._commit_by(
            repo, pull.head_sha, author, files, message, co_authors=co_authors, unknown_author=unknown_author
        )
        self._move(self.github.state.repositories[pull.head_repository], pull.head_ref, commit, who)
        return self._seen(repo, pull)

    def merge_pull(
        self, repository: str, number: int, by: str, *, method: Literal["merge", "squash", "rebase"] = "merge"
    ) -> PullSeen:
        """Merge as the button does: GitHub's own committer signs a merge or a squash, a rebase keeps the authors."""
        repo, state = self.repo(repository), self.github.state
        pull, who = self.pull(repo, number), self.person(by)
        if pull.state != "open":
            raise Misused("the pull request is closed")
        before = repo.branches[pull.base_ref]
        new = self._merged(repo, pull, who, before, method)
        repo.branches[pull.base_ref] = new[-1].sha
        pull.merge_commit_sha, pull.merged_by = new[-1].sha, who.id
        pull.state, pull.merged_at, pull.closed_at = "closed", state.clock(), state.clock()
        pull.updated = state.clock()
        if method == "merge":
            new = [*(repo.commits[sha] for sha in pull.commits), new[-1]]
        self.github.events.push(repo, pull.base_ref, before, new, new[-1].sha, who.id)
        self.github.events.pull_request(repo, pull, "closed", who.id)
        return self._seen(repo, pull)

    def _merged(self, repo: Repository, pull: Pull, who: User, onto: str, method: str) -> list[Commit]:
        start = merge_base(repo.commits, onto, pull.head_sha) or pull.base_sha
        flow = self.identity(self.github.state.web_flow)
        if method == "rebase":
            commits: list[Commit] = []
            for sha in pull.commits:
                old = repo.commits[sha]
                files = _delta(repo, old.parents[0], sha)
                parent = commits[-1].sha if commits else onto
                commits.append(
                    self.commit(
                        repo,
                        parents=(parent,),
                        files=files,
                        message=old.message,
                        author=old.author,
                        committer=self.identity(who),
                    )
                )
            return commits
        files = _delta(repo, start, pull.head_sha)
        if method == "squash":
            author = repo.commits[pull.commits[0]].author
            others = {repo.commits[sha].author for sha in pull.commits} - {author}
            trailers = sorted(f"{person.name} <{person.email}>" for person in others)
            parents: tuple[str, ...] = (onto,)
            message = self.co_authored(f"{pull.title} (#{pull.number})", trailers)
        else:
            author = self.identity(who)
            owner = self.github.state.users[pull.head_user].login
            message = f"Merge pull request #{pull.number} from {owner}/{pull.head_ref}\n\n{pull.title}"
            parents = (onto, pull.head_sha)
        return [
            self.commit(
                repo, parents=parents, files=files, message=message, author=author, committer=flow, verified=True
            )
        ]

    def close_pull(self, repository: str, number: int, by: str) -> PullSeen:
        repo = self.repo(repository)
        pull = self.pull(repo, number)
        pull.state, pull.closed_at = "closed", self.github.state.clock()
        self.github.events.pull_request(repo, pull, "closed", self.person(by).id)
        return self._seen(repo, pull)

    def reopen_pull(self, repository: str, number: int, by: str) -> PullSeen:
        repo = self.repo(repository)
        pull = self.pull(repo, number)
        if pull.state != "closed" or pull.merged_at is not None:
            raise Misused("the pull request is open or merged")
        pull.state, pull.closed_at, pull.updated = "open", None, self.github.state.clock()
        self.github.events.pull_request(repo, pull, "reopened", self.person(by).id)
        return self._seen(repo, pull)

    def delete_fork(self, repository: str, number: int) -> None:
        """The fork behind a pull request is deleted: `head.repo` becomes null."""
        repo = self.repo(repository)
        pull = self.pull(repo, number)
        if pull.head_repository in (None, repo.id):
            raise Misused("the pull request does not come from a fork")
        self.github.state.repositories.pop(pull.head_repository or 0)
        pull.head_repository = None

    def review_pull(
        self, repository: str, number: int, login: str, *, state: str = "approved", body: str = ""
    ) -> Identified:
        repo = self.repo(repository)
        pull = self.pull(repo, number)
        at = self.github.state.clock()
        review = Review(self.github.state.next_id(), self.person(login).id, state, body, pull.head_sha, at)
        pull.reviews.append(review)
        self.github.events.review(repo, pull, review)
        return {"id": review.id}

    def _seen(self, repo: Repository, pull: Pull) -> PullSeen:
        """A pull request as verbs answer it."""
        return {
            "number": pull.number,
            "head_sha": pull.head_sha,
            "base_sha": pull.base_sha,
            "merge_commit_sha": pull.merge_commit_sha,
            "state": pull.state,
            "merged": pull.merged_at is not None,
            "url": f"{self.github.state.web_url}/{self.github.state.full_name(repo)}/pull/{pull.number}",
        }


def _delta(repo: Repository, before: str, after: str) -> dict[str, str | None]:
    """What to lay over another tree to get the same change."""
    old, new = repo.commits[before].tree, repo.commits[after].tree
    changed: dict[str, str | None] = {path: text for path, text in new.items() if old.get(path) != text}
    return changed | {path: None for path in old if path not in new}
