"""People who signed in elsewhere act as the GitHub account that they were proven to be, and as nobody else (rule 9)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.identity import Door, Grant, Principal
from bot.domain.model import Actor, ActorKind, Status
from bot.domain.model import Stage as Where
from bot.domain.rules import Who
from bot.services import approvals, links, promotions
from bot.services.notes import Note
from bot.services.promotions import Word
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import goes_on
from tests.flows.elsewhere import DOORS, approves, asks, linked, origin_of, refused, signed_in, subject_of
from tests.flows.stage import Stage
from tests.flows.words import in_test, replies, rows, ruled, types, waiting, written

# --- the proof -------------------------------------------------------------------------------------------------------


async def test_the_answer_names_neither_the_code_nor_who_signed_in(stage: Stage) -> None:
    pull = await stage.ships("A link")
    code = await links.begin(stage.miso, signed_in("bob"))
    told = await stage.says("bob", f"/link {code}", on=pull["number"])
    [reply] = told["replies"]
    assert "`bob` is linked" in reply
    assert code not in reply
    assert "entra" not in reply
    [row] = await rows(stage, Note.PERSON_LINKED)
    assert (row.actor_id, row.body["account"]) == (stage.shop.people["bob"], stage.shop.people["bob"])
    again = await stage.says("ann", f"/link {code}", on=pull["number"])
    assert "link_code" in again["replies"][0]
    assert len(await rows(stage, Note.PERSON_LINKED)) == 1


async def test_rule_15_whoever_may_only_read_proves_who_they_are_and_says_nothing_else(stage: Stage) -> None:
    pull = await stage.ships("A reader")
    before = len(await written(stage))
    wrong = await stage.says("eve", "/link BBBB-BBBB-BBBB", on=pull["number"])
    assert ([r["content"] for r in wrong["reactions"]], wrong["replies"]) == (["confused"], [])
    assert len(await written(stage)) - before == 1
    code = await links.begin(stage.miso, signed_in("eve"))
    told = await stage.says("eve", f"/link {code}", on=pull["number"])
    assert "is linked" in told["replies"][0]
    no = await stage.says("eve", "/promote test", on=pull["number"])
    assert ([r["content"] for r in no["reactions"]], no["replies"]) == (["confused"], [])


async def test_a_link_is_heard_on_an_issue_where_nothing_else_is(stage: Stage) -> None:
    """The App may read issues and not write on them, so it answers nothing there."""
    pull = await stage.ships("An issue")
    code = await links.begin(stage.miso, signed_in("bob"))
    before = len(await written(stage))
    for text in ("/promote test", "/help", f"/link {code}"):
        await types(stage, "bob", text, on=pull["number"])
        last = next(d for d in reversed(stage.world.webhooks.log) if d.event == "issue_comment")
        await stage.miso.store.delivery_done(last.guid)
        body = json.loads(last.body)
        del body["issue"]["pull_request"]
        stage.world.webhooks.emit(
            "issue_comment", body, installation_id=last.installation_id, repository_id=last.repository_id
        )
    await stage.settle()
    assert len(await written(stage)) == before
    assert await stage.runs("test") == ""
    found = await links.of(stage.miso, subject_of("bob"))
    assert found is not None
    assert found.actor.id == stage.shop.people["bob"]


async def test_rule_04_an_edited_comment_links_nobody(stage: Stage) -> None:
    pull = await stage.ships("Edited")
    code = await links.begin(stage.miso, signed_in("bob"))
    made = await types(stage, "bob", f"/link {code}", on=pull["number"])
    await stage.sim.edit_comment(REPOSITORY, made, "nothing")
    await stage.settle()
    assert await links.of(stage.miso, subject_of("bob")) is None
    assert "edited_comment" in "".join(await replies(stage, pull["number"]))


# --- four eyes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
async def test_rule_09_the_author_is_no_second_person_by_any_door(stage: Stage, door: Door) -> None:
    """Ann asked by comment; signed in elsewhere she is Ann."""
    await waiting(stage, "Four eyes")
    outcome = await approves(stage, await linked(stage, "ann", door))
    assert outcome.decision is not None
    assert outcome.decision.code == "author_is_approver"
    assert (await stage.latest("production")).status is Status.REQUESTED
    bob = await linked(stage, "bob", door)
    await approves(stage, bob)
    await stage.settle()
    [approval] = (await stage.latest("production")).approvals
    assert approval.actor.id == stage.shop.people["bob"]
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_09_one_person_at_two_doors_is_one_approver(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, approvals=2)
    pull = await in_test(stage, "Twice")
    await stage.says("ann", "/promote production", on=pull["number"])
    await stage.says("bob", "/approve", on=pull["number"])
    outcome = await approves(stage, await linked(stage, "bob"))
    assert outcome.decision is not None
    assert outcome.decision.code == "already_approved"
    assert len((await stage.latest("production")).approvals) == 1


async def test_rule_09_whoever_asks_elsewhere_is_the_requester_at_github(stage: Stage) -> None:
    pull = await in_test(stage, "Asked elsewhere")
    olga = await linked(stage, "olga", Door.API)
    outcome = await asks(stage, olga)
    assert outcome.promotion is not None
    told = await approves(stage, replace(olga, door=Door.CLI))
    assert told.decision is not None
    assert told.decision.code == "author_is_approver"
    await approves(stage, await linked(stage, "bob"))
    await stage.settle()
    assert await stage.runs("production") == pull["digest"]


async def test_rule_09_whoever_started_the_workflow_that_asks_is_no_second_person(stage: Stage) -> None:
    await ruled(stage, Where.DEV, approvals=1)
    pull = await stage.ships("By workflow")
    await stage.says("ann", "/reject not so", on=pull["number"])
    built = (await stage.latest("dev")).request.release
    grant = Grant(
        token_hash="0" * 64,
        application_id=built.application_id,
        environment_id=stage.environments["dev"],
        repository_id=built.repository_id,
        commit=built.commit,
        run_id=built.run_id,
        run_attempt=1,
        expires_us=stage.clock.now_us() + 60_000_000,
        started_by=stage.shop.people["bob"],
    )
    run = Principal(actor=Actor(kind=ActorKind.WORKFLOW, id=built.run_id), door=Door.API, grant=grant)
    outcome = await asks(stage, run, before="dev", where="dev")
    assert outcome.promotion is not None
    bob, olga = await linked(stage, "bob"), await linked(stage, "olga")
    told = await approves(stage, bob, "dev")
    assert told.decision is not None
    assert told.decision.code == "author_is_approver"
    await approves(stage, olga, "dev")
    await stage.settle()
    assert await stage.runs("dev") == pull["digest"]


@pytest.mark.parametrize("door", DOORS)
async def test_rule_09_somebody_who_is_not_linked_moves_nothing(stage: Stage, door: Door) -> None:
    await waiting(stage, "A guest")
    promotion = await stage.latest("production")
    guest, origin = signed_in("bob", door), origin_of(promotion)
    word = Word(principal=guest, cause="x")
    sent = len(await stage.sim.exchanges(server="github", path="/collaborators/"))
    attempts = [
        approvals.approve(stage.miso, promotion.stream, word, origin),
        approvals.revoke(stage.miso, promotion.stream, word),
        promotions.reject(stage.miso, promotion.stream, word, origin, ""),
        promotions.cancel(stage.miso, promotion.stream, word, origin, ""),
        asks(stage, guest),
    ]
    assert [await refused(attempt) for attempt in attempts] == ["not_linked"] * 5
    after = await stage.latest("production")
    assert (after.status, after.approvals) == (Status.REQUESTED, ())
    assert len(await stage.sim.exchanges(server="github", path="/collaborators/")) == sent


# --- what counts is asked anew ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["renamed", "no access"])
async def test_rule_05_an_approval_from_elsewhere_counts_only_while_the_account_may(stage: Stage, change: str) -> None:
    """Bob approved on a page; GitHub is asked about his account again before the first write."""
    await waiting(stage, "Until the effect")
    bob = await linked(stage, "bob")
    await stage.sim.add_fault("registry .*", "status", status=503, times=None, skip=2)
    await approves(stage, bob)
    await stage.running.worker.settle()
    assert (await stage.latest("production")).status is Status.APPROVED
    if change == "renamed":
        await stage.sim.rename_user("bob", "robert")
    else:
        await stage.sim.set_collaborator(REPOSITORY, "bob", "read")
    await goes_on(stage)
    latest = await stage.latest("production")
    assert (latest.status, latest.code) == (Status.REFUSED, "needs_approval")
    assert await stage.runs("production") == ""


async def test_rule_05_a_link_gives_nobody_access_to_a_repository(stage: Stage) -> None:
    await waiting(stage, "A reader")
    eve = await linked(stage, "eve")
    assert await refused(approves(stage, eve)) == "permission_denied"
    taken = replace(eve, actor=replace(eve.actor, login="bob"))
    assert await refused(approves(stage, taken)) == "permission_denied", "a name is nobody's number"


async def test_the_policys_people_count_for_those_who_sign_in_too(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, approve=Who(users=(stage.shop.people["olga"],)))
    await waiting(stage, "Only Olga")
    outcome = await approves(stage, await linked(stage, "bob"))
    assert outcome.decision is not None
    assert outcome.decision.code == "not_in_team"
    await approves(stage, await linked(stage, "olga"))
    await stage.settle()
    assert (await stage.latest("production")).status is Status.LIVE
