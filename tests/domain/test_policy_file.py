"""`policy.yml`: strict, with line numbers, and never more generous than written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.identity import Role
from bot.domain.model import ProbeKind, Stage
from bot.domain.policy_file import read, schema
from bot.domain.rules import (
    Concurrency,
    Freeze,
    Group,
    Members,
    Policy,
    PolicySet,
    RequiredCheck,
    Who,
    set_as_body,
    set_from_body,
)

ROOT = Path(__file__).parents[2]
GUID = "90d00f1c-6d2b-4f43-9a53-0a5a54a2a3c1"
GOOD = """
stages:
  development:
    approvals: 0
  tst: {approvals: 1}
  prod:
    approvals: 2
    approval_hours: 12
"""
WHOLE = f"""
administrators: [1001, 1002]
operators: {{role: admin, teams: [7]}}
clear_people: 3
break_glass_minutes: 30
roles:
  auditor: {{groups: [{GUID.upper()}], app_roles: [Miso.Auditor]}}
  operator: {{teams: [7], users: [5]}}
stages:
  dev: {{open_pull_requests: true, request: maintain}}
  test: {{auto_promote: true}}
  production:
    approvals: 2
    groups: [{{name: security, count: 1, teams: [42]}}]
    request: {{role: maintain}}
    approve: {{role: write, teams: [42], users: [5]}}
    approval_hours: 24
    unknown_author_needs: -1
    registries: [public, example.azurecr.io]
    checks: [{{name: trivy, app: 15368}}]
    soak: 2h
    branches: [main, release/*]
    freezes:
      - name: weekend
        starts: 2026-01-02T18:00
        lasts: 60h
        zone: Europe/Berlin
        repeats: FREQ=WEEKLY;BYDAY=FR
        except: [2026-12-25]
        reason: nobody is on call
      - {{name: move, starts: 2026-05-01 00:00:00, lasts: 3d}}
    concurrency: queue
    wait: 2d
    remind: 12h
    availability: {{instances: 2, zones: 2}}
    probe: http
    keep_on_identical: true
    break_glass: false
    device_approvals: true
environments:
  {GUID.upper()}: {{stage: prod, approvals: 3, approve: admin}}
"""


APPROVE = Who(teams=(42,), users=(5,))
PRODUCTION = Policy(
    approvals=2,
    groups=(Group(name="security", count=1, who=Who(teams=(42,))),),
    request=Who(role="maintain"),
    approve=APPROVE,
    rollback=APPROVE,
    approval_hours=24,
    unknown_author_needs=-1,
    registries=("public", "example.azurecr.io"),
    checks=(RequiredCheck(name="trivy", app_id=15368),),
    soak_minutes=120,
    branches=("main", "release/*"),
    freezes=(
        Freeze(
            name="weekend",
            starts="2026-01-02T18:00",
            minutes=3600,
            zone="Europe/Berlin",
            repeats="FREQ=WEEKLY;BYDAY=FR",
            exceptions=("2026-12-25",),
            reason="nobody is on call",
        ),
        Freeze(name="move", starts="2026-05-01T00:00", minutes=4320),
    ),
    concurrency=Concurrency.QUEUE,
    wait_hours=48,
    remind_hours=12,
    min_instances=2,
    min_zones=2,
    probe=ProbeKind.HTTP,
    keep_on_identical=True,
    break_glass=False,
    device_approvals=True,
)


def faults(text: str) -> tuple[str, ...]:
    policies, found = read(text)
    assert found, "it was accepted"
    assert policies == PolicySet(), "what is wrong allows nothing"
    return found


def good(**production: object) -> str:
    said = {"approvals": 1, **production}
    return json.dumps({"stages": {"dev": {}, "test": {}, "production": said}})


def test_aliases_are_understood() -> None:
    policies, wrong = read(GOOD)
    assert wrong == ()
    assert [policies.stages[stage].approvals for stage in Stage] == [0, 1, 2]
    assert policies.stages[Stage.PRODUCTION].approval_hours == 12


def test_every_key_is_read() -> None:
    policies, wrong = read(WHOLE)
    assert wrong == ()
    assert policies.stages[Stage.PRODUCTION] == PRODUCTION
    assert policies.stages[Stage.DEV] == Policy(open_pull_requests=True, request=Who(role="maintain"))
    assert policies.stages[Stage.TEST] == Policy(auto_promote=True)
    own = policies.environments[GUID]
    assert (own.approvals, own.approve, own.rollback) == (3, Who(role="admin"), Who(role="admin"))
    assert own.checks == PRODUCTION.checks
    assert policies.administrators == (1001, 1002)
    assert (policies.operators, policies.clear_people) == (Who(role="admin", teams=(7,)), 3)
    assert policies.break_glass_minutes == 30
    assert policies.roles == {
        Role.AUDITOR: Members(groups=(GUID,), app_roles=("Miso.Auditor",)),
        Role.OPERATOR: Members(teams=(7,), users=(5,)),
    }


def test_the_ledger_keeps_all_of_it() -> None:
    policies, _ = read(WHOLE)
    assert set_from_body(json.loads(json.dumps(set_as_body(policies)))) == policies


def test_an_entry_counts_only_for_the_stage_that_it_names() -> None:
    policies, _ = read(WHOLE)
    own = policies.at(GUID, Stage.PRODUCTION)
    assert own is not None
    assert own.approvals == 3
    assert policies.at(GUID, Stage.DEV) is None, "the operator meant another environment: nothing is allowed"


def test_who_may_roll_back_follows_who_may_approve_unless_it_is_said() -> None:
    def rollback(**said: object) -> Who:
        policies, wrong = read(good(**said))
        assert wrong == ()
        return policies.stages[Stage.PRODUCTION].rollback

    assert rollback() == Who()
    assert rollback(approve="admin") == Who(role="admin")
    assert rollback(approve="admin", rollback="maintain") == Who(role="maintain")


def test_every_fault_has_its_line() -> None:
    text = """stages:
  dev:
    approvals: "1"
  test:
    approvals: 1
    aproval_hours: 3
    request_permission: read
    open_pull_requests: true
  qa: {}
  prod:
    approvals: 0
    freezes:
      - {name: x, starts: 2026-01-02T18:00, lasts: 2h, zone: Mars/Base}
      - {name: y, starts: 2026-01-02T18:00, lasts: 400d}
    approve: {role: owner}
  production: {approvals: 1}
environments:
  90d: {stage: prod}
extra: 1
"""
    begins = [fault.split(": ")[0] for fault in faults(text)]
    assert begins == [f"policy.yml:{line}" for line in (3, 6, 7, 8, 9, 11, 13, 14, 15, 16, 18, 19)]


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"boss": {"users": [1]}}, "roles.boss"),
        ({"auditor": {}}, "must say who is meant"),
        ({"auditor": {"groups": ["all of them"]}}, "must be an id or a value"),
        ({"auditor": {"groups": ["a", "a"]}}, "twice"),
        ({"auditor": {"teams": ["security"]}}, "roles.auditor.teams"),
        ({"auditor": {"people": [1]}}, "roles.auditor.people"),
    ],
)
def test_a_role_is_given_to_nobody_by_mistake(roles: object, said: str) -> None:
    text = json.dumps({**json.loads(good()), "roles": roles})
    assert any(said in fault for fault in faults(text)), faults(text)


def test_keys_of_earlier_versions_say_what_they_are_called_now() -> None:
    text = json.dumps({"stages": {"dev": {"request_permission": "write", "approve_permission": "write"}}})
    assert [fault.split("; ")[1] for fault in faults(text)] == [
        "it is called `approve` now",
        "it is called `request` now",
    ]


def test_a_key_that_stands_twice_is_a_fault() -> None:
    assert faults(GOOD + "    approvals: 1\n") == (
        "policy.yml:9: stages.prod.approvals: is said twice, first in line 7",
    )


def test_rule_9_production_without_approval_is_refused() -> None:
    text = "stages:\n  dev: {}\n  test: {}\n  production: {}\n"
    assert faults(text) == ("policy.yml:4: stages.production.approvals: production needs at least one",)
    assert faults(f"{GOOD}environments:\n  {GUID}: {{stage: prod, approvals: 0}}\n") == (
        f"policy.yml:10: environments.{GUID}.approvals: production needs at least one",
    )


def test_a_stage_without_policy_is_told() -> None:
    assert faults("stages:\n  dev: {}\n  production: {approvals: 1}\n") == (
        "policy.yml:1: stages: has no policy for test",
    )


@pytest.mark.parametrize(
    "text", ["", "stages:", "- 1", "stages: [1]", "\t:", "a: b: c", "stages: {dev: &a {}, test: *a}"]
)
def test_what_is_no_policy_at_all(text: str) -> None:
    assert faults(text)


def test_a_policy_that_is_no_mapping() -> None:
    assert faults("stages:\n  dev: 3\n  test: {}\n  prod: {approvals: 1}\n") == (
        "policy.yml:2: stages.dev: must hold keys and values",
    )


def test_an_environment_names_its_stage() -> None:
    assert "is missing" in faults(f"{GOOD}environments:\n  {GUID}: {{approvals: 2}}\n")[0]


@given_that(st.text(alphabet="abc{}[]:&*!-?|>'\"# \n\t0x<%@`", max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    for whole in (text, f"stages: {text}", f"{GOOD}environments: {text}", f"{GOOD}    freezes: [{text}]"):
        assert isinstance(read(whole)[0], PolicySet)


def test_the_shipped_policy_is_right() -> None:
    policies, wrong = read((ROOT / "config" / "policy.yml").read_text("utf-8"))
    assert wrong == ()
    expected = {
        Stage.DEV: Policy(),
        Stage.TEST: Policy(),
        Stage.PRODUCTION: Policy(approvals=1, approval_hours=24, unknown_author_needs=-1),
    }
    assert policies == PolicySet(stages=expected)


def test_the_schema_for_editors_is_current() -> None:
    written = ROOT / "config" / "schemas" / "policy.yml.schema.json"
    assert json.loads(written.read_text("utf-8")) == json.loads(json.dumps(schema())), (
        "python -m bot.settings policy-schema > config/schemas/policy.yml.schema.json"
    )
