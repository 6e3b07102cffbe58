"""GitHub breaks while it is told and while it is asked: the last state lands once, and no fault ever opens a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.model import Status
from bot.sim.scenarios import REPOSITORY, TENANT_ID
from bot.sim.wire import Fault
from tests.flows.stage import Stage
from tests.flows.trouble import quick, waited_out

pytestmark = pytest.mark.full

WRITES = {
    "deployment": "github POST .*/deployments$",
    "status": "github POST .*/deployments/[0-9]+/statuses$",
    "check": "github POST .*/check-runs$",
    "check update": "github PATCH .*/check-runs/[0-9]+$",
    "comment": "github POST .*/issues/[0-9]+/comments$",
    "comment update": "github PATCH .*/issues/comments/[0-9]+$",
    "reaction": "github POST .*/reactions$",
}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
FAULTS: dict[str, Callable[[str], Fault]] = {
    "502": lambda route: Fault(route, "status", status=502, times=2),
    "429": lambda route: Fault(route, "status", status=429, headers={"Retry-After": "30"}),
    "403 secondary": lambda route: Fault(route, "status", status=403, body=SECONDARY),
    "dropped": lambda route: Fault(route, "drop", times=2),
    "acted, then dropped": lambda route: Fault(route, "act_then_drop", times=2),
}
QUICK = {("deployment", "acted, then dropped"), ("comment", "acted, then dropped"), ("check", "403 secondary")}
PAIRS = [
    pytest.param(surface, what, marks=[] if (surface, what) in QUICK else [pytest.mark.full])
    for surface in WRITES
    for what in FAULTS
]


@pytest.mark.parametrize(("surface", "what"), PAIRS)
async def test_the_last_state_lands_once_whatever_happens_to(stage: Stage, surface: str, what: str) -> None:
    """Through a deployment to dev and a command: one deployment, one check, one comment, one answer, one reaction."""
    stage.world.wire.faults.append(FAULTS[what](WRITES[surface]))
    pull = await stage.ships("Basket")
    assert await stage.runs("dev") == pull["digest"]  # no word to GitHub holds a deployment
    await waited_out(stage, minutes=3)
    stage.world.wire.faults.append(FAULTS[what](WRITES[surface]))
    await stage.says("ann", "/promote test", on=pull["number"])
    assert await stage.runs("test") == pull["digest"]
    await waited_out(stage, minutes=15)
    await shows_all_once(stage, pull["number"])


async def shows_all_once(stage: Stage, number: int) -> None:
    state = await stage.state()
    assert [(d["environment"], d["statuses"][-1]["state"]) for d in state["deployments"]] == [
        ("dev", "success"),
        ("test", "success"),
    ]
    assert sorted((c["name"], c["conclusion"]) for c in state["checks"]) == [
        ("miso / dev", "success"),
        ("miso / test", "success"),
    ]
    comments = await stage.comments(number)
    ours = [c["body"] for c in comments if c["login"] == "miso[bot]"]
    assert len(ours) == 2
    assert sum("miso:reply" in body for body in ours) == 1
    [command] = [c for c in comments if c["login"] == "ann"]
    assert [r["content"] for r in command["reactions"]] == ["eyes"]


async def test_one_pull_request_that_cannot_be_told_holds_up_no_other(stage: Stage) -> None:
    stage.world.wire.faults.append(Fault("github POST .*/issues/1/comments$", "status", status=500, times=None))
    first = await stage.ships("First")
    await waited_out(stage, minutes=2)
    assert await stage.comments(first["number"]) == []
    state = await stage.state()
    assert state["checks"][0]["conclusion"] == "success"
    assert state["deployments"][0]["statuses"][-1]["state"] == "success"
    stage.clock.pass_(600)
    second = await stage.ships("Second")
    assert len(await stage.comments(second["number"])) == 1
    stage.world.wire.faults.clear()
    await waited_out(stage)
    assert len(await stage.comments(first["number"])) == 1


async def test_a_report_that_is_refused_comes_back_ever_more_seldom(stage: Stage) -> None:
    stage.world.wire.faults.append(Fault("github POST .*/check-runs$", "status", status=403, times=None))
    await stage.ships("Basket")
    await waited_out(stage, minutes=60)
    tries = sum("/check-runs" in e.path and e.method == "POST" for e in stage.world.wire.exchanges)
    assert 5 < tries < 25


READS = {
    "repository": "github GET /repositories/[0-9]+$",
    "variables": "github GET .*/actions/variables$",
    "environment": "github GET .*/environments/.*/variables$",
    "permission": "github GET .*/permission$",
    "comment": "github GET .*/issues/comments/[0-9]+$",
    "pull request": "github GET .*/pulls/[0-9]+$",
    "compare": "github GET .*/compare/",
    "pull requests of a commit": "github GET .*/commits/[0-9a-f]{40}/pulls$",
    "image": "registry (GET|HEAD) ",
}


@pytest.mark.parametrize("what", quick(READS, "compare"))
async def test_what_cannot_be_read_is_unknown_and_approves_nothing(stage: Stage, what: str) -> None:
    """A first release runs; while one kind of fact cannot be had, nothing new is asked for, approved or deployed."""
    first = await to_production(stage, "First")
    stage.clock.pass_(3600)
    second = await stage.ships("Second")
    await stage.says("ann", "/promote test", on=second["number"])
    await stage.says("ann", "/promote production", on=second["number"])
    stage.world.wire.faults.append(Fault(READS[what], "status", status=500, times=None))
    await stage.says("bob", "/approve", on=second["number"])
    await stage.says("bob", "/promote production", on=second["number"])
    assert await stage.runs("production") == first["digest"], await stage.story("production")
    assert len(stage.effects("swap")) == 1
    stage.world.wire.faults.clear()
    await waited_out(stage, minutes=12)
    for row in await stage.miso.store.open_promotions(environment_id=stage.environments["production"]):
        assert row.status is Status.REQUESTED


async def to_production(stage: Stage, title: str) -> dict[str, Any]:
    pull = await stage.ships(title)
    await stage.says("ann", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    await stage.says("bob", "/approve", on=pull["number"])
    return dict(pull)


async def gate_of(stage: Stage) -> dict[str, Any]:
    gates: list[dict[str, Any]] = (await stage.state())["gates"]
    [gate] = gates
    return gate


async def at_the_gate(stage: Stage) -> dict[str, Any]:
    """A release that has been approved for production, and a run of its commit that waits there."""
    pull = await to_production(stage, "Basket")
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    return {**pull, "run": run["id"]}


def answers(stage: Stage, state: str) -> int:
    """How often we told a gate this."""
    return sum(
        e.path.endswith("/deployment_protection_rule") and e.request_json().get("state") == state
        for e in stage.world.wire.exchanges
        if e.server == "github" and e.method == "POST"
    )


GATE = "github POST .*/deployment_protection_rule$"
GATE_READS = {
    "repository": READS["repository"],
    "variables": READS["variables"],
    "environment": READS["environment"],
    "token": "github POST .*/access_tokens$",
}


@pytest.mark.parametrize("kind", quick(["status", "drop"], "status"))
@pytest.mark.parametrize("what", GATE_READS)
async def test_rule_26_a_gate_stays_shut_while_anything_fails(stage: Stage, what: str, kind: Any) -> None:
    """Every dependency in turn: zero approvals while it fails, one when it is back."""
    await to_production(stage, "Basket")
    stage.clock.pass_(4000)  # past every token's hour, so that the next needs to be asked for
    fault = Fault(GATE_READS[what], kind, status=500, times=None)
    stage.world.wire.faults.append(fault)
    [pull] = (await stage.state())["pulls"]
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await waited_out(stage, minutes=3)
    assert fault.struck > 0
    assert answers(stage, "approved") == answers(stage, "rejected") == 0
    stage.world.wire.faults.clear()
    await waited_out(stage)
    assert (await gate_of(stage))["state"] == "approved"
    assert answers(stage, "approved") == 1


async def test_rule_26_a_store_that_cannot_be_read_opens_no_gate(stage: Stage) -> None:
    await at_the_gate(stage)
    await stage.world.delivered()
    await stage.miso.store.close()
    with pytest.raises(Exception, match="store_unavailable"):
        await stage.running.worker.settle()
    assert answers(stage, "approved") == 0


@pytest.mark.parametrize("what", quick(FAULTS, "502", "acted, then dropped"))
async def test_an_answer_that_was_lost_is_given_once_more_and_no_more(stage: Stage, what: str) -> None:
    """GitHub answers 422 when it heard the first one; that ends it, and is not asked for ever."""
    fault = FAULTS[what](GATE)
    fault.times = 1
    stage.world.wire.faults.append(fault)
    await at_the_gate(stage)
    await waited_out(stage, minutes=5)
    assert (await gate_of(stage))["state"] == "approved"
    heard = answers(stage, "approved")
    assert heard <= 2 + (what == "dropped")
    await waited_out(stage, minutes=30)
    assert answers(stage, "approved") == heard
    assert await stage.miso.store.unreported(10) == []


async def test_a_word_to_a_waiting_gate_is_said_once_even_if_it_was_lost(stage: Stage) -> None:
    stage.world.wire.faults.append(Fault(GATE, "act_then_drop", times=None))
    pull = await stage.ships("Basket")
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await waited_out(stage, minutes=5)
    assert len((await gate_of(stage))["comments"]) == 1


async def test_a_gate_that_a_person_opened_is_left_alone(stage: Stage) -> None:
    """Somebody reviewed it past us: GitHub refuses our words, and we stop saying them."""
    pull = await stage.ships("Basket")
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await stage.sim.review_gate(REPOSITORY, run["id"], "production", "olga")
    await waited_out(stage, minutes=5)
    assert await stage.miso.store.unreported(10) == []


async def test_the_answer_to_a_command_stands_though_its_comment_is_gone(stage: Stage) -> None:
    """A reaction to a comment that its author deleted cannot be had; the answer can."""
    pull = await stage.ships("Basket")
    stage.world.wire.faults.append(Fault(WRITES["reaction"], "status", status=404, times=None))
    told = await stage.says("ann", "/help", on=pull["number"])
    assert len(told["replies"]) == 1
    assert await stage.miso.store.unreported(10) == []


async def test_federation_that_is_missing_is_told_with_its_code_and_passes_once_it_is_there(stage: Stage) -> None:
    """After the operator has mended it, a new build of the same commit goes through."""
    kept = list(stage.world.entra.credentials)
    stage.world.entra.credentials.clear()
    pull = await stage.ships("Basket")
    assert (await stage.latest("dev")).code == "azure_federation"
    stage.world.entra.credentials.extend(kept)
    assert TENANT_ID in {credential.tenant_id for credential in kept}
    told = await stage.says("bob", f"/clear @{pull['merge_commit_sha'][:12]} federation mended", on=pull["number"])
    assert "not_held" in told["replies"][0]
    await stage.sim.run_workflow(REPOSITORY, head_sha=pull["merge_commit_sha"])
    await stage.settle()
    assert await stage.runs("dev") == pull["digest"], await stage.story("dev")
