"""Buttons: the same verbs as typed commands, each usable once, on the card as it stands, by people who may."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.model import Status
from bot.services.notes import Note
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import live, replies, rows, waiting, written


async def card(stage: Stage) -> Any:
    """The production check run with its buttons by what they say."""
    check = [c for c in (await stage.state())["checks"] if c["name"] == "miso / production"][-1]
    return {**check, "buttons": {a["label"]: a["identifier"] for a in check["actions"]}}


async def presses(stage: Stage, who: str, check: Any, label: str, *, force: bool = False) -> None:
    await stage.sim.click(REPOSITORY, check["id"], check["buttons"][label], who, force=force)
    await stage.settle()


async def test_an_approval_by_button_counts_like_a_typed_one(stage: Stage) -> None:
    pull = await waiting(stage, "By button")
    shown = await card(stage)
    assert set(shown["buttons"]) == {"Approve", "Reject"}
    assert all(len(identifier) <= 20 for identifier in shown["buttons"].values())
    # Rule 9 by this door too: the author is not the second person.
    await presses(stage, "ann", shown, "Approve")
    assert "author_is_approver" in (await replies(stage, pull["number"]))[-1]
    await presses(stage, "bob", shown, "Approve")
    assert await stage.runs("production") == pull["digest"]
    assert len(stage.effects("swap")) == 1


async def test_rule_05_and_15_whoever_may_not_write_presses_in_vain_and_is_not_answered(stage: Stage) -> None:
    pull = await waiting(stage, "Stranger")
    shown, before, said = await card(stage), len(await written(stage)), await replies(stage, pull["number"])
    for label in shown["buttons"]:
        await presses(stage, "eve", shown, label)
        await presses(stage, "eve", shown, label)
    assert (await stage.latest("production")).status is Status.REQUESTED
    assert await replies(stage, pull["number"]) == said
    assert len(await written(stage)) == before
    refused = [r for r in await rows(stage, Note.COMMAND_ANSWERED) if r.body["code"] == "permission_denied"]
    assert len(refused) == 2


async def test_rule_06_a_bot_presses_in_vain(stage: Stage) -> None:
    await waiting(stage, "Bot")
    await stage.sim.create_user("dep[bot]", kind="Bot")
    await stage.sim.set_collaborator(REPOSITORY, "dep[bot]", "admin")
    shown = await card(stage)
    for label in ("Approve", "Reject"):
        await presses(stage, "dep[bot]", shown, label)
    assert (await stage.latest("production")).status is Status.REQUESTED
    assert (await stage.latest("production")).approvals == ()


async def test_rule_21_an_old_card_is_out_of_date_and_a_second_click_does_nothing(stage: Stage) -> None:
    pull = await waiting(stage, "Old card")
    old = await card(stage)
    await presses(stage, "bob", old, "Approve")
    assert (await stage.latest("production")).status is Status.LIVE
    said = await replies(stage, pull["number"])
    await presses(stage, "bob", old, "Approve", force=True)
    assert await replies(stage, pull["number"]) == said
    await presses(stage, "bob", old, "Reject", force=True)
    assert "card_out_of_date" in (await replies(stage, pull["number"]))[-1]
    assert (await stage.latest("production")).status is Status.LIVE
    assert len(stage.effects("swap")) == 1


async def test_rule_21_an_invented_identifier_is_no_button(stage: Stage) -> None:
    await waiting(stage, "Invented")
    shown = await card(stage)
    for identifier in ("approve", "approve:", "approve:00000000000", "rollback:00000000000", "deploy:now"):
        await stage.sim.click(REPOSITORY, shown["id"], identifier, "bob", force=True)
    await stage.settle()
    assert (await stage.latest("production")).status is Status.REQUESTED


async def test_rule_33_a_button_of_another_apps_check_is_not_ours(stage: Stage) -> None:
    """Its check run carries our external id and our identifier, and is still not our card."""
    await waiting(stage, "Wrong App")
    shown = await card(stage)
    forged = await stage.sim.foreign_check(REPOSITORY, shown["name"], shown["head_sha"])
    repository = stage.world.github.repo(REPOSITORY)
    repository.checks[forged["id"]].external_id = shown["external_id"]
    await stage.sim.click(REPOSITORY, forged["id"], shown["buttons"]["Approve"], "bob", force=True)
    await stage.settle()
    assert (await stage.latest("production")).approvals == ()


async def test_rule_20_a_card_of_another_repository_moves_nothing_here(stage: Stage) -> None:
    await waiting(stage, "Elsewhere")
    shown = await card(stage)
    other = await stage.sim.create_repository("contoso/other", collaborators={"bob": "admin"})
    await stage.sim.click(REPOSITORY, shown["id"], shown["buttons"]["Approve"], "bob")
    await stage.world.delivered()
    last = next(d for d in reversed(stage.world.webhooks.log) if d.action == "requested_action")
    await stage.miso.store.delivery_done(last.guid)
    body = json.loads(last.body)
    body["repository"]["id"] = other["id"]
    stage.world.webhooks.emit("check_run", body, installation_id=last.installation_id, repository_id=last.repository_id)
    await stage.settle()
    assert (await stage.latest("production")).approvals == ()


async def test_rule_12_the_rollback_button_goes_back_and_holds(stage: Stage) -> None:
    first = await live(stage, "First")
    second = await live(stage, "Second")
    shown = await card(stage)
    assert set(shown["buttons"]) == {"Roll back"}
    await presses(stage, "eve", shown, "Roll back")
    assert await stage.runs("production") == second["digest"]
    await presses(stage, "ann", shown, "Roll back")
    assert await stage.runs("production") == first["digest"]
    told = await stage.says("ann", "/promote production", on=second["number"])
    assert "release_held" in told["replies"][0]
