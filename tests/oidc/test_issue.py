"""Assertions: for Entra alone, for one environment, short, and made ahead."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest

from bot.oidc.issue import LIFE_S, SECOND, Issuer
from bot.oidc.keys import KeyRing, open_ring

ENVIRONMENT = "0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10"
OTHER = "5d1a4f2e-0c3b-4a68-8f7d-1e2c3b4a5d6f"
ISSUER = "https://miso.example"
START = 1_790_000_000 * SECOND


class Time:
    def __init__(self) -> None:
        self.us = START

    def now_us(self) -> int:
        return self.us


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return open_ring(tmp_path_factory.mktemp("oidc") / "keys")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def issuer(ring: KeyRing, time: Time) -> Issuer:
    return Issuer(ISSUER, ring, time.now_us)


def claims(token: str) -> Mapping[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_an_assertion_says_who_and_for_whom(issuer: Issuer) -> None:
    told = claims(issuer.assertion(ENVIRONMENT))
    assert told["iss"] == ISSUER
    assert told["sub"] == f"miso:env:{ENVIRONMENT}"
    assert told["aud"] == "api://AzureADTokenExchange"
    assert told["exp"] - told["iat"] == LIFE_S <= 600
    assert told["nbf"] == told["iat"] == START // SECOND
    assert len(told["jti"]) == 32


def test_rule_30_no_parameter_can_make_another_audience(issuer: Issuer, ring: KeyRing) -> None:
    """The issuer signs for an environment and nothing else, and the key itself adds its only audience."""
    assert list(inspect.signature(issuer.assertion).parameters) == ["environment_id"]
    with pytest.raises(ValueError, match="audience"):
        ring.current.sign({"sub": "x", "aud": "somebody else"})
    assert claims(ring.current.sign({"sub": "x"}))["aud"] == "api://AzureADTokenExchange"


@pytest.mark.parametrize("environment", ["", "x", ENVIRONMENT.upper(), "{" + ENVIRONMENT + "}", f"{ENVIRONMENT} "])
def test_subjects_are_of_one_form(issuer: Issuer, environment: str) -> None:
    with pytest.raises(ValueError):
        issuer.assertion(environment)


def test_an_assertion_is_used_again_until_half_of_its_life(issuer: Issuer, time: Time) -> None:
    first = issuer.assertion(ENVIRONMENT)
    time.us += LIFE_S * SECOND // 2 - 1
    assert issuer.assertion(ENVIRONMENT) == first
    time.us += 1
    second = issuer.assertion(ENVIRONMENT)
    assert second != first
    assert claims(second)["jti"] != claims(first)["jti"]
    assert claims(second)["exp"] - time.us // SECOND == LIFE_S


def test_a_clock_set_back_makes_a_new_one(issuer: Issuer, time: Time) -> None:
    first = issuer.assertion(ENVIRONMENT)
    time.us -= SECOND
    assert claims(issuer.assertion(ENVIRONMENT))["iat"] == claims(first)["iat"] - 1


def test_environments_do_not_share(issuer: Issuer) -> None:
    issuer.warm([ENVIRONMENT, OTHER])
    assert claims(issuer.assertion(ENVIRONMENT))["sub"] != claims(issuer.assertion(OTHER))["sub"]


def test_a_warm_issuer_does_not_sign(issuer: Issuer, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.warm([ENVIRONMENT])
    monkeypatch.setattr(jwt, "encode", lambda *_, **__: pytest.fail("signed on the event loop"))
    assert issuer.assertion(ENVIRONMENT)


def test_discovery_names_what_is_served(issuer: Issuer, tmp_path: Path) -> None:
    told = issuer.discovery()
    assert told["issuer"] == ISSUER
    assert told["jwks_uri"] == f"{ISSUER}/.well-known/jwks"
    assert told["id_token_signing_alg_values_supported"] == ["RS256"]
