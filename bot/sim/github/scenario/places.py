"""Verbs about people, repositories, environments and the App's installations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from bot.sim.github.guest import Installation
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground, Identified, Moved
from bot.sim.github.shapes import places
from bot.sim.github.state import Environment, Repository

Role = Literal["admin", "maintain", "write", "triage", "read", "none"]
ROLES = ("admin", "maintain", "write", "triage", "read", "none")


class Account(TypedDict):
    id: int
    login: str


class Created(TypedDict):
    id: int
    owner_id: int
    repository: str
    default_branch: str
    head_sha: str


class Places(Ground):
    def create_user(self, login: str, *, name: str = "", email: str = "", kind: str = "User") -> Account:
        """A new account: a User, an Organization or a Bot."""
        if any(user.login.casefold() == login.casefold() for user in self.github.state.users.values()):
            raise Misused(f"{login} is taken")
        user = self.github.state.add_user(login, kind=kind, name=name, email=email)
        return {"id": user.id, "login": user.login}

    def rename_user(self, login: str, new_login: str) -> Account:
        """The account keeps its id; the old login is free for anybody."""
        user = self.person(login)
        if any(other.login.casefold() == new_login.casefold() for other in self.github.state.users.values()):
            raise Misused(f"{new_login} is taken")
        user.login = new_login
        return {"id": user.id, "login": user.login}

    def create_repository(
        self,
        repository: str,
        *,
        collaborators: Mapping[str, str] | None = None,
        private: bool = True,
        default_branch: str = "main",
        files: Mapping[str, str] | None = None,
    ) -> Created:
        """A repository with one commit by its owner. An owner who is not there becomes an organization."""
        state = self.github.state
        owner_name, _, name = repository.partition("/")
        if state.by_name(repository) is not None or not name:
            raise Misused(f"{repository} is taken or has no owner")
        owner = next((u for u in state.users.values() if u.login.casefold() == owner_name.casefold()), None)
        if owner is None:
            owner = state.add_user(owner_name, kind="Organization")
        repo = Repository(state.next_id(), owner.id, name, private, default_branch, state.clock())
        state.repositories[repo.id] = repo
        state.redirects.pop(repository.casefold(), None)
        for login, role in (collaborators or {}).items():
            self.set_collaborator(repository, login, role)
        first = self.commit(
            repo,
            parents=(),
            files=dict(files or {"README.md": f"# {name}\n"}),
            message="Initial commit",
            author=self.identity(owner),
            committer=self.identity(state.web_flow),
            verified=True,
        )
        repo.branches[default_branch] = first.sha
        return {
            "id": repo.id,
            "owner_id": owner.id,
            "repository": state.full_name(repo),
            "default_branch": default_branch,
            "head_sha": first.sha,
        }

    def set_collaborator(self, repository: str, login: str, permission: str) -> None:
        if permission not in ROLES:
            raise Misused(f"permission must be one of {', '.join(ROLES)}")
        repo, person = self.repo(repository), self.person(login)
        if permission == "none":
            repo.collaborators.pop(person.id, None)
        else:
            repo.collaborators[person.id] = permission

    def install_app(
        self,
        owner: str,
        *,
        repositories: Sequence[str] | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> Identified:
        """Install the App on an account, for all repositories or those named. Asked again, the selection changes."""
        state, account = self.github.state, self.person(owner)
        selected = None if repositories is None else {self.repo(name).id for name in repositories}
        old = next((i for i in state.installations.values() if i.account_id == account.id), None)
        if old is not None:
            return self._reselect(old, selected, account.id)
        installation = Installation(
            id=state.next_id(),
            account_id=account.id,
            permissions=dict(permissions or state.app.permissions),
            events=state.app.events,
            selected=selected,
            created=state.clock(),
        )
        state.installations[installation.id] = installation
        self.github.events.installation(installation, "created", account.id, self._covered(installation))
        return {"id": installation.id}

    def _reselect(self, installation: Installation, selected: set[int] | None, who: int) -> Identified:
        before = {repo.id: repo for repo in self._covered(installation)}
        installation.selected = selected
        after = {repo.id: repo for repo in self._covered(installation)}
        added = [repo for number, repo in after.items() if number not in before]
        removed = [repo for number, repo in before.items() if number not in after]
        if added:
            self.github.events.installation_repositories(installation, who, added=added, removed=[])
        if removed:
            self.github.events.installation_repositories(installation, who, added=[], removed=removed)
        return {"id": installation.id}

    def _covered(self, installation: Installation) -> list[Repository]:
        state = self.github.state
        return [repo for repo in state.repositories.values() if state.installation_for(repo) is installation]

    def _installed(self, owner: str) -> Installation:
        account = self.person(owner)
        for installation in self.github.state.installations.values():
            if installation.account_id == account.id:
                return installation
        raise Misused(f"the App is not installed on {owner}")

    def suspend(self, owner: str) -> None:
        """Stop the App on this account: its tokens are refused and nothing but `installation` events comes."""
        installation = self._installed(owner)
        installation.suspended, installation.suspended_by = self.github.state.clock(), installation.account_id
        self.github.events.installation(installation, "suspend", installation.account_id, self._covered(installation))

    def unsuspend(self, owner: str) -> None:
        installation = self._installed(owner)
        installation.suspended = installation.suspended_by = None
        self.github.events.installation(installation, "unsuspend", installation.account_id, self._covered(installation))

    def uninstall(self, owner: str) -> None:
        installation = self._installed(owner)
        covered = self._covered(installation)
        del self.github.state.installations[installation.id]
        self.github.events.installation(installation, "deleted", installation.account_id, covered)

    def set_variable(self, repository: str, name: str, value: str | None) -> None:
        """A variable of the repository; None deletes it."""
        _put(self.repo(repository).variables, name, value)

    def set_environment_variable(self, repository: str, environment: str, name: str, value: str | None) -> None:
        """A variable of one environment, which comes into being when it is not there; None deletes the variable."""
        repo = self.repo(repository)
        if environment not in repo.environments:
            self.create_environment(repository, environment)
        _put(repo.environments[environment].variables, name, value)

    def create_environment(
        self,
        repository: str,
        environment: str,
        *,
        reviewers: Sequence[str] = (),
        app_rule: bool = False,
        prevent_self_review: bool = False,
    ) -> Identified:
        """An environment, or new rules for an old one: up to six reviewers, and whether the App's gate is on."""
        repo, state = self.repo(repository), self.github.state
        if len(reviewers) > 6:
            raise Misused("no more than six reviewers")
        found = repo.environments.get(environment)
        if found is None:
            found = Environment(id=state.next_id(), name=environment, created=state.clock())
            repo.environments[environment] = found
        found.reviewers = [self.person(login).id for login in reviewers]
        found.app_rule, found.prevent_self_review = app_rule, prevent_self_review
        return {"id": found.id}

    def rename_repository(self, repository: str, name: str) -> Moved:
        """The old name redirects until somebody takes it."""
        repo, state = self.repo(repository), self.github.state
        old, state.redirects[state.full_name(repo).casefold()] = repo.name, repo.id
        repo.name = name
        changes = {"repository": {"name": {"from": old}}}
        self.github.events.repository(repo, "renamed", repo.owner_id, changes)
        return {"id": repo.id, "repository": state.full_name(repo)}

    def transfer_repository(self, repository: str, owner: str) -> Moved:
        """To another account under the same id. Only an App installed there hears of it."""
        repo, state = self.repo(repository), self.github.state
        state.redirects[state.full_name(repo).casefold()] = repo.id
        old, repo.owner_id = state.users[repo.owner_id], self.person(owner).id
        kind = "organization" if old.kind == "Organization" else "user"
        before = places.organization(state, old.id) if kind == "organization" else places.user(state, old.id)
        self.github.events.repository(repo, "transferred", repo.owner_id, {"owner": {"from": {kind: before}}})
        return {"id": repo.id, "repository": state.full_name(repo)}


def _put(variables: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        variables.pop(name.upper(), None)
    else:
        variables[name.upper()] = value
