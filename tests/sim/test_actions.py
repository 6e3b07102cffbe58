"""A job of the pretend GitHub Actions asks for its token as on a real runner; issuers have keys of their own."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest

from bot.sim.actions import GHES, JobEnvironment
from bot.sim.client import SimClient
from bot.sim.github.problems import Misused
from bot.sim.wire import Fault
from bot.sim.world import World
from tests.sim.conftest import REPO


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def asked(session: aiohttp.ClientSession, job: JobEnvironment, audience: str | None = "miso") -> dict[str, Any]:
    """The claims that the runner's endpoint gave, checked with the keys that their issuer publishes."""
    url = job["ACTIONS_ID_TOKEN_REQUEST_URL"] + (f"&audience={audience}" if audience else "")
    headers = {"Authorization": f"bearer {job['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    async with session.get(url, headers=headers) as answer:
        body = await answer.json()
        assert answer.status == 200
        assert body["count"] == len(body["value"])
    return await read(session, body["value"])


async def read(session: aiohttp.ClientSession, token: str) -> dict[str, Any]:
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    async with session.get(f"{issuer}/.well-known/openid-configuration") as answer:
        discovery = await answer.json()
    assert discovery["issuer"] == issuer
    async with session.get(discovery["jwks_uri"]) as answer:
        keys = jwt.PyJWKSet.from_dict(await answer.json())
    key = keys[jwt.get_unverified_header(token)["kid"]].key
    return dict(jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, options={"verify_aud": False}))


async def test_a_job_gets_the_token_of_its_run(world: World, session: aiohttp.ClientSession) -> None:
    run = world.github.run_workflow(REPO, path=".github/workflows/ship.yml", event="workflow_dispatch", actor="bea")
    job = world.actions.actions_job(REPO, run_id=run["id"], environment="production")
    claims, again = await asked(session, job), await asked(session, job)
    assert claims["jti"] != again["jti"]
    assert (claims["run_id"], claims["run_attempt"], claims["sha"]) == (str(run["id"]), "1", run["head_sha"])
    assert (claims["event_name"], claims["actor"], claims["environment"]) == ("workflow_dispatch", "bea", "production")
    assert claims["job_workflow_ref"] == f"{REPO}/.github/workflows/ship.yml@refs/heads/main"
    assert claims["aud"] == "miso"
    world.github.run_workflow(REPO, run_id=run["id"])
    assert (await asked(session, job))["run_attempt"] == "2"


async def test_without_an_audience_the_owner_is_meant(world: World, session: aiohttp.ClientSession) -> None:
    job = world.actions.actions_job(REPO)
    assert (await asked(session, job, None))["aud"] == f"{world.addresses.web}/acme"
    assert world.github.state(REPO)["runs"][0]["status"] == "in_progress"


async def test_a_pull_request_run_stands_on_its_merge_reference(world: World, session: aiohttp.ClientSession) -> None:
    pull = world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    run = world.github.run_for_pull(REPO, pull["number"])
    claims = await asked(session, world.actions.actions_job(REPO, run_id=run["id"]))
    assert (claims["event_name"], claims["ref"]) == ("pull_request", f"refs/pull/{pull['number']}/merge")
    assert (claims["head_ref"], claims["base_ref"]) == ("change-1", "main")


async def test_the_runner_answers_its_own_job_alone(world: World, session: aiohttp.ClientSession) -> None:
    job, other = world.actions.actions_job(REPO), world.actions.actions_job(REPO)
    url = job["ACTIONS_ID_TOKEN_REQUEST_URL"]
    for given in ("", f"bearer {other['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}", "basic x"):
        async with session.get(url, headers={"Authorization": given}) as answer:
            assert answer.status == 401
    own = {"Authorization": f"Bearer {job['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    async with session.get(url.partition("?")[0], headers=own) as answer:
        assert answer.status == 400
    with pytest.raises(Misused, match="no run"):
        world.actions.actions_job(REPO, run_id=7)


async def test_every_issuer_has_its_own_address_keys_and_form(world: World, session: aiohttp.ClientSession) -> None:
    tokens = {
        path: world.actions.actions_token(REPO, audience="miso", issuer=path)["token"]
        for path in ("", "/contoso-enterprise", GHES)
    }
    claims = {path: await read(session, token) for path, token in tokens.items()}
    assert {path: each["iss"] for path, each in claims.items()} == {
        path: world.addresses.actions + path for path in tokens
    }
    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens.values()}) == 3
    assert claims["/contoso-enterprise"]["enterprise"] == "contoso-enterprise"
    assert claims[GHES]["sub"] == f"repo:{REPO}:ref:refs/heads/main"
    assert "@" in claims[""]["sub"]
    assert [world.actions.actions_fetches(path) for path in tokens] == [1, 1, 1]
    async with session.get(f"{world.addresses.actions}/nobody/.well-known/openid-configuration") as answer:
        assert answer.status == 404


async def test_a_forgotten_key_is_withdrawn(world: World, session: aiohttp.ClientSession) -> None:
    old = world.actions.actions_token(REPO, audience="miso")["token"]
    world.actions.rotate_actions_key(forget=True)
    with pytest.raises(KeyError):
        await read(session, old)
    await read(session, world.actions.actions_token(REPO, audience="miso")["token"])


async def test_a_token_can_be_made_wrong_on_purpose(world: World) -> None:
    token = world.actions.actions_token(
        REPO, audience="miso", headers={"crit": ["x"], "kid": None}, algorithm="RS512", claims={"exp": 1}
    )["token"]
    # By hand: PyJWT refuses to read a header that it does not understand, which is the point of such a token.
    header = json.loads(urlsafe_b64decode(token.partition(".")[0] + "=="))
    assert (header["alg"], header["crit"]) == ("RS512", ["x"])
    assert "kid" not in header
    unsigned = world.actions.actions_token(REPO, audience="miso", algorithm="none")["token"]
    assert unsigned.endswith(".")


@pytest.mark.parametrize("kind", ["huge", "garbage", "status"])
async def test_keys_can_be_huge_wrong_or_elsewhere(world: World, session: aiohttp.ClientSession, kind: Any) -> None:
    world.wire.faults.append(Fault("actions GET .*jwks", kind, status=302, headers={"Location": "http://evil.test/"}))
    async with session.get(f"{world.addresses.actions}/.well-known/jwks", allow_redirects=False) as answer:
        raw = await answer.read()
    assert {"huge": len(raw) == 32 << 20, "garbage": b"<title>" in raw, "status": answer.status == 302}[kind]
    assert world.actions.actions_fetches() == 0


async def test_a_job_can_be_had_from_another_process(world: World, session: aiohttp.ClientSession) -> None:
    async with SimClient(world.addresses.control) as sim:
        job = await sim.actions_job(REPO, environment="dev", claims={"runner_environment": "self-hosted"})
        claims = await asked(session, job)
        assert (claims["environment"], claims["runner_environment"]) == ("dev", "self-hosted")
        assert await sim.actions_fetches() == 1
        assert await sim.actions_issuer("/contoso") == f"{world.addresses.actions}/contoso"
