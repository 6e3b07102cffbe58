"""Which workflows of which issuers may speak for an application: rules compiled once, matched often.

`bot.domain.trust_file` reads them from `config/trust`; `bot.services.tokens` asks. Pure: a verified token in, the rule
that fits or the claim that does not out. Subjects (`sub`) are never read: only ids and exact values (security rule 30).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.claims import Profile, SignedClaims
from bot.domain.codes import Code
from bot.domain.model import Application, Environment


@dataclass(frozen=True, kw_only=True)
class IssuerTrust:
    """One issuer that Miso listens to, and its rules."""

    issuer: str
    profile: Profile
    audience: str = ""
    """Fixed by the issuer, as Azure DevOps does; empty: ours."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What a token may be used for, by ids. The names in it are gone."""

    rule: str
    commit: str
    run_id: int
    run_attempt: int
    actor_id: int
    """Numeric account that started the run; 0 where the issuer is not GitHub."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The first claim that does not fit, of the rule that comes closest."""

    code: Code
    claim: str
    rule: str = ""


@dataclass(frozen=True, kw_only=True)
class Book:
    """All rules of this installation. An empty one trusts nobody."""

    issuers: Mapping[str, IssuerTrust] = field(default_factory=dict)

    def match(
        self, subject: SignedClaims, application: Application, environment: Environment, default_branch: str
    ) -> Matched | Mismatch:
        """Hold a token's claims against the registry's ids and the rules of its issuer."""
        return Mismatch(code=Code.TRUST_NO_RULE, claim="iss")
