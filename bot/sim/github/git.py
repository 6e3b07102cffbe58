"""A small commit graph: content-addressed commits, merge bases, and what lies between two of them.

Used by the pretend GitHub's state. Trees are plain mappings path → text; there are no packs, blobs or refs on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

Tree = Mapping[str, str]


@dataclass(frozen=True)
class Person:
    """Name and address as a client wrote them; `user_id` is the account GitHub matched, None when it knows none."""

    name: str
    email: str
    user_id: int | None


@dataclass(frozen=True)
class Commit:
    sha: str
    message: str
    author: Person
    committer: Person
    parents: tuple[str, ...]
    tree: Tree
    tree_sha: str
    at: float
    """When it was committed, by the word of whoever did: a client writes what it likes."""
    authored: float
    verified: bool = False


def blob_sha(text: str) -> str:
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def make_commit(
    *,
    message: str,
    author: Person,
    committer: Person,
    parents: tuple[str, ...],
    tree: Tree,
    at: float,
    authored: float | None = None,
    verified: bool = False,
    nonce: int = 0,
) -> Commit:
    """A commit with a SHA over all it says. `nonce` keeps two equal commits of one second apart."""
    listing = "\n".join(f"{path} {blob_sha(text)}" for path, text in sorted(tree.items()))
    tree_sha = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
    wrote = at if authored is None else authored
    said = f"{tree_sha} {parents} {author} {committer} {int(at)} {int(wrote)} {nonce} {message}"
    sha = hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest()
    return Commit(sha, message, author, committer, parents, dict(tree), tree_sha, at, wrote, verified)


def ancestors(commits: Mapping[str, Commit], sha: str) -> dict[str, None]:
    """This commit and all before it, nearest first."""
    seen: dict[str, None] = {}
    queue = [sha]
    while queue:
        current = queue.pop(0)
        if current not in seen:
            seen[current] = None
            queue += commits[current].parents
    return seen


def merge_base(commits: Mapping[str, Commit], base: str, head: str) -> str | None:
    """The nearest common ancestor, None for unrelated histories."""
    reached = ancestors(commits, base)
    return next((sha for sha in ancestors(commits, head) if sha in reached), None)


def only_in(commits: Mapping[str, Commit], head: str, base: str) -> list[Commit]:
    """What `head` has and `base` has not, oldest first, as a comparison lists it."""
    behind = ancestors(commits, base)
    ahead = [commits[sha] for sha in ancestors(commits, head) if sha not in behind]
    order: list[Commit] = []
    placed: set[str] = set()
    waiting = {commit.sha: commit for commit in ahead}

    for start in reversed(ahead):
        stack = [(start, False)]
        while stack:
            commit, expanded = stack.pop()
            if commit.sha in placed:
                continue
            if expanded:
                placed.add(commit.sha)
                order.append(commit)
            else:
                stack.append((commit, True))
                stack += [(waiting[p], False) for p in commit.parents if p in waiting and p not in placed]
    return order


def renamed_paths(before: Tree, after: Tree) -> dict[str, str]:
    """New path → old path, of files that moved with their text unchanged."""
    gone = {text: path for path, text in before.items() if path not in after and text}
    come = [path for path in sorted(after) if path not in before]
    return {path: gone.pop(after[path]) for path in come if after[path] in gone}


def changed_paths(before: Tree, after: Tree) -> dict[str, str]:
    """Path → `added`, `removed` or `modified`."""
    changes = {path: "added" for path in after if path not in before}
    changes |= {path: "removed" for path in before if path not in after}
    changes |= {path: "modified" for path in after if path in before and after[path] != before[path]}
    return dict(sorted(changes.items()))
