"""`policy.yml`: strict, with line numbers, and never more generous than written."""

from __future__ import annotations

from bot.domain.model import Stage
from bot.settings.policy import read

GOOD = """
stages:
  development:
    approvals: 0
  tst: {approvals: 1}
  prod:
    approvals: 2
    approval_hours: 12
"""


def test_aliases_are_understood() -> None:
    policies, faults = read(GOOD)
    assert faults == ()
    assert [policies[stage].approvals for stage in Stage] == [0, 1, 2]
    assert policies[Stage.PRODUCTION].approval_hours == 12


def test_every_fault_has_its_line() -> None:
    text = """stages:
  dev:
    approvals: "1"
  test:
    approvals: 1
    aproval_hours: 3
    request_permission: read
  qa: {}
  prod:
    approvals: 0
  production: {approvals: 1}
extra: 1
"""
    _, faults = read(text)
    begins = [fault.split(": ")[0] for fault in faults]
    assert sorted(begins, key=lambda at: int(at.split(":")[1])) == [
        f"policy.yml:{line}" for line in (3, 6, 7, 8, 9, 11, 12)
    ]


def test_a_key_that_stands_twice_is_a_fault() -> None:
    _, faults = read(GOOD + "    approvals: 1\n")
    assert faults == ("policy.yml:9: 'approvals' stands there twice",)


def test_rule_9_production_without_approval_is_refused() -> None:
    _, faults = read("stages:\n  dev: {}\n  test: {}\n  production: {}\n")
    assert faults == ("policy.yml:4: stages.production.approvals: production needs at least one",)


def test_a_stage_without_policy_is_told() -> None:
    _, faults = read("stages:\n  dev: {}\n  production: {approvals: 1}\n")
    assert faults == ("policy.yml: there is no policy for test; nothing would be allowed there",)


def test_what_is_no_policy_at_all() -> None:
    for text in ("", "stages:", "- 1", "stages: [1]", "\t:", "a: b: c"):
        policies, faults = read(text)
        assert policies == {}
        assert len(faults) == 1, text


def test_a_policy_that_is_no_mapping() -> None:
    _, faults = read("stages:\n  dev: 3\n  test: {}\n  prod: {approvals: 1}\n")
    assert len(faults) == 1
    assert faults[0].startswith("policy.yml:2: stages.dev: ")
