"""Path B: a comment carries a release to production, somebody else approves, and what goes wrong is undone."""

from __future__ import annotations

from bot.domain.model import Status
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import cleared


async def to_production(stage: Stage, title: str, *, mark: str = "healthy") -> dict[str, str]:
    pull = await stage.ships(title, mark=mark)
    number = pull["number"]
    await stage.says("ann", "/promote test", on=number)
    await stage.says("ann", "/promote production", on=number)
    await stage.says("bob", "/approve", on=number)
    return dict(pull)


async def test_the_same_digest_goes_from_dev_by_test_to_production(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    number = pull["number"]
    told = await stage.says("ann", "/promote test", on=number)
    assert [r["content"] for r in told["reactions"]] == ["eyes"]
    assert len(told["replies"]) == 1
    assert await stage.runs("test") == pull["digest"]

    asked = await stage.says("ann", "/promote production", on=number)
    assert "1 approval" in asked["replies"][0]
    assert await stage.runs("production") == ""

    own = await stage.says("ann", "/approve", on=number)
    assert "author_is_approver" in own["replies"][0]
    assert await stage.runs("production") == ""

    await stage.says("bob", "/approve", on=number)
    assert await stage.runs("production") == pull["digest"]
    assert len(stage.effects("swap")) == 1
    assert (await stage.latest("production")).status is Status.LIVE


async def test_a_bad_release_is_swapped_back_and_held(stage: Stage) -> None:
    good = await to_production(stage, "Good")
    stage.clock.pass_(3600)
    bad = await to_production(stage, "Bad", mark="production_only")
    assert await stage.runs("production") == good["digest"]
    assert len(stage.effects("swap")) == 3
    assert (await stage.latest("production")).status is Status.ROLLED_BACK
    again = await stage.says("ann", "/promote production", on=int(bad["number"]))
    assert "release_held" in again["replies"][0]
    assert "try again" in await cleared(stage, bad["merge_commit_sha"], "the probe was wrong", on=int(bad["number"]))


async def test_a_gate_waits_with_names_and_opens_after_the_approval(stage: Stage) -> None:
    pull = await stage.ships("Gate")
    number = pull["number"]
    await stage.says("ann", "/promote test", on=number)
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await stage.settle()
    [gate] = (await stage.state())["gates"]
    assert gate["state"] in ("", "waiting", "pending", None)
    assert len(gate["comments"]) == 1
    await stage.says("ann", "/promote production", on=number)
    await stage.says("bob", "/approve", on=number)
    stage.clock.pass_(10)
    await stage.settle()
    [gate] = (await stage.state())["gates"]
    assert gate["state"] == "approved"
