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
from tests.web.lodge import OPERATORS, Browser, Lodge, lodge

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


async def test_a_sign_in_leads_nowhere_but_to_our_pages(here: Lodge) -> None:
    for to in ELSEWHERE:
        for spelled in (quote(to, safe=""), quote(quote(to, safe=""), safe="")):
            page = await here.browser.get(f"/sign-in?to={spelled}")
            assert (page.status, page.code) == (400, "request_malformed"), spelled
            assert not page.to
    assert await here.refused() == ["request_malformed"] * 2 * len(ELSEWHERE)


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


@pytest.mark.parametrize("kind", ["status", "drop", "huge", "garbage"])
async def test_a_sign_in_service_that_is_away_is_told_calmly(here: Lodge, kind: FaultKind) -> None:
    here.world.wire.faults.append(Fault("entra GET .*openid-configuration", kind, status=503, times=None))
    page = await here.browser.get("/sign-in")
    assert page.code == ("sign_in_refused" if kind == "garbage" else "sign_in_unavailable")
    assert kind == "garbage" or (page.status == 503 and page.headers["Retry-After"])


async def test_somebody_who_was_disabled_gets_no_new_session(here: Lodge) -> None:
    here.person("ann")
    callback = await back_from_entra(here)
    here.world.entra.change_person("ann", enabled=False)
    page = await here.browser.get(callback)
    assert (page.status, page.code) == (403, "sign_in_refused")
    assert (await here.browser.account()).status == 401
