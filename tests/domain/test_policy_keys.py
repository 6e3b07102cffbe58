"""What each key of a policy may say: everything else is a fault, in its place, in words that help."""

from __future__ import annotations

import pytest

from tests.domain.test_policy_file import faults, good

FREEZE = {"name": "weekend", "starts": "2026-01-02T18:00", "lasts": "60h"}


@pytest.mark.parametrize(
    ("said", "where", "word"),
    [
        ({"soak": 90}, "soak", "unit"),
        ({"soak": "2 hours"}, "soak", "duration"),
        ({"soak": "91d"}, "soak", "between"),
        ({"wait": "90m"}, "wait", "whole hours"),
        ({"wait": True}, "wait", "duration"),
        ({"auto_promote": True}, "auto_promote", "test only"),
        ({"open_pull_requests": True}, "open_pull_requests", "dev only"),
        ({"open_pull_requests": "yes"}, "open_pull_requests", "true or false"),
        ({"approvals": None}, "approvals", "whole number"),
        ({"approvals": 1.0}, "approvals", "whole number"),
        ({"groups": [{"name": "security", "count": 2, "teams": [4]}]}, "groups", "approvals is 1"),
        ({"groups": [{"name": "security"}]}, "groups[0]", "who is meant"),
        ({"groups": [{"name": "a", "teams": [4]}] * 2}, "groups", "twice"),
        ({"request": "read"}, "request.role", "'write'"),
        ({"approve": {"teams": ["security"]}}, "approve.teams[0]", "whole number"),
        ({"approve": {"users": [0]}}, "approve.users[0]", "greater than 0"),
        ({"approve": {"logins": ["ada"]}}, "approve.logins", "not a known key"),
        ({"checks": [{"name": "trivy"}]}, "checks[0].app", "missing"),
        ({"checks": ["trivy"]}, "checks[0]", "keys and values"),
        ({"registries": ["https://ghcr.io"]}, "registries[0]", "host"),
        ({"registries": "public"}, "registries", "list"),
        ({"branches": ["*"]}, "branches[0]", "release/*"),
        ({"branches": ["a..b"]}, "branches[0]", "release/*"),
        ({"branches": ["release/*/x"]}, "branches[0]", "release/*"),
        ({"availability": {"zones": 0}}, "availability.zones", "1"),
        ({"concurrency": "parallel"}, "concurrency", "'queue'"),
        ({"probe": "none"}, "probe", "'http'"),
        ({"freezes": [FREEZE, FREEZE]}, "freezes", "twice"),
        ({"freezes": [{**FREEZE, "zone": "Mars/Base"}]}, "freezes[0].zone", "time zone"),
        ({"freezes": [{**FREEZE, "zone": "localtime"}]}, "freezes[0].zone", "time zone"),
        ({"freezes": [{**FREEZE, "starts": "2026-01-02T18:00Z"}]}, "freezes[0].starts", "without a zone"),
        ({"freezes": [{**FREEZE, "starts": "2026-02-30T18:00"}]}, "freezes[0].starts", "like"),
        ({"freezes": [{**FREEZE, "lasts": "367d"}]}, "freezes[0].lasts", "366d"),
        ({"freezes": [{**FREEZE, "lasts": 60}]}, "freezes[0].lasts", "unit"),
        ({"freezes": [{**FREEZE, "except": ["Christmas"]}]}, "freezes[0].except[0]", "day"),
        ({"freezes": [{**FREEZE, "repeats": "FREQ=HOURLY"}]}, "freezes[0].repeats", "DAILY"),
        ({"freezes": [{**FREEZE, "repeats": "every Friday"}]}, "freezes[0].repeats", "FREQ"),
        ({"freezes": [{**FREEZE, "repeats": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}]}, "freezes[0]", "never happens"),
    ],
)
def test_what_a_key_may_not_say(said: dict[str, object], where: str, word: str) -> None:
    [fault] = faults(good(**said))
    assert fault.startswith(f"policy.yml:1: stages.production.{where}: ")
    assert word in fault
