"""Every check of `miso doctor` says what is wrong and who does what, on a world where exactly that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli.doctor import entra
from bot.cli.doctor.github import needed_events
from bot.domain.model import Stage
from bot.domain.rules import Who
from bot.oidc import address
from bot.services import policies
from bot.sim.scenarios import PLACES, REPOSITORY, RESOURCE_GROUP, SITE, SUBSCRIPTION_ID
from tests.cli.conftest import Desk

pytestmark = pytest.mark.full

KEYS = {"area", "check", "verdict", "found", "next"}


async def findings(desk: Desk, *, fails: bool) -> dict[tuple[str, str], Any]:
    """What was found, by area and check; of two the worse."""
    done = await desk.miso("doctor", "--json")
    assert done.exit_code == (1 if fails else 0), done.output
    whole = json.loads(done.stdout)
    assert whole["healthy"] is not fails
    assert all(set(each) == KEYS for each in whole["findings"])
    order = ("ok", "warn", "fail")
    ranked = sorted(whole["findings"], key=lambda each: order.index(each["verdict"]))
    return {(each["area"], each["check"]): each for each in ranked}


async def test_all_is_in_order_after_a_first_deployment(registered: Desk) -> None:
    await registered.ships("Add a basket")
    found = await findings(registered, fails=False)
    for at in (
        ("settings", "settings"),
        ("keys", "App's private key"),
        ("keys", "signing keys"),
        ("store", "writable"),
        ("store", "journal"),
        ("github", "reachable"),
        ("github", "events"),
        ("shop", "installation"),
        ("shop", "variables for production"),
        ("issuer", "documents"),
        ("shop / dev", "token exchange"),
        ("shop / dev", "resource group"),
        ("shop / dev", "container-instance shop-dev"),
        ("shop / dev", "registry"),
        ("shop / production", "web-app contoso-shop"),
    ):
        assert found[at]["verdict"] == "ok", found[at]
    assert found["shop / test", "container-instance shop-test"]["verdict"] == "warn"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": "miso:env:other"}, "700213"),
        ({"issuer": "https://other.example"}, "700211"),
        ({"audience": "api://other"}, "700212"),
        ({"client_id": "other"}, "700016"),
    ],
)
async def test_a_wrong_federated_credential_is_explained_with_the_right_one(
    registered: Desk, change: dict[str, str], code: str
) -> None:
    entra_side = registered.world.entra
    entra_side.credentials[0] = replace(entra_side.credentials[0], **change)
    found = (await findings(registered, fails=True))["shop / dev", "token exchange"]
    assert found["verdict"] == "fail"
    assert f"AADSTS{code}" in found["found"]
    assert entra.MEANINGS[code].found in found["found"]
    assert f"subject miso:env:{PLACES[0].id}" in found["next"]
    assert f"issuer {registered.settings['MISO_PUBLIC_URL']}" in found["next"]


async def test_missing_rights_a_foreign_resource_and_a_missing_image(registered: Desk) -> None:
    await registered.ships("Add a basket")
    registered.world.arm.unassign(PLACES[1].client_id)
    site = f"/subscriptions/{SUBSCRIPTION_ID}/resourcegroups/{RESOURCE_GROUP}/providers/microsoft.web/sites/{SITE}"
    registered.world.arm.state.sites[site].tags = {"miso-env": PLACES[0].id}
    environment = await registered.running.miso.store.environment_state(PLACES[0].id)
    row = await registered.running.miso.store.promotion(environment.running)
    assert row is not None
    registered.world.registry.delete("shop", row.digest)
    found = await findings(registered, fails=True)
    assert "azure_forbidden" in found["shop / test", "resource group"]["found"]
    assert "not_ours" in found["shop / production", "web-app contoso-shop"]["found"]
    assert "no longer has" in found["shop / dev", "registry"]["found"]


async def test_a_wrong_variable_and_a_missing_installation(registered: Desk) -> None:
    await registered.sim.set_environment_variable(REPOSITORY, "test", "MISO_ENVIRONMENT_ID", PLACES[0].id)
    found = await findings(registered, fails=True)
    assert "guid_other_environment" in found["shop", "variables for test"]["found"]
    await registered.sim.uninstall("contoso")
    found = await findings(registered, fails=True)
    assert found["shop", "installation"]["verdict"] == "fail"


async def test_permissions_and_events_that_are_missing(registered: Desk) -> None:
    app = registered.world.state.app
    registered.world.state.app = replace(
        app, permissions={**app.permissions, "deployments": "read"}, events=("issue_comment",)
    )
    found = await findings(registered, fails=True)
    assert "deployments: write" in found["github", "permissions"]["found"]
    assert "workflow_run" in found["github", "events"]["found"]


async def test_an_unreachable_github_and_an_issuer_that_is_somebody_elses(
    registered: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISO_GITHUB_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MISO_PUBLIC_URL", "http://127.0.0.1:2")
    found = await findings(registered, fails=True)
    assert "miso keys migrate" in found["start", "start"]["found"]
    address.migrate(Path(registered.settings["MISO_DATA_DIR"]) / "keys", "http://127.0.0.1:2", 1)
    found = await findings(registered, fails=True)
    assert found["github", "reachable"]["verdict"] == "fail"
    assert found["issuer", "documents"]["verdict"] == "fail"
    shown = (await registered.miso("doctor")).output
    assert "to put right" in shown
    assert "→ `miso serve` must run there" in shown


async def test_open_key_files_are_told(registered: Desk) -> None:
    import os

    os.chmod(registered.settings["MISO_DATA_DIR"] + "/keys/assertion.0001.pem", 0o644)
    found = await findings(registered, fails=True)
    assert "chmod 600" in found["keys", "signing keys"]["found"]


def test_the_needed_events_are_those_of_the_manifest() -> None:
    assert "workflow_run" in needed_events()


def test_an_unknown_code_of_entra_is_told_as_such() -> None:
    assert entra.code_of("AADSTS123456: something new. Trace ID: 1") == "123456"
    assert "123456" in entra.meaning("123456").following
    assert entra.code_of("no code at all") == ""


async def test_which_policy_counts_and_whether_this_file_is_it(registered: Desk) -> None:
    found = await findings(registered, fails=False)
    assert "version 1" in found["policy", "in force"]["found"]
    assert found["policy", "file"]["verdict"] == "ok"
    assert found["shop", "policy"]["verdict"] == "warn"
    assert "no_administrators" in found["shop", "policy"]["found"]

    miso = registered.running.miso
    now = await policies.accepted(miso)
    assert now is not None
    strict = {**now.policies.stages}
    strict[Stage.PRODUCTION] = replace(strict[Stage.PRODUCTION], approvals=9)
    await policies.adopt(miso, replace(now.policies, stages=strict), "another file")
    found = await findings(registered, fails=True)
    assert "production.approvals" in found["policy", "file"]["found"]
    assert found["policy", "file"]["verdict"] == "warn"
    assert "nobody_can_approve" in found["shop", "policy for production"]["found"]

    await policies.adopt(miso, now.policies, "this file")
    found = await findings(registered, fails=True)
    assert "would make production looser: production.approvals" in found["policy", "waits"]["found"]
    assert "/policy accept" in found["policy", "waits"]["next"]
    assert "waits for administrators" in found["policy", "file"]["found"]


async def test_a_team_that_cannot_be_read_lets_nobody_pass_and_is_told(registered: Desk) -> None:
    miso = registered.running.miso
    now = await policies.accepted(miso)
    assert now is not None
    teams = {**now.policies.stages}
    teams[Stage.PRODUCTION] = replace(teams[Stage.PRODUCTION], approve=Who(role="write", teams=(4711,)))
    await policies.adopt(miso, replace(now.policies, stages=teams), "another file")
    found = await findings(registered, fails=True)
    assert "team_unknown" in found["shop", "policy for production"]["found"]
    assert "members: read" in found["shop", "policy for production"]["next"]
