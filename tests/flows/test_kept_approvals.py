"""Approvals that carry over to a newer commit with the very same content: only where the policy says so, and the plan
differs in nothing but the image, and never the word of somebody who wrote the newer one."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.services import registering
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import card, more_people
from tests.flows.stage import Stage
from tests.flows.words import in_test, ruled

pytestmark = pytest.mark.full


async def half_approved(stage: Stage) -> Any:
    """Two approvals are wanted; Bob gave his, which carries over where the content is the very same."""
    await ruled(stage, Where.PRODUCTION, keep_on_identical=True, approvals=2)
    pull = await in_test(stage, "Add a basket")
    await stage.says("ann", "/promote production", on=pull["number"])
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "1 of 2" in told["replies"][0], told["replies"]
    return pull


async def same_again(stage: Stage, files: dict[str, str | None] | None = None, *, author: str = "ann") -> str:
    """One more commit on the default branch, which changes nothing unless files are given, built and in test."""
    stage.clock.pass_(60)
    pushed = await stage.sim.push(REPOSITORY, author, files or {}, message="Say it better")
    digest = await scenarios.build(stage.sim, pushed["sha"])
    await stage.settle()
    stage.clock.pass_(60)
    return f"{pushed['sha']} {digest}"


async def asked_for(stage: Stage, built: str, *, on: int, who: str = "ann") -> str:
    """The newer one is carried to test and asked for in production. Gives the last answer."""
    commit, digest = built.split()
    await stage.says(who, f"/promote test @{commit}", on=on)
    assert await stage.runs("test") == digest
    told = await stage.says(who, f"/promote production @{commit}", on=on)
    return str(told["replies"][0])


async def approvers(stage: Stage) -> list[str]:
    return [approval.actor.login for approval in (await stage.latest("production")).approvals]


async def test_the_very_same_content_keeps_the_approval_and_the_card_says_so(stage: Stage) -> None:
    pull = await half_approved(stage)
    first = (await stage.latest("production")).stream
    built = await same_again(stage)
    told = await asked_for(stage, built, on=pull["number"])
    assert "waits for 1 more approval" in told
    now = await stage.latest("production")
    assert [(a.actor.login, a.kept_from) for a in now.approvals] == [("bob", first)]
    assert "carried over from a commit with the very same content" in await card(stage)
    await stage.says("olga", "/approve", on=pull["number"])
    assert await stage.runs("production") == built.split()[1]


async def test_a_kept_approval_is_as_old_as_it_was_and_its_comment_still_counts(stage: Stage) -> None:
    pull = await half_approved(stage)
    [given] = (await stage.latest("production")).approvals
    told = await asked_for(stage, await same_again(stage), on=pull["number"])
    assert "waits for 1 more approval" in told
    [kept] = (await stage.latest("production")).approvals
    assert (kept.at_us, kept.comment_id) == (given.at_us, given.comment_id)
    await stage.sim.delete_comment(REPOSITORY, given.comment_id)
    await stage.says("olga", "/approve", on=pull["number"])
    after = await stage.latest("production")
    assert (after.status, [a.void for a in after.voided]) == (Status.REQUESTED, ["edited_comment"])
    assert stage.effects("swap") == []


async def test_where_the_policy_does_not_say_so_the_same_content_is_approved_anew(stage: Stage) -> None:
    pull = await half_approved(stage)
    await ruled(stage, Where.PRODUCTION, keep_on_identical=False)
    told = await asked_for(stage, await same_again(stage), on=pull["number"])
    assert "waits for 2 approvals" in told
    assert await approvers(stage) == []


async def test_other_content_is_approved_anew(stage: Stage) -> None:
    pull = await half_approved(stage)
    await asked_for(stage, await same_again(stage, {"app.py": "print('more')\n"}), on=pull["number"])
    assert await approvers(stage) == []


async def test_the_same_content_with_another_plan_is_approved_anew(stage: Stage) -> None:
    pull = await half_approved(stage)
    another = stage.shop.registration.replace("slot: staging", "slot: staging\n    settings: {MODE: other}")
    await registering.register(stage.miso, another, origin="command")
    await asked_for(stage, await same_again(stage), on=pull["number"])
    assert await approvers(stage) == []


async def test_rule_09_the_word_of_whoever_wrote_the_newer_commit_is_not_kept(stage: Stage) -> None:
    await more_people(stage, "mia")
    pull = await half_approved(stage)
    await asked_for(stage, await same_again(stage, author="bob"), on=pull["number"])
    assert await approvers(stage) == []
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "author_is_approver" in told["replies"][0]
    for who in ("olga", "mia"):
        await stage.says(who, "/approve", on=pull["number"])
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_09_the_word_of_whoever_asks_for_the_newer_commit_is_not_kept(stage: Stage) -> None:
    pull = await half_approved(stage)
    built = await same_again(stage)
    told = await asked_for(stage, built, on=pull["number"], who="bob")
    assert "waits for 2 approvals" in told
    assert await approvers(stage) == []
