"""What a check found: its verdict, what there is, and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bot.domain.messages import bare
from bot.domain.model import Environment, Stage
from bot.errors import MisoError, Refused, Transient


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check. `area`: settings, keys, store, github, policy, trust, sign-in, doors, or `<application> / <stage>`."""

    area: str
    check: str
    verdict: Verdict
    found: str
    next: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ok(area: str, check: str, found: str) -> Finding:
    return Finding(area=area, check=check, verdict=Verdict.OK, found=found)


def warn(area: str, check: str, found: str, following: str) -> Finding:
    return Finding(area=area, check=check, verdict=Verdict.WARN, found=found, next=following)


def fail(area: str, check: str, found: str, following: str) -> Finding:
    return Finding(area=area, check=check, verdict=Verdict.FAIL, found=found, next=following)


def failed(area: str, check: str, fault: MisoError) -> Finding:
    """One of our own errors as a finding, with its code."""
    if isinstance(fault, Refused):
        return fail(area, check, f"{bare(fault.sentence, 400)} ({fault.code})", bare(fault.hint, 400))
    if isinstance(fault, Transient):
        return fail(
            area, check, f"{bare(fault.sentence, 400)} ({fault.code})", "See whether it can be reached from here."
        )
    return fail(area, check, bare(str(fault), 400), "")


def by_stage(environments: Iterable[Environment]) -> Sequence[Environment]:
    """In the order in which a release goes through them."""
    return sorted(environments, key=lambda environment: list(Stage).index(environment.stage))
