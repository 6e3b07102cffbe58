"""Commits, comparisons, branches and file contents as JSON."""

from __future__ import annotations

import base64

from bot.sim.github.git import Commit, Person, Tree, blob_sha, changed_paths, merge_base, only_in, renamed_paths
from bot.sim.github.problems import Problem
from bot.sim.github.shapes.places import Json, repo_page, repo_url, user, when
from bot.sim.github.state import Repository, State


def _git_user(person: Person, at: float) -> Json:
    return {"name": person.name, "email": person.email, "date": when(at)}


def _account(state: State, person: Person) -> Json | None:
    """GitHub matches an account by the verified e-mail address; null when it knows none."""
    return None if person.user_id is None else user(state, person.user_id)


def git_commit(state: State, repo: Repository, commit: Commit) -> Json:
    """What stands under the key `commit` of a commit."""
    api = repo_url(state, repo)
    return {
        "author": _git_user(commit.author, commit.authored),
        "committer": _git_user(commit.committer, commit.at),
        "message": commit.message,
        "tree": {"sha": commit.tree_sha, "url": f"{api}/git/trees/{commit.tree_sha}"},
        "url": f"{api}/git/commits/{commit.sha}",
        "comment_count": 0,
        "verification": {
            "verified": commit.verified,
            "reason": "valid" if commit.verified else "unsigned",
            "signature": "-----BEGIN PGP SIGNATURE-----" if commit.verified else None,
            "payload": f"tree {commit.tree_sha}" if commit.verified else None,
            "verified_at": when(commit.at) if commit.verified else None,
        },
    }


def commit(state: State, repo: Repository, found: Commit) -> Json:
    api, page = repo_url(state, repo), repo_page(state, repo)
    return {
        "sha": found.sha,
        "node_id": state.node_id("C", found.sha),
        "commit": git_commit(state, repo, found),
        "url": f"{api}/commits/{found.sha}",
        "html_url": f"{page}/commit/{found.sha}",
        "comments_url": f"{api}/commits/{found.sha}/comments",
        "author": _account(state, found.author),
        "committer": _account(state, found.committer),
        "parents": [
            {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{page}/commit/{sha}"} for sha in found.parents
        ],
    }


def files(state: State, repo: Repository, before: Tree, after: Tree, ref: str) -> list[Json]:
    """Changed files by path; one that only moved stands under its new name, with its old one beside it."""
    moved = renamed_paths(before, after)
    return [
        _file(state, repo, path, "", after[path], ref)
        | {"status": "renamed", "previous_filename": moved[path], "additions": 0, "changes": 0}
        if path in moved
        else _file(state, repo, path, before.get(path, ""), after.get(path, ""), ref) | {"status": status}
        for path, status in changed_paths(before, after).items()
        if path not in moved.values()
    ]


def _file(state: State, repo: Repository, path: str, old: str, new: str, ref: str) -> Json:
    api, page = repo_url(state, repo), repo_page(state, repo)
    added, removed = len(new.splitlines()), len(old.splitlines())
    return {
        "sha": blob_sha(new or old),
        "filename": path,
        "additions": added,
        "deletions": removed,
        "changes": added + removed,
        "blob_url": f"{page}/blob/{ref}/{path}",
        "raw_url": f"{page}/raw/{ref}/{path}",
        "contents_url": f"{api}/contents/{path}?ref={ref}",
    }


def full_commit(state: State, repo: Repository, found: Commit) -> Json:
    """`GET /repos/…/commits/{ref}`: with statistics and the files against the first parent."""
    before = repo.commits[found.parents[0]].tree if found.parents else {}
    listed = files(state, repo, before, found.tree, found.sha)
    added, removed = sum(f["additions"] for f in listed), sum(f["deletions"] for f in listed)
    stats = {"additions": added, "deletions": removed, "total": added + removed}
    return commit(state, repo, found) | {"stats": stats, "files": listed}


def comparison(state: State, repo: Repository, base: str, head: str, page: list[Commit] | None = None) -> Json:
    """`base...head`; `page` narrows the listed commits, the counts stay."""
    common = merge_base(repo.commits, base, head)
    if common is None:
        raise Problem(404, "No common ancestor between the two commits.")
    ahead, behind = only_in(repo.commits, head, base), only_in(repo.commits, base, head)
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    api, html = repo_url(state, repo), repo_page(state, repo)
    return {
        "url": f"{api}/compare/{base}...{head}",
        "html_url": f"{html}/compare/{base}...{head}",
        "permalink_url": f"{html}/compare/{base[:7]}...{head[:7]}",
        "diff_url": f"{html}/compare/{base}...{head}.diff",
        "patch_url": f"{html}/compare/{base}...{head}.patch",
        "base_commit": commit(state, repo, repo.commits[base]),
        "merge_base_commit": commit(state, repo, repo.commits[common]),
        "status": status[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [commit(state, repo, found) for found in (ahead if page is None else page)],
        "files": files(state, repo, repo.commits[common].tree, repo.commits[head].tree, head),
    }


def content(state: State, repo: Repository, path: str, text: str, ref: str) -> Json:
    """One file, base64 in lines of sixty as GitHub sends it."""
    api, page = repo_url(state, repo), repo_page(state, repo)
    sha = blob_sha(text)
    own, git, html = f"{api}/contents/{path}?ref={ref}", f"{api}/git/blobs/{sha}", f"{page}/blob/{ref}/{path}"
    return {
        "type": "file",
        "encoding": "base64",
        "size": len(text.encode()),
        "name": path.rpartition("/")[2],
        "path": path,
        "content": base64.encodebytes(text.encode()).decode(),
        "sha": sha,
        "url": own,
        "git_url": git,
        "html_url": html,
        "download_url": f"{page}/raw/{ref}/{path}",
        "_links": {"self": own, "git": git, "html": html},
    }


def branch(state: State, repo: Repository, name: str) -> Json:
    api, page = repo_url(state, repo), repo_page(state, repo)
    protection = f"{api}/branches/{name}/protection"
    return {
        "name": name,
        "commit": commit(state, repo, repo.commits[repo.branches[name]]),
        "_links": {"self": f"{api}/branches/{name}", "html": f"{page}/tree/{name}"},
        "protected": False,
        "protection": {"enabled": False},
        "protection_url": protection,
    }


def pushed_commit(state: State, repo: Repository, found: Commit) -> Json:
    """A commit as the `push` event writes it."""
    before = repo.commits[found.parents[0]].tree if found.parents else {}
    changes = changed_paths(before, found.tree)

    def who(person: Person, at: float) -> Json:
        known = {} if person.user_id is None else {"username": state.users[person.user_id].login}
        return {"name": person.name, "email": person.email, "date": when(at)} | known

    return {
        "id": found.sha,
        "tree_id": found.tree_sha,
        "distinct": True,
        "message": found.message,
        "timestamp": when(found.at),
        "url": f"{repo_page(state, repo)}/commit/{found.sha}",
        "author": who(found.author, found.authored),
        "committer": who(found.committer, found.at),
        "added": [path for path, how in changes.items() if how == "added"],
        "removed": [path for path, how in changes.items() if how == "removed"],
        "modified": [path for path, how in changes.items() if how == "modified"],
    }


def simple_commit(found: Commit) -> Json:
    """A commit as a workflow run carries it."""
    return {
        "id": found.sha,
        "tree_id": found.tree_sha,
        "message": found.message,
        "timestamp": when(found.at),
        "author": {"name": found.author.name, "email": found.author.email},
        "committer": {"name": found.committer.name, "email": found.committer.email},
    }
