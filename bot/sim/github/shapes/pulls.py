"""Pull requests, their comments, reactions and reviews as JSON."""

from __future__ import annotations

import hashlib

from bot.sim.github.git import merge_base
from bot.sim.github.shapes.commits import files
from bot.sim.github.shapes.places import Json, app_or_none, repo_page, repo_url, repository, user, when, when_or_none
from bot.sim.github.state import Comment, Pull, Reaction, Repository, Review, State

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def association(state: State, repo: Repository, number: int) -> str:
    """What GitHub calls somebody's standing; it says nothing about permissions."""
    if number == repo.owner_id:
        return "OWNER"
    return "COLLABORATOR" if number in repo.collaborators else "NONE"


def _side(state: State, repo: Repository | None, ref: str, sha: str, owner: int) -> Json:
    return {
        "label": f"{state.users[owner].login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(state, owner),
        "repo": None if repo is None else repository(state, repo),
    }


def _test_merge(pull: Pull) -> str:
    """Until it is merged GitHub shows the commit of a trial merge here, which is on no branch."""
    return hashlib.sha1(f"{pull.base_sha} {pull.head_sha}".encode(), usedforsecurity=False).hexdigest()


def simple_pull(state: State, repo: Repository, pull: Pull) -> Json:
    api, page = f"{repo_url(state, repo)}/pulls/{pull.number}", f"{repo_page(state, repo)}/pull/{pull.number}"
    issue = f"{repo_url(state, repo)}/issues/{pull.number}"
    statuses = f"{repo_url(state, repo)}/statuses/{pull.head_sha}"
    head = state.repositories.get(pull.head_repository) if pull.head_repository is not None else None
    links = {
        "self": api,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{api}/comments",
        "review_comment": f"{repo_url(state, repo)}/pulls/comments{{/number}}",
        "commits": f"{api}/commits",
        "statuses": statuses,
    }
    return {
        "url": api,
        "id": pull.id,
        "node_id": state.node_id("PR", pull.id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": statuses,
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": user(state, pull.user_id),
        "body": pull.body,
        "labels": [],
        "milestone": None,
        "active_lock_reason": None,
        "created_at": when(pull.created),
        "updated_at": when(pull.updated),
        "closed_at": when_or_none(pull.closed_at),
        "merged_at": when_or_none(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha or _test_merge(pull),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _side(state, head, pull.head_ref, pull.head_sha, pull.head_user),
        "base": _side(state, repo, pull.base_ref, pull.base_sha, repo.owner_id),
        "_links": {key: {"href": href} for key, href in links.items()},
        "author_association": association(state, repo, pull.user_id),
        "auto_merge": None,
        "draft": False,
    }


def changed_files(state: State, repo: Repository, pull: Pull) -> list[Json]:
    start = merge_base(repo.commits, pull.base_sha, pull.head_sha) or pull.base_sha
    return files(state, repo, repo.commits[start].tree, repo.commits[pull.head_sha].tree, pull.head_sha)


def full_pull(state: State, repo: Repository, pull: Pull) -> Json:
    merged = pull.merged_at is not None
    listed = changed_files(state, repo, pull)
    return simple_pull(state, repo, pull) | {
        "merged": merged,
        "mergeable": None if merged else True,
        "rebaseable": None if merged else True,
        "mergeable_state": "unknown" if merged else "clean",
        "merged_by": None if pull.merged_by is None else user(state, pull.merged_by),
        "comments": sum(comment.number == pull.number for comment in repo.comments.values()),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(pull.commits),
        "additions": sum(file["additions"] for file in listed),
        "deletions": sum(file["deletions"] for file in listed),
        "changed_files": len(listed),
    }


def minimal_pulls(state: State, repo: Repository, head_sha: str) -> list[Json]:
    """The open pull requests of this head, as check runs and workflow runs carry them (none from forks)."""
    short = {"id": repo.id, "url": repo_url(state, repo), "name": repo.name}
    return [
        {
            "id": pull.id,
            "number": pull.number,
            "url": f"{repo_url(state, repo)}/pulls/{pull.number}",
            "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": dict(short)},
            "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": dict(short)},
        }
        for pull in repo.pulls.values()
        if pull.state == "open" and pull.head_sha == head_sha and pull.head_repository == repo.id
    ]


def reaction(state: State, found: Reaction) -> Json:
    return {
        "id": found.id,
        "node_id": state.node_id("REA", found.id),
        "user": user(state, found.user_id),
        "content": found.content,
        "created_at": when(found.at),
    }


def _rollup(url: str, reactions: list[Reaction]) -> Json:
    counts = {name: sum(found.content == name for found in reactions) for name in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(reactions)} | counts


def comment(state: State, repo: Repository, found: Comment) -> Json:
    api = f"{repo_url(state, repo)}/issues/comments/{found.id}"
    return {
        "id": found.id,
        "node_id": state.node_id("IC", found.id),
        "url": api,
        "html_url": f"{repo_page(state, repo)}/pull/{found.number}#issuecomment-{found.id}",
        "issue_url": f"{repo_url(state, repo)}/issues/{found.number}",
        "user": user(state, found.user_id),
        "created_at": when(found.created),
        "updated_at": when(found.updated),
        "author_association": association(state, repo, found.user_id),
        "body": found.body,
        "reactions": _rollup(api, found.reactions),
        "performed_via_github_app": app_or_none(state, found.app),
    }


def issue(state: State, repo: Repository, pull: Pull) -> Json:
    """The issue side of a pull request, as `issue_comment` events carry it."""
    api = f"{repo_url(state, repo)}/issues/{pull.number}"
    page = f"{repo_page(state, repo)}/pull/{pull.number}"
    return {
        "url": api,
        "repository_url": repo_url(state, repo),
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "html_url": page,
        "id": pull.id,
        "node_id": state.node_id("PR", pull.id),
        "number": pull.number,
        "title": pull.title,
        "user": user(state, pull.user_id),
        "labels": [],
        "state": pull.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": sum(found.number == pull.number for found in repo.comments.values()),
        "created_at": when(pull.created),
        "updated_at": when(pull.updated),
        "closed_at": when_or_none(pull.closed_at),
        "author_association": association(state, repo, pull.user_id),
        "active_lock_reason": None,
        "draft": False,
        "pull_request": {
            "url": f"{repo_url(state, repo)}/pulls/{pull.number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": when_or_none(pull.merged_at),
        },
        "body": pull.body,
        "reactions": _rollup(api, []),
        "timeline_url": f"{api}/timeline",
        "performed_via_github_app": None,
        "state_reason": None,
    }


def review(state: State, repo: Repository, pull: Pull, found: Review) -> Json:
    page = f"{repo_page(state, repo)}/pull/{pull.number}#pullrequestreview-{found.id}"
    api = f"{repo_url(state, repo)}/pulls/{pull.number}"
    return {
        "id": found.id,
        "node_id": state.node_id("PRR", found.id),
        "user": user(state, found.user_id),
        "body": found.body,
        "state": found.state.upper(),
        "html_url": page,
        "pull_request_url": api,
        "author_association": association(state, repo, found.user_id),
        "_links": {"html": {"href": page}, "pull_request": {"href": api}},
        "submitted_at": when(found.at),
        "commit_id": found.commit_id,
    }
