"""A person from elsewhere becomes somebody here: signs in, proves a GitHub account by a comment, and acts as it.

The whole controller, the pretend Entra and the pretend GitHub, a browser and a command line; all over loopback.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sim.scenarios import APPLICATION_ID, SIGN_IN_CLIENT_ID, TENANT_ID
from tests.flows.stage import Stage, staged
from tests.web.lodge import Browser
from tests.web.program import CLIENT, GRANT, says

CODE = re.compile(r"/link ([A-Z-]+)")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(
        tmp_path,
        MISO_SIGN_IN="entra",
        MISO_SIGN_IN_TENANT=TENANT_ID,
        MISO_SIGN_IN_CLIENT_ID=SIGN_IN_CLIENT_ID,
        MISO_SIGN_IN_REQUESTS_PER_MINUTE="1000",
    ) as ready:
        yield ready


@asynccontextmanager
async def browser(stage: Stage, who: str) -> AsyncIterator[Browser]:
    """Of somebody who has signed in."""
    async with Browser.opened(stage.url, stage.world) as opened:
        stage.world.entra.signs_in(who)
        back = await opened.sign_in()
        assert back.to == f"{stage.url}/account", back.text
        yield opened


async def links(stage: Stage, at: Browser, who: str, *, on: int) -> Any:
    """Gets a code and types it at GitHub."""
    told = await at.post("/account/link", csrf=(await at.account()).csrf)
    [code] = CODE.findall(told.text)
    return await stage.says(who, f"/link {code}", on=on)


async def logs_in(stage: Stage, at: Browser) -> str:
    """The command line of whoever is at this browser; gives the access token."""
    return (await handed_out(stage, at))["access_token"]


async def refreshed(at: Browser, token: str) -> dict[str, str]:
    form = {"client_id": CLIENT, "grant_type": "refresh_token", "refresh_token": token}
    return dict(json.loads((await at.ask("POST", "/oidc/token", data=form)).text))


async def handed_out(stage: Stage, at: Browser) -> dict[str, str]:
    begun = json.loads((await at.ask("POST", "/oidc/device_authorization", data={"client_id": CLIENT})).text)
    assert "signed in" in await says(at, begun["user_code"], "allow")
    stage.clock.pass_(begun["interval"])
    form = {"client_id": CLIENT, "grant_type": GRANT, "device_code": begun["device_code"]}
    return dict(json.loads((await at.ask("POST", "/oidc/token", data=form)).text))


async def api(stage: Stage, token: str, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    sent = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{stage.url}/api/v1{path}", json=body or None, headers=sent) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def test_a_comment_proves_who_somebody_is_and_then_they_act_as_that(stage: Stage) -> None:
    pull = await stage.ships("Steam")
    async with browser(stage, "bob") as at:
        assert "you may look and no more" in (await at.account()).words
        token = await logs_in(stage, at)
        asked = {
            "application_id": APPLICATION_ID,
            "environment_id": stage.environments["test"],
            "commit": pull["merge_commit_sha"],
        }
        status, said = await api(stage, token, "POST", "/promotions", **asked)
        assert (status, said["code"]) == (403, "not_linked")
        answer = await links(stage, at, "bob", on=pull["number"])
        assert answer["replies"]
        number = stage.shop.people["bob"]
        assert f"account {number}" in (await at.account()).words
        me = (await api(stage, token, "GET", "/me"))[1]
        assert (me["github"]["id"], me["device"]) == (number, True)
        status, said = await api(stage, token, "POST", "/promotions", **asked)
        assert status == 202, said
        await stage.settle()
        assert (await stage.latest("test")).request.requester.id == number


async def test_an_author_is_the_same_person_at_every_door(stage: Stage) -> None:
    """Rule 9: signing in elsewhere makes no second pair of eyes."""
    pull = await stage.ships("Steam")
    await stage.says("bob", "/promote test", on=pull["number"])
    await stage.says("bob", "/promote production", on=pull["number"])
    waits = (await stage.latest("production")).stream
    async with browser(stage, "ann") as at:
        await links(stage, at, "ann", on=pull["number"])
        csrf = (await at.account()).csrf
        answer = await at.ask(
            "POST",
            f"/api/v1/promotions/{waits}/approve",
            json={"commit": pull["merge_commit_sha"]},
            headers={"X-Miso-Csrf": csrf},
        )
        assert json.loads(answer.text)["code"] == "author_is_approver"


async def test_a_code_ends_with_its_first_use(stage: Stage) -> None:
    pull = await stage.ships("Steam")
    async with browser(stage, "bob") as at:
        told = await at.post("/account/link", csrf=(await at.account()).csrf)
        [code] = CODE.findall(told.text)
        await stage.says("bob", f"/link {code}", on=pull["number"])
        again = await stage.says("ann", f"/link {code}", on=pull["number"])
        assert "link_code" in " ".join(again["replies"])
        assert f"account {stage.shop.people['bob']}" in (await at.account()).words


async def test_whoever_was_disabled_brings_no_news_and_acts_no_more(stage: Stage) -> None:
    """A session goes on showing things; the groups behind it grow old, and Entra tells no others."""
    async with browser(stage, "bob") as at:
        stage.world.entra.change_person("bob", enabled=False)
        stage.clock.pass_(601)
        page = await at.account()
        assert page.status == 200
        refused = await at.post("/account/link", csrf=page.csrf)
        assert refused.code == "roles_too_old"
        away = await at.get("/sign-in?to=/account")
        assert (await at.get(away.to)).status == 400, "Entra says no"


async def test_whoever_has_left_keeps_tokens_that_open_nothing(stage: Stage) -> None:
    """A command line may be refreshed for days; what it does needs a person whom the sign-in service still knows."""
    pull = await stage.ships("Steam")
    asked = {"application_id": APPLICATION_ID, "environment_id": stage.environments["test"]}
    asked["commit"] = pull["merge_commit_sha"]
    async with browser(stage, "bob") as at:
        await links(stage, at, "bob", on=pull["number"])
        tokens = await handed_out(stage, at)
        stage.world.entra.change_person("bob", enabled=False)
        stage.clock.pass_(13 * 3600)
        tokens = await refreshed(at, tokens["refresh_token"])
        assert (await api(stage, tokens["access_token"], "GET", "/me"))[0] == 200
        status, said = await api(stage, tokens["access_token"], "POST", "/promotions", **asked)
        assert (status, said["code"]) == (403, "roles_too_old")
        stage.world.entra.change_person("bob", enabled=True)
        at.forgets()
        await at.sign_in()
        status, said = await api(stage, tokens["access_token"], "POST", "/promotions", **asked)
        assert status == 202, said
