"""A release that was rejected for good goes nowhere, under no commit and through no door, until operators agree."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import Status
from bot.services import holds
from bot.sim import scenarios
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY
from tests.flows.between import card, goes_on, held_up, more_people, sticky
from tests.flows.stage import Stage
from tests.flows.test_gate import at_the_gate, gate, state_of
from tests.flows.words import in_test, live, ruled, waiting

pytestmark = pytest.mark.full

WHY = "it leaks passwords"


async def told(stage: Stage, who: str, text: str, *, on: int) -> str:
    return str((await stage.says(who, text, on=on))["replies"][0])


async def banned(stage: Stage, pull: Any, who: str = "bob") -> None:
    said = await told(stage, who, f"/reject @{pull['merge_commit_sha'][:12]} {WHY}", on=pull["number"])
    assert "rejected" in said
    assert WHY in said


async def test_a_banned_release_goes_nowhere_and_what_waited_of_it_ends(stage: Stage) -> None:
    pull = await waiting(stage, "Banned")
    await banned(stage, pull)
    ended = await stage.latest("production")
    assert (ended.status, ended.sentence) == (Status.REJECTED, WHY)
    assert WHY in await card(stage)
    assert f"⛔ `{pull['merge_commit_sha'][:12]}` was rejected for good by `bob`" in await sticky(stage, pull["number"])
    for where in ("dev", "test", "production"):
        said = await told(stage, "ann", f"/promote {where}", on=pull["number"])
        assert "release_rejected" in said, where
        assert WHY in said, where
    assert await stage.runs("production") == ""


async def test_the_same_image_under_another_commit_is_banned_too(stage: Stage) -> None:
    first = await stage.ships("First")
    await banned(stage, first)
    second = await scenarios.merge_change(stage.sim, "Second", text="again")
    await stage.sim.call("registry.tag", repository="shop", tag=second["merge_commit_sha"], digest=first["digest"])
    await stage.sim.run_workflow(REPOSITORY, head_sha=second["merge_commit_sha"])
    await stage.settle()
    refused = [c for c in (await stage.state())["checks"] if c["head_sha"] == second["merge_commit_sha"]]
    assert any("release_rejected" in f"{c['summary']}{c['text']}" for c in refused)
    third = await stage.ships("Corrected")
    assert await stage.runs("dev") == third["digest"]


async def test_the_same_commit_built_again_is_banned_too(stage: Stage) -> None:
    pull = await stage.ships("Rebuilt")
    await banned(stage, pull)
    commit = pull["merge_commit_sha"]
    await stage.sim.call("registry.push", repository="shop", tag=commit, text="built again")
    await stage.sim.run_workflow(REPOSITORY, head_sha=commit)
    await stage.settle()
    assert await stage.runs("dev") == pull["digest"]


async def test_only_two_operators_lift_it_and_a_word_counts_once(stage: Stage) -> None:
    pull = await in_test(stage, "Cleared")
    number, short = pull["number"], pull["merge_commit_sha"][:12]
    await banned(stage, pull)
    assert "permission_denied" in await told(stage, "ann", f"/clear @{short} it does not", on=number)
    assert "reason_missing" in await told(stage, "bob", f"/clear @{short}", on=number)
    for _ in range(2):
        assert "clear_needs_second" in await told(stage, "bob", f"/clear @{short} it does not", on=number)
    assert "release_rejected" in await told(stage, "ann", "/promote production", on=number)
    said = await told(stage, "olga", f"/clear @{short} looked at it", on=number)
    assert "`bob` and `olga`" in said
    assert "not_held" in await told(stage, "olga", f"/clear @{short} once more", on=number)
    assert "waits for 1 approval" in await told(stage, "ann", "/promote production", on=number)


async def test_a_word_for_lifting_it_does_not_wait_for_ever(stage: Stage) -> None:
    pull = await in_test(stage, "Forgotten")
    number, short = pull["number"], pull["merge_commit_sha"][:12]
    await banned(stage, pull)
    await stage.says("bob", f"/clear @{short} it does not", on=number)
    stage.clock.pass_(30 * 24 * 3600)
    assert "clear_needs_second" in await told(stage, "olga", f"/clear @{short} looked at it", on=number)
    assert "release_rejected" in await told(stage, "ann", "/promote production", on=number)


async def test_whoever_may_approve_or_wrote_it_may_reject_it_and_nobody_else(stage: Stage) -> None:
    pull = await in_test(stage, "Mine")
    number, short = pull["number"], pull["merge_commit_sha"][:12]
    assert (await stage.says("eve", f"/reject @{short} I do not like it", on=number))["replies"] == []
    assert "reason_missing" in await told(stage, "ann", f"/reject @{short}", on=number)
    assert "release_unknown" in await told(stage, "ann", f"/reject @{'0' * 12} no such thing", on=number)
    await banned(stage, pull, "ann")
    assert "release_rejected" in await told(stage, "bob", "/promote production", on=number)


async def test_rule_28_a_gate_of_a_banned_release_is_rejected(stage: Stage) -> None:
    pull = await in_test(stage, "Gate")
    await banned(stage, pull)
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    assert await state_of(stage, run) == "rejected"
    assert "release_rejected" in str((await gate(stage, run))["comments"])


async def test_rule_12_a_rollback_never_goes_to_what_was_banned(stage: Stage) -> None:
    first = await live(stage, "First")
    second = await live(stage, "Second")
    third = await live(stage, "Third")
    number = third["number"]
    await banned(stage, second)
    said = await told(stage, "ann", f"/rollback production to @{second['merge_commit_sha'][:12]}", on=number)
    assert "release_rejected" in said
    await stage.says("ann", "/rollback production", on=number)
    assert await stage.runs("production") == first["digest"]


async def test_a_ban_between_approval_and_effect_stops_it_and_what_runs_stays(stage: Stage) -> None:
    first = await live(stage, "Runs")
    pull = await in_test(stage, "Stopped")
    await stage.says("ann", "/promote production", on=pull["number"])
    await held_up(stage, pull["number"], "bob", "/approve")
    await banned(stage, pull, "olga")
    await goes_on(stage)
    assert (await stage.latest("production")).status is Status.REJECTED
    assert "nothing_to_approve" in await told(stage, "bob", "/approve", on=pull["number"])
    # What runs is not taken away by a word: going back is a decision of its own.
    await banned(stage, first)
    assert await stage.runs("production") == first["digest"]


async def test_clearing_by_as_many_as_the_policy_wants(stage: Stage) -> None:
    await more_people(stage, "mia", role="maintain")
    await ruled(stage, clear_people=3)
    pull = await in_test(stage, "Three")
    number, short = pull["number"], pull["merge_commit_sha"][:12]
    await banned(stage, pull)
    for who in ("bob", "olga"):
        assert "clear_needs_second" in await told(stage, who, f"/clear @{short} fine", on=number)
    await stage.says("mia", f"/clear @{short} fine", on=number)
    release = (await stage.latest("test")).request.release
    assert await holds.bans(stage.miso, APPLICATION_ID, release) == ()
