"""Where the App shows itself: comments, reactions, deployments, check runs."""

from __future__ import annotations

from typing import Any

import pytest
from gidgethub.aiohttp import GitHubAPI

from bot.sim.world import World
from tests.sim.conftest import REPO, App, Hook


async def test_the_apps_comment_names_the_app_and_comes_back_as_its_bots(
    gh: GitHubAPI, world: World, hook: Hook
) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    comment = await gh.post(f"/repos/{REPO}/issues/1/comments", data={"body": "hello"})
    await gh.patch(f"/repos/{REPO}/issues/comments/{comment['id']}", data={"body": "hello again"})
    await world.delivered()
    events = hook.of("issue_comment")
    assert comment["performed_via_github_app"]["id"] == 4242
    assert [event["action"] for event in events] == ["created", "edited"]
    assert {event["sender"]["login"] for event in events} == {"miso[bot]"}
    assert events[1]["changes"] == {"body": {"from": "hello"}}


async def test_rule_6_a_comment_through_another_app_names_it(gh: GitHubAPI, world: World) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    said = world.github.comment(REPO, 1, "ann", "/promote dev", via_app="other")
    comment = await gh.getitem(f"/repos/{REPO}/issues/comments/{said['id']}")
    assert comment["performed_via_github_app"]["slug"] == "other"
    assert comment["performed_via_github_app"]["id"] != 4242


async def test_comments_have_a_limit(app: App, world: World) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    assert await app.status("POST", "issues/1/comments", {"body": "x" * 65537}) == 422
    assert await app.status("POST", "issues/1/comments", {"body": " "}) == 422


async def test_a_reaction_is_put_once_and_taken_away(gh: GitHubAPI, world: World) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    said = world.github.comment(REPO, 1, "ann", "hi")
    path = f"/repos/{REPO}/issues/comments/{said['id']}/reactions"
    first = await gh.post(path, data={"content": "eyes"})
    assert (await gh.post(path, data={"content": "eyes"}))["id"] == first["id"]
    assert (await gh.getitem(f"/repos/{REPO}/issues/comments/{said['id']}"))["reactions"]["eyes"] == 1
    await gh.delete(f"{path}/{first['id']}")
    assert await gh.getitem(path) == []


async def test_rule_2_a_deployment_is_of_the_commit_that_was_asked(gh: GitHubAPI, world: World, hook: Hook) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    body = {"ref": sha, "auto_merge": False, "required_contexts": [], "environment": "dev", "payload": {"miso": "7"}}
    made = await gh.post(f"/repos/{REPO}/deployments", data=body)
    assert (made["sha"], made["payload"], made["production_environment"]) == (sha, {"miso": "7"}, False)
    await world.delivered()
    assert hook.of("deployment")[0]["sender"]["login"] == "miso[bot]"


async def test_auto_merge_is_on_by_default_and_merges_instead(app: App, world: World) -> None:
    world.github.push(REPO, "bea", {"a": "1"}, branch="topic")
    world.github.push(REPO, "bea", {"b": "1"})
    path, token = f"/repos/{REPO}/deployments", await app.token()
    status, _, body = await app.ask("POST", path, bearer=token, body={"ref": "topic"})
    assert (status, set(body)) == (202, {"message"})
    assert (await app.ask("POST", path, bearer=token, body={"ref": "topic"}))[0] == 201
    world.github.push(REPO, "bea", {"a": "3"})
    assert (await app.ask("POST", path, bearer=token, body={"ref": "topic"}))[0] == 409


async def test_contexts_are_required_unless_said_otherwise(app: App, world: World) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    world.github.report_status(REPO, "bea", sha, "ci", state="failure")
    body: dict[str, Any] = {"ref": sha, "auto_merge": False}
    path, token = f"/repos/{REPO}/deployments", await app.token()
    assert (await app.ask("POST", path, bearer=token, body=body))[0] == 409
    assert (await app.ask("POST", path, bearer=token, body=body | {"required_contexts": []}))[0] == 201
    assert (await app.ask("POST", path, bearer=token, body=body | {"required_contexts": ["other"]}))[0] == 409


@pytest.mark.parametrize(("environment", "older"), [("dev", "inactive"), ("production", "success")])
async def test_success_switches_off_older_ones_but_never_production(
    gh: GitHubAPI, world: World, hook: Hook, environment: str, older: str
) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    for _ in range(2):
        body = {"ref": sha, "auto_merge": False, "required_contexts": [], "environment": environment}
        made = await gh.post(f"/repos/{REPO}/deployments", data=body)
        await gh.post(f"/repos/{REPO}/deployments/{made['id']}/statuses", data={"state": "success"})
    deployments = world.github.state(REPO)["deployments"]
    assert [entry["statuses"][-1]["state"] for entry in deployments] == [older, "success"]
    await world.delivered()
    assert [event["deployment_status"]["state"] for event in hook.of("deployment_status")] == ["success", "success"]


async def test_deployments_have_limits(app: App, world: World) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    body = {"ref": sha, "auto_merge": False, "required_contexts": []}
    assert await app.status("POST", "deployments", body | {"description": "x" * 141}) == 422
    assert await app.status("POST", "deployments", body | {"ref": "nowhere"}) == 422
    _, _, made = await app.ask("POST", f"/repos/{REPO}/deployments", bearer=await app.token(), body=body)
    path = f"deployments/{made['id']}/statuses"
    assert await app.status("POST", path, {"state": "success", "description": "x" * 141}) == 422
    assert await app.status("POST", path, {"state": "success", "environment_url": "javascript:1"}) == 422


def button(**other: str) -> dict[str, str]:
    return {"label": "Approve", "description": "Let it go", "identifier": "approve-1"} | other


async def test_a_check_run_with_buttons_is_shown_pressed_and_finished(gh: GitHubAPI, world: World, hook: Hook) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    data = {"name": "Miso", "head_sha": sha, "external_id": "p1", "status": "in_progress", "actions": [button()]}
    check = await gh.post(f"/repos/{REPO}/check-runs", data=data)
    world.github.click(REPO, check["id"], "approve-1", "ann")
    await gh.patch(f"/repos/{REPO}/check-runs/{check['id']}", data={"conclusion": "success", "actions": []})
    await world.delivered()
    assert [event["action"] for event in hook.of("check_run")] == ["created", "requested_action", "completed"]
    pressed = hook.of("check_run")[1]
    assert (pressed["requested_action"], pressed["sender"]["login"]) == ({"identifier": "approve-1"}, "ann")
    assert pressed["check_run"]["external_id"] == "p1"
    listed = await gh.getitem(f"/repos/{REPO}/commits/{sha}/check-runs")
    assert [(run["name"], run["conclusion"]) for run in listed["check_runs"]] == [("Miso", "success")]


def fault(**other: Any) -> dict[str, Any]:
    place = {"path": "src/app.py", "start_line": 3, "end_line": 3}
    return {**place, "annotation_level": "failure", "message": "no"} | other


async def test_annotations_are_added_to_those_that_are_there(gh: GitHubAPI, world: World) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    output = {"title": "t", "summary": "s", "annotations": [fault()]}
    check = await gh.post(f"/repos/{REPO}/check-runs", data={"name": "Miso", "head_sha": sha, "output": output})
    path = f"/repos/{REPO}/check-runs/{check['id']}"
    later = await gh.patch(path, data={"output": {"title": "t", "summary": "s", "annotations": [fault(message="oh")]}})
    assert later["output"]["annotations_count"] == 2
    assert [each["message"] for each in await gh.getitem(f"{path}/annotations")] == ["no", "oh"]


@pytest.mark.parametrize(
    "change",
    [
        {"actions": [button()] * 4},
        {"actions": [button(label="x" * 21)]},
        {"actions": [button(description="x" * 41)]},
        {"actions": [button(identifier="x" * 21)]},
        {"output": {"title": "t", "summary": "x" * 65536}},
        {"output": {"title": "t", "summary": "s", "annotations": [fault()] * 51}},
        {"output": {"title": "t", "summary": "s", "annotations": [fault(annotation_level="fatal")]}},
        {"output": {"title": "t", "summary": "s", "annotations": [fault(message="")]}},
        {"status": "completed"},
        {"head_sha": "0" * 40},
    ],
)
async def test_check_runs_have_limits(app: App, world: World, change: dict[str, Any]) -> None:
    body = {"name": "Miso", "head_sha": world.github.state(REPO)["branches"]["main"]} | change
    assert await app.status("POST", "check-runs", body) == 422
    # What GitHub refuses need not satisfy its description either.
    world.wire.violations.clear()


async def test_rule_33_another_apps_check_of_our_name_is_told_by_its_app(app: App, world: World) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    forged = world.github.foreign_check(REPO, "Miso", sha)
    assert forged["app_id"] == world.github.create_app("other-ci")["id"]
    _, _, check = await app.ask("GET", f"/repos/{REPO}/check-runs/{forged['id']}", bearer=await app.token())
    assert check["app"]["id"] != 4242
    assert await app.status("PATCH", f"check-runs/{forged['id']}", {"conclusion": "failure"}) == 403


async def test_a_check_of_another_app_is_told_from_its_first_moment(world: World, hook: Hook) -> None:
    sha = world.github.state(REPO)["branches"]["main"]
    check = world.github.foreign_check(REPO, "scan", sha, app="scanner", conclusion=None)
    world.github.finish_check(REPO, check["id"], "failure")
    await world.delivered()
    told = [(e["action"], e["check_run"]["app"]["id"], e["check_run"]["conclusion"]) for e in hook.of("check_run")]
    assert told == [("created", check["app_id"], None), ("completed", check["app_id"], "failure")]
