"""The pretend world as a whole: its own process, its remote control, its pages, its Actions tokens."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from bot.sim.client import Refused, SimClient
from bot.sim.world import Options, World
from tests.sim.conftest import REPO, App


async def test_in_its_own_process_it_tells_its_addresses_and_ends_with_its_parent(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.sim",
        "--directory",
        str(tmp_path),
        "--check",
        "tests.contracts.github:check",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    addresses = json.loads(await process.stdout.readline())
    assert (tmp_path / "ca.pem").samefile(addresses["ca_file"])
    assert os.stat(addresses["app_key_file"]).st_mode & 0o077 == 0
    async with SimClient(addresses["control"]) as sim:
        await sim.create_repository(REPO, collaborators={"ann": "admin"})
        await sim.install_app("acme")
        pull = await sim.open_pull_request(REPO, "ann", "Add", {"x": "1"})
        await sim.comment(REPO, pull["number"], "ann", "hi")
        await sim.delivered()
        assert (await sim.state(REPO))["pulls"][0]["comments"][0]["body"] == "hi"
        assert [entry["status_code"] for entry in await sim.deliveries()] == [502] * 4
        assert await sim.call("registry.push", repository="shop", tag="v1")
        assert await sim.violations() == []
        with pytest.raises(Refused, match="no pull request 9"):
            await sim.merge_pull(REPO, 9, "ann")
        with pytest.raises(Refused, match="no verb"):
            await sim.call("person", login="ann")
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_faults_strike_by_route(app: App, world: World) -> None:
    async with SimClient(world.addresses.control) as sim:
        await sim.add_fault(f"github GET /repos/{REPO}$", "status", status=502, body={"message": "bad gateway"})
        token = await app.token()
        assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 502
        assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 200
        await sim.add_fault("github POST .*comments", "act_then_drop")
        await sim.open_pull_request(REPO, "bea", "Add", {"x": "1"})
        with pytest.raises(aiohttp.ClientConnectionError):
            await app.ask("POST", f"/repos/{REPO}/issues/1/comments", bearer=token, body={"body": "written"})
        assert (await sim.state(REPO))["pulls"][0]["comments"][0]["body"] == "written"
        seen = await sim.exchanges(server="github", method="POST", path="comments")
        assert seen[0]["request"] == {"body": "written"}


async def test_nothing_is_kept_when_recording_is_off() -> None:
    async with World.running(Options(keep_exchanges=False)) as world, aiohttp.ClientSession() as session:
        world.github.create_repository(REPO)
        await session.get(f"{world.addresses.github}/app")
        assert world.wire.exchanges == []


async def test_https_hosts_answer_to_any_name(world: World) -> None:
    context = ssl.create_default_context(cafile=world.addresses.ca_file)
    port = world.addresses.apps_https
    for name in ("shop.azurewebsites.net", "localhost"):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        writer.close()
        await writer.wait_closed()


async def test_rule_30_actions_tokens_carry_every_claim_and_verify(world: World) -> None:
    run = world.github.run_workflow(REPO, conclusion=None)
    minted = world.actions.actions_token(REPO, audience="miso", environment="production", run_id=run["id"])
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{world.addresses.actions}/.well-known/openid-configuration") as answer:
            discovery = await answer.json()
        async with session.get(discovery["jwks_uri"]) as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json())
    key = keys[jwt.get_unverified_header(minted["token"])["kid"]].key
    claims: dict[str, Any] = jwt.decode(
        minted["token"], key, algorithms=["RS256"], audience="miso", issuer=world.addresses.actions
    )
    assert claims["repository_id"] == str(world.github.state(REPO)["id"])
    assert (claims["environment"], claims["run_id"], claims["run_attempt"]) == ("production", str(run["id"]), "1")
    assert all(isinstance(value, str) for name, value in claims.items() if name.endswith("_id"))
    again = world.actions.actions_token(REPO, audience="miso", claims={"sub": "x", "jti": None})
    changed = jwt.decode(again["token"], options={"verify_signature": False})
    assert changed["sub"] == "x"
    assert "jti" not in changed


async def test_a_rotated_key_is_published_beside_the_old_one(world: World) -> None:
    old = world.actions.actions_token(REPO, audience="miso")["token"]
    world.actions.rotate_actions_key()
    new = world.actions.actions_token(REPO, audience="miso")["token"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.addresses.actions}/.well-known/jwks") as answer,
    ):
        kids = {key["kid"] for key in (await answer.json())["keys"]}
    assert {jwt.get_unverified_header(token)["kid"] for token in (old, new)} == kids


async def test_pages_show_and_let_people_act(app: App, world: World) -> None:
    world.github.open_pull_request(REPO, "bea", "Add <b>bold</b>", {"x": "1"})
    world.github.comment(REPO, 1, "ann", "<script>alert(1)</script> **strong**\n<!-- hidden -->")
    sha = world.github.state(REPO)["pulls"][0]["head_sha"]
    action = {"label": "Approve", "description": "Let it go", "identifier": "yes"}
    body = {"name": "Miso", "head_sha": sha, "actions": [action], "output": {"title": "Waits", "summary": "_for ann_"}}
    _, _, check = await app.ask("POST", f"/repos/{REPO}/check-runs", bearer=await app.token(), body=body)
    page = f"{world.addresses.web}/{REPO}"
    async with aiohttp.ClientSession() as session:
        text = await (await session.get(f"{page}/pull/1")).text()
        assert "<script>" not in text
        assert "<b>bold</b>" not in text
        assert "<strong>strong</strong>" in text
        assert "hidden" not in text
        await session.post(f"{page}/pull/1", data={"login": "bea", "text": "/status"})
        await session.post(f"{page}/runs/{check['id']}", data={"login": "ann", "identifier": "yes"})
        assert "<em>for ann</em>" in await (await session.get(f"{page}/runs/{check['id']}")).text()
        run = world.github.run_workflow(REPO)
        for path in ("", "/", "/deployments", f"/commit/{sha}", f"/actions/runs/{run['id']}"):
            assert (await session.get(page + path)).status == 200
        assert REPO in await (await session.get(world.addresses.web)).text()
        assert (await session.get(f"{page}/pull/7")).status == 404
        elsewhere = {"Origin": "https://evil.test"}
        assert (await session.post(f"{page}/pull/1", data={}, headers=elsewhere)).status == 403
    await world.delivered()
    assert world.github.state(REPO)["pulls"][0]["comments"][-1]["body"] == "/status"
    assert "requested_action" in [entry.action for entry in world.webhooks.log]
