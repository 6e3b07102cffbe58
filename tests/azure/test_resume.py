"""Continuation tokens are followed only back to our own ARM address and to the environment they were made for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.azure.resume import may_resume
from bot.domain.model import Step
from bot.sim.wire import Fault
from tests.azure.conftest import GROUP_ENV, Desk, group_plan


def pointing(token: str, where: str, url: str) -> str:
    """The token with one of its addresses changed."""
    return tampered(token, lambda data: data["response"]["headers"].update({where: url}))


def tampered(token: str, change: Callable[[dict[str, Any]], None]) -> str:
    state = json.loads(base64.b64decode(token))
    change(state["data"])
    return base64.b64encode(json.dumps(state).encode()).decode()


async def taken(desk: Desk) -> str:
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()))
    return desk.tokens[0]


async def test_own_token_may_be_followed_by_its_environment_only(desk: Desk) -> None:
    token = await taken(desk)
    assert may_resume(token, arm_url=desk.cloud.arm_url, environment=GROUP_ENV)
    assert not may_resume(token, arm_url="https://management.azure.com", environment=GROUP_ENV)
    elsewhere = (replace(GROUP_ENV, resource_group="other"), replace(GROUP_ENV, subscription_id=GROUP_ENV.id))
    for environment in elsewhere:
        assert not may_resume(token, arm_url=desk.cloud.arm_url, environment=environment)


@pytest.mark.parametrize("where", ["azure-asyncoperation", "Azure-AsyncOperation", "location", "operation-location"])
async def test_rule_18_token_is_never_sent_to_another_host(desk: Desk, where: str) -> None:
    token = await taken(desk)
    for url in (
        "https://evil.test/operations/1",
        desk.cloud.arm_url.replace("https:", "http:") + "/x",
        desk.cloud.arm_url + "@evil.test/x",
        desk.cloud.arm_url.replace("https://", "https://me@") + "/x",
        "https://[broken",
    ):
        forged = pointing(token, where, url)
        assert not may_resume(forged, arm_url=desk.cloud.arm_url, environment=GROUP_ENV)
    moved = tampered(token, lambda data: data["request"].update(url="https://evil.test" + "/subscriptions/x"))
    assert not may_resume(moved, arm_url=desk.cloud.arm_url, environment=GROUP_ENV)


@pytest.mark.parametrize("token", ["", "x", "e30=", "bm8gSlNPTg==", "W10=", "eyJkYXRhIjp7fX0=", "A" * 70_000])
def test_what_is_no_token_is_not_followed(token: str) -> None:
    assert not may_resume(token, arm_url="https://management.azure.com", environment=GROUP_ENV)


async def test_forged_token_leads_to_a_look_and_a_new_write(desk: Desk) -> None:
    token = tampered(
        await taken(desk), lambda data: data["response"]["headers"].update({"location": "https://evil.test"})
    )
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()), resume=token)
    assert len(desk.cloud.requests("PUT")) == 2


async def test_resumed_put_sends_no_second_put(desk: Desk) -> None:
    desk.cloud.wire.faults.append(Fault("arm PUT ", "stuck"))
    plan = group_plan(desk.cloud.image())
    with pytest.raises(Exception, match="azure_timeout"):
        await desk.apply(GROUP_ENV, Step.GROUP_PUT, plan, deadline=0.2)
    desk.cloud.arm.unstick()
    await Desk(desk.cloud, desk.another()).apply(GROUP_ENV, Step.GROUP_PUT, plan, resume=desk.tokens[0])
    assert len(desk.cloud.requests("PUT")) == 1
    assert (await desk.observe(GROUP_ENV)).main.running is True


async def test_resumed_delete_sends_no_second_delete(desk: Desk) -> None:
    await taken(desk)
    desk.cloud.wire.faults.append(Fault("arm DELETE ", "stuck"))
    plan = group_plan(desk.cloud.image())
    with pytest.raises(Exception, match="azure_timeout"):
        await desk.apply(GROUP_ENV, Step.GROUP_DELETE, plan, deadline=0.2)
    desk.cloud.arm.unstick()
    await desk.apply(GROUP_ENV, Step.GROUP_DELETE, plan, resume=desk.tokens[-1])
    assert len(desk.cloud.requests("DELETE")) == 1
    assert not (await desk.observe(GROUP_ENV)).main.exists
