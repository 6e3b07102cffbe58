"""Pull requests and what people and Apps say on them: comments, reactions, reviews.

https://docs.github.com/en/rest/pulls, https://docs.github.com/en/rest/issues/comments
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.git import Commit
from bot.sim.github.problems import Problem
from bot.sim.github.routing import Answer, Call, GitHub, Routes, invalid
from bot.sim.github.shapes import commits, pulls
from bot.sim.github.state import Comment, Pull, Reaction, Repository

routes = Routes()
COMMENT_LIMIT = 65536
_WRITE = ("issues:write", "pull_requests:write")
_READ = ("issues:read", "pull_requests:read")


def add_comment(github: GitHub, repo: Repository, number: int, user_id: int, body: str, app: str | None) -> Comment:
    """Write a comment and tell the App, whoever wrote it."""
    state = github.state
    comment = Comment(state.next_id(), number, user_id, body, state.clock(), state.clock(), app)
    repo.comments[comment.id] = comment
    github.events.issue_comment(repo, comment, "created", user_id)
    return comment


def change_comment(github: GitHub, repo: Repository, comment: Comment, body: str, user_id: int) -> None:
    before, comment.body, comment.updated = comment.body, body, github.state.clock()
    github.events.issue_comment(repo, comment, "edited", user_id, changes={"body": {"from": before}})


def remove_comment(github: GitHub, repo: Repository, comment: Comment, user_id: int) -> None:
    github.events.issue_comment(repo, comment, "deleted", user_id)
    del repo.comments[comment.id]


def _pull(call: Call, key: str) -> Pull:
    found = call.repository.pulls.get(call.number(key))
    if found is None:
        raise Problem(404, "Not Found")
    return found


def _comment(call: Call) -> Comment:
    found = call.repository.comments.get(call.number("comment_id"))
    if found is None:
        raise Problem(404, "Not Found")
    return found


def _body(call: Call) -> str:
    body = call.text("body", most=COMMENT_LIMIT)
    if not body.strip():
        raise invalid("body", "missing_field")
    return body


@routes("GET", "/repos/{owner}/{repo}/pulls", "pull_requests:read")
def list_pulls(call: Call) -> Any:
    query, repo = call.request.query, call.repository
    wanted, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    found = [
        pull
        for pull in reversed(repo.pulls.values())
        if wanted in ("all", pull.state)
        and head in (None, f"{call.state.users[pull.head_user].login}:{pull.head_ref}")
        and base in (None, pull.base_ref)
    ]
    return [pulls.simple_pull(call.state, repo, pull) for pull in call.page(found)]


@routes("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", "pull_requests:read")
def get_pull(call: Call) -> Any:
    return pulls.full_pull(call.state, call.repository, _pull(call, "pull_number"))


@routes("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", "pull_requests:read")
def list_pull_commits(call: Call) -> Any:
    """Stops at 250, as GitHub's list does."""
    repo = call.repository
    listed: list[Commit] = [repo.commits[sha] for sha in _pull(call, "pull_number").commits[:250]]
    return [commits.commit(call.state, repo, commit) for commit in call.page(listed)]


@routes("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", "pull_requests:read")
def list_pull_files(call: Call) -> Any:
    """What the branch changes since it left the base; at most 3,000 files, as on GitHub."""
    return call.page(pulls.changed_files(call.state, call.repository, _pull(call, "pull_number"))[:3000])


@routes("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", "pull_requests:read")
def list_reviews(call: Call) -> Any:
    pull = _pull(call, "pull_number")
    return [pulls.review(call.state, call.repository, pull, review) for review in call.page(pull.reviews)]


@routes("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", *_READ)
def list_comments(call: Call) -> Any:
    """Oldest first."""
    pull, repo = _pull(call, "issue_number"), call.repository
    found = [comment for comment in repo.comments.values() if comment.number == pull.number]
    return [pulls.comment(call.state, repo, comment) for comment in call.page(found)]


@routes("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", *_WRITE)
def create_comment(call: Call) -> Any:
    pull, state = _pull(call, "issue_number"), call.state
    comment = add_comment(call.github, call.repository, pull.number, state.bot.id, _body(call), state.app.slug)
    return Answer(201, pulls.comment(state, call.repository, comment))


@routes("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", *_READ)
def get_comment(call: Call) -> Any:
    return pulls.comment(call.state, call.repository, _comment(call))


@routes("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", *_WRITE)
def update_comment(call: Call) -> Any:
    comment = _own(call)
    change_comment(call.github, call.repository, comment, _body(call), call.state.bot.id)
    return pulls.comment(call.state, call.repository, comment)


@routes("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", *_WRITE)
def delete_comment(call: Call) -> Any:
    remove_comment(call.github, call.repository, _own(call), call.state.bot.id)
    return Answer(204)


def _own(call: Call) -> Comment:
    """An App edits what it wrote; a stricter pretence than GitHub's, which lets a writer edit others' words."""
    comment = _comment(call)
    if comment.user_id != call.state.bot.id:
        raise Problem(403, "Resource not accessible by integration")
    return comment


@routes("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", *_READ)
def list_reactions(call: Call) -> Any:
    return [pulls.reaction(call.state, reaction) for reaction in call.page(_comment(call).reactions)]


@routes("POST", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", *_WRITE)
def create_reaction(call: Call) -> Any:
    """The same reaction again is answered 200 with the one that is there."""
    comment, state = _comment(call), call.state
    content = call.text("content")
    if content not in pulls.REACTIONS:
        raise invalid("content")
    for old in comment.reactions:
        if (old.user_id, old.content) == (state.bot.id, content):
            return Answer(200, pulls.reaction(state, old))
    reaction = Reaction(state.next_id(), state.bot.id, content, state.clock())
    comment.reactions.append(reaction)
    return Answer(201, pulls.reaction(state, reaction))


@routes("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}", *_WRITE)
def delete_reaction(call: Call) -> Any:
    comment, number = _comment(call), call.number("reaction_id")
    if number not in [reaction.id for reaction in comment.reactions]:
        raise Problem(404, "Not Found")
    comment.reactions = [reaction for reaction in comment.reactions if reaction.id != number]
    return Answer(204)
