"""What every theme of verbs stands on: the pretend GitHub, and the ways from names to things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from bot.sim.github.git import Commit, Person, make_commit
from bot.sim.github.problems import Misused
from bot.sim.github.routing import GitHub
from bot.sim.github.state import Pull, Repository, Run, User


class Identified(TypedDict):
    id: int


class Pushed(TypedDict):
    sha: str


class Moved(TypedDict):
    id: int
    repository: str


class Ground:
    """`repository` is always "owner/name", today's or a former one; people are logins."""

    def __init__(self, github: GitHub) -> None:
        self.github = github

    def repo(self, repository: str) -> Repository:
        found = self.github.state.by_name(repository) or self.github.state.moved_to(repository)
        if found is None:
            raise Misused(f"no repository {repository}")
        return found

    def person(self, login: str) -> User:
        """The account of that login; a person who was never mentioned comes into being."""
        for user in self.github.state.users.values():
            if user.login.casefold() == login.casefold():
                return user
        return self.github.state.add_user(login)

    def pull(self, repo: Repository, number: int) -> Pull:
        if number not in repo.pulls:
            raise Misused(f"no pull request {number}")
        return repo.pulls[number]

    def run(self, repo: Repository, run_id: int) -> Run:
        if run_id not in repo.runs:
            raise Misused(f"no run {run_id}")
        return repo.runs[run_id]

    def identity(self, user: User) -> Person:
        return Person(user.name, user.email, user.id)

    def co_authored(self, message: str, co_authors: list[str]) -> str:
        """`message` with the trailers GitHub reads. A co-author is a login or "Name <address>"."""
        if not co_authors:
            return message
        lines = []
        for entry in co_authors:
            user = None if "<" in entry else self.person(entry)
            lines.append(f"Co-authored-by: {entry if user is None else f'{user.name} <{user.email}>'}")
        return message + "\n\n" + "\n".join(lines)

    def commit(
        self,
        repo: Repository,
        *,
        parents: tuple[str, ...],
        files: Mapping[str, str | None],
        message: str,
        author: Person,
        committer: Person,
        verified: bool = False,
        authored: float | None = None,
        committed: float | None = None,
    ) -> Commit:
        """A new commit over its first parent: a text puts a file, None removes it. Its dates are now, unless said."""
        tree = dict(repo.commits[parents[0]].tree) if parents else {}
        for path, text in files.items():
            if text is None:
                tree.pop(path, None)
            else:
                tree[path] = text
        state = self.github.state
        commit = make_commit(
            message=message,
            author=author,
            committer=committer,
            parents=parents,
            tree=tree,
            at=state.clock() if committed is None else committed,
            authored=authored,
            verified=verified,
            nonce=len(repo.commits),
        )
        repo.commits[commit.sha] = commit
        return commit
