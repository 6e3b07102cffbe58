"""A Miso over HTTP as somebody who signed in: fresh tokens, one refresh at a time, and no token to anybody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli import calling, session
from bot.cli.calling import Denied, Server, Tokens, understood
from bot.domain.codes import Code
from bot.errors import Refused, Transient
from tests.cli.counter import ME, Counter, oauth_error, problem, standing


@pytest.fixture
async def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counter]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with standing() as counter:
        yield counter


def signed_in(counter: Counter, *, lasts: float = 900) -> None:
    """Somebody signed in; the access token still lasts for so long."""
    _, tokens = counter.tokens()
    session.write(understood(Tokens, tokens).session(counter.url, asked=time.time() + lasts - 900))


@pytest.fixture
async def there(counter: Counter) -> AsyncIterator[Server]:
    async with calling.server(counter.url) as there:
        yield there


async def test_a_fresh_token_is_used_as_it_is(counter: Counter, there: Server) -> None:
    signed_in(counter)
    assert await there.call("GET", "/api/v1/me") == ME
    assert counter.to("/oidc/token") == []


async def test_one_that_is_about_to_end_is_replaced_before(counter: Counter, there: Server) -> None:
    signed_in(counter, lasts=20)
    assert await there.call("GET", "/api/v1/me") == ME
    [asked] = counter.to("/oidc/token")
    assert asked["client_id"] == "miso-cli"
    kept = session.read()
    assert kept is not None
    assert kept.refresh != asked["refresh_token"]


async def test_one_that_was_refused_is_replaced_once(counter: Counter, there: Server) -> None:
    signed_in(counter)
    counter.tokens()  # the server ended the first one
    assert await there.call("GET", "/api/v1/me") == ME
    counter.script["GET /api/v1/me"] = [problem(401, "session_ended")] * 3
    with pytest.raises(Denied) as no:
        await there.call("GET", "/api/v1/me")
    assert no.value.code == "session_ended"
    assert len(counter.script["GET /api/v1/me"]) == 1


async def test_two_at_once_refresh_once_because_a_refresh_token_is_good_once(counter: Counter, there: Server) -> None:
    signed_in(counter, lasts=0)
    async with calling.server(counter.url) as other:
        assert await asyncio.gather(*(each.call("GET", "/api/v1/me") for each in (there, other, there))) == [ME] * 3
    assert len(counter.to("/oidc/token")) == 1


async def test_a_sign_in_that_the_server_ended_is_forgotten(counter: Counter, there: Server) -> None:
    signed_in(counter, lasts=0)
    counter.script["POST /oidc/token"] = [oauth_error("invalid_grant", "refresh_refused")]
    with pytest.raises(Denied) as no:
        await there.call("GET", "/api/v1/me")
    assert (no.value.code, no.value.hint) == ("refresh_refused", "Look.")
    assert session.read() is None
    with pytest.raises(Refused) as nobody:
        await there.call("GET", "/api/v1/me")
    assert nobody.value.code == Code.NOT_SIGNED_IN


@pytest.mark.parametrize("answer", [(503, {"code": "store_unavailable", "detail": "Soon."}), (502, "<html>")])
async def test_a_server_that_fails_ends_no_sign_in(counter: Counter, there: Server, answer: tuple[int, object]) -> None:
    signed_in(counter, lasts=0)
    counter.script["POST /oidc/token"] = [answer]
    with pytest.raises(Transient):
        await there.call("GET", "/api/v1/me")
    assert await there.call("GET", "/api/v1/me") == ME


async def test_ctrl_c_does_not_lose_a_refresh_token_that_is_on_its_way(counter: Counter, there: Server) -> None:
    signed_in(counter, lasts=0)
    before = session.read()
    counter.slow = 0.2
    asking = asyncio.create_task(there.call("GET", "/api/v1/me"))
    await counter.came.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    counter.slow = 0
    kept = session.read()
    assert kept is not None
    assert before is not None
    assert kept.refresh != before.refresh
    assert await there.call("GET", "/api/v1/me") == ME


async def test_a_token_goes_nowhere_else(counter: Counter, there: Server) -> None:
    """No redirect is followed, and another server's session is not used."""
    signed_in(counter)
    counter.script["GET /api/v1/me"] = [(302, "Over there.")]
    with pytest.raises(Transient, match="no Miso"):
        await there.call("GET", "/api/v1/me")
    kept = session.read()
    assert kept is not None
    session.write(kept.model_copy(update={"url": "https://other.example"}))
    with pytest.raises(Refused) as nobody:
        await there.call("GET", "/api/v1/me")
    assert nobody.value.code == Code.NOT_SIGNED_IN


async def test_too_many_requests_say_when_to_come_back(counter: Counter, there: Server) -> None:
    signed_in(counter)
    counter.script["GET /api/v1/me"] = [problem(429, "too_many_requests")]
    with pytest.raises(Transient) as later:
        await there.call("GET", "/api/v1/me")
    assert (later.value.code, later.value.retry_after) == ("too_many_requests", 7)


async def test_what_a_server_says_does_nothing_to_a_terminal(counter: Counter, there: Server) -> None:
    signed_in(counter)
    counter.script["GET /api/v1/me"] = [(403, {"code": "x\x1b[2J", "detail": "no\x1b]0;title\x07 \x9b31m way"})]
    with pytest.raises(Denied) as no:
        await there.call("GET", "/api/v1/me")
    assert (no.value.code, no.value.sentence) == ("x", "no way")


async def test_nobody_at_the_address_is_something_to_try_again(there: Server) -> None:
    async with calling.server("http://127.0.0.1:9") as nowhere:
        with pytest.raises(Transient) as later:
            await nowhere.form("/oidc/token", {})
    assert later.value.code == "unreachable"


async def test_proxies_are_taken_from_the_environment_and_no_netrc_is_read(
    counter: Counter, there: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", counter.url)
    monkeypatch.delenv("no_proxy", raising=False)
    async with calling.server("http://localhost:1") as proxied:
        await proxied.form("/oidc/revoke", {})
        monkeypatch.setenv("no_proxy", "localhost")
        with pytest.raises(Transient):
            await proxied.form("/oidc/revoke", {})
    [(_, headers, _)] = counter.asked
    assert headers["Host"] == "localhost:1"
    assert "Authorization" not in headers
