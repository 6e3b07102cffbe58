"""What a probe must not reach (rule 18): other hosts, other addresses, other paths."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.model import Health
from bot.probe import ProbeWindow, allowed
from tests.probe.deployed import HOST, Deploy, answers, plain, resolving


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
    [
        "",
        "healthz",
        "//evil.example/",
        "/\\evil.example",
        "/a b",
        "/a#b",
        "/a\r\nX: y",
        "/ü",
        "http://evil.example/",
        "/" + "a" * 2048,
    ],
)
async def test_rule_18_paths_stay_on_the_host(deploy: Deploy, path: str) -> None:
    deployed = await deploy(answers(200))
    result = await deployed.ask(path)
    assert (result.health, result.code) == (Health.UNKNOWN, "path_refused")
    assert deployed.seen == []


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1",
        "169.254.169.254",
        "[::1]",
        "::1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "10.0.0.1",
        "a b",
        "a/b",
        "user@evil.example",
        "evil.example:80",
        "evil.example/",
        "-",
        "a..b",
        "x" * 254,
        "1.2.3.0x4",
    ],
)
async def test_rule_18_hosts_are_names(host: str) -> None:
    result = await plain("93.184.216.34").ask(host, "/", port=80, tls=False)
    assert (result.health, result.code) == (Health.UNKNOWN, "host_refused")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "fe80::1%eth0",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "100.64.0.1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "nonsense",
        "",
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
