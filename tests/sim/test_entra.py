"""The pretend Entra really verifies: exact issuer, subject and audience, signature by published keys, times."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.sim.entra import Entra
from bot.sim.wire import Wire
from tests.azure.cloud import CLIENT, ISSUER, TENANT, Cloud

FORM = {
    "client_id": CLIENT,
    "grant_type": "client_credentials",
    "scope": "https://management.azure.com/.default",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}


async def ask(cloud: Cloud, *, tenant: str = TENANT, **changes: str) -> tuple[int, dict[str, Any]]:
    form = {**FORM, "client_assertion": cloud.issuer.assertion(), **changes}
    form = {key: value for key, value in form.items() if value}
    async with cloud.session.post(f"{cloud.entra_url}/{tenant}/oauth2/v2.0/token", data=form) as response:
        return response.status, json.loads(await response.read())


async def test_registered_assertion_becomes_a_bearer_token() -> None:
    async with Cloud.running() as cloud:
        status, body = await ask(cloud)
        assert (status, body["token_type"], body["expires_in"]) == (200, "Bearer", 3599)
        principal = cloud.entra.principal(body["access_token"])
        assert principal is not None
        assert (principal.tenant_id, principal.client_id) == (TENANT, CLIENT)
        assert cloud.issuer.fetched == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/jwks"]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"sub": "miso:env:other"}, 700213),
        ({"sub": "MISO:env:00000000-0000-4000-8000-0000000000ee"}, 700213),
        ({"iss": "https://other.test"}, 700211),
        ({"aud": "api://other"}, 700212),
        ({"exp": int(time.time()) - 3600, "nbf": 0}, 700024),
        ({"nbf": int(time.time()) + 3600}, 700024),
    ],
)
async def test_rule_19_every_claim_matches_exactly_or_is_refused(claims: dict[str, Any], code: int) -> None:
    async with Cloud.running() as cloud:
        cloud.issuer.claims = claims
        status, body = await ask(cloud)
        assert (status, body["error"], body["error_codes"]) == (401, "invalid_client", [code])
        assert body["error_description"].startswith(f"AADSTS{code}: ")
        assert body["trace_id"] in body["error_description"]


async def test_rule_18_issuer_that_is_not_registered_is_never_fetched() -> None:
    async with Cloud.running() as cloud:
        cloud.issuer.claims = {"iss": "https://evil.test"}
        await ask(cloud)
        assert cloud.issuer.fetched == []


async def test_signature_of_another_key_is_refused() -> None:
    async with Cloud.running() as cloud:
        cloud.issuer.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        status, body = await ask(cloud)
        assert (status, body["error_codes"]) == (401, [700027])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tenant": "00000000-0000-4000-8000-000000000001"}, 90002),
        ({"client_id": "00000000-0000-4000-8000-000000000001"}, 700016),
        ({"client_assertion": "no.jwt"}, 50027),
        ({"client_assertion": ""}, 900144),
        ({"grant_type": "password"}, 70003),
        ({"scope": "https://management.azure.com/read"}, 1002012),
        ({"client_assertion_type": "other"}, 50027),
    ],
)
async def test_request_of_another_form_has_its_own_code(changes: dict[str, str], code: int) -> None:
    async with Cloud.running() as cloud:
        status, body = await ask(cloud, **changes)
        assert status in (400, 401)
        assert body["error_codes"] == [code]


async def test_issuer_that_cannot_be_reached_is_told_so() -> None:
    async with Cloud.running() as cloud:

        async def broken(url: str) -> Any:
            raise OSError(url)

        cloud.entra._fetch = broken
        status, body = await ask(cloud)
        assert (status, body["error_codes"]) == (400, [50166])


async def test_token_runs_out() -> None:
    now = [time.time()]
    async with Cloud.running(clock=lambda: now[0]) as cloud:
        token = await cloud.token()
        assert cloud.entra.principal(token) is not None
        now[0] += 3600
        assert cloud.entra.principal(token) is None


def test_an_application_has_at_most_twenty_credentials() -> None:
    async def fetch(url: str) -> Any:
        raise AssertionError(url)

    entra = Entra(Wire(), fetch=fetch)
    for number in range(20):
        entra.federate(TENANT, CLIENT, issuer=ISSUER, subject=str(number))
    with pytest.raises(ValueError, match="20"):
        entra.federate(TENANT, CLIENT, issuer=ISSUER, subject="one more")
