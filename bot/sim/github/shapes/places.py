"""People, repositories, the App and its installations as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.sim.github.guest import Installation
from bot.sim.github.state import Environment, Repository, State, User

Json = dict[str, Any]

_URLS = (
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
)


def when(at: float) -> str:
    """`2026-01-31T08:15:00Z`, as GitHub writes times."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when_or_none(at: float | None) -> str | None:
    return None if at is None else when(at)


def user(state: State, number: int) -> Json:
    account = state.users[number]
    api = f"{state.api_url}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": state.node_id("U", account.id),
        "avatar_url": f"{state.web_url}/avatars/{account.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{state.web_url}/{account.login}",
        "followers_url": f"{api}/followers",
        "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}",
        "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{api}/subscriptions",
        "organizations_url": f"{api}/orgs",
        "repos_url": f"{api}/repos",
        "events_url": f"{api}/events{{/privacy}}",
        "received_events_url": f"{api}/received_events",
        "type": account.kind,
        "site_admin": False,
    }


def public_user(state: State, account: User) -> Json:
    """The answer of `GET /users/{login}`."""
    return user(state, account.id) | {
        "name": account.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": when(0),
        "updated_at": when(0),
    }


def organization(state: State, number: int) -> Json:
    account = state.users[number]
    api = f"{state.api_url}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": state.node_id("O", account.id),
        "url": api,
        "repos_url": f"{api}/repos",
        "events_url": f"{api}/events",
        "hooks_url": f"{api}/hooks",
        "issues_url": f"{api}/issues",
        "members_url": f"{api}/members{{/member}}",
        "public_members_url": f"{api}/public_members{{/member}}",
        "avatar_url": f"{state.web_url}/avatars/{account.id}",
        "description": None,
    }


def repo_url(state: State, repository: Repository) -> str:
    return f"{state.api_url}/repos/{state.full_name(repository)}"


def repo_page(state: State, repository: Repository) -> str:
    return f"{state.web_url}/{state.full_name(repository)}"


def minimal_repository(state: State, repository: Repository) -> Json:
    api, page = repo_url(state, repository), repo_page(state, repository)
    return {
        "id": repository.id,
        "node_id": state.node_id("R", repository.id),
        "name": repository.name,
        "full_name": state.full_name(repository),
        "owner": user(state, repository.owner_id),
        "private": repository.private,
        "html_url": page,
        "description": None,
        "fork": repository.fork_of is not None,
        "url": api,
        **{key: api + path for key, path in _URLS},
    }


def repository(state: State, repo: Repository) -> Json:
    """The full form that most answers and every webhook carry."""
    page = repo_page(state, repo)
    at = when(repo.created)
    return minimal_repository(state, repo) | {
        "git_url": f"git:{page.partition(':')[2]}.git",
        "ssh_url": f"git@github.test:{state.full_name(repo)}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "size": 1,
        "default_branch": repo.default_branch,
        "open_issues_count": sum(pull.state == "open" for pull in repo.pulls.values()),
        "has_issues": True,
        "has_projects": True,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": True,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "visibility": "private" if repo.private else "public",
        "is_template": False,
        "topics": [],
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "license": None,
        "forks": 0,
        "open_issues": sum(pull.state == "open" for pull in repo.pulls.values()),
        "watchers": 0,
        "pushed_at": at,
        "created_at": at,
        "updated_at": at,
    }


def full_repository(state: State, repo: Repository) -> Json:
    """The answer of `GET /repos/{owner}/{repo}`, which alone counts subscribers."""
    return repository(state, repo) | {"subscribers_count": 0, "network_count": 0}


def app(state: State, slug: str) -> Json:
    """The guest App, or another one of which nothing but its name is known."""
    number, guest = state.app_id(slug), slug == state.app.slug
    return {
        "id": number,
        "client_id": state.app.client_id if guest else f"Iv23li{number:014}",
        "slug": slug,
        "node_id": state.node_id("A", number),
        "owner": user(state, state.app_owner.id),
        "name": slug.capitalize(),
        "description": "",
        "external_url": f"{state.web_url}/apps/{slug}",
        "html_url": f"{state.web_url}/apps/{slug}",
        "created_at": when(0),
        "updated_at": when(0),
        "permissions": dict(state.app.permissions) if guest else {"metadata": "read"},
        "events": list(state.app.events) if guest else [],
    }


def app_or_none(state: State, slug: str | None) -> Json | None:
    return app(state, slug) if slug is not None else None


def installation(state: State, found: Installation) -> Json:
    account = state.users[found.account_id]
    api = f"{state.api_url}/app/installations/{found.id}"
    return {
        "id": found.id,
        "client_id": state.app.client_id,
        "account": user(state, account.id),
        "repository_selection": "all" if found.selected is None else "selected",
        "access_tokens_url": f"{api}/access_tokens",
        "repositories_url": f"{state.api_url}/installation/repositories",
        "html_url": f"{state.web_url}/organizations/{account.login}/settings/installations/{found.id}",
        "app_id": state.app.id,
        "app_slug": state.app.slug,
        "target_id": account.id,
        "target_type": account.kind,
        "permissions": dict(found.permissions),
        "events": list(found.events),
        "created_at": when(found.created),
        "updated_at": when(found.created),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None if found.suspended_by is None else user(state, found.suspended_by),
        "suspended_at": when_or_none(found.suspended),
    }


def environment(state: State, repo: Repository, found: Environment) -> Json:
    api = f"{repo_url(state, repo)}/environments/{found.name}"
    rules: list[Json] = []
    if found.reviewers:
        rules.append(
            {
                "id": found.id * 10 + 1,
                "node_id": state.node_id("GA", found.id * 10 + 1),
                "type": "required_reviewers",
                "prevent_self_review": found.prevent_self_review,
                "reviewers": [{"type": "User", "reviewer": user(state, number)} for number in found.reviewers],
            }
        )
    if found.app_rule:
        # GitHub lists an App's rule with a type that its description does not enumerate; only the required keys stay.
        rules.append(
            {"id": found.id * 10 + 2, "node_id": state.node_id("GA", found.id * 10 + 2), "type": "branch_policy"}
        )
    return {
        "id": found.id,
        "node_id": state.node_id("EN", found.id),
        "name": found.name,
        "url": api,
        "html_url": f"{repo_page(state, repo)}/deployments/activity_log?environments_filter={found.name}",
        "created_at": when(found.created),
        "updated_at": when(found.created),
        "protection_rules": rules,
        "deployment_branch_policy": None,
    }
