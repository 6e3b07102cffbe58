"""Runs of workflows, the gates that they wait at, and deployments that the App had no part in."""

from __future__ import annotations

import pytest
from gidgethub.aiohttp import GitHubAPI

from bot.sim.github.problems import Misused
from bot.sim.world import World
from tests.sim.conftest import REPO, App, Hook


@pytest.fixture
def waiting(world: World) -> int:
    """The id of a run that waits before `production`."""
    world.github.create_environment(REPO, "production", reviewers=["ann"], app_rule=True)
    run = world.github.run_workflow(REPO, conclusion=None)
    return world.github.request_gate(REPO, run["id"], "production")["run_id"]


async def test_a_gate_is_asked_and_opened_by_the_app(app: App, world: World, hook: Hook, waiting: int) -> None:
    path = f"actions/runs/{waiting}/deployment_protection_rule"
    await world.delivered()
    asked = hook.of("deployment_protection_rule")[0]
    assert asked["deployment_callback_url"].endswith(f"/repos/{REPO}/{path}")
    assert await app.status("POST", path, {"environment_name": "production", "state": "approved"}) == 204
    assert world.github.state(REPO)["gates"][0]["state"] == "approved"
    assert await app.status("POST", path, {"environment_name": "production", "state": "rejected"}) == 422


async def test_rule_28_a_rejection_fails_the_run(app: App, world: World, hook: Hook, waiting: int) -> None:
    path = f"actions/runs/{waiting}/deployment_protection_rule"
    body = {"environment_name": "production", "state": "rejected", "comment": "held"}
    assert await app.status("POST", path, body) == 204
    await world.delivered()
    assert hook.of("workflow_run")[-1]["workflow_run"]["conclusion"] == "failure"


async def test_rule_28_ten_reports_and_no_more(app: App, world: World, waiting: int) -> None:
    path = f"actions/runs/{waiting}/deployment_protection_rule"
    report = {"environment_name": "production", "comment": "waiting for ann"}
    answers = [await app.status("POST", path, report) for _ in range(11)]
    assert answers == [204] * 10 + [422]
    assert await app.status("POST", path, report | {"comment": "x" * 1025}) == 422
    assert await app.status("POST", path, report | {"state": "approved"}) == 204


async def test_a_gate_without_the_apps_rule_is_not_its_to_answer(app: App, world: World) -> None:
    world.github.create_environment(REPO, "staging")
    run = world.github.run_workflow(REPO, conclusion=None)
    world.github.request_gate(REPO, run["id"], "staging")
    body = {"environment_name": "staging", "state": "approved"}
    assert await app.status("POST", f"actions/runs/{run['id']}/deployment_protection_rule", body) == 422


async def test_rule_32_a_bypass_can_be_seen(gh: GitHubAPI, world: World, hook: Hook, waiting: int) -> None:
    pending = await gh.getitem(f"/repos/{REPO}/actions/runs/{waiting}/pending_deployments")
    assert [entry["environment"]["name"] for entry in pending] == ["production"]
    world.github.review_gate(REPO, waiting, "production", "ann", comment="go")
    approvals = await gh.getitem(f"/repos/{REPO}/actions/runs/{waiting}/approvals")
    assert [(entry["user"]["login"], entry["state"]) for entry in approvals] == [("ann", "approved")]
    await world.delivered()
    assert hook.of("deployment_review")[0]["approver"]["login"] == "ann"
    assert world.github.state(REPO)["gates"][0]["state"] == "pending"


async def test_rule_32_an_administrator_goes_past_every_rule_and_is_told_by_name(
    world: World, hook: Hook, waiting: int
) -> None:
    world.github.set_collaborator(REPO, "olga", "admin")
    with pytest.raises(Misused):
        world.github.review_gate(REPO, waiting, "production", "bea", bypass=True)
    world.github.review_gate(REPO, waiting, "production", "olga", comment="now", bypass=True)
    assert world.github.state(REPO)["gates"][0]["state"] == "approved"
    await world.delivered()
    (told,) = hook.of("deployment_review")
    assert (told["action"], told["approver"]["login"], told["comment"]) == ("approved", "olga", "now")
    assert [entry["reviewer"]["login"] for entry in told["reviewers"]] == ["ann"]
    assert told["workflow_run"]["id"] == waiting
    assert [job["environment"] for job in told["workflow_job_runs"]] == ["production"]


async def test_a_jobs_own_report_names_its_run_and_github_actions(world: World, hook: Hook, waiting: int) -> None:
    (made,) = world.github.state(REPO)["deployments"]
    world.github.someone_reports(REPO, "github-actions[bot]", made["id"])
    await world.delivered()
    (told,) = hook.of("deployment_status")
    assert told["workflow_run"]["id"] == waiting
    assert told["deployment_status"]["performed_via_github_app"]["slug"] == "github-actions"


async def test_rule_32_anybody_who_writes_may_report_on_the_apps_deployment(
    gh: GitHubAPI, world: World, hook: Hook
) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    body = {"ref": sha, "auto_merge": False, "required_contexts": [], "environment": "production"}
    made = await gh.post(f"/repos/{REPO}/deployments", data=body)
    world.github.someone_reports(REPO, "bea", made["id"], description="done by hand")
    await world.delivered()
    (told,) = hook.of("deployment_status")
    assert told["deployment"]["creator"]["login"] == "miso[bot]"
    status = told["deployment_status"]
    assert (status["state"], status["creator"]["login"]) == ("success", "bea")
    assert status["performed_via_github_app"] is None


async def test_an_open_pull_requests_build_names_its_branch_and_its_fork(gh: GitHubAPI, world: World) -> None:
    own = world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"}, branch="topic")
    world.github.open_pull_request(REPO, "eve", "Fork", {"y": "1"}, fork_owner="eve")
    ours = await gh.getitem(f"/repos/{REPO}/actions/runs/{world.github.run_for_pull(REPO, 1)['id']}")
    assert (ours["event"], ours["head_branch"], ours["head_sha"]) == ("pull_request", "topic", own["head_sha"])
    assert ours["head_repository"]["id"] == ours["repository"]["id"]
    assert [pull["number"] for pull in ours["pull_requests"]] == [1]
    theirs = await gh.getitem(f"/repos/{REPO}/actions/runs/{world.github.run_for_pull(REPO, 2)['id']}")
    assert theirs["head_repository"]["full_name"] == "eve/shop"
    assert theirs["pull_requests"] == []
    world.github.delete_fork(REPO, 2)
    with pytest.raises(Misused):
        world.github.run_for_pull(REPO, 2)


async def test_a_foreign_deployment_is_told_and_makes_its_environment(gh: GitHubAPI, world: World, hook: Hook) -> None:
    world.github.someone_deploys(REPO, "bea", "nightly", "main")
    await world.delivered()
    assert hook.of("deployment")[0]["deployment"]["creator"]["login"] == "bea"
    environments = await gh.getitem(f"/repos/{REPO}/environments")
    assert [entry["name"] for entry in environments["environments"]] == ["nightly"]


async def test_rule_31_a_run_again_counts_its_attempts(gh: GitHubAPI, world: World, hook: Hook) -> None:
    run = world.github.run_workflow(REPO, conclusion="failure")
    world.github.run_workflow(REPO, run_id=run["id"])
    found = await gh.getitem(f"/repos/{REPO}/actions/runs/{run['id']}")
    assert (found["run_attempt"], found["conclusion"]) == (2, "success")
    await world.delivered()
    told = [(e["action"], e["workflow_run"]["run_attempt"]) for e in hook.of("workflow_run")]
    assert told == [(a, n) for n in (1, 2) for a in ("requested", "in_progress", "completed")]
