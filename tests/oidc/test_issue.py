"""Assertions: for Entra alone, for one subject each, short, and made ahead; stamps and documents of the issuer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # type: ignore[import-untyped]  # it has no annotations

from bot.oidc.issue import LIFE_S, SECOND, Issuer
from bot.oidc.keys import LocalKey, Use
from tests.oidc.ground import ENVIRONMENT, ISSUER, OTHER, START, Time, claims, header, rings_in

ENDPOINT = "https://sign-in.example/oauth2/token"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def issuer(tmp_path: Path, time: Time) -> Issuer:
    rings = await rings_in(tmp_path / "keys", time, client=True)
    return Issuer(ISSUER, rings, time.now_us, client_id="miso at the service")


def of_kind(issuer: Issuer, algorithm: str) -> list[Mapping[str, Any]]:
    return [key for key in issuer.jwks()["keys"] if key["alg"] == algorithm]


async def test_an_assertion_says_who_and_for_whom(issuer: Issuer) -> None:
    token = issuer.assertion(ENVIRONMENT)
    told = claims(token)
    assert told["iss"] == ISSUER
    assert told["sub"] == f"miso:env:{ENVIRONMENT}"
    assert told["aud"] == "api://AzureADTokenExchange"
    assert told["exp"] - told["iat"] == LIFE_S <= 600
    assert told["nbf"] == told["iat"] == START // SECOND
    assert len(told["jti"]) == 32
    assert header(token) == {"alg": "RS256", "kid": of_kind(issuer, "RS256")[0]["kid"], "typ": "JWT"}


async def test_each_subject_is_of_its_own_kind_and_never_anothers(issuer: Issuer) -> None:
    said = {
        claims(issuer.assertion(ENVIRONMENT))["sub"],
        claims(issuer.sign_in_assertion())["sub"],
        claims(await issuer.workflow_assertion(ENVIRONMENT))["sub"],
    }
    assert said == {f"miso:env:{ENVIRONMENT}", "miso:signin", f"miso:workflow:{ENVIRONMENT}"}
    assert claims(issuer.sign_in_assertion())["aud"] == "api://AzureADTokenExchange"


async def test_rule_30_no_parameter_can_make_another_audience(issuer: Issuer) -> None:
    """The issuer signs for an environment and nothing else, and the use of the key gives the only audience."""
    assert list(inspect.signature(issuer.assertion).parameters) == ["environment_id"]
    assert list(inspect.signature(issuer.workflow_assertion).parameters) == ["environment_id"]
    assert list(inspect.signature(issuer.sign_in_assertion).parameters) == []
    assert list(inspect.signature(issuer.issue).parameters) == ["claims"]
    assert list(inspect.signature(issuer.client_assertion).parameters) == ["endpoint"]


@pytest.mark.parametrize("environment", ["", "x", ENVIRONMENT.upper(), "{" + ENVIRONMENT + "}", f"{ENVIRONMENT} "])
async def test_subjects_are_of_one_form(issuer: Issuer, environment: str) -> None:
    with pytest.raises(ValueError):
        issuer.assertion(environment)
    with pytest.raises(ValueError):
        await issuer.workflow_assertion(environment)


async def test_an_assertion_is_used_again_until_half_of_its_life(issuer: Issuer, time: Time) -> None:
    first = issuer.assertion(ENVIRONMENT)
    time.us += LIFE_S * SECOND // 2 - 1
    assert issuer.assertion(ENVIRONMENT) == first
    time.us += 1
    second = issuer.assertion(ENVIRONMENT)
    assert second != first
    assert claims(second)["jti"] != claims(first)["jti"]
    assert claims(second)["exp"] - time.us // SECOND == LIFE_S


async def test_a_clock_set_back_makes_a_new_one(issuer: Issuer, time: Time) -> None:
    first = issuer.assertion(ENVIRONMENT)
    time.us -= SECOND
    assert claims(issuer.assertion(ENVIRONMENT))["iat"] == claims(first)["iat"] - 1


async def test_environments_do_not_share(issuer: Issuer) -> None:
    await issuer.warm([ENVIRONMENT, OTHER])
    assert claims(issuer.assertion(ENVIRONMENT))["sub"] != claims(issuer.assertion(OTHER))["sub"]


async def test_a_warm_issuer_does_not_sign(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    await issuer.warm([ENVIRONMENT])
    monkeypatch.setattr(LocalKey, "sign_now", lambda *_: pytest.fail("signed on the event loop"))
    assert issuer.assertion(ENVIRONMENT)


async def test_a_workflows_assertion_is_made_for_each_that_asks(issuer: Issuer) -> None:
    one, two = [await issuer.workflow_assertion(ENVIRONMENT) for _ in range(2)]
    assert claims(one)["jti"] != claims(two)["jti"]


async def test_a_client_assertion_names_the_client_and_one_endpoint(issuer: Issuer, time: Time) -> None:
    """https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication, `private_key_jwt`."""
    token = await issuer.client_assertion(ENDPOINT)
    told = claims(token)
    assert told["iss"] == told["sub"] == "miso at the service"
    assert told["aud"] == ENDPOINT
    assert told["exp"] - time.us // SECOND <= 120
    assert header(token)["kid"] not in {header(issuer.assertion(ENVIRONMENT))["kid"]}
    assert header(token)["alg"] == "RS256"


@pytest.mark.parametrize("endpoint", ["api://AzureADTokenExchange", "", ISSUER, "miso", "https://", "urn:x:y"])
async def test_rule_30_a_client_assertion_is_for_nobody_who_trusts_another_key(issuer: Issuer, endpoint: str) -> None:
    with pytest.raises(ValueError, match="token endpoint"):
        await issuer.client_assertion(endpoint)


async def test_without_such_a_service_there_is_no_client_assertion(tmp_path: Path, time: Time) -> None:
    issuer = Issuer(ISSUER, await rings_in(tmp_path / "keys", time), time.now_us)
    with pytest.raises(ValueError, match="configured"):
        await issuer.client_assertion(ENDPOINT)


async def test_rule_30_our_tokens_cannot_be_given_the_audience_of_entra(tmp_path: Path, time: Time) -> None:
    rings = await rings_in(tmp_path / "keys", time)
    with pytest.raises(ValueError, match="Entra"):
        Issuer(ISSUER, rings, time.now_us, audience="api://AzureADTokenExchange")


async def test_every_public_key_says_what_it_is_for(issuer: Issuer) -> None:
    keys = issuer.jwks()["keys"]
    assert [(key["kty"], key["use"], key["alg"]) for key in keys] == [
        ("RSA", "sig", "RS256"),
        ("EC", "sig", "ES256"),
        ("RSA", "sig", "RS256"),
    ]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert set(Use) == {"assertion", "token", "client", "seal", "cookie"}


async def test_discovery_names_what_is_served(issuer: Issuer) -> None:
    told = issuer.discovery()
    assert told["issuer"] == ISSUER
    assert told["jwks_uri"] == f"{ISSUER}/.well-known/jwks"
    assert told["id_token_signing_alg_values_supported"] == ["RS256"]
    assert told["token_endpoint_auth_methods_supported"] == ["none"]
    paths = {name: told[name].removeprefix(ISSUER) for name in told if name.endswith("_endpoint")}
    assert paths == {
        "token_endpoint": "/oidc/token",
        "introspection_endpoint": "/oidc/introspect",
        "revocation_endpoint": "/oidc/revoke",
        "device_authorization_endpoint": "/oidc/device_authorization",
    }


async def test_a_standard_library_takes_our_metadata(issuer: Issuer) -> None:
    AuthorizationServerMetadata(dict(issuer.discovery())).validate()


async def test_what_is_switched_off_is_not_offered(tmp_path: Path, time: Time) -> None:
    issuer = Issuer(ISSUER, await rings_in(tmp_path / "keys", time), time.now_us, device=False)
    told = issuer.discovery()
    assert "device_authorization_endpoint" not in told
    assert told["grant_types_supported"] == ["urn:ietf:params:oauth:grant-type:token-exchange"]
