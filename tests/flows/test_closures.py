"""What closes an environment: freezes by the calendar and locks by a person, looked at again when the effect begins.

What locks do while nothing waits for anybody stands in `test_locks`; the way past both in `test_break_glass`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.domain.rules import Freeze
from tests.flows.between import approved_but_waiting, card, goes_on, refused, sticky
from tests.flows.stage import Stage
from tests.flows.words import in_test, live, ruled, waiting

pytestmark = pytest.mark.full

REASON = "nobody is on call"


def freeze(stage: Stage, *, hours: float = 0, lasts: int = 60, **more: Any) -> Freeze:
    """One that begins so many hours from now and lasts so many minutes."""
    begins = datetime.fromtimestamp(stage.clock.at_us / 1e6, UTC) + timedelta(hours=hours)
    return Freeze(name="weekend", starts=begins.strftime("%Y-%m-%dT%H:%M"), minutes=lasts, reason=REASON, **more)


async def test_a_freeze_refuses_a_request_says_until_when_and_is_over_by_itself(stage: Stage) -> None:
    pull = await in_test(stage, "Frozen")
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, lasts=90),))
    told = await stage.says("ann", "/promote production", on=pull["number"])
    assert "`frozen`" in told["replies"][0]
    assert REASON in told["replies"][0]
    stage.clock.pass_(91 * 60)
    told = await stage.says("ann", "/promote production", on=pull["number"])
    assert "waits for 1 approval" in told["replies"][0]


async def test_a_freeze_that_begins_between_approval_and_effect_refuses_the_effect(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, hours=2, lasts=600),))
    number = await approved_but_waiting(stage, "Late on Friday")
    stage.clock.pass_(2 * 3600)
    await goes_on(stage)
    await refused(stage, "frozen")
    shown = await card(stage)
    assert "`frozen`" in shown
    assert REASON in shown
    assert "❄ frozen until 2026-11-18 23:0" in await sticky(stage, number)


async def test_a_freeze_refuses_the_approval_too_and_keeps_the_request(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, hours=2, lasts=120),))
    pull = await waiting(stage, "Approved in a freeze")
    stage.clock.pass_(3 * 3600)
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "`frozen`" in told["replies"][0]
    assert (await stage.latest("production")).status is Status.REQUESTED
    stage.clock.pass_(2 * 3600)
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_a_day_that_is_excepted_is_not_frozen(stage: Stage) -> None:
    """Every day is frozen from now on, but not today."""
    daily = freeze(stage, lasts=1439, repeats="FREQ=DAILY")
    await ruled(stage, Where.PRODUCTION, freezes=(daily,))
    pull = await in_test(stage, "Holiday")
    assert "`frozen`" in (await stage.says("ann", "/promote production", on=pull["number"]))["replies"][0]
    today = replace(daily, exceptions=(daily.starts[:10],))
    await ruled(stage, Where.PRODUCTION, freezes=(today,))
    await stage.says("ann", "/promote production", on=pull["number"])
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_a_freeze_holds_nobody_back_from_going_back(stage: Stage) -> None:
    first = await live(stage, "First")
    second = await live(stage, "Second")
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, lasts=600),))
    await stage.says("ann", "/rollback production", on=second["number"])
    assert await stage.runs("production") == first["digest"]


async def test_a_lock_that_comes_between_approval_and_effect_refuses_the_effect(stage: Stage) -> None:
    number = await approved_but_waiting(stage, "Locked out")
    await stage.says("olga", "/lock production for 2h an audit", on=number)
    await goes_on(stage)
    await refused(stage, "locked")
    assert "🔒 locked by `olga`" in await sticky(stage, number)
    shown = await card(stage)
    assert "`olga`" in shown
    assert "an audit" in shown


async def test_the_owner_of_a_lock_goes_on(stage: Stage) -> None:
    number = await approved_but_waiting(stage, "Mine alone")
    await stage.says("ann", "/lock production for 2h the fair", on=number)
    await goes_on(stage)
    assert (await stage.latest("production")).status is Status.LIVE


async def test_a_lock_that_ran_out_before_the_effect_holds_nothing(stage: Stage) -> None:
    number = await approved_but_waiting(stage, "Over")
    await stage.says("olga", "/lock production for 5m a look", on=number)
    await goes_on(stage)
    assert (await stage.latest("production")).status is Status.LIVE


async def test_locks_of_others_need_an_operator_and_a_reason_and_there_is_one_at_a_time(stage: Stage) -> None:
    pull = await stage.ships("Keys")
    number = pull["number"]

    async def told(who: str, text: str) -> str:
        return str((await stage.says(who, text, on=number))["replies"][0])

    assert "not_locked" in await told("ann", "/unlock test")
    assert "reason_missing" in await told("ann", "/lock test for 1h")
    assert "duration_malformed" in await told("ann", "/lock test for ages a fair")
    await told("bob", "/lock test a fair")
    assert "already_locked" in await told("ann", "/lock test mine too")
    assert "not_yours" in await told("ann", "/unlock test I need it")
    assert "reason_missing" in await told("olga", "/unlock test")
    assert "took the lock of `bob` off" in await told("olga", "/unlock test he is on holiday")
    assert (await stage.says("eve", "/lock test mine", on=number))["replies"] == []
    await stage.says("ann", "/promote test", on=number)
    assert await stage.runs("test") == pull["digest"]


async def test_a_lock_keeps_going_back_from_others_as_well(stage: Stage) -> None:
    """It is there so that nothing changes; whoever must go back takes it off with a reason."""
    first = await live(stage, "First")
    second = await live(stage, "Second")
    await stage.says("olga", "/lock production an audit", on=second["number"])
    told = await stage.says("ann", "/rollback production", on=second["number"])
    assert "`locked`" in told["replies"][0]
    assert await stage.runs("production") == second["digest"]
    await stage.says("bob", "/unlock production customers are waiting", on=second["number"])
    await stage.says("ann", "/rollback production", on=second["number"])
    assert await stage.runs("production") == first["digest"]


async def test_a_reason_comes_back_as_text(stage: Stage) -> None:
    pull = await stage.ships("Text")
    evil = "@contoso/admins <img src=x> [l](javascript:x)"
    await stage.says("bob", f"/lock test {evil}", on=pull["number"])
    told = await stage.says("ann", "/promote test", on=pull["number"])
    for said in (told["replies"][0], (await stage.says("ann", "/status", on=pull["number"]))["replies"][0]):
        assert "javascript" in said
        outside = "".join(part for at, part in enumerate(said.split("`")) if at % 2 == 0)
        assert "<img" not in outside
        assert "@contoso" not in outside
        assert "](javascript" not in outside
