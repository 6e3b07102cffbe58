"""Who is at the door: cookies with their forms, tokens, and what is neither."""

from __future__ import annotations

import json

import pytest

from bot.services import refusing
from bot.services.bearer import key_of
from tests.web.lodge import OPERATORS, Browser, Lodge

WHO = "/api/v1/who"


async def test_a_cookie_is_somebody(here: Lodge) -> None:
    subject = here.person("ann", groups=[OPERATORS])
    await here.browser.sign_in()
    await here.link(subject, 7)
    found = json.loads((await here.browser.get(WHO)).text)
    assert (found["id"], found["subject"], found["door"]) == (7, subject, "portal")
    assert found["roles"] == ["operator", "viewer"]
    assert not found["device"]


async def test_somebody_who_is_not_linked_has_no_number(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    assert json.loads((await here.browser.get(WHO)).text)["id"] == 0


@pytest.mark.parametrize("cookie", ["", "a", "x" * 43, key_of("nobody")[:43], "x" * 3000, "../../etc", "%00"])
async def test_a_cookie_of_nobody_is_nobody(here: Lodge, cookie: str) -> None:
    here.browser.holds(cookie)
    answer = await here.browser.get(WHO)
    assert answer.status == 401
    assert json.loads(answer.text)["code"] == ("session_ended" if cookie else "not_signed_in")


TOKENS = [
    "misoa_" + "a" * 43,
    "misoa_",
    "misor_" + "a" * 43,
    "a.b.c",
    "e30.e30.e30",
    "eyJhbGciOiJub25lIn0.e30.",
    "x" * 7000,
]


@pytest.mark.parametrize("token", TOKENS)
async def test_a_token_of_nobody_is_nobody_even_beside_a_cookie(here: Lodge, token: str) -> None:
    """Whoever sends a token means it; no cookie makes up for it."""
    here.person("ann")
    await here.browser.sign_in()
    answer = await here.browser.get(WHO, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401
    assert json.loads(answer.text)["code"] == "token_invalid"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "misoa_x", "Token a"])
async def test_a_header_that_is_no_bearer_is_refused(here: Lodge, header: str) -> None:
    here.person("ann")
    await here.browser.sign_in()
    answer = await here.browser.get(WHO, headers={"Authorization": header})
    assert (answer.status, json.loads(answer.text)["code"]) == (400, "request_malformed")


# --- forms -----------------------------------------------------------------------------------------------------------


async def test_a_form_without_our_stamp_does_nothing(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    csrf = (await here.browser.account()).csrf
    for wrong in ("", "a", csrf[:-1], csrf + "a", csrf.upper(), csrf.partition(".")[0], "." + csrf.partition(".")[2]):
        page = await here.browser.post("/sign-out", csrf=wrong)
        assert (page.status, page.code) == (403, "csrf_refused"), wrong
    assert (await here.browser.post("/sign-out")).code == "csrf_refused"
    assert (await here.browser.account()).status == 200
    assert await here.refused() == ["csrf_refused"] * 8


async def test_the_stamp_of_another_session_does_nothing(here: Lodge) -> None:
    """Not even of the same person's."""
    here.person("ann")
    async with Browser.opened(here.url, here.world) as other:
        await here.browser.sign_in()
        await other.sign_in()
        theirs = (await other.account()).csrf
        assert (await here.browser.post("/sign-out", csrf=theirs)).code == "csrf_refused"
        assert (await here.browser.post("/account/link", csrf=theirs)).code == "csrf_refused"


async def test_a_stamp_in_the_address_does_nothing(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    csrf = (await here.browser.account()).csrf
    assert (await here.browser.post(f"/sign-out?csrf={csrf}")).code == "csrf_refused"


async def test_the_api_wants_it_in_a_header(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    csrf = (await here.browser.account()).csrf
    assert (await here.browser.ask("POST", WHO, json={})).status == 403
    assert (await here.browser.ask("POST", WHO, json={"csrf": csrf})).status == 403
    assert (await here.browser.ask("POST", WHO, json={}, headers={"X-Miso-Csrf": csrf})).status == 200


async def test_nothing_is_changed_by_looking(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    csrf = (await here.browser.account()).csrf
    for path in (f"/sign-out?csrf={csrf}", f"/account/link?csrf={csrf}"):
        assert (await here.browser.get(path)).status == 405
    assert (await here.browser.account()).status == 200


async def test_a_flood_of_refusals_does_not_fill_the_ledger(here: Lodge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusing, "MOST", 3)
    for _ in range(5):
        assert (await here.browser.get("/sign-in/callback?state=a")).code == "sign_in_state"
    assert len(await here.refused()) == 3
    here.clock.pass_(61)
    await here.browser.get("/sign-in/callback?state=a")
    assert len(await here.refused()) == 4
