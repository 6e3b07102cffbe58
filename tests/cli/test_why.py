"""`miso why`: the answer of `/why` at a shell, over the same GitHub, registry and store, and nothing asked for."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.conftest import Desk


async def told(desk: Desk, *words: str, exit_code: int = 0) -> Any:
    done = await desk.miso("why", *words, "--json")
    assert done.exit_code == exit_code, done.output
    return json.loads(done.stdout)


def by_rule(answer: Any) -> dict[str, Any]:
    return {each["rule"]: each for each in answer["rules"]}


async def test_what_stands_in_the_way_and_what_does_not(registered: Desk) -> None:
    await registered.ships("Add a basket")
    answer = await told(registered, "shop", "prod", "--as", "ann", exit_code=1)
    assert (answer["environment"], answer["verdict"], answer["code"]) == ("production", "refuse", "not_verified_before")
    rules = by_rule(answer)
    assert rules["order"]["state"] == "fail"
    assert rules["order"]["command"].startswith("/promote test")
    assert (rules["requester"]["state"], rules["identity"]["state"]) == ("pass", "pass")

    answer = await told(registered, "shop", "test", "--as", "ann")
    assert (answer["verdict"], answer["code"]) == ("allow", None)
    shown = (await registered.miso("why", "shop", "test", "--as", "ann")).output
    assert "Yes:" in shown
    assert "✗" not in shown


async def test_it_is_the_answer_of_the_comment(registered: Desk) -> None:
    number = await registered.ships("Add a basket")
    await registered.says("ann", "/why production", on=number)
    pulls = (await registered.sim.state("contoso/shop"))["pulls"]
    comment = next(c["body"] for p in pulls for c in p["comments"] if "Not yet" in c["body"])
    answer = await told(registered, "shop", "production", "--as", "ann", exit_code=1)
    for rule in answer["rules"]:
        assert rule["title"] in comment.replace("`", "")
    assert answer["says"] in comment.replace("`", "").replace("**", "")


async def test_without_a_person_the_role_is_unknown_and_never_assumed(registered: Desk) -> None:
    await registered.ships("Add a basket")
    answer = await told(registered, "shop", "test", exit_code=1)
    assert answer["requester"] is None
    assert by_rule(answer)["requester"]["state"] == "unknown"
    assert "--as LOGIN" in (await registered.miso("why", "shop", "test")).output


async def test_who_may_only_read_is_told_so(registered: Desk) -> None:
    await registered.ships("Add a basket")
    answer = await told(registered, "shop", "test", "--as", "eve", exit_code=1)
    assert by_rule(answer)["requester"]["code"] == "permission_denied"


async def test_nothing_is_asked_for_by_asking_why(registered: Desk) -> None:
    await registered.ships("Add a basket")
    before = await registered.running.miso.store.ledger(limit=1000)
    await registered.miso("why", "shop", "test", "--as", "ann")
    assert await registered.running.miso.store.ledger(limit=1000) == before


async def test_a_commit_is_named_or_the_one_that_could_go_next(registered: Desk) -> None:
    await registered.ships("Add a basket")
    first = (await told(registered, "shop", "test", "--as", "ann"))["commit"]
    await registered.ships("Break it", mark="unhealthy")
    # What dev runs is what could go on, not what was rolled back there.
    assert (await told(registered, "shop", "test", "--as", "ann"))["commit"] == first
    named = await told(registered, "shop", "test", "--as", "ann", "--commit", f"@{first[:12]}")
    assert named["commit"] == first


async def test_what_is_not_known_is_told_with_what_to_type(registered: Desk) -> None:
    for words, told_ in (
        (("shop", "moon"), "stage_unknown"),
        (("cellar", "test"), "no application is called"),
        (("shop", "test", "--commit", "abc"), "sha_malformed"),
        (("shop", "test", "--as", "nobody-at-all"), "takes a login"),
    ):
        done = await registered.miso("why", *words)
        assert done.exit_code in (1, 2)
        assert told_ in done.output
