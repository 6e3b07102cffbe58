"""The contract itself: a member that nobody described is found, at the top and inside."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.sim.wire import Exchange
from tests.contracts import vault

GOOD: dict[str, Any] = {"key": {"kid": "k", "kty": "EC", "key_ops": []}, "attributes": {"enabled": True, "exp": 1}}
EXCHANGE = Exchange("vault", "GET", "/keys/issuer/", {}, {}, b"", 200, {}, json.dumps(GOOD).encode())


def test_a_described_answer_has_no_fault() -> None:
    assert vault.check(EXCHANGE) == []
    assert vault.check(replace(EXCHANGE, server="arm", response_body=b'{"x":1}')) == []


@pytest.mark.parametrize(
    "body",
    [{**GOOD, "kee": 1}, {**GOOD, "attributes": {"expires": 1}}, {"key": {"private": "x"}}],
)
def test_a_member_that_nobody_described_is_found(body: Any) -> None:
    assert len(vault.check(replace(EXCHANGE, response_body=json.dumps(body).encode()))) == 1


def test_errors_lists_and_paths_are_judged_too() -> None:
    assert vault.check(replace(EXCHANGE, status=403, response_body=b'{"message":"no"}'))
    assert vault.check(replace(EXCHANGE, path="/secrets/x"))
    listed = json.dumps({"value": [{"kid": "k", "other": 1}], "nextLink": None}).encode()
    assert vault.check(replace(EXCHANGE, path="/keys/issuer/versions", response_body=listed))
