"""What several hands do at the same moment, and what was proven and is no more: nobody gains by being quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jwt
import pytest

from bot.domain.model import Row
from bot.domain.model import Stage as Where
from bot.errors import Refused
from bot.oidc.opening import open_rings
from bot.services import exchange, journal, links
from bot.services.bearer import key_of
from bot.services.exchange import ExchangeForm
from bot.services.notes import Note
from bot.services.people import without
from bot.sim.scenarios import APPLICATION_ID, SUBSCRIPTION_ID
from tests.flows.signed_in import browses
from tests.flows.stage import Stage, staged
from tests.flows.test_api_people import waiting_in_production
from tests.flows.words import ruled
from tests.flows.workflow import ID_TOKEN, Answer, Workflow, working


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as ready:
        yield ready


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


# --- at the same moment ----------------------------------------------------------------------------------------------


class Meanwhile:
    """A store in which something happens once, between the reading of a stream and the writing to it."""

    def __init__(self, store: Any, happens: Callable[[], Awaitable[object]]) -> None:
        self._store, self._happens, self._reads = store, happens, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def stream(self, stream: str) -> Any:
        rows = await self._store.stream(stream)
        if stream.startswith("exchange-"):
            self._reads += 1
            if self._reads == 1:
                await self._happens()
        return rows


async def test_rule_30_a_no_spends_the_token_though_another_no_was_quicker(workflow: Workflow) -> None:
    """Else somebody who asks for two environments at once keeps a token that is good when the yes comes."""
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    token = await workflow.id_token("production", await workflow.starts(pull["merge_commit_sha"]))
    form = ExchangeForm(
        subject_token=token,
        subject_token_type=ID_TOKEN,
        application_id=APPLICATION_ID,
        subscription_id=SUBSCRIPTION_ID,
        environment_id=stage.environments["production"],
    )
    store = Meanwhile(stage.miso.store, lambda: workflow.exchange(token, "dev"))
    with pytest.raises(Refused) as no:
        await exchange.exchange(replace(stage.miso, store=cast(Any, store)), form)
    assert no.value.code == "no_decision"
    assert (await workflow.exchange(token, "production")).code == "token_replayed"
    codes = [row.body["code"] for row in await workflow.rows(Note.EXCHANGE_REFUSED)]
    assert codes == ["trust_environment", "no_decision", "token_replayed"]


async def test_one_person_at_two_doors_at_once_is_one_approval(workflow: Workflow) -> None:
    stage = workflow.stage
    await ruled(stage, Where.PRODUCTION, approvals=2)
    pull, stream = await waiting_in_production(stage)
    bob, path = await browses(stage, "bob"), f"/api/v1/promotions/{stream}/approve"
    await asyncio.gather(
        *(workflow.call("POST", path, {}, **bob) for _ in range(4)),
        stage.says("bob", "/approve", on=pull["number"]),
    )
    latest = await stage.latest("production")
    assert (latest.status, len(latest.approvals)) == ("requested", 1)


async def test_of_a_yes_and_a_no_at_once_the_no_holds(workflow: Workflow) -> None:
    """Whichever was written first: nothing reaches production that anybody has rejected before it began."""
    stage = workflow.stage
    _, stream = await waiting_in_production(stage)
    bob, path = await browses(stage, "bob"), f"/api/v1/promotions/{stream}"
    answers = await asyncio.gather(
        workflow.call("POST", f"{path}/approve", {}, **bob), workflow.call("POST", f"{path}/reject", {}, **bob)
    )
    await stage.settle()
    assert (await stage.latest("production")).status == "rejected", [each.body for each in answers]
    assert await stage.runs("production") == ""


async def test_a_token_that_is_ended_while_it_is_used_opens_nothing_afterwards(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    answers = await asyncio.gather(
        *(workflow.call("GET", "/api/v1/me", token=token) for _ in range(5)),
        workflow.post("/oidc/revoke", {"token": token}),
        *(workflow.call("GET", "/api/v1/me", token=token) for _ in range(5)),
    )
    assert {(each.status, each.code) for each in answers} <= {(200, ""), (401, "token_revoked")}
    assert (await workflow.call("GET", "/api/v1/me", token=token)).code == "token_revoked"
    rows = await stage.miso.store.stream(journal.stream_id("token", key_of(token)))
    assert [row.kind for row in rows].count(Note.TOKEN_REVOKED) == 1


async def test_no_request_fails_while_keys_turn_and_what_ran_out_is_removed(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token, path = await workflow.token("dev", built["run"]), stage.settings.keys_dir
    operator = await open_rings(path, issuer=stage.url, now_us=stage.clock.now_us)
    ready = [await workflow.id_token("dev", built["run"]) for _ in range(6)]
    stage.clock.pass_(61)  # so often a controller looks at its keys
    answers = await asyncio.gather(
        operator.token.rotate(at_once=True),
        *(workflow.exchange(each) for each in ready[:3]),
        stage.miso.oidc.tend(),
        stage.miso.store.purge(),
        *(workflow.exchange(each) for each in ready[3:]),
        stage.miso.oidc.tend(),
        workflow.call("GET", "/api/v1/me", token=token),
    )
    given = [each for each in answers if isinstance(each, Answer)]
    assert [each.status for each in given] == [200] * 7
    stage.clock.pass_(61)
    await stage.miso.oidc.tend()
    later = await workflow.token("dev", built["run"])
    kids = {jwt.get_unverified_header(each)["kid"] for each in (token, later)}
    assert len(kids) == 2, "the key has turned"
    for each in (token, later, *(each.body["access_token"] for each in given[:6])):
        assert (await workflow.call("GET", "/api/v1/me", token=each)).status == 200


# --- what was proven, and is no more ---------------------------------------------------------------------------------


async def approved_by_bob(workflow: Workflow) -> tuple[str, Row]:
    """In a browser, while GitHub's silence keeps the effect from beginning."""
    stage = workflow.stage
    _, stream = await waiting_in_production(stage)
    await stage.sim.add_fault("registry .*", "status", status=503, times=None, skip=2)
    done = await workflow.call("POST", f"/api/v1/promotions/{stream}/approve", {}, **await browses(stage, "bob"))
    assert (done.status, done.body["status"]) == (200, "approved"), done.body
    return stream, (await stage.miso.store.stream(stream))[-1]


async def goes_on(stage: Stage) -> Any:
    await stage.sim.clear_faults()
    stage.clock.pass_(601)
    await stage.settle()
    return await stage.latest("production")


async def test_rule_09_an_approval_ends_with_the_link_that_made_it_somebodys(workflow: Workflow) -> None:
    """Whoever was taken for Bob by mistake approved; when that is put right, nobody has approved."""
    stage = workflow.stage
    _, row = await approved_by_bob(workflow)
    subject = "entra:tenant:bob"
    assert row.body["subject"] == subject
    kept = await stage.miso.store.kept(links.LINK, key_of(subject))
    assert kept is not None
    assert await stage.miso.store.keep(without(kept))
    latest = await goes_on(stage)
    assert (latest.status, latest.approvals) == ("requested", ())
    assert [each.void for each in latest.voided] == ["not_linked"]
    assert await stage.runs("production") == ""


async def test_rule_09_an_approval_that_is_still_its_givers_goes_on(workflow: Workflow) -> None:
    await approved_by_bob(workflow)
    assert (await goes_on(workflow.stage)).status == "live"
