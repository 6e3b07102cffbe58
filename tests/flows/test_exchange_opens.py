"""What a deploy token opens, and when it opens nothing any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from bot.services.bearer import key_of
from bot.services.notes import Note
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage, staged
from tests.flows.workflow import Workflow, working


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def test_a_token_is_for_one_environment_and_one_commit(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    for no in (
        await workflow.promotes(token, "test"),
        await workflow.promotes(token, commit="f" * 40),
        await workflow.promotes(token, application_id="90d00f1c-0b5a-4a55-8d0b-5d1e5b6f0dff"),
    ):
        assert (no.status, no.code) == (403, "token_scope")
        assert no.headers["Content-Type"].startswith("application/problem+json")
    back = await workflow.promotes(token, rollback=True)
    glass = await workflow.promotes(token, break_glass=True, reason="it burns")
    assert (back.code, glass.code) == ("bot_refused", "bot_refused")
    assert (await workflow.promotes(token, commit=built["merge_commit_sha"][:12])).status == 202


async def test_a_token_sees_its_own_environment_and_says_nothing_about_it(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    await stage.says("bob", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    token = await workflow.token("dev", await workflow.starts(pull["merge_commit_sha"]))
    here, there = (await stage.latest("dev")).stream, (await stage.latest("production")).stream
    assert (await workflow.call("GET", f"/api/v1/promotions/{here}", token=token)).status == 200
    foreign = await workflow.call("GET", f"/api/v1/promotions/{there}", token=token)
    unknown = await workflow.call("GET", f"/api/v1/promotions/promotion-{'0' * 24}", token=token)
    assert (foreign.status, foreign.body) == (unknown.status, unknown.body) == (404, unknown.body)
    shown = await workflow.call("GET", "/api/v1/applications", token=token)
    assert [place["stage"] for each in shown.body["applications"] for place in each["environments"]] == ["dev"]
    for word in ("approve", "reject", "revoke", "cancel"):
        assert (await workflow.call("POST", f"/api/v1/promotions/{there}/{word}", {}, token=token)).code == "not_found"
        assert (await workflow.call("POST", f"/api/v1/promotions/{here}/{word}", {}, token=token)).status == 403
    listing = await workflow.call("GET", "/api/v1/tokens", token=token)
    assert (listing.status, listing.code) == (403, "bot_refused")
    assert (await stage.latest("production")).status == "requested"


async def test_asked_twice_it_is_one_promotion(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    answers = await asyncio.gather(*(workflow.promotes(token) for _ in range(4)))
    again = await workflow.promotes(await workflow.token("dev", built["run"]))
    assert {each.status for each in (*answers, again)} == {202}, [each.body for each in answers]
    assert {each.body["id"] for each in answers} == {again.body["id"]}


async def test_after_a_hold_a_token_opens_nothing_but_how_it_ended(workflow: Workflow) -> None:
    stage = workflow.stage
    await stage.ships("First")
    built = await workflow.builds("Add cart", mark="unhealthy")
    token = await workflow.token("dev", built["run"])
    other = await workflow.token("dev", built["run"])
    asked = await workflow.promotes(token)
    await stage.settle()
    shown = await workflow.call("GET", asked.headers["Location"], token=token)
    assert shown.body["status"] == "rolled_back"
    no = await workflow.promotes(other)
    assert (no.status, no.code) == (409, "release_held")
    assert "release_held" in no.failing()
    assert (await workflow.exchange(await workflow.id_token("dev", built["run"]))).code == "release_held"
    form = {"token": token}
    assert (await workflow.post("/oidc/introspect", form, token=token)).body == {"active": False}


async def test_after_a_ban_a_token_opens_nothing(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    token = await workflow.token("dev", await workflow.starts(pull["merge_commit_sha"]))
    assert (await workflow.promotes(token)).status == 202
    await stage.says("bob", f"/reject @{pull['merge_commit_sha'][:12]} it leaks", on=pull["number"])
    no = await workflow.promotes(token)
    assert (no.status, no.code) == (409, "release_rejected")


async def test_a_lock_that_came_between_stops_it(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    await stage.says("bob", "/lock dev looking at something", on=built["number"])
    no = await workflow.promotes(token)
    assert (no.status, no.code) == (409, "locked")


async def test_when_its_run_ends_a_token_asks_for_nothing_more(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    await workflow.stage.sim.complete_run(REPOSITORY, built["run"], "failure")
    no = await workflow.promotes(token)
    assert (no.status, no.code) == (400, "trust_run")


async def test_a_token_runs_out(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    workflow.stage.clock.pass_(700)
    no = await workflow.promotes(token)
    assert (no.status, no.code) == (401, "token_invalid")
    assert 'error="invalid_token"' in no.headers["WWW-Authenticate"]
    assert (await workflow.post("/oidc/introspect", {"token": token}, token=token)).body == {"active": False}


async def test_rule_18_nothing_that_a_token_names_is_ever_fetched(workflow: Workflow) -> None:
    """An issuer that is not on the list is asked for nothing, and neither is a key's address."""
    stage, built = workflow.stage, await workflow.builds("Add cart")
    foreign = await stage.sim.actions_issuer("/other")
    await stage.sim.clear_exchanges()
    for more in ({"issuer": "/other"}, {"headers": {"jku": f"{foreign}/.well-known/jwks"}}):
        assert (await workflow.exchange(await workflow.id_token("dev", built["run"], **more))).status == 400
    assert await stage.sim.actions_fetches("/other") == 0


# --- looking at a token, and ending it -------------------------------------------------------------------------------


async def test_a_token_may_look_at_itself_and_nobody_else_at_it(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token, other = await workflow.token("dev", built["run"]), await workflow.token("dev", built["run"])
    shown = (await workflow.post("/oidc/introspect", {"token": token}, token=token)).body
    assert shown["active"] is True
    assert (shown["commit"], shown["scope"]) == (built["merge_commit_sha"], "deploy")
    for bearer in ("", other, "misoa_" + "a" * 43, "x.y.z"):
        answer = await workflow.post("/oidc/introspect", {"token": token}, token=bearer)
        assert (answer.status, answer.body) == (200, {"active": False})
    tampered = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    assert (await workflow.post("/oidc/introspect", {"token": tampered}, token=tampered)).body == {"active": False}


async def test_a_token_that_was_handed_in_opens_nothing_from_then_on(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    for given in (token, token, "nothing of ours", "misor_" + "a" * 43):
        answer = await workflow.post("/oidc/revoke", {"token": given})
        assert (answer.status, answer.body) == (200, {})
    no = await workflow.promotes(token)
    assert (no.status, no.code) == (401, "token_revoked")
    assert (await workflow.post("/oidc/introspect", {"token": token}, token=token)).body == {"active": False}
    [row] = await workflow.rows(Note.TOKEN_REVOKED)
    assert row.body == {"token": key_of(token), "how": "holder"}
    kept = await workflow.stage.miso.store.kept("token", key_of(token))
    assert kept is not None
    assert kept.body["revoked_us"]


# --- an assertion for Azure ------------------------------------------------------------------------------------------


async def test_assertions_are_off(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    no = await workflow.post("/oidc/assertion", {}, token=await workflow.token("dev", built["run"]))
    assert (no.status, no.code) == (400, "assertion_refused")


async def test_where_they_are_on_they_have_a_subject_of_their_own_and_production_has_none(tmp_path: Path) -> None:
    async with staged(tmp_path, MISO_WORKFLOW_ASSERTIONS="true") as stage, working(stage) as workflow:
        pull = await stage.ships("Add cart")
        await stage.says("bob", "/promote test", on=pull["number"])
        await stage.says("ann", "/promote production", on=pull["number"])
        await stage.says("bob", "/approve", on=pull["number"])
        run = await workflow.starts(pull["merge_commit_sha"])
        for place in ("dev", "test"):
            made = await workflow.post("/oidc/assertion", {}, token=await workflow.token(place, run))
            claims = jwt.decode(made.body["assertion"], options={"verify_signature": False})
            assert claims["sub"] == made.body["subject"] == f"miso:workflow:{stage.environments[place]}"
            assert claims["aud"] == "api://AzureADTokenExchange"
        no = await workflow.post("/oidc/assertion", {}, token=await workflow.token("production", run))
        assert (no.status, no.code) == (400, "assertion_refused")
        token = await workflow.token("test", run)
        await stage.says("bob", "/lock test looking at something", on=pull["number"])
        no = await workflow.post("/oidc/assertion", {}, token=token)
        assert (no.status, no.code) == (400, "locked")
        assert len(await workflow.rows(Note.ASSERTION_ISSUED)) == 2


async def test_an_assertion_is_no_token_and_a_token_no_subject(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    assertion = stage.running.issuer.assertion(stage.environments["dev"])
    no = await workflow.promotes(assertion)
    assert (no.status, no.code) == (401, "token_invalid")
    token = await workflow.token("dev", built["run"])
    assert (await workflow.exchange(assertion)).code == "issuer_refused"
    assert (await workflow.exchange(token)).code == "token_header"
