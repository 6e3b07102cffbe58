"""The claims that trust rules look at, by profile, and the one form that each of them has.

Called by `bot.domain.trust` before any rule. A claim in another form than its vendor sends is as good as none: nothing
is converted, so that no two readers can understand one token differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.domain.claims import Profile

Told = Mapping[str, str]
"""Claims whose form is right. Nothing is said yet about what they are worth."""


def is_number(value: object) -> bool:
    """A positive whole number as text, in its one form: that is how GitHub and its like send ids."""
    digits = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 19
    return digits and str(value)[0] != "0" and int(str(value)) < 2**63


def is_commit(value: object) -> bool:
    return isinstance(value, str) and len(value) == 40 and set(value) <= set("0123456789abcdef")


def is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000


Form = Callable[[object], bool]

FORMS: Mapping[Profile, Mapping[str, Form]] = {
    # https://docs.github.com/en/actions/reference/security/oidc
    Profile.GITHUB: {
        "repository_id": is_number,
        "repository_owner_id": is_number,
        "repository": is_text,
        "event_name": is_text,
        "ref": is_text,
        "ref_type": is_text,
        "job_workflow_ref": is_text,
        "runner_environment": is_text,
        "sha": is_commit,
        "run_id": is_number,
        "run_attempt": is_number,
        "actor_id": is_number,
    },
    # https://learn.microsoft.com/en-us/rest/api/azure/devops/distributedtask/oidctoken/create
    Profile.AZURE_DEVOPS: {
        "org_id": is_text,
        "prj_id": is_text,
        "def_id": is_number,
        "rpo_id": is_text,
        "rpo_ref": is_text,
        "rpo_ver": is_commit,
        "run_id": is_number,
    },
    # https://docs.gitlab.com/ci/secrets/id_token_authentication/#id-token-payload
    Profile.GITLAB: {
        "project_id": is_number,
        "namespace_id": is_number,
        "project_path": is_text,
        "pipeline_source": is_text,
        "ref_path": is_text,
        "ref_type": is_text,
        "ref_protected": is_text,
        "ci_config_ref_uri": is_text,
        "runner_environment": is_text,
        "sha": is_commit,
        "pipeline_id": is_number,
    },
}
"""Claims that must be there, each with its form."""

OPTIONAL: Mapping[str, Form] = {"environment": is_text, "job_workflow_sha": is_commit}
"""Claims that may be left out, and then count as not said; `null` and `""` are not their form."""


def read(profile: Profile, claims: Mapping[str, Any]) -> Told | str:
    """The claims that rules look at; or the name of the first that is missing or has a form that it never has."""
    told = {}
    for name, form in FORMS[profile].items():
        if not form(claims.get(name)):
            return name
        told[name] = str(claims[name])
    for name, form in OPTIONAL.items():
        if name in claims:
            if not form(claims[name]):
                return name
            told[name] = str(claims[name])
    return told
