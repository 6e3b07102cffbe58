"""What a host answers, and what that counts as."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence

import pytest
from aiohttp import web

from bot.domain.model import Health
from bot.probe import BODY_MOST, ProbeWindow
from tests.probe.deployed import HOST, Deploy, answers


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


async def test_rule_17_nothing_of_the_body_is_kept_or_logged(deploy: Deploy, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        result = await (await deploy(answers(500))).ask()
    assert "hunter2" not in repr(result) + caplog.text
