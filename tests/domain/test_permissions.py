"""Permissions: sets that cannot be changed, their union, and what an owner granted too little or too much of."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bot.domain.permissions import JOBS, REACT, READ_FACTS, REPORT, missing, surplus, union


def test_the_union_takes_the_higher_level() -> None:
    both = union(READ_FACTS, REPORT)
    assert both["pull_requests"] == union(REPORT, READ_FACTS)["pull_requests"] == "write"
    assert set(both) == set(READ_FACTS) | set(REPORT)
    assert union() == {}


def test_rule_35_a_set_cannot_grow_by_accident() -> None:
    with pytest.raises(TypeError):
        cast(Any, REACT)["contents"] = "write"
    with pytest.raises(TypeError):
        cast(Any, JOBS)["all"] = {}


def test_what_is_missing_and_what_is_too_much() -> None:
    granted = {"metadata": "read", "pull_requests": "read", "contents": "write"}
    wanted = {"metadata": "read", "pull_requests": "write", "checks": "write"}
    assert missing(granted, wanted) == {"checks": "write", "pull_requests": "write"}
    assert surplus(granted, wanted) == {"contents": "write"}
    assert missing(wanted, wanted) == surplus(wanted, wanted) == {}
    assert missing({"checks": "write"}, {"checks": "read"}) == {}
    assert surplus({"checks": "write"}, {"checks": "read"}) == {"checks": "write"}
