"""What GitHub is told, and how seldom: statuses are a log of words, and the comment moves when something happened."""

from __future__ import annotations

from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage


async def test_a_status_is_written_for_another_word_never_for_another_sentence(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    await stage.says("ann", "/promote test", on=int(pull["number"]))
    deployments = (await stage.state())["deployments"]
    assert len(deployments) == 2
    for deployment in deployments:
        states = [status["state"] for status in deployment["statuses"]]
        assert states[-1] == "success"
        assert len(states) == len(set(states))


async def test_the_status_is_told_before_check_and_comment(stage: Stage) -> None:
    """GitHub gets its writes in a row: what people look at first must not stand behind the rest."""
    await stage.ships("Add a basket")
    sent = await stage.sim.exchanges(server="github", method="POST", path=f"/repos/{REPOSITORY}/")
    kinds = [each["path"].rsplit("/", 1)[1] for each in sent]
    assert kinds.index("deployments") < kinds.index("statuses") < kinds.index("check-runs") < kinds.index("comments")
