"""People sign in to the pretend Entra through the real MSAL, with an assertion where a secret would be."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import jwt
import pytest

from bot.sim.client import SimClient
from bot.sim.github.problems import Misused
from bot.sim.world import Options, World
from tests.sim.conftest import REPO
from tests.sim.door import AUDITORS, BACK, CLIENT, SUBJECT, TENANT, Door


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    now = [time.time()]
    async with World.running(Options(clock=lambda: now[0])) as world:
        world.github.create_repository(REPO)
        world.entra.sign_in_client(TENANT, CLIENT, redirect_uris=[BACK])
        world.entra.federate(TENANT, CLIENT, issuer=world.addresses.actions, subject=SUBJECT)
        world.entra.person("ann", groups=[AUDITORS])
        world.entra.person("bob", app_roles=["approver"])
        world.entra.signs_in("ann")
        connector = aiohttp.TCPConnector(ssl=world.authority.client())
        async with aiohttp.ClientSession(connector=connector) as browser:
            yield Door(world, browser, now=now)


async def test_a_person_comes_back_with_who_they_are(door: Door) -> None:
    flow = await door.begin()
    answer = await door.redeem(flow, await door.visit(flow["auth_uri"]))
    claims = await door.read(answer["id_token"])
    assert (claims["tid"], claims["name"], claims["preferred_username"]) == (TENANT, "Ann", "ann@contoso.example")
    assert claims["oid"] == door.world.entra._people["ann"].oid
    assert (claims["groups"], claims["ver"]) == ([AUDITORS], "2.0")
    assert "roles" not in claims
    assert claims["nonce"]
    assert claims["exp"] - claims["iat"] == 3600
    assert door.world.entra.principal(answer["access_token"]) is None


async def test_groups_roles_and_what_does_not_fit(door: Door) -> None:
    entra = door.world.entra
    entra.signs_in("bob")
    assert (await door.claims())["roles"] == ["approver"]
    entra.signs_in("ann")
    entra.change_person("ann", groups=[f"{AUDITORS[:-4]}{number:04}" for number in range(201)])
    over = await door.claims()
    assert over["_claim_names"] == {"groups": "src1"}
    assert over["_claim_sources"]["src1"]["endpoint"].endswith("/getMemberObjects")
    assert "groups" not in over
    entra.change_person("ann", overage="hasgroups")
    assert (await door.claims())["hasgroups"] is True


async def test_a_role_that_was_lost_is_lost_in_the_next_token(door: Door) -> None:
    flow = await door.begin()
    answer = await door.redeem(flow, await door.visit(flow["auth_uri"]))
    door.world.entra.change_person("ann", groups=[])

    def refreshed(app: Any) -> Any:
        return app.acquire_token_by_refresh_token(answer["refresh_token"], [])

    assert "groups" not in await door.read((await door.msal(refreshed))["id_token"])
    door.world.entra.change_person("ann", enabled=False)
    assert (await door.msal(refreshed))["error_codes"] == [50057]
    flow = await door.begin()
    async with door.browser.get(flow["auth_uri"], allow_redirects=False) as gone:
        assert gone.status == 400
        assert "AADSTS50057" in await gone.text()


async def test_a_browser_chooses_on_a_page_without_script(door: Door) -> None:
    door.world.entra.signs_in(None)
    flow = await door.begin(response_mode="form_post")
    async with door.browser.get(flow["auth_uri"]) as answer:
        page = await answer.text()
    assert "<script" not in page
    action = re.search(r'action="([^"]+)"', page)
    assert action is not None
    url = door.world.addresses.entra + unescape(action[1])
    async with door.browser.post(url, data={"person": "bob"}) as answer:
        fields = re.findall(r'name="([^"]+)" value="([^"]*)"', await answer.text())
    result = await door.redeem(flow, {name: unescape(value) for name, value in fields})
    assert result["id_token_claims"]["preferred_username"] == "bob@contoso.example"


async def test_a_code_is_good_once_for_who_asked_and_in_time(door: Door) -> None:
    async def code(**form: str) -> tuple[list[int], str]:
        flow = await door.begin()
        back = await door.visit(flow["auth_uri"])
        sent = {
            "grant_type": "authorization_code",
            "client_id": CLIENT,
            "code": back["code"],
            "redirect_uri": BACK,
            "code_verifier": flow["code_verifier"],
            "client_assertion": door.assertion(),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        sent = {name: value for name, value in {**sent, **form}.items() if value}
        if "later" in sent:
            door.now[0] += float(sent.pop("later"))
            sent["client_assertion"] = door.assertion()
        seen: list[dict[str, Any]] = []
        for _ in range(2):
            url = f"{door.world.addresses.entra}/{TENANT}/oauth2/v2.0/token"
            async with door.browser.post(url, data=sent) as answer:
                seen.append(await answer.json())
        return [(each.get("error_codes") or [0])[0] for each in seen], seen[0].get("error", "")

    assert await code() == ([0, 54005], "")
    assert await code(code_verifier="x" * 43) == ([501481, 54005], "invalid_grant")
    assert await code(redirect_uri=f"{BACK}/") == ([500112, 54005], "invalid_grant")
    assert (await code(later="601"))[0][0] == 70008
    assert (await code(code="other"))[0][0] == 70000
    assert (await code(code_verifier=""))[0][0] == 900144
    assert await code(client_assertion="") == ([7000218, 7000218], "invalid_client")
    assert await code(client_secret="s3cret") == ([7000215, 7000215], "invalid_client")
    door.subject = "miso:env:other"
    assert (await code())[0][0] == 700213


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_id": "other"}, 700016),
        ({"redirect_uri": "https://evil.test/"}, 50011),
        ({"redirect_uri": f"{BACK}?x=1"}, 50011),
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    door: Door, change: dict[str, str], code: int
) -> None:
    flow = await door.begin()
    parts = urlsplit(flow["auth_uri"])
    asked = dict(parse_qsl(parts.query)) | change
    url = f"{door.world.addresses.entra}{parts.path}"
    async with door.browser.get(url, params=asked, allow_redirects=False) as answer:
        assert answer.status == 400
        assert f"AADSTS{code}" in await answer.text()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
    ],
)
async def test_what_was_asked_wrongly_is_told_to_the_application(
    door: Door, change: dict[str, str], error: str
) -> None:
    flow = await door.begin()
    parts = urlsplit(flow["auth_uri"])
    asked = dict(parse_qsl(parts.query)) | change
    back = await door.visit(f"{door.world.addresses.entra}{parts.path}?{urlencode(asked)}")
    assert (back["error"], back["state"]) == (error, asked["state"])


async def test_who_declines_comes_back_without_a_code(door: Door) -> None:
    door.world.entra.signs_in("ann", declines=True)
    flow = await door.begin()
    back = await door.visit(flow["auth_uri"])
    assert back["error"] == "access_denied"
    assert back["error_description"].startswith("AADSTS65004")
    assert (await door.redeem(flow, back))["error"] == "access_denied"


async def test_somebody_of_another_tenant_does_not_come_in(door: Door) -> None:
    door.world.entra.person("zoe", tenant_id="00000000-0000-4000-8000-0000000000ff")
    door.world.entra.signs_in("zoe")
    flow = await door.begin()
    async with door.browser.get(flow["auth_uri"], allow_redirects=False) as answer:
        assert "AADSTS50020" in await answer.text()
    with pytest.raises(Misused):
        door.world.entra.signs_in("nobody")


async def test_msal_takes_a_wrong_token_that_we_must_not(door: Door) -> None:
    """Why the controller checks for itself: MSAL hands on whatever the token endpoint gave."""
    entra = door.world.entra
    for mistake in ({"foreign_key": True}, {"algorithm": "none"}, {"claims": {"tid": "x", "iss": "x", "aud": "x"}}):
        entra.mistaken(**mistake)
        flow = await door.begin()
        answer = await door.redeem(flow, await door.visit(flow["auth_uri"]))
        assert "id_token" in answer
    entra.mistaken(foreign_key=True)
    with pytest.raises(jwt.InvalidSignatureError):
        await door.claims()
    entra.mistaken(claims={"nonce": "x"})
    with pytest.raises(RuntimeError, match="nonce"):
        await door.claims()
    entra.mistaken()
    assert (await door.claims())["tid"] == TENANT


async def test_keys_rotate(door: Door) -> None:
    flow = await door.begin()
    old = (await door.redeem(flow, await door.visit(flow["auth_uri"])))["id_token"]
    new = door.world.entra.rotate_key()
    await door.read(old)
    assert (await door.claims())["tid"] == TENANT
    assert new == "entra-2"
    door.world.entra.rotate_key(forget=True)
    with pytest.raises(KeyError):
        await door.read(old)


async def test_unknown_tenants_have_no_documents(door: Door) -> None:
    base = f"{door.world.addresses.entra}/00000000-0000-4000-8000-000000000001"
    async with door.browser.get(f"{base}/v2.0/.well-known/openid-configuration") as answer:
        assert answer.status == 400
    async with door.browser.get(f"{base}/discovery/v2.0/keys") as answer:
        assert answer.status == 404


async def test_another_process_arranges_who_signs_in(door: Door) -> None:
    async with SimClient(door.world.addresses.control) as sim:
        await sim.call("entra.person", name="eve", groups=[AUDITORS])
        await sim.call("entra.signs_in", person="eve")
        assert (await door.claims())["name"] == "Eve"
        await sim.call("entra.mistaken", claims={"aud": "other"})
        with pytest.raises(jwt.InvalidAudienceError):
            await door.claims()
