"""Rule 36: two people may go past certain rules, with a reason and within an hour, and it is told for ever."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.domain.rules import RequiredCheck, Who
from tests.flows.between import card, checked, goes_on, held_up, sticky
from tests.flows.stage import Stage
from tests.flows.test_closures import freeze
from tests.flows.trouble import quick
from tests.flows.words import in_test, live, ruled

pytestmark = pytest.mark.full

MARK = "⚠ break-glass"


async def frozen(stage: Stage, title: str = "Urgent") -> int:
    """A release is in test, and production is frozen for ten hours."""
    pull = await in_test(stage, title)
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, lasts=600),))
    return int(pull["number"])


async def told(stage: Stage, who: str, text: str, *, on: int) -> str:
    return str((await stage.says(who, text, on=on))["replies"][0])


async def test_rule_36_two_people_go_past_a_freeze_and_it_is_told_alarmed_and_marked(stage: Stage) -> None:
    number = await frozen(stage)
    with capture_logs() as lines:
        said = await told(stage, "ann", "/promote production --break-glass customers cannot pay", on=number)
    assert "Break-glass" in said
    assert "`frozen`" in said
    assert "customers cannot pay" in said
    assert "alarm.break_glass" in [line["event"] for line in lines]
    assert "author_is_approver" in await told(stage, "ann", "/approve", on=number)
    assert stage.effects("swap") == []
    await stage.says("bob", "/approve", on=number)
    done = await stage.latest("production")
    assert (done.status, done.request.skipped) == (Status.LIVE, ("freeze",))
    for shown in (await card(stage), await sticky(stage, number)):
        assert MARK in shown
        assert "Gone past" in shown
        assert "customers cannot pay" in shown
    assert MARK in await told(stage, "ann", "/status", on=number)


async def test_rule_36_it_wants_a_reason_and_the_right_to_approve(stage: Stage) -> None:
    number = await frozen(stage)
    assert "reason_missing" in await told(stage, "ann", "/promote production --break-glass", on=number)
    await ruled(stage, Where.PRODUCTION, approve=Who(role="maintain"))
    assert "permission_denied" in await told(stage, "ann", "/promote production --break-glass now", on=number)
    assert "flag_unknown" in await told(stage, "ann", "/promote production --force now", on=number)
    assert await stage.miso.store.promotions(environment_id=stage.environments["production"]) == []


async def test_rule_36_where_the_policy_knows_no_way_past_there_is_none(stage: Stage) -> None:
    number = await frozen(stage)
    await ruled(stage, Where.PRODUCTION, break_glass=False)
    said = await told(stage, "ann", "/promote production --break-glass now", on=number)
    assert "break_glass_off" in said
    assert "frozen" in said


async def test_rule_36_where_nobody_must_approve_a_second_person_must(stage: Stage) -> None:
    pull = await stage.ships("Locked")
    await stage.says("olga", "/lock test an audit", on=pull["number"])
    said = await told(stage, "ann", "/promote test --break-glass it cannot wait", on=pull["number"])
    assert "waits for 1 approval" in said
    assert await stage.runs("test") == ""
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("test") == pull["digest"]


@pytest.mark.parametrize("late", quick(["approval", "effect"], "approval"))
async def test_rule_36_it_runs_out(stage: Stage, late: str) -> None:
    number = await frozen(stage)
    await stage.says("ann", "/promote production --break-glass now", on=number)
    if late == "effect":
        await held_up(stage, number, "bob", "/approve")
        stage.clock.pass_(61 * 60)
        await goes_on(stage)
    else:
        stage.clock.pass_(61 * 60)
        await stage.settle()
        assert "nothing_to_approve" in await told(stage, "bob", "/approve", on=number)
    ended = await stage.latest("production")
    assert (ended.status, ended.code) == (Status.REFUSED, "break_glass_expired")
    assert stage.effects("swap") == []


async def test_rule_36_it_goes_past_soak_and_checks_and_the_order_of_stages(stage: Stage) -> None:
    pull = await stage.ships("Straight on")
    app = await checked(stage, pull["merge_commit_sha"], conclusion="failure")
    checks = (RequiredCheck(name="trivy", app_id=app),)
    await ruled(stage, Where.PRODUCTION, soak_minutes=60, checks=checks)
    said = await told(stage, "ann", "/promote production --break-glass it burns", on=pull["number"])
    for code in ("soak_not_over", "check_failed", "not_verified_before"):
        assert code in said
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]
    assert (await stage.latest("production")).request.skipped == ("checks", "order", "soak")


async def test_rule_36_what_begins_to_fail_afterwards_was_not_agreed_to(stage: Stage) -> None:
    number = await frozen(stage)
    await stage.says("ann", "/promote production --break-glass now", on=number)
    await stage.says("olga", "/lock production an audit", on=number)
    assert "skipped_changed" in await told(stage, "bob", "/approve", on=number)
    assert stage.effects("swap") == []


async def test_rule_36_never_past_a_ban_a_hold_an_older_commit_or_a_foreign_image(stage: Stage) -> None:
    older = await in_test(stage, "Older")
    newer = await live(stage, "Newer")
    number = newer["number"]
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, lasts=600),))
    short = older["merge_commit_sha"][:12]
    said = await told(stage, "ann", f"/promote production @{short} --break-glass please", on=number)
    assert "older_commit" in said
    banned = await in_test(stage, "Banned")
    await stage.says("bob", f"/reject @{banned['merge_commit_sha'][:12]} it leaks", on=number)
    said = await told(stage, "ann", "/promote production --break-glass please", on=banned["number"])
    assert "release_rejected" in said
    held = await stage.ships("Held", mark="unhealthy")
    said = await told(stage, "ann", "/promote production --break-glass please", on=held["number"])
    assert "release_held" in said
    await ruled(stage, Where.PRODUCTION, registries=("ghcr.io",))
    fresh = await stage.ships("From elsewhere")
    said = await told(stage, "ann", "/promote production --break-glass please", on=fresh["number"])
    assert "image_source_refused" in said
    assert await stage.runs("production") == newer["digest"]


async def test_rule_36_the_mark_stays_when_another_release_runs(stage: Stage) -> None:
    number = await frozen(stage)
    await stage.says("ann", "/promote production --break-glass now", on=number)
    await stage.says("bob", "/approve", on=number)
    marked = (await stage.latest("production")).stream
    await ruled(stage, Where.PRODUCTION, freezes=())
    stage.clock.pass_(60)
    await live(stage, "Afterwards")
    [check] = [c for c in (await stage.state())["checks"] if c["external_id"] == marked]
    assert MARK in check["title"]
    assert MARK in await sticky(stage, number)
