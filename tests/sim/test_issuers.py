"""The pretend Azure DevOps and GitLab give tokens of their vendors' form, each signed by the issuer that it names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest

from bot.sim.client import SimClient
from bot.sim.github.problems import Misused
from bot.sim.issuers import azure_devops
from bot.sim.world import World

SHA = "a" * 40


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def read(session: aiohttp.ClientSession, token: str, audience: str) -> dict[str, Any]:
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    async with session.get(f"{issuer}/.well-known/openid-configuration") as answer:
        discovery = await answer.json()
    async with session.get(discovery["jwks_uri"]) as answer:
        keys = jwt.PyJWKSet.from_dict(await answer.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return dict(jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=discovery["issuer"]))


async def test_a_pipeline_of_azure_devops(world: World, session: aiohttp.ClientSession) -> None:
    devops = world.devops
    claims = await read(session, devops.token(sha=SHA)["token"], azure_devops.AUDIENCE)
    assert claims["iss"] == devops.issuer() == f"{world.addresses.devops}/{azure_devops.ORGANISATION_ID}"
    assert (claims["sub"], claims["org_id"]) == ("p://contoso/shop/shop-ci", azure_devops.ORGANISATION_ID)
    assert (claims["rpo_ver"], claims["rpo_ref"], claims["def_id"]) == (SHA, "refs/heads/main", "12")
    assert all(isinstance(value, str) for name, value in claims.items() if name.endswith("_id"))
    through = devops.token(sha=SHA, service_connection="azure-shop", claims={"run_id": None})["token"]
    other = await read(session, through, azure_devops.AUDIENCE)
    assert other["sub"] == "sc://contoso/shop/azure-shop"
    assert "run_id" not in other
    assert other["jti"] != claims["jti"]
    assert devops.fetches() == 2


async def test_each_organisation_has_keys_of_its_own(world: World, session: aiohttp.ClientSession) -> None:
    devops, foreign = world.devops, "0a9d0000-0000-4000-8000-0000000000ff"
    tokens = [devops.token(sha=SHA)["token"], devops.token(sha=SHA, organisation_id=foreign)["token"]]
    assert (await read(session, tokens[1], azure_devops.AUDIENCE))["org_id"] == foreign
    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 2
    devops.rotate_key(forget=True)
    with pytest.raises(KeyError):
        await read(session, tokens[0], azure_devops.AUDIENCE)
    with pytest.raises(Misused):
        world.actions.actions_issuer("no-slash")


async def test_a_job_of_gitlab(world: World, session: aiohttp.ClientSession) -> None:
    gitlab = world.gitlab
    claims = await read(session, gitlab.token(audience="miso", sha=SHA, environment="production")["token"], "miso")
    assert claims["iss"] == gitlab.issuer() == world.addresses.gitlab
    assert (claims["project_id"], claims["job_project_id"], claims["sha"]) == ("20", "20", SHA)
    assert (claims["environment"], claims["environment_protected"]) == ("production", "true")
    assert (claims["ref"], claims["ref_path"], claims["ref_protected"]) == ("main", "refs/heads/main", "true")
    host = world.addresses.gitlab.removeprefix("http://")
    assert claims["ci_config_ref_uri"] == f"{host}/contoso/shop//.gitlab-ci.yml@refs/heads/main"
    plain = await read(session, gitlab.token(audience="miso", sha=SHA, ref="v1", ref_type="tag")["token"], "miso")
    assert "environment" not in plain
    assert plain["ref_path"] == "refs/tags/v1"
    old = gitlab.token(audience="miso", sha=SHA)["token"]
    gitlab.rotate_key()
    await read(session, old, "miso")
    assert gitlab.fetches() == 3


async def test_both_can_be_asked_from_another_process(world: World, session: aiohttp.ClientSession) -> None:
    async with SimClient(world.addresses.control) as sim:
        given = await sim.call("gitlab.token", audience="miso", sha=SHA, claims={"user_id": "9"})
        assert (await read(session, given["token"], "miso"))["user_id"] == "9"
        given = await sim.call("devops.token", sha=SHA)
        assert (await read(session, given["token"], azure_devops.AUDIENCE))["rpo_ver"] == SHA
