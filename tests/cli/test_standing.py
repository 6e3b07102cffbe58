"""`miso status` beside a running controller: what runs, what waits, what is held, and whether the journal is whole."""

from __future__ import annotations

import json
import sqlite3

from bot.sim.scenarios import REPOSITORY
from tests.cli.conftest import Desk


async def test_what_runs_and_what_waits_for_whom(registered: Desk) -> None:
    number = await registered.ships("Add a basket")
    await registered.says("ann", "/promote test", on=number)
    await registered.says("ann", "/promote production", on=number)
    done = await registered.miso("status", "--json")
    assert done.exit_code == 0
    whole = json.loads(done.stdout)
    assert whole["journal"] == {"verified": True, "faults": []}
    [application] = whole["applications"]
    assert application["name"] == "shop"
    dev, test, production = application["environments"]
    assert [dev["stage"], test["stage"], production["stage"]] == ["dev", "test", "production"]
    assert dev["running"]["digest"] == test["running"]["digest"]
    assert (dev["running"]["pull_request"], dev["running"]["since"]) == (number, dev["last_verified"])
    assert production["running"] is None
    [waiting] = production["waiting"]
    assert waiting["approvals"] == {"given": 0, "needed": 1}
    assert waiting["pull_request"] == number
    assert "/approve" in waiting["next"]

    shown = (await registered.miso("status")).output
    assert "Live and healthy" in shown
    assert "Waits for 1 approval" in shown


async def test_a_release_that_was_rolled_back_is_held_beside_what_runs_again(registered: Desk) -> None:
    good = await registered.ships("Add a basket")
    bad = await registered.ships("Break it", mark="unhealthy")
    dev = json.loads((await registered.miso("status", "--json")).stdout)["applications"][0]["environments"][0]
    pulls = (await registered.sim.state(REPOSITORY))["pulls"]
    assert (dev["running"]["pull_request"], dev["waiting"]) == (good, [])
    assert [hold["commit"] for hold in dev["held"]] == [p["merge_commit_sha"] for p in pulls if p["number"] == bad]
    assert "is held since" in (await registered.miso("status")).output


async def test_a_deployment_that_went_around_miso_is_shown(registered: Desk) -> None:
    await registered.ships("Add a basket")
    pull = (await registered.sim.state(REPOSITORY))["pulls"][0]
    await registered.sim.someone_deploys(REPOSITORY, "olga", "production", pull["merge_commit_sha"])
    await registered.settle()
    whole = json.loads((await registered.miso("status", "--json")).stdout)
    production = whole["applications"][0]["environments"][2]
    assert [each["login"] for each in production["out_of_band"]] == ["olga"]
    assert "went around Miso, by olga" in (await registered.miso("status")).output


async def test_a_changed_journal_is_told_and_fails(registered: Desk) -> None:
    await registered.ships("Add a basket")
    with sqlite3.connect(registered.settings["MISO_DATA_DIR"] + "/miso.sqlite") as db:
        triggers = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE journal SET actor_id = 42 WHERE kind = 'probe.passed'")
    db.close()
    done = await registered.miso("status", "--json")
    assert done.exit_code == 1
    assert not json.loads(done.stdout)["journal"]["verified"]
    assert "The journal was changed" in (await registered.miso("status")).output


async def test_nothing_is_registered_yet(desk: Desk) -> None:
    done = await desk.miso("status")
    assert done.exit_code == 0
    assert "No application is registered yet" in done.output
