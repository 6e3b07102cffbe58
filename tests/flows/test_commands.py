"""Rules 8 and 14, and the commands themselves: what is one, what it does, and what its answer may hold."""

from __future__ import annotations

import pytest

from bot.domain.model import Status
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import in_test, live, types, waiting, written

TALK = [
    "> /promote test",
    "```\n/promote test\n```",
    "    /promote test",
    "`/promote test`",
    "<!-- /promote test -->",
    "<details>\n\n/promote test\n\n</details>",
    "[/promote test](https://example.com)",
    "please /promote test",
    "Hello\n/promote test",
    "- /promote test",
    "| /promote test |\n|---|\n| x |",
    "\u200b",
]
FAULTS = {
    "/promote test\n\n/promote production": "command_twice",
    "/promote test\n/approve": "command_twice",
    "/prоmote test": "command_not_ascii",
    "/promote\u200b test": "command_not_ascii",
    "／promote test": "command_not_ascii",
    "/promote tеst": "command_not_ascii",
    "/promote tset": "stage_unknown",
    "/promot test": "command_unknown",
    "/promote test production": "command_arguments",
    "/promote test @main": "sha_malformed",
    "/promote test @0123456789": "sha_malformed",
    "/clear @0123456789ab": "reason_missing",
}


async def test_rule_08_talk_about_a_command_is_none(stage: Stage) -> None:
    pull = await stage.ships("Talk")
    before = len(await written(stage))
    for talk in TALK:
        await types(stage, "ann", talk, on=pull["number"])
    await stage.settle()
    assert len(await written(stage)) == before
    assert await stage.runs("test") == ""


async def test_rule_08_what_is_nearly_a_command_is_answered_and_never_guessed(stage: Stage) -> None:
    pull = await stage.ships("Nearly")
    for text, expected in FAULTS.items():
        told = await stage.says("ann", text, on=pull["number"])
        assert len(told["replies"]) == 1, text
        assert expected in told["replies"][0], (text, told["replies"])
    assert await stage.runs("test") == ""
    assert await stage.miso.store.promotions(environment_id=stage.environments["test"]) == []


@pytest.mark.parametrize("text", ["/promote test\r\n", "\r\n\r\n/PROMOTE   tst\r\n\r\nthanks", "/miso promote testing"])
async def test_rule_08_the_ways_to_write_one(stage: Stage, text: str) -> None:
    pull = await stage.ships("Ways")
    told = await stage.says("ann", text, on=pull["number"])
    assert [r["content"] for r in told["reactions"]] == ["eyes"]
    assert len(told["replies"]) == 1
    assert await stage.runs("test") == pull["digest"]


async def test_rule_14_foreign_text_comes_back_as_text(stage: Stage) -> None:
    """Titles, reasons and wrong words are shown, and mention nobody, link nothing and hide nothing."""
    evil = "@contoso/admins #1 <img src=x onerror=y> ![i](https://evil.example/i.png) [l](javascript:x) \x1b[31m\u202e`"
    pull = await waiting(stage, evil)
    number = pull["number"]
    told = await stage.says("bob", f"/reject {evil} -->", on=number)
    await stage.says("ann", "/promote production", on=number)
    words = [told["replies"][0]]
    words += (await stage.says("ann", "/promote @contoso/admins<b>", on=number))["replies"]
    checks = (await stage.state())["checks"]
    words += [f"{c['title']} {c['summary']} {c['text']}" for c in checks]
    words += [c["body"] for c in await stage.comments(number) if c["login"].endswith("[bot]")]
    words += [s["description"] for d in (await stage.state())["deployments"] for s in d["statuses"]]
    for word in words:
        outside = "".join(part for at, part in enumerate(word.split("`")) if at % 2 == 0)
        assert "<img" not in outside
        assert "@contoso/admins" not in outside
        assert "](javascript" not in outside
        assert "![" not in outside
        assert "\x1b" not in word
        assert "\u202e" not in word


async def test_rollback_with_and_without_a_target_in_a_stage_without_approvals(stage: Stage) -> None:
    first = await in_test(stage, "First")
    stage.clock.pass_(60)
    second = await in_test(stage, "Second")
    number = second["number"]
    told = await stage.says("ann", "/rollback test to @0123456789ab", on=number)
    assert "rollback_target_not_verified" in told["replies"][0]
    await stage.says("ann", f"/rollback test to @{first['merge_commit_sha'][:12]}", on=number)
    assert await stage.runs("test") == first["digest"]
    told = await stage.says("ann", "/rollback production", on=number)
    assert "nothing_to_roll_back_to" in told["replies"][0]


async def test_clear_wants_a_hold_a_reason_and_somebody_who_may(stage: Stage) -> None:
    bad = await stage.ships("Bad", mark="unhealthy")
    number, short = bad["number"], bad["merge_commit_sha"][:12]
    told = await stage.says("ann", "/promote dev", on=number)
    assert "release_held" in told["replies"][0]
    assert (await stage.says("eve", f"/clear @{short} I say so", on=number))["replies"] == []
    told = await stage.says("bob", f"/clear @{'0' * 12} wrong one", on=number)
    assert "not_held" in told["replies"][0]
    told = await stage.says("ann", f"/clear @{short} it is mine", on=number)
    assert "permission_denied" in told["replies"][0]
    told = await stage.says("bob", f"/clear @{short} the probe was wrong", on=number)
    assert "clear_needs_second" in told["replies"][0]
    told = await stage.says("bob", f"/clear @{short} the probe was wrong, I say", on=number)
    assert "clear_needs_second" in told["replies"][0]
    told = await stage.says("olga", f"/clear @{short} so it was", on=number)
    assert "try again" in told["replies"][0]
    told = await stage.says("bob", f"/clear @{short} again", on=number)
    assert "not_held" in told["replies"][0]
    await stage.sim.call("arm.mark", digest=bad["digest"], mark="healthy")
    await stage.says("ann", "/promote dev", on=number)
    assert await stage.runs("dev") == bad["digest"]


async def test_reject_stops_it_by_the_author_too_and_there_must_be_something(stage: Stage) -> None:
    pull = await waiting(stage, "Second thoughts")
    number = pull["number"]
    assert (await stage.says("eve", "/reject no", on=number))["replies"] == []
    assert (await stage.latest("production")).status is Status.REQUESTED
    told = await stage.says("ann", "/reject I was wrong", on=number)
    assert "rejected" in told["replies"][0]
    assert (await stage.latest("production")).status is Status.REJECTED
    for word, expected in (("/reject", "nothing_to_reject"), ("/approve", "nothing_to_approve")):
        told = await stage.says("bob", word, on=number)
        assert expected in told["replies"][0]
    assert stage.effects("swap") == []


async def test_status_why_and_help_answer_and_change_nothing(stage: Stage) -> None:
    pull = await live(stage, "Known")
    number = pull["number"]
    effects, promotions = len(stage.world.arm.effects), await stage.miso.store.promotions()
    status = await stage.says("ann", "/status", on=number)
    assert all(word in status["replies"][0] for word in ("dev", "test", "production", pull["merge_commit_sha"][:7]))
    why = await stage.says("ann", "/why production", on=number)
    assert "already_running" in why["replies"][0]
    told = await stage.says("ann", "/help", on=number)
    assert all(word in told["replies"][0] for word in ("/promote", "/approve", "/rollback", "/clear"))
    other = await stage.ships("Other")
    why = await stage.says("bob", "/why production", on=other["number"])
    assert "not_verified_before" in why["replies"][0]
    assert len(await stage.miso.store.promotions()) == len(promotions) + 1
    assert len(stage.effects("swap")) == 1
    assert effects


async def test_rule_21_a_command_that_comes_twice_is_carried_out_and_answered_once(stage: Stage) -> None:
    pull = await stage.ships("Twice")
    await stage.sim.duplicate_next(count=1, event="issue_comment")
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert len(told["replies"]) == 1
    assert len(await stage.miso.store.promotions(environment_id=stage.environments["test"])) == 1
    assert (await stage.sim.state(REPOSITORY))["pulls"]
