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
from bot.domain.trust_claims import Told, read
from bot.domain.trust_rules import Asked, Rule, Step, identity


@dataclass(frozen=True, kw_only=True)
class IssuerTrust:
    """One issuer that Miso listens to, and its rules."""

    issuer: str
    profile: Profile
    audience: str = ""
    """Fixed by the issuer, as Azure DevOps does; empty: ours."""
    jwks_host: str = ""
    """Host, with port where it has one, that may serve the issuer's keys beside the issuer's own."""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What a token may be used for, by ids. The names in it are gone."""

    rule: str
    commit: str
    run_id: int
    run_attempt: int
    """1 where the issuer counts none."""
    actor_id: int
    """Numeric account that started the run; 0 where the issuer is not GitHub."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The first claim that does not fit, of the rule that comes closest: `refusal(found.code, **found.values)`."""

    code: Code
    claim: str
    rule: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    """For the code's sentence. Somebody else's text, escaped where it is written."""


@dataclass(frozen=True, kw_only=True)
class Book:
    """All rules of this installation. An empty one trusts nobody."""

    issuers: Mapping[str, IssuerTrust] = field(default_factory=dict)

    def match(
        self, subject: SignedClaims, application: Application, environment: Environment, default_branch: str
    ) -> Matched | Mismatch:
        """Hold a token's claims against the registry's ids and the rules of its issuer."""
        trust = self.issuers.get(subject.issuer)
        if trust is None or trust.profile is not subject.profile:
            return Mismatch(code=Code.TRUST_NO_RULE, claim="iss")
        told = read(subject.profile, subject.claims)
        if isinstance(told, str):
            return Mismatch(code=Code.TOKEN_CLAIM_MISSING, claim=told, values={"key": told})
        asked = Asked(application=application, environment=environment, default_branch=default_branch)
        for step in identity(subject.profile, told, asked):
            if not step.holds:
                return _mismatch(step)
        return _closest(trust.rules, told, asked)


def _closest(rules: tuple[Rule, ...], told: Told, asked: Asked) -> Matched | Mismatch:
    """The first rule that fits; otherwise what is wrong by the one that got farthest."""
    closest, farthest = Mismatch(code=Code.TRUST_NO_RULE, claim="environment"), 0
    for rule in rules:
        wrong = next(((n, step) for n, step in enumerate(rule.steps(told, asked)) if not step.holds), None)
        if wrong is None:
            return Matched(rule=rule.name, **rule.run(told)._asdict())
        if wrong[0] > farthest:
            farthest, closest = wrong[0], _mismatch(wrong[1], rule.name)
    return closest


def _mismatch(step: Step, rule: str = "") -> Mismatch:
    return Mismatch(code=step.code, claim=step.claim, rule=rule, values=step.values)
