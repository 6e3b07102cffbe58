"""Pipelines that are none of GitHub's exchange their tokens by rules of their own, for what GitHub's builds have made.

After the vendors' pages, not seen live: https://learn.microsoft.com/en-us/rest/api/azure/devops/distributedtask/oidctoken
and https://docs.gitlab.com/ci/secrets/id_token_authentication/.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.services.notes import Note
from bot.sim.issuers.azure_devops import ORGANISATION_ID, PROJECT_ID, REPOSITORY_ID
from bot.sim.scenarios import APPLICATION_ID
from bot.sim.world import Addresses
from tests.flows.stage import staged
from tests.flows.workflow import Workflow, working

pytestmark = pytest.mark.full


def trusting(here: Addresses) -> Mapping[str, str]:
    """One pipeline of each, for dev."""
    devops = f"""\
issuer: {here.devops}/{ORGANISATION_ID}
profile: azure_devops
rules:
  - name: shop pipeline
    environments: [dev]
    applications: [{APPLICATION_ID}]
    project: {PROJECT_ID}
    definition: 12
    repository: {REPOSITORY_ID}
"""
    gitlab = f"""\
issuer: {here.gitlab}
profile: gitlab
rules:
  - name: shop
    environments: [dev, test]
    applications: [{APPLICATION_ID}]
    project: 20
    namespace: 72
"""
    return {"devops.yml": devops, "gitlab.yml": gitlab}


@pytest.fixture
async def workflow(tmp_path: Path) -> AsyncIterator[Workflow]:
    async with staged(tmp_path, trusting=trusting) as stage, working(stage) as ready:
        yield ready


async def of_devops(workflow: Workflow, commit: str, **more: Any) -> str:
    return str((await workflow.stage.sim.call("devops.token", sha=commit, **more))["token"])


async def of_gitlab(workflow: Workflow, commit: str, **more: Any) -> str:
    given = {"audience": workflow.stage.url, "environment": "dev", **more}
    return str((await workflow.stage.sim.call("gitlab.token", sha=commit, **given))["token"])


async def test_each_gets_a_token_for_what_is_decided_and_once(workflow: Workflow) -> None:
    stage = workflow.stage
    commit = (await stage.ships("Add cart"))["merge_commit_sha"]
    for token in (await of_devops(workflow, commit), await of_gitlab(workflow, commit)):
        given = await workflow.exchange(token)
        assert given.status == 200, given.body
        asked = await workflow.promotes(given.body["access_token"])
        assert asked.status == 202, asked.body
        assert (asked.body["status"], asked.body["commit"]) == ("live", commit)
        again = await workflow.exchange(token)
        assert (again.status, again.code) == (400, "token_replayed")
    rows = await workflow.rows(Note.TOKEN_ISSUED)
    assert [row.body["rule"] for row in rows] == ["shop pipeline", "shop"]
    assert {row.body["actor"] for row in rows} == {0}, "nobody's GitHub account stands behind them"


async def test_what_was_not_decided_is_not_theirs_to_take(workflow: Workflow) -> None:
    stage = workflow.stage
    commit = (await stage.ships("Add cart"))["merge_commit_sha"]
    beyond = await workflow.exchange(await of_gitlab(workflow, commit, environment="test"), "test")
    assert (beyond.status, beyond.code) == (400, "no_decision")
    await stage.sim.open_pull_request("contoso/shop", "ann", "A branch", {"b.py": "1"})
    unknown = await workflow.exchange(await of_devops(workflow, "0" * 40))
    assert unknown.status == 400
    assert not await workflow.rows(Note.TOKEN_ISSUED)


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"project_id": "99999999-3333-4444-8555-666666666666"}, "prj_id"),
        ({"definition_id": 13}, "def_id"),
        ({"repository_id": "mallory/shop"}, "rpo_id"),
        ({"ref": "refs/heads/feature"}, "rpo_ref"),
        ({"ref": "refs/pull/7/merge"}, "rpo_ref"),
    ],
)
async def test_rule_30_another_pipeline_of_the_same_organisation_gets_none(
    workflow: Workflow, changes: dict[str, Any], claim: str
) -> None:
    commit = (await workflow.stage.ships("Add cart"))["merge_commit_sha"]
    no = await workflow.exchange(await of_devops(workflow, commit, **changes))
    assert no.status == 400, no.body
    [row] = await workflow.rows(Note.EXCHANGE_REFUSED)
    assert row.body["claim"] == claim


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"project_id": 21}, "project_id"),
        ({"namespace_id": 73}, "namespace_id"),
        ({"ref_protected": False}, "ref_protected"),
        ({"environment": "Dev"}, "environment"),
        ({"ref_type": "tag"}, "ref_type"),
    ],
)
async def test_rule_30_another_project_of_the_same_gitlab_gets_none(
    workflow: Workflow, changes: dict[str, Any], claim: str
) -> None:
    commit = (await workflow.stage.ships("Add cart"))["merge_commit_sha"]
    no = await workflow.exchange(await of_gitlab(workflow, commit, **changes))
    assert no.status == 400, no.body
    [row] = await workflow.rows(Note.EXCHANGE_REFUSED)
    assert row.body["claim"] == claim


async def test_another_organisation_is_not_even_asked(workflow: Workflow) -> None:
    stage = workflow.stage
    commit = (await stage.ships("Add cart"))["merge_commit_sha"]
    other = "99999999-2222-4333-8444-555555555555"
    no = await workflow.exchange(await of_devops(workflow, commit, organisation_id=other))
    assert (no.status, no.code) == (400, "issuer_refused")
    assert not await stage.sim.exchanges(server="devops", method="GET")
