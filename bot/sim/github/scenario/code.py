"""Verbs about commits, branches and pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from bot.sim.github.git import Commit, Person, merge_base, only_in
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground, Identified, Pushed
from bot.sim.github.state import Pull, Repository, Review, User

Files = Mapping[str, str | None]


class PullSeen(TypedDict):
    number: int
    head_sha: str
    base_sha: str
    merge_commit_sha: str | None
    state: str
    merged: bool
    url: str


class Code(Ground):
    def _commit_by(
        self,
        repo: Repository,
        parent: str,
        author: str,
        files: Files,
        message: str,
        co_authors: Sequence[str],
        unknown_author: bool,
        committer: str | None,
    ) -> Commit:
        person = self.identity(self.person(author))
        if unknown_author:
            person = Person(author, f"{author}@nowhere.test", None)
        whole = self.co_authored(message, list(co_authors))
        wrote = person if committer is None else self.identity(self.person(committer))
        return self.commit(repo, parents=(parent,), files=files, message=whole, author=person, committer=wrote)

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
    ) -> Pushed:
        """One commit on a branch, which starts at the default branch when it is new. `author` pushes.

        `unknown_author`: the author's address belongs to no account, as GitHub then answers `author: null`.
        """
        repo = self.repo(repository)
        name = branch or repo.default_branch
        before = repo.branches.get(name)
        parent = before or repo.branches[repo.default_branch]
        commit = self._commit_by(repo, parent, author, files, message, co_authors, unknown_author, committer)
        repo.branches[name] = commit.sha
        self.github.events.push(repo, name, before, [commit], commit.sha, self.person(author).id)
        for pull in [p for p in repo.pulls.values() if p.head_ref == name and p.head_repository == repo.id]:
            self._moved(repo, pull, commit, self.person(author))
        return {"sha": commit.sha}

    def write_file(
        self, repository: str, path: str, text: str, *, branch: str | None = None, author: str | None = None
    ) -> Pushed:
        """One file, written by the owner unless somebody is named."""
        owner = self.github.state.users[self.repo(repository).owner_id].login
        return self.push(repository, author or owner, {path: text}, branch=branch, message=f"Write {path}")

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
        commit = self._commit_by(repo, start, author, files, title, co_authors, unknown_author, None)
        before = home.branches.get(name)
        home.branches[name] = commit.sha
        if home is repo:
            self.github.events.push(repo, name, before, [commit], commit.sha, who.id)
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
        before = pull.head_sha
        commit = self._commit_by(repo, before, author, files, message, co_authors, unknown_author, None)
        home = self.github.state.repositories[pull.head_repository]
        home.branches[pull.head_ref] = commit.sha
        if home is repo:
            self.github.events.push(repo, pull.head_ref, before, [commit], commit.sha, who.id)
        self._moved(repo, pull, commit, who)
        return self._seen(repo, pull)

    def _moved(self, repo: Repository, pull: Pull, commit: Commit, who: User) -> None:
        """The branch of an open pull request got a new head."""
        if pull.state != "open":
            return
        before, pull.head_sha, pull.updated = pull.head_sha, commit.sha, self.github.state.clock()
        start = merge_base(repo.commits, pull.base_sha, commit.sha) or pull.base_sha
        pull.commits = [entry.sha for entry in only_in(repo.commits, commit.sha, start)]
        self.github.events.pull_request(repo, pull, "synchronize", who.id, before=before, after=commit.sha)

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
