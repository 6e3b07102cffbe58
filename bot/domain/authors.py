"""Whose work is in a release, and so whose approval does not count (security rule 9).

Called by `bot.domain.policy`. Accounts are numeric ids; who cannot be resolved is counted as unknown, never skipped.

The work is that of all commits between what runs and the release; where nothing runs yet it is the release's own
commit, because an environment's first release has no "before" that somebody could have looked at. A rollback brings
nothing new, so only its requester is counted.

What this cannot see: who pushed a commit straight to the default branch under somebody else's address, or to a pull
request before Miso was installed. Branch protection that demands pull requests closes the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.decision import Asked, Facts
from bot.domain.model import ActorKind, Commit, PullRequest, Release
from bot.domain.rules import Policy


def people_needed(policy: Policy) -> int:
    """How many people the policy itself wants; a group of three is three people, whatever the number beside it."""
    return max((policy.approvals, *(group.count for group in policy.groups)))


def is_signed(request: Asked, policy: Policy) -> bool:
    """Whether somebody's approval is wanted at all.

    A rollback wants none: it goes to a state that was approved and seen healthy here, and has a right of its own (rule
    12). Whoever goes past rules always needs a second person (rule 36).
    """
    return bool(request.break_glass) or (not request.rollback and people_needed(policy) > 0)


@dataclass(frozen=True, kw_only=True)
class Authors:
    """Everybody whose work it is, as far as known, sorted."""

    ids: tuple[int, ...]
    known: bool
    """False when anybody may be missing from `ids`."""


def authors_of(request: Asked, facts: Facts) -> Authors:
    """PR authors, pushers and mergers, authors and committers of the work, and the requester."""
    ids = {request.requester.id} if request.requester.kind is ActorKind.PERSON else set()
    if request.release is None:
        return Authors(ids=tuple(sorted(ids)), known=False)
    if request.rollback:
        return Authors(ids=tuple(sorted(ids)), known=True)
    commits, known = _work(request, request.release, facts)
    people = {found for commit in commits for found in _people(commit, request.release, facts)}
    ids |= {found for found in people if found is not None}
    own = request.release.open_pull_request
    known = known and None not in people and (not own or _is_listed(own, request.release, facts))
    return Authors(ids=tuple(sorted(ids)), known=known)


def _is_listed(number: int, release: Release, facts: Facts) -> bool:
    """Whether the open pull request that was built is among those that GitHub names for its commit."""
    return any(pull.number == number for pull in (facts.pull_requests or {}).get(release.commit, ()))


def commits_to_look_up(request: Asked, facts: Facts, policy: Policy | None = None) -> tuple[str, ...]:
    """Commits whose pull requests `Facts.pull_requests` must hold, once `range` and `commit` are filled in.

    Every one: a rebased pull request leaves commits that do not name its author. None where the policy wants no
    approvals, for then nobody is counted.
    """
    if request.release is None or request.rollback or (policy is not None and not is_signed(request, policy)):
        return ()
    return tuple(dict.fromkeys((*(c.sha for c in _work(request, request.release, facts)[0]), request.release.commit)))


def nothing_runs(request: Asked, facts: Facts) -> bool | None:
    """Whether the environment is known to run nothing of ours; None when that is not known."""
    state = facts.states.get(request.environment.id) if facts.states is not None else None
    if state is None:
        return None
    if state.running == "":
        return True
    return False if facts.running is not None else None


def _work(request: Asked, release: Release, facts: Facts) -> tuple[tuple[Commit, ...], bool]:
    """The commits as far as known, and whether they are all."""
    empty = nothing_runs(request, facts)
    complete = empty is not None
    commits: tuple[Commit, ...] = ()
    if empty is False:
        complete = facts.range is not None and facts.range.complete and facts.range.status != "unknown"
        commits = facts.range.commits if facts.range is not None else ()
    if all(c.sha != release.commit for c in commits):
        if facts.commit is None or facts.commit.sha != release.commit:
            return commits, False
        commits = (*commits, facts.commit)
    return commits, complete


def _people(commit: Commit, release: Release, facts: Facts) -> Iterator[int | None]:
    """Accounts behind one commit; None for each that cannot be told."""
    yield commit.author_id
    if commit.coauthors_unknown:
        yield None
    if not commit.committer_is_web_flow:
        yield commit.committer_id
    pulls = (facts.pull_requests or {}).get(commit.sha)
    if pulls is None:
        yield None
        return
    for pull in pulls:
        yield from _of_pull_request(pull, release, facts)


def _of_pull_request(pull: PullRequest, release: Release, facts: Facts) -> Iterator[int | None]:
    # An unmerged pull request may hold the commit too; counting its author would let anybody exclude others. The one
    # that was built is the exception: it is what goes there.
    if pull.base_repository_id == release.repository_id and (pull.merged or pull.number == release.open_pull_request):
        yield pull.author_id
        if pull.merged:
            yield pull.merged_by_id
        yield from facts.pushers.get(pull.number, ()) if facts.pushers is not None else (None,)
