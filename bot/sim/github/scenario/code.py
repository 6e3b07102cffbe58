"""Verbs about commits and branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.sim.github.git import Commit, Person, merge_base, only_in
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground, Pushed
from bot.sim.github.state import Pull, Repository, User

Files = Mapping[str, str | None]


class Code(Ground):
    def _commit_by(
        self,
        repo: Repository,
        parent: str,
        author: str,
        files: Files,
        message: str,
        *,
        co_authors: Sequence[str] = (),
        unknown_author: bool = False,
        committer: str | None = None,
        author_date: str | None = None,
        committer_date: str | None = None,
    ) -> Commit:
        person = self.identity(self.person(author))
        if unknown_author:
            person = Person(author, f"{author}@nowhere.test", None)
        return self.commit(
            repo,
            parents=(parent,),
            files=files,
            message=self.co_authored(message, list(co_authors)),
            author=person,
            committer=person if committer is None else self.identity(self.person(committer)),
            authored=_moment(author_date),
            committed=_moment(committer_date),
        )

    def push(
        self,
        repository: str,
        author: str,
        files: Files,
        *,
        branch: str | None = None,
        message: str = "Change files",
        committer: str | None = None,
        co_authors: Sequence[str] = (),
        unknown_author: bool = False,
        author_date: str | None = None,
        committer_date: str | None = None,
    ) -> Pushed:
        """One commit on a branch, which starts at the default branch when it is new. `author` pushes.

        `unknown_author`: the author's address belongs to no account, as GitHub then answers `author: null`. The dates
        (`2020-01-31T08:15:00Z`) are whatever the client wrote, as `GIT_AUTHOR_DATE` and `GIT_COMMITTER_DATE` do.
        """
        repo = self.repo(repository)
        name = branch or repo.default_branch
        parent = repo.branches.get(name) or repo.branches[repo.default_branch]
        commit = self._commit_by(
            repo,
            parent,
            author,
            files,
            message,
            co_authors=co_authors,
            unknown_author=unknown_author,
            committer=committer,
            author_date=author_date,
            committer_date=committer_date,
        )
        self._move(repo, name, commit, self.person(author))
        return {"sha": commit.sha}

    def force_push(
        self,
        repository: str,
        author: str,
        branch: str,
        *,
        to_sha: str | None = None,
        files: Files | None = None,
        message: str = "Change files",
        pusher: str | None = None,
    ) -> Pushed:
        """Put a branch somewhere else: on a commit that is there, or on a new one in the place of its last one.

        The new one is `author`'s, with `files` laid over what was before the last one. Open pull requests from the
        branch follow. What is left behind can still be read by its id, as on GitHub.
        """
        repo = self.repo(repository)
        if branch not in repo.branches or (to_sha is None) == (files is None):
            raise Misused("name a branch that is there, and either a commit or files")
        if to_sha is not None:
            if to_sha not in repo.commits:
                raise Misused(f"no commit {to_sha}")
            commit = repo.commits[to_sha]
        else:
            parents = repo.commits[repo.branches[branch]].parents
            if not parents:
                raise Misused("the first commit cannot be replaced")
            commit = self._commit_by(repo, parents[0], author, files or {}, message)
        self._move(repo, branch, commit, self.person(pusher or author), forced=True)
        return {"sha": commit.sha}

    def write_file(
        self, repository: str, path: str, text: str, *, branch: str | None = None, author: str | None = None
    ) -> Pushed:
        """One file, written by the owner unless somebody is named."""
        owner = self.github.state.users[self.repo(repository).owner_id].login
        return self.push(repository, author or owner, {path: text}, branch=branch, message=f"Write {path}")

    def _move(self, repo: Repository, branch: str, commit: Commit, who: User, *, forced: bool = False) -> None:
        """A branch got a new head: its repository hears of it, and so do open pull requests, which may be elsewhere."""
        before = repo.branches.get(branch)
        repo.branches[branch] = commit.sha
        new = [commit] if before is None else only_in(repo.commits, commit.sha, before)
        self.github.events.push(repo, branch, before, new, commit.sha, who.id, forced=forced)
        for home in self.github.state.repositories.values():
            for pull in home.pulls.values():
                if (pull.head_repository, pull.head_ref, pull.state) == (repo.id, branch, "open"):
                    self._follows(home, pull, commit, who)

    def _follows(self, repo: Repository, pull: Pull, commit: Commit, who: User) -> None:
        before, pull.head_sha, pull.updated = pull.head_sha, commit.sha, self.github.state.clock()
        start = merge_base(repo.commits, pull.base_sha, commit.sha) or pull.base_sha
        pull.commits = [entry.sha for entry in only_in(repo.commits, commit.sha, start)]
        self.github.events.pull_request(repo, pull, "synchronize", who.id, before=before, after=commit.sha)


def _moment(written: str | None) -> float | None:
    return None if written is None else datetime.fromisoformat(written).timestamp()
