"""The judge itself: it lets the pretend GitHub pass on every route, and catches what is planted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bot.sim.github.server import ROUTES
from bot.sim.wire import Exchange
from bot.sim.world import Options, World
from tests.contracts import github
from tests.sim.conftest import REPO, App

SHA = "0" * 40


def exchange(method: str, path: str, *, request: Any = None, status: int = 404, answer: Any = None) -> Exchange:
    return Exchange(
        server="github",
        method=method,
        path=path,
        query={},
        request_headers={"content-type": "application/json"},
        request_body=b"" if request is None else json.dumps(request).encode(),
        status=status,
        response_headers={},
        response_body=b"" if answer is None else json.dumps(answer).encode(),
    )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World.running(Options()) as running:
        running.github.create_repository(REPO, collaborators={"ann": "admin"})
        running.github.install_app("acme")
        yield running


@pytest.fixture
async def app(world: World) -> AsyncIterator[App]:
    async with aiohttp.ClientSession() as session:
        yield App(world, session)


def test_every_route_of_the_pretend_github_is_described() -> None:
    filled = {"{path:.+}": "a/b", "{ref:.+}": "heads/main", "{branch:.+}": "main", "{basehead:.+}": "a...b"}
    for route in ROUTES:
        path = route.path
        for name, value in filled.items():
            path = path.replace(name, value)
        path = re.sub(r"\{\w+_id\}", "1", path)
        assert github.operation_for(route.method, github.by_names(path)) is not None, path


def test_an_undescribed_route_is_caught() -> None:
    for method, path in (
        ("GET", "/repos/a/b/deploiments"),
        ("PUT", "/repos/a/b/deployments"),
        ("GET", "/v3/app"),
        ("GET", "/organizations/1/teams/2/members"),
    ):
        assert github.check(exchange(method, path)) == ["this route stands in no description"]


def test_a_typo_in_a_request_is_caught() -> None:
    body = {"ref": SHA, "auto_merge": False, "enviroment": "dev"}
    found = github.check(exchange("POST", "/repos/a/b/deployments", request=body))
    assert found == ["request: unknown key .enviroment of ReposOwnerRepoDeploymentsPostBody"]


def test_a_typo_deep_in_a_request_is_caught() -> None:
    output = {"title": "t", "summary": "s", "txt": "x"}
    body = {"name": "Miso", "head_sha": SHA, "status": "in_progress", "output": output}
    found = github.check(exchange("POST", "/repos/a/b/check-runs", request=body))
    assert len(found) == 1
    assert "unknown key .output.txt" in found[0]


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        ("/repos/a/b/deployments", {"auto_merge": False}, "ref: Field required"),
        ("/repos/a/b/deployments", {"ref": SHA, "auto_merge": "no"}, "auto_merge"),
        ("/repos/a/b/deployments/1/statuses", {"state": "running"}, "state"),
        ("/repos/a/b/issues/comments/1/reactions", {"content": "thumbs"}, "content"),
    ],
)
def test_wrong_types_and_missing_fields_are_caught(path: str, body: dict[str, Any], part: str) -> None:
    found = github.check(exchange("POST", path, request=body))
    assert found
    assert all(part in fault for fault in found)


def test_an_unknown_query_parameter_is_caught() -> None:
    asked = replace(exchange("GET", "/repos/a/b/deployments"), query={"enviroment": "dev", "per_page": "100"})
    assert github.check(asked) == ["request: unknown query parameter enviroment"]


def test_form_bodies_are_caught() -> None:
    sent = replace(
        exchange("POST", "/repos/a/b/issues/1/comments", request={"body": "x"}), request_headers={"content-type": "x"}
    )
    assert github.check(sent) == ["request: the body is not declared as application/json"]


async def test_typos_in_answers_are_caught(app: App, world: World) -> None:
    world.github.open_pull_request(REPO, "ann", "Add", {"x": "1"})
    token = await app.token()
    _, _, pull = await app.ask("GET", f"/repos/{REPO}/pulls/1", bearer=token)
    path = f"/repos/{REPO}/pulls/1"
    assert github.check(exchange("GET", path, status=200, answer=pull)) == []
    misspelt = {**pull, "mergable": True}
    assert github.check(exchange("GET", path, status=200, answer=misspelt)) == [
        "answer: unknown key .mergable of PullRequest"
    ]
    deep = {**pull, "head": {**pull["head"], "shaa": SHA}}
    assert "unknown key .head.shaa" in github.check(exchange("GET", path, status=200, answer=deep))[0]
    short = {key: value for key, value in pull.items() if key != "merged"}
    assert github.check(exchange("GET", path, status=200, answer=short)) == ["answer: merged: Field required"]
    text = {**pull, "number": "1"}
    assert "number" in github.check(exchange("GET", path, status=200, answer=text))[0]


def test_a_body_where_none_belongs_is_caught() -> None:
    path = "/repos/a/b/actions/runs/1/deployment_protection_rule"
    body = {"environment_name": "dev", "state": "approved", "comment": "ok"}
    assert github.check(exchange("POST", path, request=body, status=204)) == []
    assert github.check(exchange("POST", path, request=body, status=204, answer={})) == [
        "answer: a body where none is described"
    ]


def test_a_202_has_a_description_of_its_own() -> None:
    path, body = "/repos/a/b/deployments", {"ref": "topic"}
    assert github.check(exchange("POST", path, request=body, status=202, answer={"message": "Auto-merged"})) == []
    assert github.check(exchange("POST", path, request=body, status=201, answer={"message": "Auto-merged"}))


def test_other_servers_are_not_judged() -> None:
    assert github.check(replace(exchange("GET", "/nothing"), server="arm")) == []


async def test_webhooks_are_held_to_their_description(world: World) -> None:
    world.webhooks.hold()
    world.github.push(REPO, "ann", {"x": "1"})
    held = world.webhooks.held
    assert held is not None
    payload = json.loads(held[-1].body)
    assert github.check_webhook("push", held[-1].body) == []
    assert github.check_webhook("push", json.dumps(payload | {"afterr": SHA}).encode()) == [
        "webhook push: unknown key .afterr of WebhookPush"
    ]
    assert github.check_webhook("pushed", held[-1].body)
    assert github.check_webhook("check_run", json.dumps({"action": "pressed"}).encode())


async def test_it_is_quick(app: App, world: World) -> None:
    """Under 5 ms a check once the description is loaded: the best of several, as machines are busy."""
    world.github.open_pull_request(REPO, "ann", "Add", {"x": "1"})
    _, _, pull = await app.ask("GET", f"/repos/{REPO}/pulls/1", bearer=await app.token())
    seen = exchange("GET", f"/repos/{REPO}/pulls/1", status=200, answer=pull)
    github.check(seen)
    best = min(_timed(seen) for _ in range(20))
    assert best < 0.005


def _timed(seen: Exchange) -> float:
    started = time.perf_counter()
    github.check(seen)
    return time.perf_counter() - started
