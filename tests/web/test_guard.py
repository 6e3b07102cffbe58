"""What stands before every door: hosts, sizes, proxies, limits, forms from elsewhere, headers, and calm answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.web import answers, guard
from tests.web.lodge import Lodge, Seen, lodge

HERE = ip_network("127.0.0.0/8")
PROXIES = (HERE, ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Lodge]:
    """Behind proxies, three requests a minute."""
    doors = {"trusted_proxies": PROXIES, "sign_in_requests_per_minute": 3, "token_requests_per_minute": 3}
    async with lodge(tmp_path, doors=doors) as opened:
        yield opened


# --- headers ---------------------------------------------------------------------------------------------------------

PAGES = ["/account", "/device", "/nowhere", "/breaks", "/sign-in?to=//evil", "/livez", "/api/v1/who"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_answer_has_the_headers(here: Lodge, path: str) -> None:
    said = (await here.browser.get(path)).headers
    policy = said["Content-Security-Policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert rule in policy
    assert "unsafe-inline" not in policy
    assert "script-src" not in policy
    assert said["X-Content-Type-Options"] == "nosniff"
    assert said["Referrer-Policy"] == "same-origin"
    assert said["Cross-Origin-Opener-Policy"] == "same-origin"
    assert said["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in said, "this one is on loopback"


async def test_a_page_has_no_script_and_no_style_of_its_own(here: Lodge) -> None:
    here.person("ann")
    await here.browser.sign_in()
    for path in ("/account", "/device"):
        text = (await here.browser.get(path)).text
        for what in ("<script", "<style", " style=", " onclick", "javascript:", "http://", "https://"):
            assert what not in text.replace(here.url, "")


async def test_the_sheet_may_be_kept_for_ever_because_its_name_changes(here: Lodge) -> None:
    page = await here.browser.account()
    name = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
    sheet = await here.browser.get(name)
    assert sheet.status == 200
    assert sheet.headers["Content-Type"].startswith("text/css")
    assert "immutable" in sheet.headers["Cache-Control"]
    assert "prefers-color-scheme" in sheet.text


async def test_public_documents_keep_their_own_age(here: Lodge) -> None:
    answer = await here.browser.get("/.well-known/jwks")
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_with_https_browsers_are_told_to_stay_with_it() -> None:
    assert "Strict-Transport-Security" in guard._HSTS


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_a_fault_of_ours_tells_nobody_what_it_was(here: Lodge, capsys: pytest.CaptureFixture[str]) -> None:
    page = await here.browser.get("/breaks")
    assert (page.status, page.code) == (500, "unexpected")
    assert "secret" not in page.text
    assert "Traceback" not in page.text
    reference = page.text.split("Reference: <code>")[1].split("<")[0]
    assert len(reference) == 12


@pytest.mark.parametrize("path", ["/nowhere", "/wp-login.php", "/%3Cscript%3E", "/..%2f..%2fetc/passwd"])
async def test_what_is_not_there_is_one_calm_page(here: Lodge, path: str) -> None:
    page = await here.browser.get(path)
    assert (page.status, page.code) == (404, "not_found")
    assert "script" not in page.words


async def test_each_door_refuses_in_its_own_shape(here: Lodge) -> None:
    there = await here.browser.get("/api/v1/nothing")
    assert there.headers["Content-Type"].startswith("application/problem+json")
    assert json.loads(there.text)["code"] == "not_found"
    oauth = json.loads((await here.browser.get("/oidc/nothing")).text)
    assert (oauth["error"], oauth["code"]) == ("invalid_request", "not_found")


async def test_another_method_is_told_which_would_do(here: Lodge) -> None:
    answer = await here.browser.ask("PUT", "/account")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET"


# --- host ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "", "evil.example:80"])
async def test_another_host_is_misdirected(here: Lodge, host: str) -> None:
    answer = await here.browser.get("/account", headers={"Host": host})
    assert (answer.status, answer.code) == (421, "host_refused")
    assert "evil" not in answer.text


async def test_health_is_asked_by_any_name(here: Lodge) -> None:
    assert (await here.browser.get("/livez", headers={"Host": "10.0.0.7:8080"})).status == 200


async def test_two_hosts_are_none(here: Lodge) -> None:
    own = here.url.removeprefix("http://")
    assert await raw(here, f"GET /account HTTP/1.1\r\nHost: {own}\r\nHost: evil.example\r\n\r\n") in (400, 421)
    assert await raw(here, "GET /account HTTP/1.0\r\n\r\n") in (400, 421)


# --- sizes -----------------------------------------------------------------------------------------------------------


async def test_a_body_has_a_cap_whether_or_not_it_says_how_long_it_is(here: Lodge) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"a" * 1024

    announced = await here.browser.ask("POST", "/oidc/token", data=b"a" * 70_000)
    assert (announced.status, json.loads(announced.text)["code"]) == (413, "request_too_large")
    unannounced = await here.browser.ask("POST", "/oidc/token", data=chunks())
    assert (unannounced.status, json.loads(unannounced.text)["code"]) == (413, "request_too_large")


async def test_headers_have_a_cap(here: Lodge) -> None:
    many = {f"X-Thing-{n}": "a" for n in range(70)}
    assert (await here.browser.get("/account", headers=many)).code == "request_too_large"
    long = {f"X-Thing-{n}": "a" * 4000 for n in range(5)}
    assert (await here.browser.get("/account", headers=long)).code == "request_too_large"


async def test_a_body_that_never_ends_is_given_up(here: Lodge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "READ_SECONDS", 0.05)
    own = here.url.removeprefix("http://")
    head = f"POST /oidc/token HTTP/1.1\r\nHost: {own}\r\nContent-Length: 100\r\n\r\nabc"
    assert await raw(here, head) == answers.STATUS[Code.REQUEST_TOO_SLOW] == 408


# --- forms from elsewhere --------------------------------------------------------------------------------------------

ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "anything"},
]


@pytest.mark.parametrize("path", ["/sign-out", "/device", "/account/link", "/oidc/token", "/api/v1/who"])
async def test_a_form_of_another_site_is_refused_at_every_door(here: Lodge, path: str) -> None:
    here.person("ann")
    await here.browser.sign_in()
    csrf = (await here.browser.account()).csrf
    for sent in ELSEWHERE:
        answer = await here.browser.ask("POST", path, data={"csrf": csrf}, headers=sent)
        assert answer.status == 403, sent
        assert "csrf_refused" in answer.text
    assert (await here.browser.account()).status == 200


# --- proxies ---------------------------------------------------------------------------------------------------------


async def asked_from(there: Lodge, forwarded: str, **more: str) -> str:
    """The address that a door sees."""
    there.person("ann")
    there.browser.forgets()
    there.clock.pass_(3600)
    await there.browser.sign_in()
    answer = await there.browser.get("/api/v1/who", headers={"X-Forwarded-For": forwarded, **more})
    return str(json.loads(answer.text)["address"])


ADDRESSES = [
    ("203.0.113.7", "203.0.113.7"),
    ("1.2.3.4, 203.0.113.7", "203.0.113.7"),
    ("1.2.3.4, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
    ("203.0.113.7:4711", "203.0.113.7"),
    ("2001:db8::7", "2001:db8::7"),
    ("[2001:db8::7]:4711, fd00::1", "2001:db8::7"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
    ("203.0.113.7, nonsense, 10.0.0.1", "10.0.0.1"),
    ("203.0.113.7, ,", "127.0.0.1"),
    ("<script>", "127.0.0.1"),
    ("", "127.0.0.1"),
]


async def test_the_first_address_behind_listed_proxies_is_the_one(behind: Lodge) -> None:
    for forwarded, seen in ADDRESSES:
        assert await asked_from(behind, forwarded) == seen, forwarded


async def test_without_listed_proxies_nobody_says_where_they_are(here: Lodge) -> None:
    assert await asked_from(here, "203.0.113.7") == "127.0.0.1"


async def test_who_came_by_plain_http_is_sent_away_where_https_is_spoken(tmp_path: Path) -> None:
    async with lodge(tmp_path, doors={"trusted_proxies": (HERE,), "public_url": "https://miso.example"}) as there:
        own = {"Host": "miso.example"}
        for said, status in (("https", 401), ("http", 421), ("https, http", 421), ("nonsense", 421)):
            answer = await there.browser.get("/account", headers={**own, "X-Forwarded-Proto": said})
            assert answer.status == status, said
        answer = await there.browser.get("/account", headers=own)
        assert answer.status == 401
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


# --- limits ----------------------------------------------------------------------------------------------------------


async def flood(there: Lodge, address: str, path: str = "/account") -> list[Seen]:
    return [await there.browser.get(path, headers={"X-Forwarded-For": address}) for _ in range(4)]


async def test_an_address_that_asks_too_often_is_told_when_to_come_back(behind: Lodge) -> None:
    *before, last = await flood(behind, "203.0.113.7")
    assert [each.status for each in before] == [401] * 3
    assert (last.status, last.code) == (429, "too_many_requests")
    assert last.headers["Retry-After"] == "20"
    assert (await flood(behind, "203.0.113.8"))[0].status == 401
    behind.clock.pass_(19)
    assert (await flood(behind, "203.0.113.7"))[0].status == 429
    behind.clock.pass_(1)
    assert (await flood(behind, "203.0.113.7"))[0].status == 401


async def test_one_network_of_ipv6_is_one_household(behind: Lodge) -> None:
    await flood(behind, "2001:db8::1")
    assert (await flood(behind, "2001:db8::2"))[0].status == 429
    assert (await flood(behind, "2001:db8:0:1::2"))[0].status == 401


async def test_a_spoofed_hop_is_no_new_address(behind: Lodge) -> None:
    for n in range(3):
        await behind.browser.get("/account", headers={"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.7"})
    answer = await behind.browser.get("/account", headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.7"})
    assert answer.status == 429


async def test_token_routes_are_limited_in_their_own_shape_and_health_is_not(behind: Lodge) -> None:
    for _ in range(3):
        await behind.browser.ask("POST", "/oidc/token")
    answer = await behind.browser.ask("POST", "/oidc/token")
    assert answer.status == 429
    assert json.loads(answer.text)["error"] == "temporarily_unavailable"
    assert answer.headers["Retry-After"] == "20"
    assert all([(await behind.browser.get("/livez")).status == 200 for _ in range(10)])


async def test_tokens_that_open_nothing_are_counted_for_their_address(behind: Lodge) -> None:
    sent = {"Authorization": "Bearer misoa_" + "a" * 43}
    answers = [await behind.browser.get("/api/v1/who", headers=sent) for _ in range(4)]
    assert [each.status for each in answers] == [401, 401, 401, 429]


async def test_a_principal_has_a_limit_at_the_api_over_all_sessions(tmp_path: Path) -> None:
    async with lodge(tmp_path, doors={"api_requests_per_minute": 3}) as there:
        there.person("ann")
        await there.browser.sign_in()
        assert [(await there.browser.get("/api/v1/who")).status for _ in range(4)] == [200, 200, 200, 429]
        await there.browser.sign_in()
        assert (await there.browser.get("/api/v1/who")).status == 429
        assert (await there.browser.account()).status == 200


async def raw(there: Lodge, text: str) -> int:
    """The status of an answer to these very bytes."""
    host, port = there.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(text.encode())
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 5)
        return int(line.split()[1])
    finally:
        writer.close()
