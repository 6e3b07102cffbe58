"""What Miso may do on GitHub, job by job: each set is all that a token for that job gets.

A verb names the job (`miso.github.at(installation, repository, READ_FACTS)`); the GitHub window mints a token for one
repository and exactly this set, and keeps it for its hour. The union of all sets is what `app.yml` asks of an owner; a
test holds the two together. Nothing here can read secrets, change code, start workflows or administer a repository.
https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Permissions = Mapping[str, str]
"""Name of a GitHub App permission → "read" or "write"."""


def _set(**levels: str) -> Permissions:
    """GitHub adds `metadata: read` to every token; said aloud, so that equal sets are equal keys."""
    return MappingProxyType({"metadata": "read", **dict(sorted(levels.items()))})


READ_FACTS = _set(
    actions="read",
    actions_variables="read",
    checks="read",
    contents="read",
    environments="read",
    issues="read",
    pull_requests="read",
)
"""Who and what a repository is: variables, files, commits, checks, pull requests, comments, runs, people's roles."""

READ_TEAMS = _set(members="read")
"""Who is in a team that a policy names. An organisation's matter: the only job that belongs to no repository."""

REPORT = _set(checks="write", deployments="write", pull_requests="write")
"""Show how a promotion stands: deployments and their statuses, check runs, comments on pull requests."""

REACT = _set(pull_requests="write")
"""Answer a command at once: a reaction or a reply on a pull request."""

GATE = _set(actions="read", deployments="write")
"""Answer a deployment protection rule."""

JOBS: Mapping[str, Permissions] = MappingProxyType(
    {"read_facts": READ_FACTS, "read_teams": READ_TEAMS, "report": REPORT, "react": REACT, "gate": GATE}
)


def union(*sets: Permissions) -> dict[str, str]:
    """The least set that holds all of these; "write" includes "read"."""
    merged: dict[str, str] = {}
    for each in sets:
        for name, level in each.items():
            merged[name] = "write" if "write" in (level, merged.get(name)) else level
    return dict(sorted(merged.items()))


def missing(granted: Permissions, wanted: Permissions) -> dict[str, str]:
    """What is wanted and not granted: for `miso doctor`, which is told by GitHub what an owner accepted."""
    return {name: level for name, level in sorted(wanted.items()) if granted.get(name) not in (level, "write", "admin")}


def surplus(granted: Permissions, wanted: Permissions) -> dict[str, str]:
    """What is granted and not wanted: each is a risk without a use."""
    return {
        name: level
        for name, level in sorted(granted.items())
        if level != wanted.get(name) and (name not in wanted or level != "read")
    }
