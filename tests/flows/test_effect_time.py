"""What was true at the approval must still be true at the effect."""

from __future__ import annotations

from bot.domain.model import Status
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage


async def test_rule_5_an_approver_who_lost_the_right_in_between_does_not_count(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    number = pull["number"]
    await stage.says("ann", "/promote test", on=number)
    await stage.says("ann", "/promote production", on=number)
    # The registry goes away after the approval has asked it twice, so that is written and the deployment waits.
    await stage.sim.add_fault("registry .*", "status", status=503, times=None, skip=2)
    await stage.sim.comment(REPOSITORY, number, "bob", "/approve")
    await stage.world.delivered()
    await stage.running.worker.settle()
    assert (await stage.latest("production")).status is Status.APPROVED
    await stage.sim.set_collaborator(REPOSITORY, "bob", "read")
    await stage.sim.clear_faults()
    await stage.settle()
    ended = await stage.latest("production")
    assert (ended.status, ended.code) == (Status.REFUSED, "needs_approval")
    assert await stage.runs("production") == ""
