"""What tests of trust rules share: an application, an honest token of a push to its default branch, small books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain import trust_file
from bot.domain.claims import Profile, SignedClaims
from bot.domain.codes import Code
from bot.domain.model import Application, Environment, Stage, TargetKind
from bot.domain.trust import Book, Matched, Mismatch

GITHUB = "https://token.actions.githubusercontent.com"
APPLICATION = Application(
    id="6f2b7a52-3d0f-4d0e-9a53-0a7d3c1f2b10", name="shop", repository_id=4711, owner_id=12, origin="test"
)
PRODUCTION = Environment(
    id="0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10",
    application_id=APPLICATION.id,
    github_name="production",
    stage=Stage.PRODUCTION,
    tenant_id="t",
    client_id="c",
    subscription_id="s",
    resource_group="g",
    location="westeurope",
    target=TargetKind.CONTAINER_INSTANCE,
    name="shop",
)
SHA = "c0ffee" * 6 + "abcd"
CLAIMS: Mapping[str, Any] = {
    "sub": "repo:acme/shop:environment:production",
    "repository": "acme/shop",
    "repository_id": "4711",
    "repository_owner": "acme",
    "repository_owner_id": "12",
    "repository_visibility": "private",
    "environment": "production",
    "event_name": "push",
    "ref": "refs/heads/main",
    "ref_type": "branch",
    "job_workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
    "job_workflow_sha": SHA,
    "workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
    "runner_environment": "github-hosted",
    "sha": SHA,
    "run_id": "99",
    "run_attempt": "2",
    "actor_id": "1001",
    "actor": "ann",
}
DEFAULT = "{name: default branch, environments: [dev, test, production]}"


def book(*rules: str, issuer: str = GITHUB, profile: str = "github") -> Book:
    text = f"issuer: {issuer}\nprofile: {profile}\nrules: [{', '.join(rules)}]"
    found, faults = trust_file.read({"a.yml": text})
    assert faults == ()
    return found


def subject(claims: Mapping[str, Any], issuer: str = GITHUB, profile: Profile = Profile.GITHUB) -> SignedClaims:
    return SignedClaims(issuer=issuer, profile=profile, audience="a", jti="j", expires_us=1, claims=claims)


def judged(rules: Book, default_branch: str = "main", **changes: Any) -> Matched | Mismatch:
    """The honest token with these claims; None takes one away."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return rules.match(subject(claims), APPLICATION, PRODUCTION, default_branch)


def code(found: Matched | Mismatch) -> Code | None:
    return found.code if isinstance(found, Mismatch) else None
