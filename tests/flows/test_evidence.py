"""Rule 10: an approval is bound to what was shown. Whatever part of it changes, the approval is void and all are told.

What the approver says afterwards counts as well: taken back, edited, deleted, or meant for another commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.domain.rules import Concurrency, RequiredCheck
from bot.errors import Refused
from bot.services import approvals, drift, registering
from bot.services.promotions import Word
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import (
    approved_but_waiting,
    card,
    checked,
    goes_on,
    held_up,
    more_people,
    refused,
    sticky,
)
from tests.flows.stage import Stage
from tests.flows.test_drift import another, by_hand, environment
from tests.flows.trouble import quick
from tests.flows.words import in_test, ruled, waiting
from tests.people import at, person

pytestmark = pytest.mark.full

Change = Callable[[Stage, Any], Awaitable[None]]


async def another_plan(stage: Stage, pull: Any) -> None:
    text = stage.shop.registration.replace("slot: staging", "slot: staging\n    settings: {MODE: other}")
    await registering.register(stage.miso, text, origin="command")


async def another_policy(stage: Stage, pull: Any) -> None:
    await ruled(stage, Where.PRODUCTION, approval_hours=25)


async def another_run_of_a_check(stage: Stage, pull: Any) -> None:
    await checked(stage, pull["merge_commit_sha"])


async def healthy_again_later(stage: Stage, pull: Any) -> None:
    """Somebody changes what runs in test, and the release is put back there: another proof than the one shown."""
    await by_hand(stage, "test", await another(stage))
    await drift.look(stage.miso, await environment(stage, "test"))
    stage.clock.pass_(60)
    await stage.says("ann", "/promote test", on=pull["number"])
    assert await stage.runs("test") == pull["digest"]


CHANGES: dict[str, tuple[Change, str, str]] = {
    "plan": (another_plan, "plan_changed", "| plan |"),
    "policy": (another_policy, "policy_changed", "| policy |"),
    "checks": (another_run_of_a_check, "checks_changed", "| checks |"),
    "soak": (healthy_again_later, "soak_changed", "| health one stage earlier |"),
}


async def two_wanted(stage: Stage, title: str) -> Any:
    """Production wants two approvals and a check, which ran; Ann asked, Bob approved, Olga has not looked yet."""
    pull = await in_test(stage, title)
    app = await checked(stage, pull["merge_commit_sha"])
    await ruled(stage, Where.PRODUCTION, approvals=2, checks=(RequiredCheck(name="trivy", app_id=app),))
    stage.clock.pass_(60)
    told = await stage.says("ann", "/promote production", on=pull["number"])
    assert "waits for 2 approvals" in told["replies"][0], told["replies"]
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "1 of 2" in told["replies"][0], told["replies"]
    return pull


@pytest.mark.parametrize("what", CHANGES)
async def test_rule_10_a_change_voids_what_was_approved_and_reply_and_card_say_which(stage: Stage, what: str) -> None:
    change, code, part = CHANGES[what]
    pull = await two_wanted(stage, "Voided")
    await change(stage, pull)
    told = await stage.says("olga", "/approve", on=pull["number"])
    assert code in told["replies"][0]
    ended = await stage.latest("production")
    assert (ended.status, ended.code, ended.approvals) == (Status.REFUSED, code, ())
    assert [(a.actor.login, a.void) for a in ended.voided] == [("bob", code)]
    [differs] = [c for c in ended.changes if c["part"] == what]
    for shown in (await card(stage), await sticky(stage, pull["number"])):
        assert "Changed since it was shown" in shown
        [row] = [line for line in shown.splitlines() if line.startswith(part)]
        assert differs["was"] in row
        assert differs["now"] in row
        assert "**no longer counts:**" in shown
    assert stage.effects("swap") == []


@pytest.mark.parametrize("what", quick(CHANGES, "checks"))
async def test_rule_10_a_change_between_the_approval_and_the_effect_is_found(stage: Stage, what: str) -> None:
    change, code, part = CHANGES[what]
    pull = await two_wanted(stage, "Found")
    await held_up(stage, pull["number"], "olga", "/approve")
    await change(stage, pull)
    await goes_on(stage)
    await refused(stage, code)
    assert part in await card(stage)
    assert [a.actor.login for a in (await stage.latest("production")).voided] == ["bob", "olga"]


async def test_rule_10_another_release_that_goes_live_first_changes_what_would_go_along(stage: Stage) -> None:
    """Where requests queue, an older one that nobody looked at is overtaken by one that somebody approved."""
    await ruled(stage, Where.PRODUCTION, concurrency=Concurrency.QUEUE, approvals=2)
    older = await in_test(stage, "Older")
    stage.clock.pass_(60)
    newer = await in_test(stage, "Newer")
    await stage.says("ann", "/promote production", on=newer["number"])
    await stage.says("bob", "/approve", on=newer["number"])
    stage.clock.pass_(60)
    await stage.says("ann", "/promote production", on=older["number"])
    for who in ("bob", "olga"):
        await stage.says(who, "/approve", on=older["number"])
    assert await stage.runs("production") == older["digest"]
    told = await stage.says("olga", "/approve", on=newer["number"])
    assert "commits_changed" in told["replies"][0]
    assert f"since {older['merge_commit_sha'][:12]}" in await sticky(stage, newer["number"])
    assert await stage.runs("production") == older["digest"]


async def test_revoke_takes_ones_own_word_back_until_something_begins(stage: Stage) -> None:
    number = await approved_but_waiting(stage, "Second thoughts")
    told = await stage.says("olga", "/revoke", on=number)
    assert "nothing_to_revoke" in told["replies"][0]
    told = await stage.says("bob", "/revoke", on=number)
    assert "Nothing was deployed" in told["replies"][0]
    await goes_on(stage)
    after = await stage.latest("production")
    assert (after.status, [a.void for a in after.voided]) == (Status.REQUESTED, ["approval_revoked"])
    assert "approval_revoked" in await card(stage)
    assert stage.effects("swap") == []
    await stage.says("bob", "/approve", on=number)
    assert (await stage.latest("production")).status is Status.LIVE
    told = await stage.says("bob", "/revoke", on=number)
    assert "nothing_to_revoke" in told["replies"][0]


async def meanwhile(stage: Stage, route: str) -> None:
    """The loop goes on, and has just asked this of the outside, which takes its time to answer."""
    await stage.sim.clear_faults()
    await stage.sim.add_fault(route, "delay", seconds=0.2)
    stage.clock.pass_(601)
    await stage.running.worker.advance()
    for _ in range(500):
        if stage.world.wire.faults[-1].struck:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"nobody asked for {route}")


def bobs_word(stage: Stage) -> Word:
    return Word(principal=at(person(stage.shop.people["bob"], "bob")), cause="a race")


async def test_revoke_while_the_last_decision_is_made_stops_the_effect(stage: Stage) -> None:
    """The decision was made over an approval that is gone when the first write would begin."""
    await approved_but_waiting(stage, "Just in time")
    await meanwhile(stage, "^registry ")
    promotion = await stage.latest("production")
    await approvals.revoke(stage.miso, promotion.stream, bobs_word(stage))
    await stage.settle()
    after = await stage.latest("production")
    assert (after.status, after.approvals, stage.effects("swap")) == (Status.REQUESTED, (), [])


async def test_revoke_after_the_effect_has_begun_takes_nothing_back(stage: Stage) -> None:
    await approved_but_waiting(stage, "Too late")
    await meanwhile(stage, "^arm PUT ")
    promotion = await stage.latest("production")
    assert promotion.status is Status.DEPLOYING
    with pytest.raises(Refused, match="taken back"):
        await approvals.revoke(stage.miso, promotion.stream, bobs_word(stage))
    await stage.settle()
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_01_an_approval_that_names_another_commit_is_none(stage: Stage) -> None:
    other = await stage.ships("Other")
    pull = await waiting(stage, "Mine")
    told = await stage.says("bob", f"/approve @{other['merge_commit_sha'][:12]}", on=pull["number"])
    assert "other_release_waits" in told["replies"][0]
    assert (await stage.latest("production")).approvals == ()
    await stage.says("bob", f"/approve @{pull['merge_commit_sha'][:12]}", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


@pytest.mark.parametrize("how", ["edited", "deleted"])
async def test_rule_04_an_approval_whose_comment_is_edited_or_deleted_no_longer_counts(stage: Stage, how: str) -> None:
    pull = await waiting(stage, "Unsaid")
    comment = await held_up(stage, pull["number"], "bob", "/approve")
    if how == "edited":
        await stage.sim.edit_comment(REPOSITORY, comment, "/approve\n\nunless it breaks")
    else:
        await stage.sim.delete_comment(REPOSITORY, comment)
    await goes_on(stage)
    after = await stage.latest("production")
    assert (after.status, [a.void for a in after.voided]) == (Status.REQUESTED, ["edited_comment"])
    assert "edited_comment" in await card(stage)
    assert stage.effects("swap") == []
    await stage.says("olga", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_rule_04_of_two_approvals_the_one_that_was_edited_is_missing_again(stage: Stage) -> None:
    await more_people(stage, "mia")
    pull = await two_wanted(stage, "One of two")
    comment = await held_up(stage, pull["number"], "olga", "/approve")
    await stage.sim.edit_comment(REPOSITORY, comment, "/approve not")
    await goes_on(stage)
    after = await stage.latest("production")
    assert (after.status, [a.actor.login for a in after.approvals]) == (Status.REQUESTED, ["bob"])
    shown = await card(stage)
    assert "1 of 2: `bob`" in shown
    assert "| `olga` |" in shown
    await stage.says("mia", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_the_card_lists_who_approved_what(stage: Stage) -> None:
    pull = await two_wanted(stage, "Listed")
    commit = pull["merge_commit_sha"]
    for shown in (await card(stage), await sticky(stage, pull["number"])):
        assert "| Approval by | Given | |" in shown
        assert "| `bob` | " in shown
        assert "`trivy`: `success`" in shown
        assert (await stage.latest("production")).request.evidence_hash[:12] in shown
        assert commit[:12] in shown
