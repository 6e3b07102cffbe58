"""How a browser's session begins, is shown, and ends: by its owner, by time, by other roles, by another account."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from bot.services.bearer import fresh, key_of
from tests.web.lodge import AUDITORS, OPERATORS, Browser, Lodge

MINUTE = 60


async def test_a_session_id_that_was_there_before_is_never_taken_over(here: Lodge) -> None:
    """Session fixation: whoever put a number into the browser knows nothing afterwards."""
    here.person("ann")
    planted = fresh()
    here.browser.holds(planted)
    await here.browser.sign_in()
    assert here.browser.cookie != planted
    async with Browser.opened(here.url, here.world) as theirs:
        theirs.holds(planted)
        assert (await theirs.account()).status == 401


async def test_a_new_sign_in_ends_the_browsers_old_session(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    old = here.browser.cookie
    await here.browser.sign_in()
    assert here.browser.cookie != old
    here.browser.holds(old)
    assert (await here.browser.account()).status == 401


async def test_signing_out_ends_the_session_and_not_only_the_cookie(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    cookie = here.browser.cookie
    page = await here.browser.post("/sign-out", csrf=(await here.browser.account()).csrf)
    assert page.status == 200
    assert "signed out" in page.words
    here.browser.holds(cookie)
    assert (await here.browser.account()).status == 401
    [row] = await here.rows("person.signed_out")
    assert row.body["why"] == "asked"


async def test_all_sessions_end_together_and_nobody_elses(here: Lodge) -> None:
    here.person("bob")
    async with Browser.opened(here.url, here.world) as bobs, Browser.opened(here.url, here.world) as other:
        await bobs.sign_in()
        here.person("ann")
        await here.browser.sign_in()
        await other.sign_in()
        page = await here.browser.post("/sign-out", csrf=(await here.browser.account()).csrf, session="all")
        assert "All your sessions" in page.words
        assert (await other.account()).status == 401
        assert (await bobs.account()).status == 200


async def test_one_of_ones_own_sessions_can_be_ended_and_none_of_another(here: Lodge) -> None:
    here.person("bob")
    async with Browser.opened(here.url, here.world, agent="Lynx") as other:
        await other.sign_in()
        bobs = key_of(other.cookie)
        here.person("ann")
        await here.browser.sign_in()
        csrf = (await here.browser.account()).csrf
        assert (await here.browser.post("/sign-out", csrf=csrf, session=bobs)).status == 404
        assert (await other.account()).status == 200
        await other.sign_in()
        assert "Lynx" in (await here.browser.account()).words
        gone = await here.browser.post("/sign-out", csrf=csrf, session=key_of(other.cookie))
        assert gone.to == f"{here.url}/account"
        assert (await other.account()).status == 401
        assert (await here.browser.account()).status == 200


async def test_a_session_ends_when_nobody_uses_it_and_when_it_is_old(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    for _ in range(3):
        here.clock.pass_(50 * MINUTE)
        assert (await here.browser.account()).status == 200
    here.clock.pass_(61 * MINUTE)
    assert (await here.browser.account()).status == 401
    await here.browser.sign_in()
    for _ in range(14):
        here.clock.pass_(50 * MINUTE)
        await here.browser.account()
    here.clock.pass_(21 * MINUTE)
    assert (await here.browser.account()).status == 401


async def test_other_roles_end_the_other_sessions(here: Lodge) -> None:
    """Also those of somebody who has lost a role and would rather not be asked again."""
    here.person("ann", groups=[OPERATORS])
    async with Browser.opened(here.url, here.world) as other:
        await other.sign_in()
        await here.browser.sign_in()
        assert (await other.account()).status == 200
        here.world.entra.change_person("ann", groups=[AUDITORS])
        await here.browser.sign_in()
        assert (await other.account()).status == 401
        page = await here.browser.account()
        assert "auditor" in page.words
        assert "operator" not in page.words


async def test_groups_that_give_no_role_end_nothing(here: Lodge) -> None:
    here.person("ann", groups=[OPERATORS])
    async with Browser.opened(here.url, here.world) as other:
        await other.sign_in()
        here.world.entra.change_person("ann", groups=[OPERATORS, "00000000-0000-4000-8000-000000000001"])
        await here.browser.sign_in()
        assert (await other.account()).status == 200


async def test_somebody_who_is_signed_in_is_asked_nothing_unless_they_must(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    away = await here.browser.get("/sign-in?to=/account")
    assert parse_qs(urlsplit(away.to).query)["prompt"] == ["none"]
    [state] = parse_qs(urlsplit(away.to).query)["state"]
    again = await here.browser.get(f"/sign-in/callback?state={state}&error=login_required")
    assert again.status == 303
    assert "prompt" not in parse_qs(urlsplit(again.to).query)
    back = await here.browser.get((await here.browser.get(again.to)).to)
    assert back.to == f"{here.url}/account"


async def test_a_link_to_another_account_ends_what_was_begun_as_the_old_one(here: Lodge) -> None:
    subject = here.person("ann")
    await here.browser.sign_in()
    await here.link(subject, 7, "ann")
    assert "account 7" in (await here.browser.account()).words
    await here.link(subject, 8, "eve")
    assert (await here.browser.account()).status == 401
    assert [row.body["why"] for row in await here.rows("person.signed_out")] == ["link"]


async def test_nobody_has_more_than_twenty_sessions(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    first = here.browser.cookie
    for _ in range(20):
        here.clock.pass_(1)
        here.browser.forgets()
        await here.browser.sign_in()
    assert (await here.browser.account()).text.count("Browser") == 20
    here.browser.holds(first)
    assert (await here.browser.account()).status == 401
