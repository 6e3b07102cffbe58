"""Is it healthy? One judgement over what the platform says and what our own request saw.

Healthy means both: the platform reports every container running with the approved digest, and the host answered. Where
an environment says `probe: platform`, the platform's word stands alone and is shown as weaker evidence. What cannot be
reached is unknown, and unknown is never healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import bot.domain.plan as plan
from bot.domain.codes import Code
from bot.domain.model import Environment, Health, Place, Plan, ProbeKind, ProbeResult


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The judgement, with its reason code when it is not healthy."""

    health: Health
    code: Code = Code.PROBE_UNKNOWN
    values: Mapping[str, str | int] = field(default_factory=dict)
    evidence: str = ""
    """"http" (we asked it ourselves) or "platform" (Azure's word alone: weaker)."""
    final: bool = False
    """Asking again cannot change it."""


def worth_asking(environment: Environment, place: Place) -> bool:
    """Whether to send our own request: only to a running resource of ours, and only where it can be reached."""
    return environment.probe is ProbeKind.HTTP and place.running is True and bool(place.host)


def judge(environment: Environment, wanted: Plan, place: Place | None, answer: ProbeResult | None) -> Finding:
    """The finding at one moment. `answer` is None when we did not ask."""
    if place is None or not place.exists:
        return Finding(health=Health.UNHEALTHY, code=Code.AZURE_MISSING)
    digest = plan.digest(wanted)
    if digest not in (place.digest, place.pulled_digest) or (place.pulled_digest not in ("", digest)):
        return Finding(health=Health.UNHEALTHY, code=Code.DIGEST_MISMATCH, final=True)
    if place.running is False:
        return Finding(health=Health.UNHEALTHY, code=Code.PLATFORM_UNHEALTHY, evidence="platform")
    if place.running is None:
        return Finding(health=Health.UNKNOWN, code=Code.PROBE_UNKNOWN, evidence="platform")
    if environment.probe is ProbeKind.PLATFORM:
        return Finding(health=Health.HEALTHY, evidence="platform")
    if answer is None or answer.health is Health.UNKNOWN:
        why = answer.code if answer else "no_host"
        return Finding(health=Health.UNKNOWN, code=Code.PROBE_UNKNOWN, values={"why": why}, evidence="http")
    if answer.health is Health.UNHEALTHY:
        values = {"why": answer.code}
        return Finding(health=Health.UNHEALTHY, code=Code.PROBE_UNHEALTHY, values=values, evidence="http")
    return Finding(health=Health.HEALTHY, evidence="http")
