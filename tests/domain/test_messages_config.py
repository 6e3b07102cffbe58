"""The check run on `.github/miso.yml`: every fault beside its line, and success when all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from syrupy.assertion import SnapshotAssertion

from bot.domain.codes import Code
from bot.domain.messages.config_check import config_check
from bot.domain.model import CheckRun
from bot.domain.repository_config import ConfigFault
from tests.domain import given
from tests.domain.pages import Page


@dataclass(frozen=True, kw_only=True)
class Found:
    level: Literal["error", "warning"]
    code: Code
    values: Mapping[str, str | int] = field(default_factory=dict)


FAULTS = (
    ConfigFault(line=2, path="image", sentence="must be host and repository in lower case"),
    ConfigFault(line=0, path="", sentence="is no mapping: @everyone <b>`x`</b>"),
)
WARNING = Found(level="warning", code=Code.ONLY_REQUESTER_APPROVES, values={"who": "dee", "stage": "production"})
ERROR = Found(level="error", code=Code.NOBODY_CAN_APPROVE, values={"stage": "production"})


def check(faults: tuple[ConfigFault, ...] = (), findings: tuple[Found, ...] = ()) -> CheckRun:
    return config_check(head_sha=given.NEW, external_id="notice", faults=faults, findings=findings)


def test_all_is_well() -> None:
    made = check()
    assert (made.name, made.status, made.conclusion) == ("miso / configuration", "completed", "success")
    assert made.title == "The configuration is in order"
    assert made.annotations == ()


def test_every_fault_stands_beside_its_line(snapshot: SnapshotAssertion) -> None:
    made = check(FAULTS, (WARNING, ERROR))
    assert made.conclusion == "failure"
    beside = "\n".join(f"{a.path}:{a.line} {a.level} [{a.title}] {a.message}" for a in made.annotations)
    assert f"{made.title}\n\n---\n\n{made.summary}\n\n---\n\n{beside}\n" == snapshot(extension_class=Page)


def test_an_impossible_policy_fails_and_an_awkward_one_does_not() -> None:
    assert check(findings=(ERROR,)).conclusion == "failure"
    assert check(findings=(WARNING,)).conclusion == "neutral"
    assert "none of which stops anything" in check(findings=(WARNING,)).summary


def test_it_never_grows_too_long_for_github() -> None:
    made = check(FAULTS * 500, (ERROR,) * 500)
    assert len(made.summary.encode()) < 65_000
    assert "And 1300 more." in made.summary
