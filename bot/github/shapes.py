"""GitHub's JSON → values of the domain. Pure; a missing field raises `KeyError` or `TypeError`, which `door` judges.

Called by `bot.github.facts`. People are numeric ids: logins can be renamed and taken over.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from bot.domain.model import (
    Account,
    CheckSeen,
    Collaborator,
    Comment,
    Commit,
    Permission,
    PullRequest,
    RepositoryFacts,
    Untrusted,
    WorkflowRun,
)

WEB_FLOW = "web-flow"
"""Committer of what is made in GitHub's web pages and by its merge button. A reserved login, 19864447 on github.com; an
Enterprise Server gives it another number."""
GHOST = 0
"""Stands for an account that was deleted (GitHub answers null). No person has it, so it never equals anybody."""

_CO_AUTHOR = re.compile(r"^[ \t]*co-authored-by[ \t]*:", re.IGNORECASE | re.MULTILINE)
"""https://docs.github.com/en/pull-requests/committing-changes-to-your-project/creating-and-editing-commits/creating-a-commit-with-multiple-authors"""

Json = Any


def account(user: Json) -> int | None:
    """Numeric id of an account; None for null and for the empty object that GitHub gives for an unknown one."""
    return int(user["id"]) if user else None


def repository(data: Json) -> RepositoryFacts:
    return RepositoryFacts(
        id=int(data["id"]),
        full_name=str(data["full_name"]),
        owner_id=int(data["owner"]["id"]),
        default_branch=str(data["default_branch"]),
        archived=bool(data.get("archived", False)),
    )


def commit(data: Json) -> Commit:
    """Who made it, as far as GitHub vouches for it (rule 9).

    Author and committer are what the e-mail address in the commit says, which anybody can write. `web-flow` is
    believed only with GitHub's own valid signature; without one the real committer is unknown.
    """
    message = str(data["commit"]["message"])
    committer = account(data["committer"])
    web_flow = committer is not None and data["committer"]["login"] == WEB_FLOW
    proof = data["commit"].get("verification") or {}
    signed = proof.get("verified") is True and proof.get("reason") == "valid"
    return Commit(
        sha=str(data["sha"]),
        author_id=account(data["author"]),
        committer_id=None if web_flow and not signed else committer,
        committer_is_web_flow=web_flow and signed,
        coauthors_unknown=_CO_AUTHOR.search(message.replace("\r", "\n")) is not None,
        message=Untrusted(message),
        tree=str(data["commit"]["tree"]["sha"]),
    )


def pull_request(data: Json) -> PullRequest:
    head = data["head"]
    return PullRequest(
        number=int(data["number"]),
        author_id=account(data["user"]) or GHOST,
        title=Untrusted(str(data["title"])),
        merged=bool(data["merged"]),
        open=data["state"] == "open",
        merge_commit_sha=str(data["merge_commit_sha"] or ""),
        merged_by_id=account(data["merged_by"]),
        head_sha=str(head["sha"]),
        head_repository_id=account(head["repo"]),
        base_repository_id=int(data["base"]["repo"]["id"]),
        base_branch=str(data["base"]["ref"]),
    )


def comment(data: Json) -> Comment:
    user = data["user"]
    return Comment(
        id=int(data["id"]),
        user_id=account(user) or GHOST,
        login=str(user["login"]) if user else "ghost",
        user_is_bot=bool(user) and user["type"] != "User",
        body=Untrusted(str(data.get("body") or "")),
        via_app_id=made_by(data),
        created_at=str(data["created_at"]),
        updated_at=str(data["updated_at"]),
    )


def permission(data: Json) -> Permission | None:
    """None when GitHub names no account: then nobody is known to have it."""
    user = account(data["user"])
    if user is None:
        return None
    level = str(data["permission"])
    return Permission(user_id=user, role_name=str(data.get("role_name") or level), permission=level)


def person(data: Json) -> Account:
    """An account of a listing, where GitHub always names one."""
    return Account(id=int(data["id"]), login=str(data["login"]))


def collaborator(data: Json) -> Collaborator:
    """One of a repository's people. `role_name` may be a role of the owner's making: then the grants tell its base."""
    grants = data["permissions"]
    level = "admin" if grants["admin"] else "write" if grants["push"] else "read" if grants["pull"] else "none"
    who = person(data)
    role = Permission(user_id=who.id, role_name=str(data["role_name"]), permission=level)
    return Collaborator(account=who, permission=role)


def check_seen(data: Json) -> CheckSeen:
    """A check run. One whose App is gone (GitHub answers null) has the App that nobody is, and never counts."""
    return CheckSeen(
        id=int(data["id"]),
        name=str(data["name"]),
        app_id=account(data["app"]) or GHOST,
        status=str(data["status"]),
        conclusion=str(data["conclusion"] or ""),
    )


def changed_paths(data: Json) -> list[str]:
    """The paths of one changed file: its name, and the one that it had before."""
    names = [data["filename"], data.get("previous_filename")]
    return [str(name) for name in names if name]


def workflow_run(data: Json) -> WorkflowRun:
    return WorkflowRun(
        id=int(data["id"]),
        attempt=int(data.get("run_attempt") or 1),
        path=str(data["path"]).partition("@")[0],
        event=str(data["event"]),
        conclusion=str(data["conclusion"] or ""),
        head_branch=str(data["head_branch"] or ""),
        head_sha=str(data["head_sha"]),
        head_repository_id=account(data["head_repository"]),
        repository_id=int(data["repository"]["id"]),
        actor_id=account(data.get("actor")) or GHOST,
    )


def made_by(data: Json) -> int | None:
    """Id of the App through which a comment or deployment was made, where GitHub says so."""
    app = data.get("performed_via_github_app")
    return int(app["id"]) if app else None


def text_of(data: Json, limit: int) -> str | None:
    """Text of a file of the contents API; None for what is not a plain UTF-8 file of at most `limit` bytes."""
    if not isinstance(data, dict) or data["type"] != "file" or data["size"] > limit or data["encoding"] != "base64":
        return None
    content = base64.b64decode(data["content"])
    if len(content) > limit:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
