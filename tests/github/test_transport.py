"""The line to GitHub when it breaks, slows us down, answers nonsense, or points elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.model import DeploymentStatus
from bot.errors import MisoError, Refused, Transient
from bot.github import transport
from tests.github.conftest import REPO, Bench


async def pull_request(bench: Bench) -> int:
    return bench.world.github.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]


@pytest.mark.parametrize("kind", ["drop", "act_then_drop", "status"])
async def test_a_read_survives_two_failures(bench: Bench, kind: str) -> None:
    await bench.facts.identity()
    bench.fault("GET .*/branches/", kind, status=503, times=2)
    assert await bench.facts.head("main")
    # A connection that is lost may already have been tried again by aiohttp itself.
    assert len(bench.clock.slept) in (1, 2)


async def test_a_read_gives_up_after_three(bench: Bench) -> None:
    await bench.facts.identity()
    bench.fault("GET .*/branches/", "status", status=500, times=None)
    with pytest.raises(Transient) as lost:
        await bench.facts.head("main")
    assert (lost.value.code, lost.value.outcome_unknown) == ("github_unavailable", False)
    assert len(bench.sent("GET", "/branches/main")) == 3


@pytest.mark.parametrize(("kind", "written"), [("drop", 0), ("act_then_drop", 1), ("status", 0)])
async def test_a_write_is_sent_once_and_its_end_is_told_as_unknown(bench: Bench, kind: str, written: int) -> None:
    number = await pull_request(bench)
    bench.fault("POST .*/comments", kind, status=502)
    with pytest.raises(Transient) as lost:
        await bench.reports.create_comment(number, "once")
    assert (lost.value.code, lost.value.outcome_unknown) == ("github_unavailable", True)
    assert len(bench.sent("POST", "/comments")) == 1
    assert len(bench.state()["pulls"][0]["comments"]) == written


async def test_a_host_that_is_not_there_leaves_nothing_unknown(bench: Bench, unused_tcp_port: int) -> None:
    window = bench.another_window(api_url=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Transient) as lost:
        await window.at(1, 2, {"metadata": "read"}).identity()
    assert (lost.value.code, lost.value.outcome_unknown) == ("github_unavailable", False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait"),
    [
        (429, {"retry-after": "17"}, {}, 17),
        (403, {"retry-after": "5", "x-ratelimit-remaining": "0"}, {}, 5),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1900000100"}, {}, 101),
        (403, {}, {"message": "You have exceeded a secondary rate limit"}, 60),
        (429, {"retry-after": "soon"}, {}, 60),
        (429, {"retry-after": "99999999"}, {}, 3700),
    ],
)
async def test_a_rate_limit_is_told_with_its_wait_and_kept_by_everybody(
    bench: Bench, status: int, headers: dict[str, str], body: Any, wait: float
) -> None:
    """Until then nothing more is sent for this installation: GitHub bans those who go on asking."""
    await bench.facts.identity()
    await bench.reports.identity()
    bench.fault("GET .*/branches/", "status", status=status, headers=headers, body=body)
    for door in (bench.facts, bench.reports):
        with pytest.raises(Transient) as slowed:
            await door.head("main")
        assert slowed.value.code == "github_throttled"
        assert slowed.value.retry_after == pytest.approx(wait)
        assert not slowed.value.outcome_unknown
    assert len(bench.sent("GET", "/branches/main")) == 1

    bench.clock.now += wait
    assert await bench.facts.head("main")


async def test_the_last_request_of_the_hour_closes_the_door_before_it_is_slammed(bench: Bench) -> None:
    bench.world.state.rate_limit = 2
    await bench.facts.identity()
    await bench.facts.identity()
    before = len(bench.sent("GET"))
    with pytest.raises(Transient) as slowed:
        await bench.facts.identity()
    assert slowed.value.code == "github_throttled"
    assert len(bench.sent("GET")) == before


async def test_writes_keep_their_distance_and_reads_do_not(bench: Bench) -> None:
    number = await pull_request(bench)
    for text in ("one", "two", "three"):
        await bench.reports.create_comment(number, text)
        await bench.reports.identity()
    assert bench.clock.slept == [1.0, 1.0]


async def test_an_unchanged_answer_is_free(bench: Bench) -> None:
    await bench.facts.identity()
    bench.clock.now += 31
    used = dict(bench.world.state.used)
    assert await bench.facts.identity() == await bench.facts.identity()
    assert [exchange.status for exchange in bench.sent("GET")] == [200, 304, 304]
    assert bench.world.state.used == used


async def test_an_etag_is_never_offered_with_another_token(bench: Bench) -> None:
    await bench.facts.identity()
    await bench.reports.identity()
    bench.clock.now += 3600
    await bench.facts.identity()
    asked = bench.sent("GET", f"/repositories/{bench.repository_id}")
    assert ["if-none-match" in exchange.request_headers for exchange in asked] == [False] * 3


async def test_each_request_names_us_and_the_version_of_the_api(bench: Bench) -> None:
    await bench.facts.identity()
    await bench.window.app()
    for exchange in bench.sent():
        assert exchange.request_headers["x-github-api-version"] == "2022-11-28"
        assert exchange.request_headers["user-agent"] == "miso/test"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_rule_18_a_redirect_to_another_host_is_never_followed(bench: Bench, status: int) -> None:
    came: list[str] = []

    async def thief(request: web.Request) -> web.Response:
        came.append(request.headers.get("authorization", ""))
        return web.json_response({})

    async with another_github(thief) as elsewhere:
        bench.fault("GET .*/branches/", "status", status=status, headers={"Location": elsewhere + "/x"}, times=None)
        with pytest.raises(Refused):
            await bench.facts.head("main")
    assert not came


async def test_permission_refused(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        await bench.at({"metadata": "read"}).variables()
    assert refused.value.code == "github_forbidden"
    status = DeploymentStatus(state="success", description="", environment="dev")
    with pytest.raises(Refused) as refused:
        await bench.at({"metadata": "read"}).deployment_status(1, status)
    assert refused.value.code == "github_forbidden"


TOKEN = {"token": "ghs_1_x.y.z", "expires_at": "2031-01-01T00:00:00Z"}
Speak = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def another_github(speak: Speak, path: str = "") -> AsyncIterator[str]:
    """A server that gives tokens under `path` and leaves every other answer to `speak`; its API's address."""

    async def mint(request: web.Request) -> web.Response:
        return web.json_response(TOKEN, status=201)

    app = web.Application()
    app.router.add_post(path + "/app/installations/{number}/access_tokens", mint)
    app.router.add_route("*", "/{rest:.*}", speak)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url(path))


@pytest.mark.parametrize("body", [b'{"id":', b"[1]", b"null", b'"text"', b"[" * 100_000, b'{"id": 1}', b"\xff"])
@pytest.mark.parametrize("kind", ["application/json", "text/html", "application/json; charset=nonsense"])
async def test_nonsense_for_an_answer_is_a_passing_fault(bench: Bench, body: bytes, kind: str) -> None:
    async def speak(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"content-type": kind})

    async with another_github(speak) as url:
        window = bench.another_window(api_url=url)
        for ask in (window.at(1, 2, {"metadata": "read"}).identity(), window.installation_of(1, 2), window.app()):
            with contextlib.suppress(LookupError):
                answer: Any = await told(ask)
                assert answer == "github_unavailable"


async def told(ask: Awaitable[Any]) -> str:
    """Code of the passing fault; a `LookupError` when the answer was taken after all."""
    try:
        await ask
    except Transient as lost:
        return lost.code
    raise LookupError


@pytest.mark.parametrize("status", [520, 599, 304])
async def test_statuses_that_no_api_gives_are_a_passing_fault(bench: Bench, status: int) -> None:
    async def speak(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with another_github(speak) as url:
        with pytest.raises(MisoError):
            await bench.another_window(api_url=url).at(1, 2, {"metadata": "read"}).identity()


async def test_an_answer_without_end_is_cut(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_ANSWER", 1_000_000)

    async def speak(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(100_000):
                await response.write(b" " * 65_536)
        return response

    async with another_github(speak) as url:
        with pytest.raises(Transient) as lost:
            await bench.another_window(api_url=url).at(1, 2, {"metadata": "read"}).identity()
    assert lost.value.code == "github_unavailable"


async def test_an_enterprise_server_is_asked_under_its_prefix(bench: Bench) -> None:
    asked: list[str] = []

    async def speak(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        data = {"id": 2, "full_name": "a/b", "owner": {"id": 3}, "default_branch": "main"}
        if request.path.endswith("/variables"):
            return web.json_response({"total_count": 0, "variables": []})
        return web.json_response(data)

    async with another_github(speak, "/api/v3") as url:
        for address in (url, url + "/"):
            window = bench.another_window(api_url=address)
            assert await window.at(1, 2, {"metadata": "read"}).environment_variables("team/prod ä?") == {}
    name = "team%2Fprod%20%C3%A4%3F"
    assert asked[:2] == [
        "/api/v3/repositories/2",
        f"/api/v3/repos/a/b/environments/{name}/variables?per_page=30&page=1",
    ]
    assert asked[2:] == asked[:2]
