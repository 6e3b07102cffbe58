"""Rules 20 and 34: a GUID selects what is registered for this very repository, and tells nobody about others."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bot.domain.model import DeliveryState
from bot.services import registering
from bot.services.notes import Note
from bot.sim import scenarios
from bot.sim.scenarios import APPLICATION_ID, PLACES, REPOSITORY, SUBSCRIPTION_ID
from tests.flows.stage import Stage
from tests.flows.words import rows

UNREGISTERED = "0badc0de-0000-4000-8000-000000000001"
OTHER_REGISTRATION = """\
id: 7777aaaa-6f0f-4f0d-9a39-2f6d3f1d7a77
name: other
repository_id: {repository}
owner_id: {owner}
environments:
  - id: 7777bbbb-0b5a-4a55-8d0b-5d1e5b6f0d77
    stage: dev
    tenant_id: 7777cccc-7d2d-4b51-9d8b-0f4f6a7be577
    client_id: 7777dddd-0000-4000-8000-000000000077
    subscription_id: 7777eeee-33ce-4d6b-8f5e-6f1de0a3c477
    resource_group: other
    location: westeurope
    target: container-instance
    name: other-dev
    dns_label: other-dev
"""


async def refused_build(stage: Stage, repository: str = REPOSITORY) -> Any:
    """A good build in a repository whose claims do not hold. Gives the one check that says so."""
    sha = (await stage.sim.push(repository, "ann", {"n.py": str(stage.clock.at_us)}))["sha"]
    await stage.sim.call("registry.push", repository="shop", tag=sha, text=sha)
    before = len(await stage.sim.exchanges(server="arm"))
    await stage.sim.run_workflow(repository, head_sha=sha)
    stage.clock.pass_(60)
    await stage.settle()
    assert await stage.miso.store.promotions() == []
    assert len(await stage.sim.exchanges(server="arm")) == before, "nothing was asked of Azure"
    [check] = [c for c in (await stage.sim.state(repository))["checks"] if c["head_sha"] == sha]
    return check


def code(check: Any) -> str:
    [found] = re.findall(r"<sub>`?([a-z_]+)`?</sub>", f"{check['summary']} {check['text'] or ''}")
    return str(found)


def text(check: Any) -> str:
    """What it says, without the commit that it speaks of."""
    return re.sub(r"[0-9a-f]{12,40}", "…", f"{check['title']}|{check['summary']}|{check['text']}")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("MISO_APPLICATION_ID", None, "guid_missing"),
        ("MISO_APPLICATION_ID", "shop", "guid_malformed"),
        ("MISO_APPLICATION_ID", "{" + APPLICATION_ID + "}", "guid_malformed"),
        ("MISO_APPLICATION_ID", APPLICATION_ID + "\n", "guid_malformed"),
        ("MISO_APPLICATION_ID", UNREGISTERED, "guid_not_bound"),
        ("MISO_APPLICATION_ID", PLACES[0].id, "guid_not_bound"),
        ("MISO_SUBSCRIPTION_ID", None, "guid_missing"),
        ("MISO_SUBSCRIPTION_ID", UNREGISTERED, "subscription_mismatch"),
        ("MISO_SUBSCRIPTION_ID", SUBSCRIPTION_ID[:-1], "guid_malformed"),
        ("dev", None, "guid_missing"),
        ("dev", "not a guid", "guid_malformed"),
        ("dev", UNREGISTERED, "guid_not_bound"),
        ("dev", PLACES[2].id, "guid_other_environment"),
    ],
)
async def test_rule_20_a_guid_that_is_not_this_repositorys_deploys_nothing(
    stage: Stage, variable: str, value: str | None, expected: str
) -> None:
    if variable == "dev":
        await stage.sim.set_environment_variable(REPOSITORY, "dev", "MISO_ENVIRONMENT_ID", value)
    else:
        await stage.sim.set_variable(REPOSITORY, variable, value)
    assert code(await refused_build(stage)) == expected


async def test_rule_20_a_copy_in_another_repository_learns_nothing(stage: Stage) -> None:
    """Word for word the same answer for a GUID that belongs to somebody else, and for one that nobody has."""
    config = scenarios.CONFIG.format(registry=stage.world.addresses.registry)
    made = await stage.sim.create_repository(
        "contoso/copy", collaborators={"ann": "write"}, files={".github/miso.yml": config}
    )
    said = []
    for guid in (APPLICATION_ID, UNREGISTERED):
        await stage.sim.set_variable("contoso/copy", "MISO_APPLICATION_ID", guid)
        await stage.sim.set_variable("contoso/copy", "MISO_SUBSCRIPTION_ID", SUBSCRIPTION_ID)
        await stage.sim.set_environment_variable("contoso/copy", "dev", "MISO_ENVIRONMENT_ID", PLACES[0].id)
        said.append(text(await refused_build(stage, "contoso/copy")))
    assert said[0] == said[1]
    # The same for a repository that is registered for something of its own.
    other = OTHER_REGISTRATION.format(repository=made["id"], owner=made["owner_id"])
    await registering.register(stage.miso, other, origin="command")
    theirs = []
    for guid in (APPLICATION_ID, UNREGISTERED):
        await stage.sim.set_variable("contoso/copy", "MISO_APPLICATION_ID", guid)
        check = await refused_build(stage, "contoso/copy")
        assert code(check) == "guid_not_bound"
        theirs.append(text(check))
    await stage.sim.set_variable("contoso/copy", "MISO_APPLICATION_ID", "7777aaaa-6f0f-4f0d-9a39-2f6d3f1d7a77")
    await stage.sim.set_variable("contoso/copy", "MISO_SUBSCRIPTION_ID", "7777eeee-33ce-4d6b-8f5e-6f1de0a3c477")
    environments = []
    for guid in (PLACES[0].id, UNREGISTERED):
        await stage.sim.set_environment_variable("contoso/copy", "dev", "MISO_ENVIRONMENT_ID", guid)
        check = await refused_build(stage, "contoso/copy")
        assert code(check) == "guid_not_bound"
        environments.append(text(check))
    assert theirs[0] == theirs[1]
    assert environments[0] == environments[1]
    assert not any(guid in answer for answer in (*said, *theirs, *environments) for guid in (APPLICATION_ID, "shop-"))


async def test_rule_20_a_rename_is_followed_and_noted(stage: Stage) -> None:
    first = await stage.ships("Before")
    assert await stage.runs("dev") == first["digest"]
    await stage.sim.rename_repository(REPOSITORY, "store")
    await stage.settle()
    [noted] = await rows(stage, Note.REPOSITORY_RENAMED)
    assert noted.body["full_name"] == "contoso/store"
    sha = (await stage.sim.push("contoso/store", "ann", {"n.py": "1"}))["sha"]
    digest = await stage.sim.call("registry.push", repository="shop", tag=sha, text=sha)
    await stage.sim.call("arm.mark", digest=digest, mark="healthy")
    await stage.sim.run_workflow("contoso/store", head_sha=sha)
    await stage.settle()
    assert await stage.runs("dev") == digest


async def test_rule_20_a_transferred_repository_deploys_nothing_until_the_registry_names_its_owner(
    stage: Stage,
) -> None:
    await stage.sim.create_user("rival", kind="Organization")
    await stage.sim.install_app("rival")
    await stage.sim.transfer_repository(REPOSITORY, "rival")
    await stage.settle()
    [noted] = await rows(stage, Note.REPOSITORY_TRANSFERRED)
    assert noted.body["owner"] != stage.shop.owner_id
    assert code(await refused_build(stage, "rival/shop")) == "repository_transferred"


async def test_rule_20_an_installation_of_another_account_speaks_for_nobody_here(stage: Stage) -> None:
    """A delivery that names our repository beside an installation that does not cover it."""
    await stage.sim.create_repository("rival/thing", collaborators={"ann": "admin"})
    theirs = await stage.sim.install_app("rival")
    pull = await scenarios.merge_change(stage.sim, "Ours")
    await scenarios.build(stage.sim, pull["merge_commit_sha"])
    await stage.world.delivered()
    last = next(d for d in reversed(stage.world.webhooks.log) if (d.event, d.action) == ("workflow_run", "completed"))
    body = json.loads(last.body)
    # Our own delivery is taken out of the inbox first, so that only the forged one is left.
    await stage.miso.store.delivery_done(last.guid)
    body["installation"]["id"] = theirs["id"]
    stage.world.webhooks.emit("workflow_run", body, installation_id=theirs["id"], repository_id=last.repository_id)
    await stage.settle()
    assert await stage.miso.store.promotions() == []
    assert (await stage.state())["checks"] == []
    [parked] = await stage.miso.store.deliveries(state=DeliveryState.PARKED, limit=10)
    assert parked.guid == stage.world.webhooks.log[-1].guid


@pytest.mark.parametrize("name", ["Production", "productіon", "production ", "prod\u200buction", "ｐroduction"])
async def test_rule_34_a_lookalike_environment_is_no_environment(stage: Stage, name: str) -> None:
    """Its gate never opens, and a workflow's deployment there is none of ours."""
    pull = await stage.ships("Look alike")
    await stage.sim.create_environment(REPOSITORY, name, app_rule=True)
    await stage.sim.set_environment_variable(REPOSITORY, name, "MISO_ENVIRONMENT_ID", PLACES[2].id)
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/d.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], name)
    await stage.settle()
    [gate] = (await stage.state())["gates"]
    assert gate["state"] != "approved"
    assert gate["state"] == "rejected"


async def test_rule_34_another_name_in_the_registry_is_needed_for_another_environment(stage: Stage) -> None:
    """A GitHub environment that is called like a stage is not the environment of that stage."""
    renamed = stage.shop.registration.replace("stage: production", "stage: production\n    github_name: live")
    await registering.register(stage.miso, renamed, origin="command")
    pull = await stage.ships("Stage is no name")
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/d.yml", head_sha=pull["merge_commit_sha"], conclusion=None
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await stage.settle()
    [gate] = (await stage.state())["gates"]
    assert gate["state"] == "rejected"
