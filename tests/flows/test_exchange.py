"""The exchange is the gate: a deploy token for a run that the engine lets in, and for nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import jwt
import pytest

from bot.domain.promotion import fold
from bot.services.notes import Note
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY
from tests.flows.stage import Stage
from tests.flows.workflow import Workflow, working


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def test_a_build_deploys_itself_to_dev_and_its_end_tells_the_same_story(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == stage.url
    assert (claims["application_id"], claims["environment_id"]) == (APPLICATION_ID, stage.environments["dev"])
    assert (claims["commit"], claims["run_id"]) == (built["merge_commit_sha"], built["run"])
    assert claims["exp"] - claims["iat"] == 600
    asked = await workflow.promotes(token)
    assert asked.status == 202, asked.body
    assert asked.headers["Location"] == f"/api/v1/promotions/{asked.body['id']}"
    await stage.settle()
    assert await stage.runs("dev") == built["digest"]
    shown = await workflow.call("GET", asked.headers["Location"], token=token)
    assert (shown.body["status"], shown.body["commit"]) == ("live", built["merge_commit_sha"])
    await stage.sim.complete_run(REPOSITORY, built["run"])
    await stage.settle()
    assert len(await stage.miso.store.promotions(environment_id=stage.environments["dev"])) == 1
    assert not await workflow.rows(Note.BUILD_REFUSED)


async def test_without_an_image_of_the_commit_there_is_nothing_to_deploy(workflow: Workflow) -> None:
    run = await workflow.stage.sim.run_workflow(REPOSITORY, conclusion=None)
    await workflow.stage.settle()
    no = await workflow.exchange(await workflow.id_token("dev", run["id"]))
    assert (no.status, no.body["error"], no.code) == (400, "invalid_request", "image_not_found")


async def test_production_is_for_what_people_have_let_in(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    commit = pull["merge_commit_sha"]
    run = await workflow.starts(commit)
    no = await workflow.exchange(await workflow.id_token("production", run), "production")
    assert (no.status, no.body["error"], no.code) == (400, "invalid_request", "no_decision")
    assert "not_verified_before" in no.failing()
    await stage.says("bob", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    no = await workflow.exchange(await workflow.id_token("production", run), "production")
    assert (no.status, no.code) == (400, "needs_approval")
    await stage.says("bob", "/approve", on=pull["number"])
    token = await workflow.token("production", run)
    asked = await workflow.promotes(token, "production")
    assert (asked.status, asked.body["id"]) == (202, (await stage.latest("production")).stream)
    assert asked.body["status"] == "live"


async def test_rule_29_a_workflow_without_an_environment_gets_none(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    no = await workflow.exchange(await workflow.id_token(None, built["run"]))
    assert (no.status, no.code) == (400, "trust_environment_missing")


async def test_rule_29_no_approval_of_a_gate_at_github_makes_a_token(workflow: Workflow) -> None:
    """The gate only mirrors: what an administrator waved through there is still undecided here."""
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    commit = pull["merge_commit_sha"]
    run = await workflow.starts(commit)
    await stage.sim.request_gate(REPOSITORY, run, "production")
    await stage.settle()
    await stage.sim.review_gate(REPOSITORY, run, "production", "olga", bypass=True)
    await stage.settle()
    no = await workflow.exchange(await workflow.id_token("production", run), "production")
    assert (no.status, no.code) == (400, "no_decision")


async def test_rule_20_whatever_is_not_bound_gets_one_answer(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    other = "90d00f1c-0b5a-4a55-8d0b-5d1e5b6f0dff"
    answers = [
        await workflow.exchange(await workflow.id_token("dev", built["run"]), **{name: other})
        for name in ("application_id", "environment_id", "subscription_id")
    ]
    # A stranger's repository with the shop's GUIDs learns no more than one with invented ones.
    foreign = "mallory/copy"
    await stage.sim.create_repository(foreign, collaborators={"mallory": "admin"}, files={"a": "b"})
    answers.append(await workflow.exchange(await workflow.id_token("dev", repository=foreign)))
    theirs = await workflow.id_token("dev", repository=foreign)
    answers.append(await workflow.exchange(theirs, application_id=other))
    assert {(a.status, a.body["error"], a.code, a.body["error_description"]) for a in answers} == {
        (400, "invalid_request", "guid_not_bound", answers[0].body["error_description"])
    }
    rows = await workflow.rows(Note.EXCHANGE_REFUSED)
    assert [row.body["code"] for row in rows] == ["guid_not_bound"] * 3 + ["trust_repository", "guid_not_bound"]
    assert {row.environment_id for row in rows} == {""}


async def test_rule_30_a_token_is_exchanged_once(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    id_token = await workflow.id_token("dev", built["run"])
    assert (await workflow.exchange(id_token)).status == 200
    again = await workflow.exchange(id_token)
    assert (again.status, again.code) == (400, "token_replayed")


async def test_rule_30_of_two_at_once_one_wins(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    for _ in range(3):
        id_token = await workflow.id_token("dev", built["run"])
        answers = await asyncio.gather(*(workflow.exchange(id_token) for _ in range(8)))
        assert sorted(a.status for a in answers) == [200] + [400] * 7
        assert {a.code for a in answers if a.status == 400} == {"token_replayed"}
    assert len(await workflow.rows(Note.TOKEN_ISSUED)) == 3


async def test_rule_30_a_no_of_the_engine_spends_the_token_and_a_mistake_does_not(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    run = await workflow.starts(pull["merge_commit_sha"])
    id_token = await workflow.id_token("production", run)
    assert (await workflow.exchange(id_token, "dev")).code == "trust_environment"
    assert (await workflow.exchange(id_token, "production")).code == "no_decision"
    assert (await workflow.exchange(id_token, "production")).code == "token_replayed"


async def test_rule_31_an_older_attempt_gets_none_and_the_new_one_is_decided_anew(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    old = await workflow.id_token("dev", built["run"])
    await stage.sim.run_workflow(REPOSITORY, run_id=built["run"], head_sha=built["merge_commit_sha"], conclusion=None)
    await stage.settle()
    no = await workflow.exchange(old)
    assert (no.status, no.code) == (400, "trust_attempt")
    token = await workflow.token("dev", built["run"])
    assert jwt.decode(token, options={"verify_signature": False})["run_attempt"] == 2


async def test_a_run_that_has_ended_gets_none(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    id_token = await workflow.id_token("dev", built["run"])
    await workflow.stage.sim.complete_run(REPOSITORY, built["run"])
    no = await workflow.exchange(id_token)
    assert (no.status, no.code) == (400, "trust_run")


async def test_a_run_of_another_commit_gets_none(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    other = await stage.sim.push(REPOSITORY, "ann", {"x": "y"})
    no = await workflow.exchange(await workflow.id_token("dev", built["run"], sha=str(other["sha"])))
    assert (no.status, no.code) == (400, "trust_commit")


async def test_every_refusal_and_every_use_is_a_row_and_no_token_is_written_down(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    await workflow.promotes(token)
    await workflow.call("GET", "/api/v1/me", token=token)
    await workflow.exchange(await workflow.id_token(None, built["run"]))
    [issued] = await workflow.rows(Note.TOKEN_ISSUED)
    used = await workflow.rows(Note.TOKEN_USED)
    [refused] = await workflow.rows(Note.EXCHANGE_REFUSED)
    assert {row.stream for row in used} == {issued.stream}
    assert len(used) == 2
    assert (refused.body["code"], refused.body["claim"]) == ("trust_environment_missing", "environment")
    assert refused.body["issuer"] == stage.world.addresses.actions
    assert refused.environment_id == stage.environments["dev"]
    written = repr([(row.body, row.stream) for row in await stage.miso.store.ledger(limit=1000)])
    for secret in workflow.tokens:
        assert secret not in written
        assert secret.rpartition(".")[2] not in written
    database = b"".join(path.read_bytes() for path in stage.settings.data_dir.iterdir() if path.is_file())
    for secret in workflow.tokens:
        assert secret.rpartition(".")[2].encode() not in database
    assert await stage.miso.store.verify() == []


async def test_a_promotion_by_a_workflow_is_in_its_name(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    asked = await workflow.promotes(await workflow.token("dev", built["run"]))
    promotion = fold(await stage.miso.store.stream(asked.body["id"]))
    assert promotion.request.requester.kind == "workflow"
    assert promotion.request.requester.id == stage.shop.people["ann"]
    assert asked.body["requester"]["kind"] == "workflow"
