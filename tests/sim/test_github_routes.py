"""Every route, over a world in which everything happened: reads answer as described, all demand their permission."""

from __future__ import annotations

from bot.sim.github.routing import JWT
from bot.sim.github.server import ROUTES
from bot.sim.world import World
from tests.sim.conftest import REPO, App

READS = [route for route in ROUTES if route.method == "GET"]


async def eventful(app: App, world: World) -> dict[str, str]:
    """Let everything happen once; what the paths' parameters are then."""
    github = world.github
    github.create_environment(REPO, "production", reviewers=["ann"], app_rule=True)
    github.set_variable(REPO, "COLOUR", "red")
    github.set_environment_variable(REPO, "production", "COLOUR", "blue")
    github.open_pull_request(REPO, "bea", "Add", {"docs/a.md": "1"}, co_authors=["cid"])
    github.open_pull_request(REPO, "eve", "Fork", {"b": "1"}, fork_owner="eve")
    github.review_pull(REPO, 1, "ann", body="fine")
    said = github.comment(REPO, 1, "ann", "hi", via_app="other")
    sha = github.merge_pull(REPO, 1, "ann")["merge_commit_sha"]
    assert sha is not None
    github.report_status(REPO, "bea", sha, "ci")
    run = github.run_workflow(REPO, conclusion=None)
    gate = github.request_gate(REPO, run["id"], "production")
    github.review_gate(REPO, run["id"], "production", "ann")
    github.request_gate(REPO, run["id"], "production")
    token = await app.token()
    fault = {"path": "docs/a.md", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "no"}
    body = {"name": "Miso", "head_sha": sha, "output": {"title": "t", "summary": "s", "annotations": [fault]}}
    _, _, check = await app.ask("POST", f"/repos/{REPO}/check-runs", bearer=token, body=body)
    reaction = {"content": "rocket"}
    await app.ask("POST", f"/repos/{REPO}/issues/comments/{said['id']}/reactions", bearer=token, body=reaction)
    deployed = f"/repos/{REPO}/deployments/{gate['deployment_id']}/statuses"
    assert (await app.ask("POST", deployed, bearer=token, body={"state": "in_progress"}))[0] == 201
    github.create_team("acme", "Release team", members=["ann"])
    await world.delivered()
    made = {"comment_id": said["id"], "deployment_id": gate["deployment_id"], "check_run_id": check["id"]}
    return parameters(world, sha) | {name: str(number) for name, number in {**made, "run_id": run["id"]}.items()}


def parameters(world: World, sha: str) -> dict[str, str]:
    """Those that do not depend on what was made last."""
    return {
        "org_id": str(world.github.person("acme").id),
        "team_id": str(next(iter(world.state.teams))),
        "org": "acme",
        "team_slug": "release-team",
        "installation_id": str(next(iter(world.state.installations))),
        "delivery_id": str(world.webhooks.log[-1].id),
        "repository_id": str(world.github.state(REPO)["id"]),
        "owner": "acme",
        "repo": "shop",
        "path:.+": "docs/a.md",
        "ref": sha,
        "ref:.+": "heads/main",
        "branch:.+": "main",
        "basehead:.+": "main...change-1",
        "commit_sha": sha,
        "sha": sha,
        "username": "ann",
        "name": "COLOUR",
        "environment_name": "production",
        "pull_number": "1",
        "issue_number": "1",
    }


async def test_every_reading_route_answers_as_described(app: App, world: World) -> None:
    known = await eventful(app, world)
    token, itself = await app.token(), app.jwt()
    for route in READS:
        path = route.path
        for name, value in known.items():
            path = path.replace("{" + name + "}", value)
        status, _, body = await app.ask("GET", path, bearer=itself if route.needs == (JWT,) else token)
        assert status == 200, (path, body)
        assert body, path
    assert world.wire.violations == []


async def test_rule_35_every_route_of_a_repository_demands_its_permission(app: App, world: World) -> None:
    """A token for something else is refused with 403, whatever the path's other parameters are."""
    known = await eventful(app, world)
    token = await app.token(metadata="read")
    for route in ROUTES:
        if route.needs in ((), (JWT,), ("metadata:read",)):
            continue
        path = route.path
        for name, value in known.items():
            path = path.replace("{" + name + "}", value)
        status, _, _ = await app.ask(route.method, path.replace("{reaction_id}", "1"), bearer=token)
        assert status == 403, (route.method, path)
