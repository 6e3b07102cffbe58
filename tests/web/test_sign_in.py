"""Signing in over the wire: away to the pretend Entra, back with an answer, and what of a browser must not count.

What may be wrong with the answer itself stands in `tests/oidc/test_sign_in.py`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from bot.services.bearer import fresh, key_of
from bot.sim.wire import Fault, FaultKind
from bot.web import auth
from tests.web.lodge import AUDITORS, OPERATORS, Browser, Lodge, lodge

MINUTE = 60


async def test_somebody_signs_in_and_sees_who_they_are(here: Lodge) -> None:
    subject = here.person("ann", groups=[OPERATORS])
    back = await here.browser.sign_in()
    assert (back.status, back.to) == (303, f"{here.url}/account")
    page = await here.browser.account()
    assert page.status == 200
    assert subject in page.words
    assert "operator" in page.words
    [row] = await here.rows("person.signed_in")
    assert row.body["subject"] == subject
    assert here.browser.cookie not in str(row.body)


async def test_without_a_session_a_page_shows_the_way_in(here: Lodge) -> None:
    page = await here.browser.account()
    assert page.status == 401
    assert "/sign-in?to=/account" in page.text


async def test_the_address_has_pkce_and_a_state_and_no_secret(here: Lodge) -> None:
    away = await here.browser.get("/sign-in")
    asked = parse_qs(urlsplit(away.to).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert "offline_access" not in asked["scope"][0]
    assert not {"client_secret", "client_assertion", "code_verifier"} & asked.keys()
    assert away.headers["Cache-Control"] == "no-store"


async def test_what_is_kept_of_a_sign_in_is_sealed(here: Lodge) -> None:
    away = await here.browser.get("/sign-in")
    [state] = parse_qs(urlsplit(away.to).query)["state"]
    kept = await here.miso.store.kept("signin", key_of(state))
    assert kept is not None
    assert '"code_verifier"' in kept.body["flow"]
    verifier = kept.body["flow"].split('"code_verifier": "')[1].split('"')[0]
    files = [file.read_bytes() for file in (here.directory).glob("miso.sqlite*")]
    assert not any(verifier.encode() in data for data in files)
    assert not any(state.encode() in data for data in files)


async def test_the_cookies_are_strict(here: Lodge) -> None:
    here.person("ann")
    away = await here.browser.get("/sign-in")
    [binding] = away.cookies
    back = await here.browser.get((await here.browser.get(away.to)).to)
    session = next(line for line in back.cookies if line.startswith("miso="))
    for line in (binding, session):
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
        assert "Path=/" in line
        assert "Domain" not in line
    assert "Max-Age=600" in binding
    assert "Max-Age" not in session


async def test_with_https_cookies_stay_on_this_host_and_on_https(tmp_path: Path) -> None:
    async with lodge(tmp_path, public_url="https://miso.example") as there:
        away = await there.browser.get("/sign-in", headers={"Host": "miso.example"})
        [binding] = away.cookies
        assert binding.startswith("__Host-miso-signin=")
        assert "Secure" in binding
        assert "Domain" not in binding
        assert auth.cookie_name(there.miso) == "__Host-miso"


# --- where a sign-in leads -------------------------------------------------------------------------------------------

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/account/../../evil",
    "/account?to=//evil.example",
    "/account#//evil.example",
    "/account\r\nSet-Cookie: a=b",
    "/\t/evil.example",
    "/account@evil.example",
    "/sign-in",
    "/sign-in/callback",
    "/sign-out",
    "/oidc/token",
    "/api/v1/me",
    "/" + "a" * 500,
    "",
]


@pytest.mark.parametrize("to", ELSEWHERE)
async def test_a_sign_in_leads_nowhere_but_to_our_pages(here: Lodge, to: str) -> None:
    for spelled in (quote(to, safe=""), quote(quote(to, safe=""), safe="")):
        page = await here.browser.get(f"/sign-in?to={spelled}")
        assert (page.status, page.code) == (400, "request_malformed"), spelled
        assert not page.to
    assert await here.refused() == ["request_malformed"] * 2


async def test_the_page_that_was_wanted_is_where_it_ends(here: Lodge) -> None:
    here.person("ann")
    assert (await here.browser.sign_in("/device")).to == f"{here.url}/device"


# --- state -----------------------------------------------------------------------------------------------------------


async def back_from_entra(here: Lodge, browser: Browser | None = None) -> str:
    """The address of the callback, with the answer."""
    using = browser or here.browser
    away = await using.get("/sign-in?to=/account")
    return (await using.get(away.to)).to


async def test_a_state_counts_once(here: Lodge) -> None:
    here.person("ann")
    callback = await back_from_entra(here)
    binding = {c.key: c.value for c in here.browser.session.cookie_jar}
    assert (await here.browser.get(callback)).status == 303
    here.browser.session.cookie_jar.update_cookies(binding)
    again = await here.browser.get(callback)
    assert (again.status, again.code) == (400, "sign_in_state")
    assert await here.refused() == ["sign_in_state"]


async def test_a_state_of_another_browser_counts_nowhere(here: Lodge) -> None:
    """Nobody is signed in as somebody else by following a link, and the link is worth nothing afterwards."""
    here.person("mal")
    async with Browser.opened(here.url, here.world) as theirs:
        callback = await back_from_entra(here, theirs)
        await here.browser.get("/sign-in")
        page = await here.browser.get(callback)
        assert (page.status, page.code) == (400, "sign_in_state")
        assert not here.browser.cookie
        assert (await theirs.get(callback)).code == "sign_in_state"
    assert await here.refused() == ["sign_in_state"] * 2


async def test_a_state_of_nobody_counts_nowhere(here: Lodge) -> None:
    await here.browser.get("/sign-in")
    for state in ("", "a", fresh(), "x" * 5000, "%00", "%F0%9F%92%A9"):
        assert (await here.browser.get(f"/sign-in/callback?code=a&state={state}")).code == "sign_in_state"
    assert (await here.browser.get("/sign-in/callback")).code == "sign_in_state"


async def test_a_parameter_that_stands_twice_is_refused(here: Lodge) -> None:
    here.person("ann")
    callback = await back_from_entra(here)
    assert (await here.browser.get(f"{callback}&code=other")).code == "sign_in_state"


async def test_a_sign_in_must_come_back_within_ten_minutes(here: Lodge) -> None:
    here.person("ann")
    callback = await back_from_entra(here)
    here.clock.pass_(10 * MINUTE + 1)
    assert (await here.browser.get(callback)).code == "sign_in_state"


async def test_what_the_service_says_is_not_repeated(here: Lodge) -> None:
    away = await here.browser.get("/sign-in")
    [state] = parse_qs(urlsplit(away.to).query)["state"]
    said = "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    page = await here.browser.get(f"/sign-in/callback?state={state}&{said}")
    assert (page.status, page.code) == (403, "sign_in_refused")
    assert "script" not in page.text


# --- sessions --------------------------------------------------------------------------------------------------------


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


async def test_somebody_who_was_disabled_gets_no_new_session(here: Lodge) -> None:
    here.person("ann")
    callback = await back_from_entra(here)
    here.world.entra.change_person("ann", enabled=False)
    page = await here.browser.get(callback)
    assert (page.status, page.code) == (403, "sign_in_refused")
    assert (await here.browser.account()).status == 401


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


@pytest.mark.parametrize("kind", ["status", "drop", "huge", "garbage"])
async def test_a_sign_in_service_that_is_away_is_told_calmly(here: Lodge, kind: FaultKind) -> None:
    here.world.wire.faults.append(Fault("entra GET .*openid-configuration", kind, status=503, times=None))
    page = await here.browser.get("/sign-in")
    assert page.code == ("sign_in_refused" if kind == "garbage" else "sign_in_unavailable")
    assert kind == "garbage" or (page.status == 503 and page.headers["Retry-After"])
