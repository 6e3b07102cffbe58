"""Deliveries of the pretend GitHub: signed, in order, logged, never repeated by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sim.world import World
from tests.sim.conftest import REPO, App, Hook


async def talk(world: World) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    for text in ("one", "two", "three"):
        world.github.comment(REPO, 1, "ann", text)


def bodies(hook: Hook) -> list[str]:
    return [event["comment"]["body"] for event in hook.of("issue_comment")]


def test_the_signature_is_githubs(world: World) -> None:
    """The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries."""
    world.webhooks.secret = "It's a Secret to Everybody"
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert world.webhooks.sign(b"Hello, World!") == expected
    world.webhooks.secret = "hook secret"


async def test_events_come_in_the_order_in_which_things_happened(world: World, hook: Hook) -> None:
    await talk(world)
    world.github.merge_pull(REPO, 1, "ann")
    await world.delivered()
    assert hook.names() == [
        "installation.created",
        "push",
        "pull_request.opened",
        *["issue_comment.created"] * 3,
        "push",
        "pull_request.closed",
    ]
    headers = world.webhooks.log[-1].request_headers
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == "4242"


async def test_held_events_come_in_another_order_and_more_than_once(world: World, hook: Hook) -> None:
    world.webhooks.hold()
    await talk(world)
    await world.delivered()
    assert bodies(hook) == []
    world.webhooks.release(order="lifo", copies=2)
    await world.delivered()
    assert bodies(hook) == ["three", "two", "one"] * 2
    assert len(set(hook.guids[1:])) == 5


async def test_events_are_lost_or_doubled_on_demand(world: World, hook: Hook) -> None:
    world.webhooks.trouble("drop", event="issue_comment")
    await talk(world)
    world.webhooks.trouble("duplicate", event="issue_comment")
    world.github.comment(REPO, 1, "ann", "four")
    await world.delivered()
    assert bodies(hook) == ["two", "three", "four", "four"]
    assert hook.guids[-1] == hook.guids[-2]


async def test_nobody_listening_is_logged_and_not_repeated(app: App, world: World, hook: Hook) -> None:
    await world.delivered()
    url, world.webhooks.url = world.webhooks.url, "http://127.0.0.1:1/hook"
    world.github.push(REPO, "bea", {"x": "1"})
    await world.delivered()
    world.webhooks.url = url
    _, _, log = await app.ask("GET", "/app/hook/deliveries?status=failure", bearer=app.jwt())
    assert [(entry["event"], entry["status_code"]) for entry in log] == [("push", 502)]
    assert hook.of("push") == []


@pytest.mark.parametrize("status", [500, 503])
async def test_a_failed_delivery_is_found_and_sent_again_under_its_guid(
    app: App, world: World, hook: Hook, status: int
) -> None:
    hook.status = status
    world.github.push(REPO, "bea", {"x": "1"})
    await world.delivered()
    hook.status = 202
    _, _, log = await app.ask("GET", "/app/hook/deliveries?per_page=1", bearer=app.jwt())
    assert log[0]["status_code"] == status
    again, _, _ = await app.ask("POST", f"/app/hook/deliveries/{log[0]['id']}/attempts", bearer=app.jwt())
    await world.delivered()
    assert again == 202
    assert hook.guids[-1] == hook.guids[-2] == log[0]["guid"]
    assert [entry["redelivery"] for entry in await pages(app)][:2] == [True, False]


async def pages(app: App) -> list[dict[str, Any]]:
    """The whole log, one row a page, by the cursor in the Link header."""
    found: list[dict[str, Any]] = []
    path: str | None = "/app/hook/deliveries?per_page=1"
    while path:
        _, headers, rows = await app.ask("GET", path, bearer=app.jwt())
        found += rows
        path = headers["Link"][1:].partition(">")[0] if "Link" in headers else None
    return found


async def test_what_the_app_did_not_subscribe_to_is_not_sent(world: World, hook: Hook) -> None:
    next(iter(world.state.installations.values())).events = ("push",)
    await talk(world)
    await world.delivered()
    assert hook.names() == ["installation.created", "push"]


async def test_a_suspended_app_hears_of_its_suspension_alone(world: World, hook: Hook) -> None:
    world.github.suspend("acme")
    await talk(world)
    await world.delivered()
    assert hook.names() == ["installation.created", "installation.suspend"]


async def test_fewer_repositories_are_told(world: World, hook: Hook) -> None:
    world.github.create_repository("acme/other")
    world.github.install_app("acme", repositories=["acme/other"])
    await talk(world)
    await world.delivered()
    assert hook.names() == ["installation.created", "installation_repositories.removed"]
    assert hook.seen[-1][2]["repositories_removed"][0]["full_name"] == REPO
