"""Repositories of the pretend GitHub: contents, commits, comparisons, permissions, variables, environments.

https://docs.github.com/en/rest/repos
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.git import ancestors, only_in
from bot.sim.github.problems import Problem
from bot.sim.github.routing import Call, Routes
from bot.sim.github.shapes import commits, places, pulls, work
from bot.sim.github.state import Environment

routes = Routes()
_OLD_NAMES = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}
_GRANTS = ("pull", "triage", "push", "maintain", "admin")
_REACH = {"read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


@routes("GET", "/repos/{owner}/{repo}", "metadata:read")
@routes("GET", "/repositories/{repository_id}", "metadata:read")
def get_repository(call: Call) -> Any:
    return places.full_repository(call.state, call.repository)


@routes("GET", "/repos/{owner}/{repo}/contents/{path:.+}", "contents:read")
def get_content(call: Call) -> Any:
    """A file, or the listing of a folder. An unknown ref is a 404 like an unknown path."""
    repo, path = call.repository, call.name("path").strip("/")
    ref = call.request.query.get("ref", repo.default_branch)
    tree = repo.tree(ref)
    if path in tree:
        return commits.content(call.state, repo, path, tree[path], ref)
    inside = sorted(
        {path + "/" + name[len(path) + 1 :].partition("/")[0] for name in tree if name.startswith(path + "/")}
    )
    if not inside:
        raise Problem(404, "Not Found")
    listing = []
    for name in inside:
        entry = commits.content(call.state, repo, name, tree.get(name, ""), ref)
        del entry["content"], entry["encoding"]
        listing.append(entry if name in tree else entry | {"type": "dir", "size": 0, "download_url": None})
    return listing


@routes("GET", "/repos/{owner}/{repo}/commits/{ref}", "contents:read")
def get_commit(call: Call) -> Any:
    repo = call.repository
    try:
        sha = repo.resolve(call.name("ref"))
    except Problem:
        raise Problem(422, f"No commit found for SHA: {call.name('ref')}") from None
    return commits.full_commit(call.state, repo, repo.commits[sha])


@routes("GET", "/repos/{owner}/{repo}/commits", "contents:read")
def list_commits(call: Call) -> Any:
    repo = call.repository
    sha = repo.resolve(call.request.query.get("sha", repo.default_branch))
    found = call.page(list(ancestors(repo.commits, sha)))
    return [commits.commit(call.state, repo, repo.commits[entry]) for entry in found]


@routes("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}", "contents:read")
def get_git_commit(call: Call) -> Any:
    repo = call.repository
    found = repo.commits.get(call.name("commit_sha"))
    if found is None:
        raise Problem(404, "Not Found")
    whole = commits.commit(call.state, repo, found)
    body = commits.git_commit(call.state, repo, found)
    del body["comment_count"]
    return body | {key: whole[key] for key in ("sha", "node_id", "html_url", "parents")}


@routes("GET", "/repos/{owner}/{repo}/git/ref/{ref:.+}", "contents:read")
def get_ref(call: Call) -> Any:
    repo, ref = call.repository, call.name("ref")
    sha = repo.branches.get(ref.removeprefix("heads/")) if ref.startswith("heads/") else None
    if sha is None:
        raise Problem(404, "Not Found")
    api = places.repo_url(call.state, repo)
    return {
        "ref": f"refs/{ref}",
        "node_id": call.state.node_id("REF", f"{repo.id}/{ref}"),
        "url": f"{api}/git/refs/{ref}",
        "object": {"sha": sha, "type": "commit", "url": f"{api}/git/commits/{sha}"},
    }


@routes("GET", "/repos/{owner}/{repo}/branches/{branch:.+}", "contents:read")
def get_branch(call: Call) -> Any:
    if call.name("branch") not in call.repository.branches:
        raise Problem(404, "Branch not found")
    return commits.branch(call.state, call.repository, call.name("branch"))


@routes("GET", "/repos/{owner}/{repo}/compare/{basehead:.+}", "contents:read")
def compare(call: Call) -> Any:
    """Commits are paged like everywhere else when a page is asked for; without one the last 250 come."""
    repo = call.repository
    base_name, dots, head_name = call.name("basehead").partition("...")
    if not dots:
        raise Problem(404, "Not Found")
    base, head = repo.resolve(base_name), repo.resolve(head_name)
    ahead = only_in(repo.commits, head, base)
    paged = "page" in call.request.query or "per_page" in call.request.query
    return commits.comparison(call.state, repo, base, head, call.page(ahead) if paged else ahead[-250:])


@routes("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull_requests:read", "contents:read")
def pulls_of_commit(call: Call) -> Any:
    """The merged pull request that brought the commit, and the open ones that hold it."""
    repo, sha = call.repository, call.repository.resolve(call.name("commit_sha"))
    found = [pull for pull in repo.pulls.values() if sha in (pull.merge_commit_sha, *pull.commits)]
    return [pulls.simple_pull(call.state, repo, pull) for pull in call.page(found)]


@routes("GET", "/repos/{owner}/{repo}/collaborators", "metadata:read")
def list_collaborators(call: Call) -> Any:
    """Everybody with a role of their own; a personal repository's owner is one of them."""
    repo = call.repository
    roles = dict(repo.collaborators)
    if call.state.users[repo.owner_id].kind == "User":
        roles[repo.owner_id] = "admin"
    return [_with_role(call, number, role) for number, role in call.page(list(roles.items()))]


def _with_role(call: Call, number: int, role: str) -> dict[str, Any]:
    grants = {name: place < _REACH.get(role, 0) for place, name in enumerate(_GRANTS)}
    return places.user(call.state, number) | {"permissions": grants, "role_name": role}


@routes("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", "metadata:read")
def get_permission(call: Call) -> Any:
    """`permission` is the old coarse name, `role_name` the role itself; people without a role have `none` or `read`."""
    repo, account = call.repository, call.state.user(call.name("username"))
    role = repo.collaborators.get(account.id)
    if account.id == repo.owner_id:
        role = "admin"
    if role is None:
        role = "none" if repo.private else "read"
    person = _with_role(call, account.id, role)
    return {"permission": _OLD_NAMES.get(role, "none"), "role_name": role, "user": person}


@routes("GET", "/repos/{owner}/{repo}/actions/variables", "actions_variables:read")
def list_variables(call: Call) -> Any:
    repo = call.repository
    found = call.page(sorted(repo.variables.items()), 10, 30)
    return {
        "total_count": len(repo.variables),
        "variables": [work.variable(name, value, repo.created) for name, value in found],
    }


@routes("GET", "/repos/{owner}/{repo}/actions/variables/{name}", "actions_variables:read")
def get_variable(call: Call) -> Any:
    return _variable(call, call.repository.variables)


def _variable(call: Call, variables: dict[str, str]) -> Any:
    name = call.name("name").upper()
    if name not in variables:
        raise Problem(404, "Not Found")
    return work.variable(name, variables[name], call.repository.created)


def _environment(call: Call) -> Environment:
    wanted = call.name("environment_name").casefold()
    for environment in call.repository.environments.values():
        if environment.name.casefold() == wanted:
            return environment
    raise Problem(404, "Not Found")


@routes("GET", "/repos/{owner}/{repo}/environments", "actions:read")
def list_environments(call: Call) -> Any:
    repo = call.repository
    found = call.page(list(repo.environments.values()))
    return {
        "total_count": len(repo.environments),
        "environments": [places.environment(call.state, repo, environment) for environment in found],
    }


@routes("GET", "/repos/{owner}/{repo}/environments/{environment_name}", "actions:read")
def get_environment(call: Call) -> Any:
    return places.environment(call.state, call.repository, _environment(call))


@routes("GET", "/repos/{owner}/{repo}/environments/{environment_name}/variables", "environments:read")
def list_environment_variables(call: Call) -> Any:
    variables = _environment(call).variables
    found = call.page(sorted(variables.items()), 10, 30)
    return {
        "total_count": len(variables),
        "variables": [work.variable(name, value, call.repository.created) for name, value in found],
    }


@routes("GET", "/repos/{owner}/{repo}/environments/{environment_name}/variables/{name}", "environments:read")
def get_environment_variable(call: Call) -> Any:
    return _variable(call, _environment(call).variables)


@routes("GET", "/repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules", "actions:read")
def list_protection_rules(call: Call) -> Any:
    """The App rules that are switched on for the environment."""
    environment, state = _environment(call), call.state
    rules = []
    if environment.app_rule:
        rules.append(
            {
                "id": environment.id * 10 + 2,
                "node_id": state.node_id("GA", environment.id * 10 + 2),
                "enabled": True,
                "app": {
                    "id": state.app.id,
                    "slug": state.app.slug,
                    "integration_url": f"{state.api_url}/apps/{state.app.slug}",
                    "node_id": state.node_id("A", state.app.id),
                },
            }
        )
    return {"total_count": len(rules), "custom_deployment_protection_rules": rules}
