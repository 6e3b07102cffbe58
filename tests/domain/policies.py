"""Policies and overrides of every kind, for tests that must hold for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bot.domain.model import Stage
from bot.domain.policy_keys import Override
from bot.domain.rules import Freeze, Group, Policy, PolicySet, RequiredCheck, Who

FREEZE = Freeze(name="weekend", starts="2026-01-02T18:00", minutes=3600, repeats="FREQ=WEEKLY;BYDAY=FR")
GROUP = Group(name="security", count=1, who=Who(teams=(42,)))
CHECK = RequiredCheck(name="trivy", app_id=15368)


def said(**keys: Any) -> Override:
    return Override.model_validate(keys)


def policies(production: Policy | None = None, **more: Any) -> PolicySet:
    stages = {Stage.DEV: Policy(), Stage.TEST: Policy(), Stage.PRODUCTION: production or Policy(approvals=1)}
    return PolicySet(stages=stages, **more)


FEW = st.integers(1, 3)
HOSTS = ["public", "ghcr.io", "quay.io", "a.example"]
ROLES = st.sampled_from(["write", "maintain", "admin"])
IDS = st.lists(st.integers(1, 4), max_size=3, unique=True)
WHO = st.fixed_dictionaries({}, optional={"role": ROLES, "teams": IDS, "users": IDS})
GROUPS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abc"), "count": st.integers(1, 3), "role": ROLES, "teams": IDS}),
    max_size=3,
    unique_by=lambda group: group["name"],
)
OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "approvals": st.integers(0, 4),
        "groups": GROUPS,
        "request": WHO,
        "approve": WHO,
        "rollback": WHO,
        "approval_hours": st.integers(1, 200),
        "unknown_author_needs": st.integers(-1, 3),
        "registries": st.lists(st.sampled_from(HOSTS), max_size=3, unique=True),
        "checks": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("ab"), "app": st.integers(1, 2)}),
            max_size=3,
            unique_by=lambda check: (check["name"], check["app"]),
        ),
        "soak": st.sampled_from(["0m", "90m", "2h", "3d"]),
        "branches": st.lists(
            st.sampled_from(["main", "release/*", "release/1", "release/1/*", "next"]), max_size=3, unique=True
        ),
        "open_pull_requests": st.booleans(),
        "freezes": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from("abc"),
                    "starts": st.sampled_from(["2026-01-02T18:00", "2026-01-01T00:00"]),
                    "lasts": st.sampled_from(["1h", "2d"]),
                    "except": st.sampled_from([[], ["2026-01-02"]]),
                }
            ),
            max_size=3,
            unique_by=lambda freeze: freeze["name"],
        ),
        "concurrency": st.sampled_from(["supersede", "queue"]),
        "wait": st.sampled_from(["1h", "2d"]),
        "remind": st.sampled_from(["1h", "1d"]),
        "availability": st.fixed_dictionaries({}, optional={"instances": FEW, "zones": FEW}),
        "auto_promote": st.booleans(),
        "probe": st.sampled_from(["http", "platform"]),
        "keep_on_identical": st.booleans(),
        "break_glass": st.booleans(),
        "device_approvals": st.booleans(),
    },
).map(Override.model_validate)
POLICIES = OVERRIDES.map(lambda own: Policy(**own.changes()))
