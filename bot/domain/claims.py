"""What tokens say once their signature was verified: of the issuers that Miso listens to, and of its own.

`SignedClaims` is made only by `bot.oidc.verify`, `OwnClaims` only by `bot.oidc.issue`, so that a function which takes
one of them cannot be handed text that nobody checked. `bot.domain.trust` matches the first against the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Profile(StrEnum):
    """Which claims an issuer gives, and what they mean."""

    GITHUB = "github"
    """https://docs.github.com/en/actions/reference/security/oidc"""
    AZURE_DEVOPS = "azure_devops"
    GITLAB = "gitlab"
    """https://docs.gitlab.com/ci/secrets/id_token_authentication/"""


@dataclass(frozen=True, kw_only=True)
class SignedClaims:
    """A subject token whose signature, issuer, audience and times were verified. The rest is still to be judged."""

    issuer: str
    profile: Profile
    audience: str
    jti: str
    expires_us: int
    """From then on nobody takes it any more, skew of clocks included: so long its id must be remembered."""
    claims: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class DeployClaims:
    """What a deploy token says: one application, one environment, one commit, one run."""

    jti: str
    application_id: str
    environment_id: str
    repository_id: int
    commit: str
    run_id: int
    run_attempt: int
    actor_id: int
    """Numeric account that started the run: nobody approves what they started."""
    issued_us: int
    expires_us: int
    purpose: str = "deploy"


@dataclass(frozen=True, kw_only=True)
class OwnClaims:
    """A token of our own whose signature, type, audience and times were verified. Whether it was revoked is not known
    here: that stands in the store."""

    token_hash: str
    deploy: DeployClaims
