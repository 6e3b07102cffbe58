"""The account page: who somebody is, the way to link, and foreign text that stays text."""

from __future__ import annotations

import re
from dataclasses import replace

from aiohttp.test_utils import TestClient, TestServer

from bot.services import links
from bot.services.bearer import key_of
from tests.web.lodge import OPERATORS, Browser, Lodge, application

SCRIPT = "<script>alert(1)</script>"


async def test_a_code_for_linking_is_shown_once(here: Lodge) -> None:
    subject = here.person("ann")
    await here.browser.sign_in()
    page = await here.browser.account()
    assert "you may look and no more" in page.words
    told = await here.browser.post("/account/link", csrf=page.csrf)
    [code] = re.findall(r"/link ([B-Z-]+)", told.text)
    kept = await here.miso.store.kept(links.CODE, key_of(code))
    assert kept is not None
    assert kept.owner == subject
    assert code not in (await here.browser.account()).text
    assert told.headers["Cache-Control"] == "no-store"


async def test_whoever_is_linked_sees_as_whom(here: Lodge) -> None:
    subject = here.person("ann")
    await here.browser.sign_in()
    await here.link(subject, 4711, "annie")
    words = (await here.browser.account()).words
    assert "annie" in words
    assert "4711" in words
    assert "Get a code" not in words


async def test_a_code_needs_groups_that_were_asked_for_lately(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    csrf = (await here.browser.account()).csrf
    here.clock.pass_(601)
    page = await here.browser.post("/account/link", csrf=csrf)
    assert (page.status, page.code) == (403, "roles_too_old")
    assert '/sign-in?to=%2Faccount"' in page.text
    assert (await here.browser.account()).status == 200, "looking goes on"


async def test_names_from_elsewhere_stay_text(here: Lodge) -> None:
    here.person("ann")
    here.world.entra.mistaken(claims={"name": f"{SCRIPT}\"'\u202e\x1b[31m&"})
    async with Browser.opened(here.url, here.world, agent=f"Lynx {SCRIPT}") as browser:
        await browser.sign_in()
        await here.link(here.people["ann"], 7, f"{SCRIPT}")
        for path in ("/account", "/device"):
            text = (await browser.get(path)).text
            assert "<script" not in text
            assert "\u202e" not in text
            assert "\x1b" not in text
            assert "&lt;script&gt;" in text


async def test_a_name_that_is_none_is_left_out(here: Lodge) -> None:
    here.person("ann")
    for name in (None, 7, {"a": 1}, ""):
        here.world.entra.mistaken(claims={"name": name})
        await here.browser.sign_in()
        assert "not told" in (await here.browser.account()).words


async def test_pages_can_be_read_by_everybody(here: Lodge) -> None:
    """Language, title, landmark, a way past the head, one first heading, a label for each field."""
    here.person("ann")
    pages = [await here.browser.account()]
    await here.browser.sign_in()
    pages += [await here.browser.get(path) for path in ("/account", "/device", "/nowhere")]
    for page in pages:
        assert '<html lang="en">' in page.text
        assert 'name="viewport"' in page.text
        assert page.text.count("<h1>") == 1
        assert '<main id="content">' in page.text
        assert 'href="#content"' in page.text
        for name in re.findall(r'<input class="code" type="text" id="(\w+)"', page.text):
            assert f'<label for="{name}">' in page.text


async def test_without_a_sign_in_service_there_is_nothing_to_sign_in_to(here: Lodge) -> None:
    off = application(replace(here.miso, sign_in=None), {})
    async with TestClient(TestServer(off)) as client:
        own = {"Host": here.url.removeprefix("http://")}
        for path in ("/account", "/device", "/sign-in"):
            async with client.get(path, headers=own) as answer:
                assert answer.status == 404
                assert "sign_in_off" in await answer.text()


async def test_an_administrator_says_in_the_browser_who_somebody_is(here: Lodge) -> None:
    subject = here.person("carl")
    await here.browser.sign_in()
    here.browser.forgets()
    boss = here.person("olga", app_roles=["administrator"])
    await here.link(boss, 99, "olga")
    await here.browser.sign_in()
    page = await here.browser.account()
    assert "Other people" in page.words
    told = {"subject": subject, "github_id": "4711", "login": "carl"}
    done = await here.browser.post("/account/people", csrf=page.csrf, **told)
    assert done.status == 200
    assert "is carl (account 4711) from now on" in done.words
    linked = await links.of(here.miso, subject)
    assert linked is not None
    assert (linked.actor.id, linked.by.id) == (4711, 99)
    for changes in ({"github_id": "x"}, {"github_id": "٤٢"}, {"login": "<b>"}, {"subject": ""}):
        refused = await here.browser.post("/account/people", csrf=page.csrf, **{**told, **changes})
        assert (refused.status, refused.code) == (400, "request_malformed"), changes
    own = await here.browser.post("/account/people", csrf=page.csrf, **{**told, "subject": boss})
    assert (own.status, own.code) == (403, "door_refused")


async def test_whoever_is_no_administrator_sees_no_such_form_and_may_not_send_one(here: Lodge) -> None:
    subject = here.person("ann", groups=[OPERATORS])
    await here.link(subject, 7, "ann")
    await here.browser.sign_in()
    page = await here.browser.account()
    assert "Other people" not in page.words
    told = {"subject": "entra:a:b", "github_id": "4711", "login": "carl"}
    refused = await here.browser.post("/account/people", csrf=page.csrf, **told)
    assert (refused.status, refused.code) == (403, "role_missing")
