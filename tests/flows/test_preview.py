"""What a pull request shows before it is merged: where it would go, what that would do, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.model import Untrusted
from bot.domain.rules import Who
from bot.services import locks, registering
from bot.services.notes import Note
from bot.services.previews import PER_HOUR
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import in_test, rows, written
from tests.people import at, person, with_role

PLAN, CONFIGURATION = "miso / plan", "miso / configuration"
CONFIG = ".github/miso.yml"


async def opened(stage: Stage, files: dict[str, str | None], **how: Any) -> Any:
    pull = await stage.sim.open_pull_request(REPOSITORY, how.pop("author", "ann"), "A change", files, **how)
    await stage.settle()
    return pull


async def shown(stage: Stage, head: str, name: str = PLAN) -> list[Any]:
    return [c for c in (await stage.state())["checks"] if c["name"] == name and c["head_sha"] == head]


def config(stage: Stage, **changes: str) -> str:
    text = scenarios.CONFIG.format(registry=stage.world.addresses.registry)
    for was, now in changes.items():
        assert f"{was}: " in text
        text = "\n".join(f"{was}: {now}" if line.startswith(f"{was}: ") else line for line in text.splitlines()) + "\n"
    return text


async def test_a_pull_request_shows_where_it_would_go_before_anything_runs(stage: Stage) -> None:
    pull = await opened(stage, {"app.py": "print(1)\n"})
    [check] = await shown(stage, pull["head_sha"])
    assert (check["status"], check["conclusion"]) == ("completed", "success")
    for stage_name in ("dev", "test", "production"):
        assert f"| {stage_name} `shop` | nothing yet | first release here" not in check["summary"]
        assert f"| {stage_name} `shop` | nothing yet | created anew | 1 commit |" in check["summary"]
    assert await shown(stage, pull["head_sha"], CONFIGURATION) == []


async def test_it_tells_what_runs_and_which_merged_commits_would_travel_along(stage: Stage) -> None:
    first = await in_test(stage, "First")
    await stage.ships("Second")
    pull = await opened(stage, {"app.py": "print(3)\n"})
    [check] = await shown(stage, pull["head_sha"])
    lines = {line.split("|")[1].split()[0]: line for line in check["summary"].splitlines() if "`shop`" in line}
    assert f"`{first['merge_commit_sha'][:12]}` from #{first['number']}" in lines["test"]
    assert "1 commit, and 1 commit that is merged already" in lines["test"]
    assert "merged already" not in lines["dev"]
    assert "all containers restart, 10 to 60 seconds without answers" in lines["test"]
    assert "nothing yet" in lines["production"]
    assert "the one that this change's build makes" in check["summary"]


async def test_each_push_is_shown_once_on_its_own_head(stage: Stage) -> None:
    pull = await opened(stage, {"app.py": "print(1)\n"})
    moved = await stage.sim.push_to_pull(REPOSITORY, pull["number"], "ann", {"app.py": "print(2)\n"})
    await stage.settle()
    writes = [e for e in await written(stage, "check-runs") if (e["request"] or {}).get("name") == PLAN]
    assert [e["request"]["head_sha"] for e in writes] == [pull["head_sha"], moved["head_sha"]]
    assert len(await shown(stage, moved["head_sha"])) == 1
    [check] = await shown(stage, moved["head_sha"])
    assert "this carries 2 commits" in check["summary"]


async def test_the_same_delivery_again_changes_nothing(stage: Stage) -> None:
    await opened(stage, {"app.py": "print(1)\n"})
    before = len(await written(stage, "check-runs")), len(await rows(stage, Note.PULL_PREVIEWED))
    for delivery in await stage.miso.store.deliveries(state=None, limit=100):
        if delivery.event == "pull_request":
            await stage.miso.store.delivery_failed(delivery.guid, code="again", note="", retry_at_us=None)
            await stage.miso.store.reopen_delivery(delivery.guid)
    await stage.settle()
    assert (len(await written(stage, "check-runs")), len(await rows(stage, Note.PULL_PREVIEWED))) == before


async def test_a_change_of_the_configuration_is_shown_and_not_used(stage: Stage) -> None:
    first = await in_test(stage, "First")
    pull = await opened(stage, {CONFIG: config(stage, port="9090")})
    [check] = await shown(stage, pull["head_sha"])
    assert check["conclusion"] == "neutral", "a container group that is made again wants a look"
    assert "`8080` → `9090`" in check["summary"]
    assert "deleted and created again" in check["summary"]
    [told] = await shown(stage, pull["head_sha"], CONFIGURATION)
    assert told["conclusion"] == "success"
    await stage.says("ann", f"/promote production @{first['merge_commit_sha'][:12]}", on=first["number"])
    assert (await stage.latest("production")).request.release.port == 8080


async def test_every_fault_of_the_configuration_is_annotated_in_its_line(stage: Stage) -> None:
    text = config(stage, port="none", health="healthz")
    pull = await opened(stage, {CONFIG: text})
    [check] = await shown(stage, pull["head_sha"], CONFIGURATION)
    assert check["conclusion"] == "failure"
    found = {(each["path"], each["start_line"]) for each in check["annotations"]}
    assert found == {(CONFIG, 3), (CONFIG, 4)}
    [plan] = await shown(stage, pull["head_sha"])
    assert plan["conclusion"] == "neutral"
    assert "cannot be told" in plan["title"]
    mended = await stage.sim.push_to_pull(REPOSITORY, pull["number"], "ann", {CONFIG: config(stage, port="9090")})
    await stage.settle()
    [check] = await shown(stage, mended["head_sha"], CONFIGURATION)
    assert (check["conclusion"], check["annotations"]) == ("success", [])


async def test_a_policy_that_nobody_could_meet_is_told_before_it_is_merged(stage: Stage) -> None:
    text = config(stage) + "policy:\n  production:\n    approvals: 9\n"
    pull = await opened(stage, {CONFIG: text})
    [check] = await shown(stage, pull["head_sha"], CONFIGURATION)
    assert check["conclusion"] == "failure"
    assert "nobody_can_approve" in check["summary"]
    [plan] = await shown(stage, pull["head_sha"])
    assert "| 1: anybody" in plan["summary"], "what a pull request says of its own approval counts for nothing"


async def test_a_policy_that_is_looser_than_the_installation_is_told_in_its_line(stage: Stage) -> None:
    text = config(stage) + "policy:\n  production:\n    approvals: 0\n"
    pull = await opened(stage, {CONFIG: text})
    [check] = await shown(stage, pull["head_sha"], CONFIGURATION)
    assert [each["start_line"] for each in check["annotations"]] == [7]
    assert "looser" in check["annotations"][0]["message"]


async def test_a_pull_request_that_leaves_the_configuration_alone_has_no_check_of_it(stage: Stage) -> None:
    pull = await opened(stage, {CONFIG: config(stage, port="none")})
    back = await stage.sim.push_to_pull(REPOSITORY, pull["number"], "ann", {CONFIG: config(stage), "app.py": "1\n"})
    await stage.settle()
    assert len(await shown(stage, back["head_sha"])) == 1
    assert await shown(stage, back["head_sha"], CONFIGURATION) == []


async def test_a_pull_request_that_removes_the_configuration_is_told_what_that_means(stage: Stage) -> None:
    pull = await opened(stage, {CONFIG: None})
    [check] = await shown(stage, pull["head_sha"], CONFIGURATION)
    assert check["conclusion"] == "failure"
    assert "without it no build becomes a release" in check["summary"]


async def test_rule_03_a_fork_is_shown_the_same_and_nothing_of_it_counts(stage: Stage) -> None:
    await stage.sim.create_user("mallory")
    pull = await opened(stage, {CONFIG: config(stage, port="9090")}, author="mallory", fork_owner="mallory")
    [check] = await shown(stage, pull["head_sha"])
    assert "It comes from a fork" in check["summary"]
    assert stage.effects("put") == []
    merged = await stage.ships("Ours")
    assert (await stage.latest("dev")).request.release.port == 8080
    assert await stage.runs("dev") == merged["digest"]


async def test_rule_20_a_repository_that_is_not_registered_hears_nothing(stage: Stage) -> None:
    await stage.sim.create_user("mallory")
    await scenarios.copy_shop(stage.sim, "mallory/copy", registry=stage.world.addresses.registry)
    await stage.sim.open_pull_request("mallory/copy", "mallory", "Let me see", {"app.py": "1\n"})
    await stage.settle()
    checks = (await stage.sim.state("mallory/copy"))["checks"]
    assert {check["name"] for check in checks} <= {"miso / build"}, "a build of it is refused, and nothing is previewed"
    assert await rows(stage, Note.PULL_PREVIEWED, Note.PULL_CONFIGURED, Note.PULL_PUSHED) == []


async def test_a_lock_is_shown_before_anybody_merges(stage: Stage) -> None:
    production = await stage.miso.store.environment(stage.environments["production"])
    assert production is not None
    owner = person(7, "olga")
    place = with_role(owner, "write")
    await locks.lock(stage.miso, place, production, at(owner), Untrusted("load test"), 0, "test", who=Who())
    pull = await opened(stage, {"app.py": "print(1)\n"})
    [check] = await shown(stage, pull["head_sha"])
    assert check["conclusion"] == "neutral"
    assert "Locked by `olga`: `load test`" in check["summary"]


async def test_what_was_reopened_is_shown_as_it_is_now(stage: Stage) -> None:
    pull = await opened(stage, {"app.py": "print(1)\n"})
    await in_test(stage, "Meanwhile")
    await stage.sim.close_pull(REPOSITORY, pull["number"], "ann")
    await stage.sim.reopen_pull(REPOSITORY, pull["number"], "ann")
    await stage.settle()
    [check] = await shown(stage, pull["head_sha"])
    assert "nothing yet" not in next(line for line in check["summary"].splitlines() if line.startswith("| test"))


async def test_who_pushes_more_often_than_anybody_reads_is_shown_no_more(stage: Stage) -> None:
    pull = await opened(stage, {"app.py": "print(0)\n"})
    for n in range(PER_HOUR + 2):
        await stage.sim.push_to_pull(REPOSITORY, pull["number"], "ann", {"app.py": f"print({n + 1})\n"})
        await stage.settle()
    assert len(await rows(stage, Note.PULL_PREVIEWED)) == PER_HOUR
    stage.clock.pass_(3601)
    last = await stage.sim.push_to_pull(REPOSITORY, pull["number"], "ann", {"app.py": "print('slowly')\n"})
    await stage.settle()
    assert len(await shown(stage, last["head_sha"])) == 1


async def test_no_value_of_a_setting_leaves_the_house_for_github(stage: Stage) -> None:
    secretive = stage.shop.registration.replace(
        "    target: ", "    settings: {SHOP_MODE: zq-first-value-qz}\n    target: "
    )
    await registering.register(stage.miso, secretive, origin="command")
    await in_test(stage, "With settings")
    await registering.register(stage.miso, secretive.replace("zq-first", "zq-second"), origin="command")
    pull = await opened(stage, {CONFIG: config(stage, port="9090")})
    [check] = await shown(stage, pull["head_sha"])
    assert "`SHOP_MODE` changed" in check["summary"]
    sent = [e["request"] for e in await stage.sim.exchanges(server="github") if e["method"] != "GET"]
    assert "-value-qz" not in json.dumps(sent)
    told = [row.body for row in await rows(stage, Note.PULL_PREVIEWED, Note.PULL_CONFIGURED)]
    assert told
    assert "-value-qz" not in json.dumps(told)
