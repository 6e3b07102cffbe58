"""What arrives is a hint: replayed, doubled, reordered or lost for a while, it leads to the same world."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.domain.model import DeliveryState, Status
from bot.sim.scenarios import REPOSITORY
from bot.sim.wire import Exchange
from tests.flows.stage import Stage, staged
from tests.flows.trouble import quick, waited_out


async def delivers(stage: Stage, body: bytes, event: str, *, guid: str) -> int:
    """Somebody who knows the secret sends a body of their choice. Gives the status."""
    secret = stage.world.webhooks.secret.encode()
    given = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.url}/github/webhooks", data=body, headers=given) as answer,
    ):
        status = answer.status
    await stage.settle()
    return status


def guid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


EVENTS = [
    "workflow_run:completed",
    "issue_comment:created",
    "check_run:requested_action",
    "deployment:created",
    "deployment_protection_rule:requested",
    "repository:renamed",
    "installation:deleted",
    "installation_repositories:removed",
]


@pytest.mark.parametrize("named", quick(EVENTS, "workflow_run:completed", "installation:deleted"))
async def test_rule_21_every_door_parks_a_body_that_is_not_its_events(stage: Stage, named: str) -> None:
    """A captured body may come under any event's name: each door knows the shape that it needs."""
    event, action = named.split(":")
    other = {"action": action, "zen": "Keep it logically awesome.", "sender": {"id": 1}}
    assert await delivers(stage, json.dumps(other).encode(), event, guid=guid(1)) == 202
    kept = await stage.miso.store.delivery(guid(1))
    assert kept is not None
    assert (kept.state, kept.code) == (DeliveryState.PARKED, "event_shape")


def heard(stage: Stage, event: str) -> list[Exchange]:
    """Bodies of an event as the world sent them."""
    return [e for e in stage.world.wire.exchanges if e.server == "webhook" and e.path == f"/{event}"]


async def test_rule_21_a_comment_that_is_replayed_says_and_does_nothing_twice(stage: Stage) -> None:
    pull = await stage.ships("Basket")
    number = pull["number"]
    await stage.says("ann", "/promote test", on=number)
    await stage.says("ann", "/promote production", on=number)
    await stage.says("bob", "/approve", on=number)
    before = (await stage.state(), len(stage.world.arm.effects))
    bodies = [*heard(stage, "workflow_run"), *heard(stage, "issue_comment")]
    for at, exchange in enumerate(bodies, start=1):
        assert await delivers(stage, exchange.request_body, exchange.path[1:], guid=guid(at)) == 202
    await waited_out(stage, minutes=3)
    after: Any = await stage.state()
    assert len(stage.world.arm.effects) == before[1]
    assert after["deployments"] == before[0]["deployments"]
    assert after["checks"] == before[0]["checks"]
    assert [c["id"] for p in after["pulls"] for c in p["comments"]] == [
        c["id"] for p in before[0]["pulls"] for c in p["comments"]
    ]
    for at in range(1, len(bodies) + 1):
        kept = await stage.miso.store.delivery(guid(at))
        assert kept is not None
        assert (bool(kept.replay_of), kept.state) == (True, DeliveryState.DONE)


async def test_rule_21_a_click_that_comes_twice_counts_once(stage: Stage) -> None:
    pull = await stage.ships("Basket")
    await stage.says("ann", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    [card] = [c for c in (await stage.state())["checks"] if c["name"] == "miso / production"]
    approve = next(a["identifier"] for a in card["actions"] if a["label"] == "Approve")
    await stage.sim.click(REPOSITORY, card["id"], approve, "bob")
    await stage.settle()
    assert (await stage.latest("production")).status is Status.LIVE
    said = len(await stage.comments(pull["number"]))
    [click] = [e for e in heard(stage, "check_run") if b"requested_action" in e.request_body]
    assert await delivers(stage, click.request_body, "check_run", guid=guid(1)) == 202
    assert len(stage.effects("swap")) == 1
    assert len((await stage.latest("production")).approvals) == 1
    assert len(await stage.comments(pull["number"])) == said


async def test_the_same_guid_is_worked_on_once(stage: Stage) -> None:
    stage.world.webhooks.trouble("duplicate", count=4)
    await stage.ships("Basket")
    rows = await stage.miso.store.deliveries(state=None, limit=200)
    assert len({row.guid for row in rows}) == len(rows)
    assert len(stage.effects("put")) == 1


async def test_a_delivery_that_was_lost_is_made_good_by_a_redelivery(stage: Stage) -> None:
    stage.world.webhooks.trouble("drop", event="workflow_run", count=3)
    pull = await stage.ships("Basket")
    assert await stage.runs("dev") == ""
    for lost in [d for d in stage.world.webhooks.log if d.event == "workflow_run"]:
        await stage.sim.redeliver(lost.id)
    await stage.settle()
    assert await stage.runs("dev") == pull["digest"]


async def test_our_own_events_end_in_the_handler(stage: Stage) -> None:
    """Deployments, checks and comments that we make come back as events; none of them makes anything."""
    await stage.ships("Basket")
    rows = await stage.miso.store.deliveries(state=None, limit=200)
    ours = [sent.request_json() for event in ("deployment", "issue_comment") for sent in heard(stage, event)]
    assert any(body.get("deployment", {}).get("performed_via_github_app") for body in ours)
    assert any(body.get("comment", {}).get("performed_via_github_app") for body in ours)
    assert {row.state for row in rows} == {DeliveryState.DONE}
    ledger = await stage.miso.store.ledger(kinds=["deployment.out_of_band", "command.seen", "command.refused"])
    assert list(ledger) == []


async def ends(stage: Stage, *, order: str, seed: int, copies: int) -> dict[str, Any]:
    """One release goes to test while webhooks are held back and then come in this order. Gives what stands then."""
    for number, title in enumerate(("First", "Second"), start=1):
        stage.world.webhooks.hold()
        pull = await scenario(stage, title)
        stage.world.webhooks.release(order=order, seed=seed * 10 + number, copies=copies)  # type: ignore[arg-type]  # a Literal
        await stage.settle()
        stage.world.webhooks.hold()
        await stage.sim.comment(REPOSITORY, pull["number"], "ann", "/promote test")
        await stage.sim.comment(REPOSITORY, pull["number"], "eve", "/promote test")
        await stage.sim.comment(REPOSITORY, pull["number"], "bob", "/status")
        stage.world.webhooks.release(order=order, seed=seed, copies=copies)  # type: ignore[arg-type]  # a Literal
        await stage.settle()
        await waited_out(stage, minutes=2)
    state: Any = await stage.state()
    titles = {pull["merge_commit_sha"]: pull["title"] for pull in state["pulls"]}
    return {
        "effects": sorted((e.verb, e.resource.rpartition("/")[2]) for e in stage.world.arm.effects),
        "runs": [(await stage.latest(where)).request.release.commit in titles for where in ("dev", "test")],
        "live": [titles[(await stage.latest(where)).request.release.commit] for where in ("dev", "test")],
        "deployments": sorted(
            (d["environment"], titles[d["sha"]], d["statuses"][-1]["state"]) for d in state["deployments"]
        ),
        "checks": sorted((c["name"], titles[c["head_sha"]], c["conclusion"]) for c in state["checks"]),
        "comments": {
            p["title"]: sorted((c["login"], tuple(r["content"] for r in c["reactions"])) for c in p["comments"])
            for p in state["pulls"]
        },
    }


async def scenario(stage: Stage, title: str) -> dict[str, Any]:
    from bot.sim import scenarios

    stage.clock.pass_(3600)
    pull = await scenarios.merge_change(stage.sim, title)
    await scenarios.build(stage.sim, pull["merge_commit_sha"])
    return pull


SHUFFLES = [("lifo", 0, 1), ("fifo", 0, 2), *(("shuffle", seed, 1 + seed % 3) for seed in range(6))]


@pytest.mark.parametrize(
    ("order", "seed", "copies"),
    [pytest.param(*each, marks=[] if each[0] == "lifo" else [pytest.mark.full]) for each in SHUFFLES],
)
async def test_rule_25_any_order_and_any_number_of_copies_end_alike(
    tmp_path: Path, order: str, seed: int, copies: int
) -> None:
    """Reordered and doubled as a seed says, the same events leave the same Azure and the same GitHub."""
    found = []
    for name, how in (("plain", ("fifo", 0, 1)), ("mixed", (order, seed, copies))):
        async with staged(tmp_path / name) as stage:
            found.append(await ends(stage, order=how[0], seed=how[1], copies=how[2]))
    plain, mixed = found
    assert mixed == plain


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
async def test_rule_25_a_stage_that_lives_through_lost_and_late_events_is_never_moved_back(
    stage: Stage, seed: int
) -> None:
    """Everything that was ever sent is sent again, in any order: dev and test stay where they are."""
    first = await stage.ships("First")
    await stage.says("ann", "/promote test", on=first["number"])
    stage.clock.pass_(3600)
    second = await stage.ships("Second")
    await stage.says("ann", "/promote test", on=second["number"])
    sent = [d.id for d in stage.world.webhooks.log]
    random.Random(seed).shuffle(sent)
    effects = len(stage.world.arm.effects)
    for each in sent:
        await stage.sim.redeliver(each)
    await waited_out(stage, minutes=3)
    assert [await stage.runs(where) for where in ("dev", "test")] == [second["digest"]] * 2
    assert len(stage.world.arm.effects) == effects
