"""One credential an environment: asked once, over the one session, with nothing in the log."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

import bot.azure
from bot.domain.model import Step
from tests.azure.cloud import CLIENT, ISSUER, TENANT
from tests.azure.conftest import GROUP_ENV, SITE_ENV, Desk, group_plan


async def test_many_cold_calls_ask_entra_once(desk: Desk) -> None:
    await asyncio.gather(*(desk.observe(GROUP_ENV) for _ in range(10)), *(desk.observe(SITE_ENV) for _ in range(5)))
    assert len(desk.cloud.requests("POST", server="entra")) == 1
    exchange = next(e for e in desk.cloud.wire.exchanges if e.server == "entra")
    assert b"grant_type=client_credentials" in exchange.request_body
    assert b"management.azure.com%2F.default" in exchange.request_body


async def test_environment_never_uses_the_token_of_another(desk: Desk) -> None:
    other = replace(GROUP_ENV, id="00000000-0000-4000-8000-0000000000ff")
    await desk.observe(GROUP_ENV)
    with pytest.raises(Exception, match="azure_federation"):
        await desk.observe(other)
    desk.cloud.entra.federate(TENANT, CLIENT, issuer=ISSUER, subject=f"miso:env:{other.id}")
    await desk.observe(other)


async def test_token_of_another_tenant_is_never_asked_for(desk: Desk) -> None:
    credential = desk.window._clients.credential(GROUP_ENV)
    with pytest.raises(ClientAuthenticationError, match="additionally_allowed_tenants"):
        await credential.get_token("https://management.azure.com/.default", tenant_id="other.test")
    assert desk.cloud.requests("POST", server="entra") == []


async def test_session_stays_open_for_others(desk: Desk) -> None:
    await desk.observe(GROUP_ENV)
    await desk.window.close()
    assert not desk.cloud.session.closed


async def test_token_serves_other_windows(desk: Desk) -> None:
    assert desk.cloud.entra.principal(await desk.window.token(GROUP_ENV)) is not None
    principal = desk.cloud.entra.principal(await desk.window.acr_token(GROUP_ENV))
    assert principal is not None
    assert principal.resource == "https://containerregistry.azure.net"


async def test_rule_17_no_secret_is_logged_even_when_everything_is(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plan = group_plan(desk.cloud.image())
    container = plan.body["properties"]["containers"][0]["properties"]
    container["environmentVariables"] = [{"name": "KEY", "secureValue": "planted-secret"}]
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, plan)
    issued = list(desk.cloud.entra._issued)
    assert issued
    for secret in ("planted-secret", *issued, desk.tokens[0], "client_assertion="):
        assert secret not in caplog.text


def test_rule_17_nothing_switches_on_the_sdk_s_body_log() -> None:
    sources = list(Path(bot.azure.__file__).parent.glob("*.py"))
    assert sources
    for source in sources:
        text = source.read_text()
        assert "logging_enable=" not in text, source
        assert "NetworkTraceLoggingPolicy" not in text, source
