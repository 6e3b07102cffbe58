"""Deployments that Miso did not make: a person's is shown and never executed, a workflow's waits at its gate."""

from __future__ import annotations

from bot.services.notes import Note
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage


async def test_a_persons_own_deployment_is_written_down_and_shown_but_never_executed(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    before = len(stage.world.arm.effects)
    await stage.sim.someone_deploys(REPOSITORY, "olga", "production", pull["merge_commit_sha"])
    await stage.settle()
    [row] = await stage.miso.store.ledger(kinds=[Note.DEPLOYMENT_FOREIGN])
    assert row.body["login"] == "olga"
    assert not row.body["by_actions"]
    names = [check["name"] for check in (await stage.state())["checks"]]
    assert "miso / production / out of band" in names
    assert len(stage.world.arm.effects) == before


async def test_the_deployment_of_a_job_that_waits_at_its_gate_raises_no_alarm(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await stage.settle()
    [row] = await stage.miso.store.ledger(kinds=[Note.DEPLOYMENT_FOREIGN])
    assert row.body["by_actions"]
    names = [check["name"] for check in (await stage.state())["checks"]]
    assert not [name for name in names if "out of band" in name]
