"""Signing in by a code that is typed elsewhere (RFC 8628): shown clearly, asked for patiently, kept for one person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app, login, session
from bot.cli.calling import Denied
from bot.domain.codes import Code
from bot.errors import ConfigError, Refused, Transient
from tests.cli.counter import ME, Counter, oauth_error, problem, standing

PENDING = oauth_error("authorization_pending")
SLOW = oauth_error("slow_down")


@pytest.fixture
async def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None) -> AsyncIterator[Counter]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with standing() as counter:
        yield counter


async def signs_in(counter: Counter) -> list[float]:
    """Sign in. Gives how long was waited before each question, without having waited."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await login.sign_in(counter.url, sleep=sleep)
    return slept


async def typed(*command: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, command))


async def test_the_code_and_where_to_type_it_are_shown_and_the_tokens_are_not(
    counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    counter.script["POST /oidc/token"] = [PENDING, PENDING, counter.tokens()]
    assert await signs_in(counter) == [2, 5, 5]
    told = capsys.readouterr()
    assert "BCDF-GHJK" in told.err
    assert f"{counter.url}/device" in told.err
    assert "Nobody from Miso will ever send you a code" in told.err
    assert "?" not in told.err.partition("Type it")[0], "no link carries the code"
    assert "Ann Example" in told.out
    assert "misoa_" not in told.out + told.err
    kept = session.read()
    assert kept is not None
    assert (kept.url, kept.subject) == (counter.url, ME["subject"])


async def test_it_slows_down_for_good_when_it_is_told_to(counter: Counter) -> None:
    counter.script["POST /oidc/token"] = [PENDING, SLOW, PENDING, SLOW, counter.tokens()]
    assert await signs_in(counter) == [2, 5, 10, 10, 15]


async def test_a_server_that_is_away_for_a_moment_is_asked_more_rarely(counter: Counter) -> None:
    counter.script["POST /oidc/token"] = [problem(503, "store_unavailable"), (502, "<html>"), counter.tokens()]
    assert await signs_in(counter) == [2, 10, 20]


@pytest.mark.parametrize(
    ("error", "code"), [("access_denied", "device_denied"), ("expired_token", "device_code")], ids=str
)
async def test_no_or_too_late_ends_it_and_nothing_is_kept(counter: Counter, error: str, code: str) -> None:
    counter.script["POST /oidc/token"] = [PENDING, oauth_error(error, code)]
    with pytest.raises(Denied) as no:
        await signs_in(counter)
    assert no.value.code == code
    assert session.read() is None


async def test_a_code_that_nobody_typed_in_time_ends_it(counter: Counter) -> None:
    counter.begun = {"expires_in": 0.2, "interval": 1}
    counter.script["POST /oidc/token"] = [PENDING] * 10
    with pytest.raises(Refused) as late:
        await login.sign_in(counter.url)
    assert late.value.code == Code.DEVICE_CODE


@pytest.mark.parametrize(
    "begun",
    [
        {"verification_uri": "https://elsewhere.example/device"},
        {"verification_uri": "http://127.0.0.1:1/device"},
        {"user_code": "\x1b[2J"},
        {"user_code": ""},
        {"device_code": None},
        {"interval": -1},
    ],
    ids=str,
)
async def test_what_no_miso_would_say_is_not_shown_to_anybody(
    counter: Counter, begun: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    counter.begun = begun
    with pytest.raises(Transient) as strange:
        await signs_in(counter)
    assert strange.value.code == "not_understood"
    assert "type this code" not in capsys.readouterr().err


async def test_a_code_in_the_address_is_refused(counter: Counter) -> None:
    counter.begun = {"verification_uri": f"{counter.url}/device?user_code=BCDF-GHJK"}
    with pytest.raises(Transient):
        await signs_in(counter)


@pytest.mark.parametrize("url", ["http://miso.example", "miso.example", "https://a:b@miso.example", "ftp://miso"])
async def test_an_address_without_tls_or_with_more_than_an_address_is_refused(counter: Counter, url: str) -> None:
    with pytest.raises(ConfigError, match="--url"):
        await login.sign_in(url)
    assert counter.asked == []


async def test_the_first_time_needs_an_address(counter: Counter) -> None:
    done = await typed("login")
    assert done.exit_code == 2
    assert "miso login --url" in done.output


async def test_signing_in_again_goes_to_the_same_place_and_ends_the_sign_in_before(counter: Counter) -> None:
    await signs_in(counter)
    before = session.read()
    assert before is not None

    async def sleep(seconds: float) -> None: ...

    await login.sign_in("", sleep=sleep)
    now = session.read()
    assert now is not None
    assert now.refresh != before.refresh
    assert [each["token"] for each in counter.to("/oidc/revoke")] == [before.refresh]


async def test_signing_out_ends_it_at_the_server_and_here(counter: Counter) -> None:
    await signs_in(counter)
    kept = session.read()
    assert kept is not None
    done = await typed("logout")
    assert done.exit_code == 0, done.output
    assert [each["token"] for each in counter.to("/oidc/revoke")] == [kept.refresh]
    assert session.read() is None
    assert "Nobody is signed in" in (await typed("logout")).output


async def test_signing_out_where_the_server_cannot_be_told_keeps_it_unless_it_should_be_forgotten(
    counter: Counter,
) -> None:
    await signs_in(counter)
    counter.script["POST /oidc/revoke"] = [problem(503, "store_unavailable")] * 2
    assert (await typed("logout")).exit_code == 75
    assert session.read() is not None
    assert (await typed("logout", "--forget")).exit_code == 0
    assert session.read() is None


async def test_nobody_needs_the_controllers_settings(counter: Counter, no_settings: None) -> None:
    await signs_in(counter)
    assert (await typed("whoami", "--json")).exit_code == 0
