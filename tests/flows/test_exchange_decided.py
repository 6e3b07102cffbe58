"""The decision behind a token is that of every door: each rule counts, and each way to be let in is told apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Environment, Status
from bot.domain.model import Stage as Where
from bot.domain.rules import RequiredCheck, Who
from bot.errors import Refused
from bot.oidc.issue import workflow_subject
from bot.services import exchange, tokens
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage, staged
from tests.flows.test_closures import freeze
from tests.flows.words import in_test, live, ruled, waiting
from tests.flows.workflow import Workflow, working


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def test_where_dev_wants_an_approval_a_workflow_waits_for_it_too(workflow: Workflow) -> None:
    stage = workflow.stage
    await ruled(stage, Where.DEV, approvals=1)
    built = await workflow.builds("Add cart")
    no = await workflow.exchange(await workflow.id_token("dev", built["run"]))
    assert (no.status, no.code) == (400, "needs_approval")
    await stage.sim.complete_run(REPOSITORY, built["run"])
    await stage.settle()
    run = await workflow.starts(built["merge_commit_sha"])
    assert (await workflow.exchange(await workflow.id_token("dev", run))).code == "needs_approval"
    await stage.says("bob", f"/promote dev @{built['merge_commit_sha'][:12]}", on=built["number"])
    waits = await stage.latest("dev")
    assert waits.status is Status.REQUESTED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"checks": (RequiredCheck(name="tests", app_id=15368),)}, "check_missing"),
        ({"registries": ("elsewhere.example",)}, "image_source_refused"),
        ({"branches": ("release/*",)}, "branch_not_allowed"),
        ({"min_instances": 3}, "capacity_too_small"),
    ],
)
async def test_what_the_policy_of_dev_demands_is_demanded_of_workflows(
    workflow: Workflow, changes: dict[str, object], code: str
) -> None:
    built = await workflow.builds("Add cart")
    await ruled(workflow.stage, Where.DEV, **changes)
    no = await workflow.exchange(await workflow.id_token("dev", built["run"]))
    assert no.status == 400
    assert code in no.failing()


async def test_a_freeze_counts_before_during_and_after(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await live(stage, "Add cart")
    run = await workflow.starts(pull["merge_commit_sha"])
    assert (await workflow.exchange(await workflow.id_token("production", run), "production")).status == 200
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, lasts=600),))
    no = await workflow.exchange(await workflow.id_token("production", run), "production")
    assert (no.status, no.code) == (400, "frozen")
    assert {rule["rule"] for rule in no.body["rules"]} >= {"identity", "holds", "freeze", "lock"}


async def test_rule_36_what_two_people_went_past_is_gone_past_for_the_workflow_and_nothing_else_is(
    workflow: Workflow,
) -> None:
    stage = workflow.stage
    pull = await in_test(stage, "Urgent")
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, lasts=600),))
    await stage.says("ann", "/promote production --break-glass customers cannot pay", on=pull["number"])
    await stage.says("bob", "/approve", on=pull["number"])
    run = await workflow.starts(pull["merge_commit_sha"])
    token = await workflow.token("production", run)
    assert (await workflow.promotes(token, "production")).body["status"] == "live"
    await stage.says("bob", "/lock production looking at it", on=pull["number"])
    no = await workflow.promotes(token, "production")
    assert (no.status, no.code) == (409, "locked")
    states = {rule["rule"]: rule["state"] for rule in no.body["rules"]}
    assert (states["freeze"], states["lock"]) == ("skipped", "fail")


async def test_an_approval_that_counts_no_longer_opens_nothing(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await waiting(stage, "Add cart")
    run = await workflow.starts(pull["merge_commit_sha"])
    # Approved, and about to begin: the fault keeps it from beginning.
    await stage.sim.add_fault("registry .*", "status", status=503, times=None)
    await stage.says("bob", "/approve", on=pull["number"])
    await stage.sim.clear_faults()
    assert (await stage.latest("production")).status in (Status.REQUESTED, Status.APPROVED)
    await ruled(stage, Where.PRODUCTION, approve=Who(role="admin"))
    no = await workflow.exchange(await workflow.id_token("production", run), "production")
    assert no.status == 400
    assert no.failing()


async def test_having_been_live_once_opens_nothing_today(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await live(stage, "Add cart")
    commit = pull["merge_commit_sha"]
    run = await workflow.starts(commit)
    token = await workflow.token("production", run)
    assert (await workflow.promotes(token, "production")).body["status"] == "live"
    newer = await live(stage, "Another")
    no = await workflow.exchange(await workflow.id_token("production", run), "production")
    assert (no.status, no.code) == (400, "no_decision")
    after = await workflow.starts(newer["merge_commit_sha"])
    assert (await workflow.exchange(await workflow.id_token("production", after), "production")).status == 200


async def test_rule_07_a_forks_run_gets_no_token(workflow: Workflow) -> None:
    stage = workflow.stage
    await stage.sim.create_repository("mallory/shop", collaborators={"mallory": "admin"}, files={"a": "b"})
    built = await workflow.builds("Add cart")
    run = await stage.sim.run_workflow(
        REPOSITORY,
        head_sha=built["merge_commit_sha"],
        path=".github/workflows/deploy.yml",
        event="workflow_dispatch",
        conclusion=None,
        head_repository="mallory/shop",
    )
    no = await workflow.exchange(await workflow.id_token("dev", run["id"]))
    assert (no.status, no.code) == (400, "fork_refused")


async def test_another_workflow_than_the_build_deploys_nothing_that_was_not_built(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    run = await workflow.starts(built["merge_commit_sha"])
    no = await workflow.exchange(await workflow.id_token("dev", run))
    assert (no.status, no.code) == (400, "release_unknown")
    await stage.sim.complete_run(REPOSITORY, built["run"])
    await stage.settle()
    assert (await workflow.exchange(await workflow.id_token("dev", run))).status == 200


# --- what is never given out -----------------------------------------------------------------------------------------


@given(st.uuids())
def test_no_environment_has_one_subject_for_both(guid: object) -> None:
    """`miso:env:` is Miso's own and is never what a workflow gets, whatever the GUID."""
    assert workflow_subject(str(guid)) == f"miso:workflow:{guid}"
    assert not workflow_subject(str(guid)).startswith("miso:env:")


@given(st.text(max_size=60))
def test_nothing_but_a_guid_makes_a_subject(text: str) -> None:
    try:
        made = workflow_subject(text)
    except ValueError:
        return
    assert made == f"miso:workflow:{text}"
    assert len(text) == 36


async def test_of_all_that_the_doors_ever_gave_a_workflow_nothing_is_in_the_name_of_miso(tmp_path: Path) -> None:
    async with staged(tmp_path, MISO_WORKFLOW_ASSERTIONS="true") as stage, working(stage) as workflow:
        pull = await live(stage, "Add cart")
        run = await workflow.starts(pull["merge_commit_sha"])
        subjects = []
        for place in stage.environments:
            token = await workflow.token(place, run)
            subjects.append(jwt.decode(token, options={"verify_signature": False})["sub"])
            answer = await workflow.post("/oidc/assertion", {}, token=token)
            if answer.status == 200:
                subjects.append(jwt.decode(answer.body["assertion"], options={"verify_signature": False})["sub"])
        assert len(subjects) == 5
        assert not [subject for subject in subjects if subject.startswith(("miso:env:", "miso:signin"))]


async def test_production_gets_no_assertion_even_where_its_row_was_changed_meanwhile(tmp_path: Path) -> None:
    async with staged(tmp_path, MISO_WORKFLOW_ASSERTIONS="true") as stage, working(stage) as workflow:
        pull = await stage.ships("Add cart")
        token = await workflow.token("dev", await workflow.starts(pull["merge_commit_sha"]))
        holder = await tokens.principal(stage.miso, token)
        [application] = await stage.miso.store.applications()
        rows: list[Environment] = [
            replace(each, stage=Where.PRODUCTION) if each.stage is Where.DEV else each
            for each in await stage.miso.store.environments(application.id)
        ]
        await stage.miso.store.register(application, rows)
        with pytest.raises(Refused) as no:
            await exchange.assertion(stage.miso, holder)
        assert no.value.code == "assertion_refused"
