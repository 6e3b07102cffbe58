"""Waiting is never silent: it has somebody who can act, a reminder, and a stated end. Cancelling is one."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from tests.flows.between import approved_but_waiting, card, goes_on, sticky
from tests.flows.stage import Stage
from tests.flows.trouble import quick
from tests.flows.words import in_test, live, ruled, waiting

pytestmark = pytest.mark.full

HOUR = 3600


async def after(stage: Stage, hours: float) -> None:
    stage.clock.pass_(hours * HOUR + 1)
    await stage.settle()


async def reminders(stage: Stage, number: int) -> list[str]:
    return [c["body"] for c in await stage.comments(number) if "still waits for" in c["body"]]


async def told(stage: Stage, who: str, text: str, *, on: int) -> str:
    return str((await stage.says(who, text, on=on))["replies"][0])


async def test_whoever_can_act_is_reminded_and_nobody_is_called_by_name(stage: Stage) -> None:
    pull = await waiting(stage, "Forgotten")
    number = pull["number"]
    await after(stage, 23)
    assert await reminders(stage, number) == []
    await after(stage, 1)
    [said] = await reminders(stage, number)
    assert f"/approve @{pull['merge_commit_sha'][:12]}" in said
    assert "If nobody decides, it ends" in said
    assert "@bob" not in said
    await after(stage, 24)
    assert len(await reminders(stage, number)) == 2
    # The line that it names is the line that works.
    await stage.says("bob", f"/approve @{pull['merge_commit_sha'][:12]}", on=number)
    assert await stage.runs("production") == pull["digest"]


async def test_a_request_that_nobody_decided_ends_with_a_reason_and_may_be_asked_for_again(stage: Stage) -> None:
    pull = await waiting(stage, "Given up")
    for _ in range(3):
        await after(stage, 24)
    ended = await stage.latest("production")
    assert (ended.status, ended.code) == (Status.REFUSED, "wait_expired")
    for shown in (await card(stage), await sticky(stage, pull["number"])):
        assert "wait_expired" in shown
        assert "72 hours" in shown
    await after(stage, 100)
    assert len(await reminders(stage, pull["number"])) == 2
    assert "nothing_to_approve" in await told(stage, "bob", "/approve", on=pull["number"])
    assert "waits for 1 approval" in await told(stage, "ann", "/promote production", on=pull["number"])


async def test_times_are_the_policys(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, remind_hours=2, wait_hours=5)
    pull = await waiting(stage, "Quick")
    for _ in range(5):
        await after(stage, 1)
    assert len(await reminders(stage, pull["number"])) == 2
    assert (await stage.latest("production")).code == "wait_expired"


async def test_a_break_glass_request_says_after_how_many_minutes_it_ended(stage: Stage) -> None:
    pull = await in_test(stage, "Urgent")
    await stage.says("ann", "/promote production --break-glass it burns", on=pull["number"])
    await after(stage, 1)
    ended = await stage.latest("production")
    assert ended.code == "break_glass_expired"
    assert "60 minutes" in ended.sentence or "1 hour" in ended.sentence
    assert "--break-glass" in ended.hint


# --- cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", quick(["ann", "olga"], "ann"))
async def test_the_requester_or_an_operator_cancels(stage: Stage, who: str) -> None:
    number = await approved_but_waiting(stage, "Cancelled")
    assert "no longer wanted" in await told(stage, who, "/cancel no longer wanted", on=number)
    await goes_on(stage)
    ended = await stage.latest("production")
    assert (ended.status, ended.sentence) == (Status.CANCELLED, "no longer wanted")
    assert stage.effects("swap") == []
    shown = await card(stage)
    assert f"Cancelled by {who}" in shown
    assert "no longer wanted" in shown
    assert "nothing_to_cancel" in await told(stage, who, "/cancel", on=number)


async def test_nobody_else_cancels(stage: Stage) -> None:
    await waiting(stage, "Mine")
    pull = await in_test(stage, "Bob's")
    await stage.says("bob", "/promote production", on=pull["number"])
    assert "not_yours" in await told(stage, "ann", "/cancel I would rather not", on=pull["number"])
    assert (await stage.says("eve", "/cancel", on=pull["number"]))["replies"] == []
    assert (await stage.latest("production")).status is Status.REQUESTED


async def test_what_has_begun_is_not_cancelled(stage: Stage) -> None:
    pull = await live(stage, "Begun")
    assert "nothing_to_cancel" in await told(stage, "ann", "/cancel too late", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


# --- losing one's place ----------------------------------------------------------------------------------------------


async def lost(stage: Stage, number: int) -> str:
    """What the pull request is told of the place that it lost; empty when nothing."""
    found = [c["body"] for c in await stage.comments(number) if "does not go to production" in c["body"]]
    return str(found[0]) if found else ""


async def test_a_newer_request_takes_the_place_and_the_older_one_is_told_on_its_own_pull_request(stage: Stage) -> None:
    number = await approved_but_waiting(stage, "Older")
    older: Any = await stage.latest("production")
    newer = await in_test(stage, "Newer")
    stage.clock.pass_(60)
    await stage.says("ann", "/promote production", on=newer["number"])
    said = await lost(stage, number)
    assert newer["merge_commit_sha"][:12] in said
    assert f"#{newer['number']}" in said
    assert "do not count for the newer one" in said
    assert await lost(stage, newer["number"]) == ""
    await goes_on(stage)
    assert (await stage.miso.store.promotions(environment_id=older.environment_id))[-1].status is Status.SUPERSEDED
    [check] = [c for c in (await stage.state())["checks"] if c["external_id"] == older.stream]
    assert "`superseded`" in check["summary"]
    assert "nothing_to_approve" in await told(stage, "bob", "/approve", on=number)
    assert stage.effects("swap") == []


async def test_a_rollback_takes_the_place_of_what_waits(stage: Stage) -> None:
    first = await live(stage, "First")
    second = await live(stage, "Second")
    third = await waiting(stage, "Third")
    await stage.says("bob", "/rollback production", on=second["number"])
    assert await stage.runs("production") == first["digest"]
    assert first["merge_commit_sha"][:12] in await lost(stage, third["number"])
    assert "nothing_to_approve" in await told(stage, "bob", "/approve", on=third["number"])


async def test_a_paused_promotion_says_until_when_and_why(stage: Stage) -> None:
    number = await approved_but_waiting(stage, "Paused")
    paused = await stage.latest("production")
    assert (paused.code, paused.paused_until_us > stage.clock.now_us()) == ("github_unavailable", True)
    for shown in (await card(stage), await sticky(stage, number)):
        assert "Waits until 20" in shown
        assert "github_unavailable" in shown
