"""Path A: a build finishes, and dev runs it."""

from __future__ import annotations

from tests.flows.stage import Stage


async def test_a_green_build_runs_in_dev_and_the_pull_request_says_so(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    assert await stage.runs("dev") == pull["digest"]
    state = await stage.state()
    [deployment] = state["deployments"]
    assert deployment["environment"] == "dev"
    assert deployment["sha"] == pull["merge_commit_sha"]
    assert deployment["statuses"][-1]["state"] == "success"
    [check] = [c for c in state["checks"] if c["name"] == "miso / dev"]
    assert (check["status"], check["conclusion"]) == ("completed", "success")
    [comment] = await stage.comments(pull["number"])
    assert pull["digest"][7:19] in comment["body"]
