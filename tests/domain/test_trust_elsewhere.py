"""Trust rules of Azure DevOps and GitLab, as far as their vendors' pages tell what a token says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bot.domain.claims import Profile
from bot.domain.codes import Code
from bot.domain.trust import Matched, Mismatch
from tests.domain.trusting import APPLICATION, PRODUCTION, SHA, book, code, subject

DEVOPS = "https://vstoken.dev.azure.com"
ORGANISATION = "0a9d0000-0000-4000-8000-000000000001"
PROJECT = "0a9d0000-0000-4000-8000-000000000002"
REPOSITORY = "0a9d0000-0000-4000-8000-000000000003"
DEVOPS_RULE = (
    f"{{name: pipeline, environments: [production], applications: [{APPLICATION.id}], project: {PROJECT},"
    f" definition: 12, repository: {REPOSITORY}}}"
)
DEVOPS_CLAIMS: Mapping[str, Any] = {
    "sub": "p://contoso/shop/shop-ci",
    "org_id": ORGANISATION,
    "prj_id": PROJECT,
    "def_id": "12",
    "rpo_id": REPOSITORY,
    "rpo_uri": "https://dev.azure.com/contoso/shop/_git/shop",
    "rpo_ref": "refs/heads/main",
    "rpo_ver": SHA,
    "run_id": "101",
}


def without(claim: str) -> dict[str, Any]:
    return {claim: None}


def devops(**changes: Any) -> Matched | Mismatch:
    issuer = f"{DEVOPS}/{ORGANISATION}"
    claims = {name: value for name, value in {**DEVOPS_CLAIMS, **changes}.items() if value is not None}
    rules = book(DEVOPS_RULE, issuer=issuer, profile="azure_devops")
    return rules.match(subject(claims, issuer, Profile.AZURE_DEVOPS), APPLICATION, PRODUCTION, "main")


def test_a_pipeline_of_azure_devops_is_known_by_its_ids() -> None:
    assert devops() == Matched(rule="pipeline", commit=SHA, run_id=101, run_attempt=1, actor_id=0)
    assert devops(sub="p://evil/evil/evil", rpo_uri="https://evil.example") == devops()


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("org_id", PROJECT, Code.TRUST_PROJECT),
        ("prj_id", ORGANISATION, Code.TRUST_PROJECT),
        ("def_id", "13", Code.TRUST_PROJECT),
        ("def_id", 12, Code.TOKEN_CLAIM_MISSING),
        ("rpo_id", PROJECT, Code.TRUST_PROJECT),
        ("rpo_ref", "refs/heads/x", Code.TRUST_REF),
        ("rpo_ref", "refs/pull/1/merge", Code.TRUST_REF),
        ("rpo_ver", "abc", Code.TOKEN_CLAIM_MISSING),
        ("run_id", "0", Code.TOKEN_CLAIM_MISSING),
    ],
)
def test_each_claim_of_azure_devops_counts(claim: str, value: object, expected: Code) -> None:
    said: dict[str, Any] = {claim: value}
    found = devops(**said)
    assert (code(found), getattr(found, "claim", "")) == (expected, claim)
    assert code(devops(**without(claim))) is Code.TOKEN_CLAIM_MISSING


def test_a_service_connections_token_says_too_little() -> None:
    """It has the issuer and the audience of a pipeline's, and none of its ids."""
    gone: dict[str, Any] = dict.fromkeys(("org_id", "prj_id", "def_id", "rpo_id", "rpo_ref", "rpo_ver", "run_id"))
    assert devops(sub="sc://contoso/shop/azure", **gone) == Mismatch(
        code=Code.TOKEN_CLAIM_MISSING, claim="org_id", values={"key": "org_id"}
    )


GITLAB_RULE = f"name: shop, environments: [production], applications: [{APPLICATION.id}], project: 20, namespace: 72"
GITLAB_CLAIMS: Mapping[str, Any] = {
    "sub": "project_path:contoso/shop:ref_type:branch:ref:main",
    "project_id": "20",
    "namespace_id": "72",
    "project_path": "contoso/shop",
    "pipeline_source": "push",
    "ref": "main",
    "ref_path": "refs/heads/main",
    "ref_type": "branch",
    "ref_protected": "true",
    "environment": "production",
    "ci_config_ref_uri": "gitlab.com/contoso/shop//.gitlab-ci.yml@refs/heads/main",
    "runner_environment": "gitlab-hosted",
    "sha": SHA,
    "pipeline_id": "301",
    "user_id": "1",
}


def gitlab(rule: str = GITLAB_RULE, **changes: Any) -> Matched | Mismatch:
    issuer = "https://gitlab.com"
    claims = {name: value for name, value in {**GITLAB_CLAIMS, **changes}.items() if value is not None}
    rules = book(f"{{{rule}}}", issuer=issuer, profile="gitlab")
    return rules.match(subject(claims, issuer, Profile.GITLAB), APPLICATION, PRODUCTION, "main")


def test_a_project_of_gitlab_is_known_by_its_ids() -> None:
    assert gitlab() == Matched(rule="shop", commit=SHA, run_id=301, run_attempt=1, actor_id=0)
    assert gitlab(sub="project_path:evil/evil", user_id="2", ref="evil") == gitlab()
    moved = "gitlab.com/contoso/next//.gitlab-ci.yml@refs/heads/main"
    assert gitlab(project_path="contoso/next", ci_config_ref_uri=moved) == gitlab()


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("project_id", "21", Code.TRUST_PROJECT),
        ("project_id", 20, Code.TOKEN_CLAIM_MISSING),
        ("namespace_id", "73", Code.TRUST_PROJECT),
        ("environment", "Production", Code.TRUST_ENVIRONMENT),
        ("pipeline_source", "merge_request_event", Code.TRUST_EVENT),
        ("pipeline_source", "trigger", Code.TRUST_EVENT),
        ("ref_path", "refs/heads/x", Code.TRUST_REF),
        ("ref_path", "refs/merge-requests/1/head", Code.TRUST_REF),
        ("ref_type", "tag", Code.TRUST_REF),
        ("ref_protected", "false", Code.TRUST_REF),
        ("ref_protected", True, Code.TOKEN_CLAIM_MISSING),
        ("ci_config_ref_uri", "gitlab.com/contoso/shop//evil.yml@refs/heads/main", Code.TRUST_WORKFLOW),
        ("ci_config_ref_uri", "evil.com/contoso/shop//.gitlab-ci.yml@refs/heads/main", Code.TRUST_WORKFLOW),
        ("ci_config_ref_uri", "gitlab.com/contoso/shop//.gitlab-ci.yml@refs/heads/x", Code.TRUST_WORKFLOW),
        ("runner_environment", "self-hosted", Code.TRUST_RUNNER),
        ("sha", "abc", Code.TOKEN_CLAIM_MISSING),
        ("pipeline_id", "x", Code.TOKEN_CLAIM_MISSING),
    ],
)
def test_each_claim_of_gitlab_counts(claim: str, value: object, expected: Code) -> None:
    said: dict[str, Any] = {claim: value}
    found = gitlab(**said)
    assert (code(found), getattr(found, "claim", "")) == (expected, claim)
    missing = Code.TRUST_ENVIRONMENT_MISSING if claim == "environment" else Code.TOKEN_CLAIM_MISSING
    assert code(gitlab(**without(claim))) is missing


def test_a_rule_of_gitlab_may_be_wider() -> None:
    wide = f"{GITLAB_RULE}, events: [schedule], runner: any, protected: false, workflows: [ci/deploy.yml]"
    claims: dict[str, Any] = {
        "pipeline_source": "schedule",
        "runner_environment": "self-hosted",
        "ref_protected": "false",
        "ci_config_ref_uri": "gitlab.com/contoso/shop//ci/deploy.yml@refs/heads/main",
    }
    assert code(gitlab(wide, **claims)) is None
