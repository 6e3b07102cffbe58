"""The window to deployed hosts: what counts as well, and all that it must not reach (rule 18)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.model import Health, ProbeResult
from bot.probe import BODY_MOST, ProbeWindow, allowed

HOST = "shop.azurewebsites.net"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Deployed:
    """An application behind TLS, on loopback, with a certificate for its own name."""

    address: tuple[str, int]
    trust: ssl.SSLContext
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Host header and path with query."""

    def window(self, *, timeout: float = 5.0, allow_local: bool = False) -> ProbeWindow:
        patterns = {"*.azurewebsites.net": self.address}
        return ProbeWindow(ssl_context=self.trust, connect_to=patterns, timeout=timeout, allow_local=allow_local)

    async def ask(self, path: str = "/", *, host: str = HOST, timeout: float = 5.0) -> ProbeResult:
        return await self.window(timeout=timeout).ask(host, path, port=443, tls=True)


Deploy = Callable[[Handler], Awaitable[Deployed]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def deploy(authority: trustme.CA) -> AsyncIterator[Deploy]:
    servers: list[TestServer] = []

    async def start(handler: Handler) -> Deployed:
        async def remember(request: web.Request) -> web.StreamResponse:
            deployed.seen.append((request.headers["Host"], request.path_qs))
            return await handler(request)

        app = web.Application()
        app.router.add_get("/{anything:.*}", remember)
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(own)
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        server = TestServer(app, scheme="https")
        await server.start_server(ssl=own)
        servers.append(server)
        assert server.port is not None
        deployed = Deployed(address=("127.0.0.1", server.port), trust=trust)
        return deployed

    yield start
    for server in servers:
        await server.close()


def answers(status: int, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text="token=hunter2", headers=headers)

    return handler


def resolving(*addresses: str) -> Callable[[str], Awaitable[Sequence[str]]]:
    async def lookup(host: str) -> Sequence[str]:
        return addresses

    return lookup


def plain(*addresses: str, allow_local: bool = False) -> ProbeWindow:
    context = ssl.create_default_context()
    return ProbeWindow(ssl_context=context, lookup=resolving(*addresses), allow_local=allow_local, timeout=2.0)


@pytest.mark.parametrize("status", [200, 204, 299])
async def test_only_success_is_healthy(deploy: Deploy, status: int) -> None:
    deployed = await deploy(answers(status))
    result = await deployed.ask("/healthz?deep=1")
    assert (result.health, result.code, result.status) == (Health.HEALTHY, "ok", status)
    assert deployed.seen == [(HOST, "/healthz?deep=1")]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_other_answers_are_unhealthy(deploy: Deploy, status: int) -> None:
    deployed = await deploy(answers(status))
    result = await deployed.ask()
    assert (result.health, result.code, result.status) == (Health.UNHEALTHY, f"status_{status}", status)


async def test_rule_18_redirects_are_not_followed(deploy: Deploy) -> None:
    deployed = await deploy(answers(302, Location="/elsewhere"))
    result = await deployed.ask()
    assert (result.health, result.code, result.status) == (Health.UNHEALTHY, "redirect", 302)
    assert len(deployed.seen) == 1


async def test_rule_18_an_endless_body_is_left_after_64_kib(deploy: Deploy) -> None:
    written = 0
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 4096)
                written += 4096
        finally:
            gone.set()

    deployed = await deploy(endless)
    result = await deployed.ask()
    assert (result.health, result.code) == (Health.HEALTHY, "ok")
    await asyncio.wait_for(gone.wait(), 5)
    # What stands in socket buffers is not read by us, but is written by them.
    assert written < BODY_MOST + 16 * 1024 * 1024


async def test_rule_18_silence_ends_in_time_and_is_the_hosts_fault(deploy: Deploy) -> None:
    end = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        await end.wait()
        return web.Response()

    result = await (await deploy(silent)).ask(timeout=0.3)
    end.set()
    assert (result.health, result.code) == (Health.UNHEALTHY, "timeout")
    assert 300 <= result.milliseconds < 5000


async def test_a_body_that_never_ends_in_time_is_unhealthy(deploy: Deploy) -> None:
    end = asyncio.Event()

    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await end.wait()
        return response

    result = await (await deploy(drips)).ask(timeout=0.3)
    end.set()
    assert (result.health, result.code, result.status) == (Health.UNHEALTHY, "timeout", 200)


async def test_a_connection_that_breaks_is_unhealthy(deploy: Deploy) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    result = await (await deploy(breaks)).ask()
    assert result.health is Health.UNHEALTHY


async def test_nobody_there_is_unknown(unused_tcp_port: int) -> None:
    window = ProbeWindow(ssl_context=ssl.create_default_context(), connect_to={HOST: ("127.0.0.1", unused_tcp_port)})
    result = await window.ask(HOST, "/", port=443, tls=True)
    assert (result.health, result.code) == (Health.UNKNOWN, "refused")


async def test_a_name_that_does_not_exist_is_unknown() -> None:
    async def fails(host: str) -> Sequence[str]:
        raise OSError("no such name")

    window = ProbeWindow(ssl_context=ssl.create_default_context(), lookup=fails)
    result = await window.ask(HOST, "/", port=443, tls=True)
    assert (result.health, result.code) == (Health.UNKNOWN, "dns")


async def test_a_lookup_that_hangs_is_unknown() -> None:
    async def hangs(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    window = ProbeWindow(ssl_context=ssl.create_default_context(), lookup=hangs, timeout=0.05)
    result = await window.ask(HOST, "/", port=443, tls=True)
    assert (result.health, result.code) == (Health.UNKNOWN, "timeout")


async def test_rule_18_another_hosts_certificate_is_unknown_never_healthy(deploy: Deploy) -> None:
    """Connecting elsewhere does not change whom the certificate must name."""
    deployed = await deploy(answers(200))
    result = await deployed.ask(host="other.azurewebsites.net")
    assert (result.health, result.code) == (Health.UNKNOWN, "tls")
    assert deployed.seen == []


async def test_an_unknown_authority_is_unknown(deploy: Deploy) -> None:
    deployed = await deploy(answers(200))
    window = ProbeWindow(ssl_context=ssl.create_default_context(), connect_to={HOST: deployed.address})
    assert (await window.ask(HOST, "/", port=443, tls=True)).code == "tls"


@pytest.mark.parametrize(
    "path",
    ["", "healthz", "//evil.example/", "/\\evil.example", "/a b", "/a#b", "/a\r\nX: y", "/ü", "http://evil.example/",
     "/" + "a" * 2048],
)
async def test_rule_18_paths_stay_on_the_host(deploy: Deploy, path: str) -> None:
    deployed = await deploy(answers(200))
    result = await deployed.ask(path)
    assert (result.health, result.code) == (Health.UNKNOWN, "path_refused")
    assert deployed.seen == []


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1", "169.254.169.254", "[::1]", "::1", "2130706433", "0x7f000001", "127.1", "10.0.0.1", "a b", "a/b",
     "user@evil.example", "evil.example:80", "evil.example/", "-", "a..b", "x" * 254, "1.2.3.0x4"],
)
async def test_rule_18_hosts_are_names(host: str) -> None:
    result = await plain("93.184.216.34").ask(host, "/", port=80, tls=False)
    assert (result.health, result.code) == (Health.UNKNOWN, "host_refused")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0",
        "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "100.64.0.1", "224.0.0.1", "ff02::1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "fec0::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "nonsense", "",
    ],
)
async def test_rule_18_addresses_of_no_application_are_refused(address: str) -> None:
    assert not allowed(address)
    result = await plain(address).ask("shop.example", "/", port=80, tls=False)
    assert (result.health, result.code) == (Health.UNKNOWN, "address_refused")


@pytest.mark.parametrize(
    "address", ["20.50.2.1", "2603:1020::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "fd12:3456::1"]
)
def test_public_and_private_addresses_are_allowed(address: str) -> None:
    assert allowed(address)


async def test_rule_18_one_refused_address_refuses_them_all() -> None:
    result = await plain("20.50.2.1", "127.0.0.1").ask("shop.example", "/", port=80, tls=False)
    assert result.code == "address_refused"


async def test_rule_18_local_hosts_need_the_switch_and_metadata_never_passes() -> None:
    assert allowed("127.0.0.1", allow_local=True)
    assert not allowed("169.254.169.254", allow_local=True)
    assert not allowed("168.63.129.16", allow_local=True)
    app = web.Application()
    app.router.add_get("/", answers(200))
    async with TestServer(app) as server:
        assert server.port is not None
        open_window = plain("127.0.0.1", allow_local=True)
        assert (await open_window.ask("shop.example", "/", port=server.port, tls=False)).health is Health.HEALTHY


async def test_rule_18_a_name_is_looked_up_once_and_that_address_is_used() -> None:
    """DNS rebinding: a second lookup would get another answer, so there is none."""
    lookups = []

    async def rebinding(host: str) -> Sequence[str]:
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) == 1 else ["127.0.0.2"]

    app = web.Application()
    app.router.add_get("/", answers(200))
    async with TestServer(app) as server:
        assert server.port is not None
        window = ProbeWindow(ssl_context=ssl.create_default_context(), lookup=rebinding, allow_local=True)
        result = await window.ask("shop.example", "/", port=server.port, tls=False)
    assert result.health is Health.HEALTHY
    assert lookups == ["shop.example"]


async def test_patterns_match_whole_labels(deploy: Deploy) -> None:
    deployed = await deploy(answers(200))
    window = ProbeWindow(
        ssl_context=deployed.trust, connect_to={"*.azurewebsites.net": deployed.address}, lookup=resolving("127.0.0.1")
    )
    for host in ("azurewebsites.net", "evilazurewebsites.net", "shop.azurewebsites.net.evil.example"):
        assert (await window.ask(host, "/", port=443, tls=True)).code == "address_refused"
    assert (await window.ask("SHOP.azurewebsites.net", "/", port=443, tls=True)).code == "ok"


async def test_rule_17_nothing_of_the_body_is_kept_or_logged(
    deploy: Deploy, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = await (await deploy(answers(500))).ask()
    assert "hunter2" not in repr(result) + caplog.text
