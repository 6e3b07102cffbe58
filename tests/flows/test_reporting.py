"""What GitHub shows is what is so: brought up to date without a word too many, by whoever comes to do it."""

from __future__ import annotations

from typing import Any

from bot.domain import messages
from bot.services import reporting
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY
from bot.sim.wire import Fault
from tests.flows.stage import Stage
from tests.flows.test_promotion import to_production
from tests.flows.trouble import waited_out


def writes(stage: Stage) -> int:
    return sum(e.server == "github" and e.method in ("POST", "PATCH", "DELETE") for e in stage.world.wire.exchanges)


async def test_what_is_shown_already_is_not_sent_again(stage: Stage) -> None:
    await stage.ships("Basket")
    stream = (await stage.latest("dev")).stream
    before = writes(stage)
    await reporting.show(stage.miso, stream, 1)
    assert writes(stage) == before


async def test_older_production_deployments_are_made_inactive_by_us(stage: Stage) -> None:
    await to_production(stage, "First")
    stage.clock.pass_(3600)
    await to_production(stage, "Second")
    state = await stage.state()
    last = [d["statuses"][-1]["state"] for d in state["deployments"] if d["environment"] == "production"]
    assert last == ["inactive", "success"]


async def test_a_comment_that_somebody_deleted_is_made_anew_once(stage: Stage) -> None:
    pull = await stage.ships("Basket")
    [sticky] = await stage.comments(pull["number"])
    await stage.sim.delete_comment(REPOSITORY, sticky["id"])
    await stage.says("ann", "/promote test", on=pull["number"])
    bodies: list[Any] = [c["body"] for c in await stage.comments(pull["number"]) if c["login"] == "miso[bot]"]
    assert sum("miso:reply" not in body for body in bodies) == 1


async def test_a_marker_that_a_person_copied_is_not_taken_for_our_comment(stage: Stage) -> None:
    """Anybody may write our hidden line; only what our own App wrote is ours to edit."""
    stage.world.wire.faults.append(Fault("github POST .*/issues/[0-9]+/comments$", "drop", times=None))
    pull = await stage.ships("Basket")
    marker = messages.sticky_marker(APPLICATION_ID, pull["number"])
    await stage.sim.comment(REPOSITORY, pull["number"], "eve", f"{marker}\nmine")
    stage.world.wire.faults.clear()
    await waited_out(stage, minutes=5)
    comments = await stage.comments(pull["number"])
    assert [c["login"] for c in comments] == ["eve", "miso[bot]"]
    assert comments[0]["body"].endswith("mine")


async def test_many_changes_while_github_is_away_are_told_as_the_last_of_them(stage: Stage) -> None:
    route = "github (POST|PATCH) .*/(deployments|check-runs|comments|statuses)"
    stage.world.wire.faults.append(Fault(route, "drop", times=None))
    pull = await stage.ships("Basket")
    assert await stage.runs("dev") == pull["digest"]
    stage.world.wire.faults.clear()
    await waited_out(stage, minutes=5)
    state = await stage.state()
    [deployment] = state["deployments"]
    assert [s["state"] for s in deployment["statuses"]] == ["success"]
    [check] = state["checks"]
    assert check["conclusion"] == "success"
