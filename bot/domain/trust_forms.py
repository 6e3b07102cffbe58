"""How the values of a trust file are written: issuers, hosts, workflows, repositories. Text in, checked values out.

Used by `bot.domain.trust_keys` only. A ValueError says what is wrong, in words that follow the key. What is written is
compared later character by character, so nothing is mended here: neither case nor a slash at the end.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bot.domain.catalog import parse_guid
from bot.domain.trust_claims import is_commit
from bot.domain.trust_rules import OWN_WORKFLOWS, Workflow

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,45}\])(?::[1-9][0-9]{0,4})?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}\.ya?ml", re.ASCII)
_REF = re.compile(r"refs/(?:heads|tags)/(?!.*(?:\.\.|//))[A-Za-z0-9][A-Za-z0-9._/-]{0,150}(?<![./])", re.ASCII)
_EVENT = re.compile(r"[a-z][a-z_]{1,40}", re.ASCII)

MERGES = frozenset({"pull_request", "pull_request_review", "pull_request_review_comment", "merge_request_event"})
"""Events whose tokens speak of a merge that exists nowhere else, so that nothing can ever have been decided on it."""


def issuer(value: str) -> str:
    """https, or http on loopback: an address in the one form that its tokens will have."""
    scheme, _, rest = value.partition("://")
    authority, slash, path = rest.partition("/")
    if scheme not in ("https", "http"):
        raise ValueError("must begin with https://")
    if not _HOST.fullmatch(authority) or not _PATH.fullmatch(slash + path):
        raise ValueError("must be https://host/path, exactly as `iss` says it: host in lower case, no slash at the end")
    if scheme == "http" and urlsplit(value).hostname not in LOOPBACK:
        raise ValueError("must begin with https:// (http is for loopback only)")
    return value


def host(value: str) -> str:
    if value and not _HOST.fullmatch(value):
        raise ValueError("must be a host in lower case, with its port where it has one")
    return value


def audience(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be visible ASCII characters")
    return value


def event(value: str) -> str:
    if not _EVENT.fullmatch(value):
        raise ValueError("must be the name of an event, like workflow_dispatch")
    if value in MERGES:
        raise ValueError(f"{value} is not possible: its token speaks of a merge that nothing was decided about")
    return value


def workflow(value: str) -> Workflow:
    """`.github/workflows/deploy.yml` of the own repository, or `owner/repo/.github/workflows/deploy.yml@ref`."""
    place, at, ref = value.partition("@")
    repository, folder, file = place.rpartition(OWN_WORKFLOWS)
    if not folder or not _FILE.fullmatch(file):
        raise ValueError(f"must be {OWN_WORKFLOWS}file.yml, or owner/repository/{OWN_WORKFLOWS}file.yml@ref")
    if not repository and not at:
        return Workflow(path=place)
    if not repository:
        raise ValueError("of the application's own repository has no ref: the rule's branches count")
    if not repository.endswith("/") or not _REPOSITORY.fullmatch(repository[:-1]):
        raise ValueError("of another repository must begin with owner/repository/")
    if not is_commit(ref) and not _REF.fullmatch(ref):
        raise ValueError("of another repository must end with @ and a commit of 40 digits, refs/tags/… or refs/heads/…")
    return Workflow(path=folder + file, repository=repository[:-1], ref=ref)


def pipeline_file(value: str) -> str:
    parts = value.split("/")
    if not _FILE.fullmatch(parts[-1].lstrip(".")) or not all(re.fullmatch(r"\.?[\w-][\w.-]*", part) for part in parts):
        raise ValueError("must be the path of a file in the project, like .gitlab-ci.yml")
    return value


def azure_repository(value: str) -> str:
    """A GUID in Azure Repos; GitHub's repositories have no other id there than their name."""
    guid = parse_guid(value)
    if guid is None and not _REPOSITORY.fullmatch(value):
        raise ValueError("must be the GUID of a repository in Azure Repos, or owner/name of one at GitHub")
    return guid or value


def organisation(address: str) -> str:
    """The GUID at the end of an Azure DevOps issuer."""
    guid = parse_guid(urlsplit(address).path.rpartition("/")[2])
    if guid is None or not address.endswith(guid):
        raise ValueError("must end with the organisation's GUID in lower case")
    return guid
