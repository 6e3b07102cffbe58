"""Holes that were found in the doors, each by what somebody would gain from it; and what must stay shut beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.domain.identity import Door, Principal
from bot.domain.model import Actor, ActorKind
from bot.services import sessions, tokens
from bot.services.bearer import key_of
from bot.services.notes import Note
from bot.web import auth
from bot.web.api_bodies import cause_of
from tests.flows.signed_in import browses, signs_in
from tests.flows.stage import Stage, staged
from tests.flows.test_api_people import waiting_in_production
from tests.flows.test_exchange_elsewhere import trusting
from tests.flows.workflow import Workflow, working
from tests.hostile.bytes import send
from tests.hostile.trick import NOWHERE

FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as ready:
        yield ready


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def refused(workflow: Workflow) -> list[tuple[str, str]]:
    """Who was turned away, in order: door and code."""
    return [(str(row.body["door"]), str(row.body["code"])) for row in await workflow.rows(Note.DOOR_REFUSED)]


# --- sessions of others ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["all", "one"])
async def test_a_workflows_token_ends_nobodys_session(workflow: Workflow, which: str) -> None:
    """It has no sessions, which must not mean everybody's."""
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    ann, bob = await signs_in(stage, "ann"), await browses(stage, "bob")
    [session] = await sessions.of_person(stage.miso, "entra:tenant:bob")
    sent = {"session": "all" if which == "all" else session.key}
    answer = await send(
        stage.url,
        "POST /sign-out",
        [FORM, ("Authorization", f"Bearer {token}")],
        f"session={sent['session']}".encode(),
    )
    assert (answer.status, answer.code) == (403, "door_refused")
    assert (await workflow.call("GET", "/api/v1/me", token=ann)).status == 200
    assert (await workflow.call("GET", "/api/v1/me", **bob)).status == 200
    assert await sessions.of_person(stage.miso, "") == []


async def test_another_cookie_that_says_it_holds_ours_is_no_session(workflow: Workflow) -> None:
    """A page on a host beside ours may set cookies of its own names for ours too, and no prefix keeps a value out."""
    stage = workflow.stage
    held = (await browses(stage, "bob"))["Cookie"]
    for planted in (
        f"theme=dark {held}",
        f"theme=dark\t{held}",
        f"theme=dark, {held}",
        f'theme="dark" {held}',
        f"\u2000{held}".encode(),
        f"\u00a0{held}".encode(),
        f"\u0085{held}".encode("latin-1"),
        f"{held}; {held}",
        f"{held}; {auth.cookie_name(stage.miso)}=other",
        f"$Version=1, {held}",
    ):
        answer = await send(stage.url, "GET /api/v1/me", [("Cookie", planted)])
        assert answer.status == 401, planted
    answer = await send(stage.url, "GET /api/v1/me", [("Cookie", f"theme=dark; {held};x=1")])
    assert answer.status == 200


# --- floods ----------------------------------------------------------------------------------------------------------


async def test_what_is_beyond_the_limit_is_no_use_and_no_row(tmp_path: Path) -> None:
    async with staged(tmp_path, MISO_API_REQUESTS_PER_MINUTE="3") as stage, working(stage) as workflow:
        built = await workflow.builds("Add cart")
        token = await workflow.token("dev", built["run"])
        said = [(await workflow.call("GET", "/api/v1/me", token=token)).status for _ in range(8)]
        assert said == [200] * 3 + [429] * 5
        assert len(await workflow.rows(Note.TOKEN_USED)) == 3


class Short:
    """A store that gives no token's whole story."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def stream(self, stream: str) -> Any:
        assert not stream.startswith("token-")
        return await self._store.stream(stream)


async def test_a_token_that_is_used_a_lot_costs_the_same_each_time(workflow: Workflow) -> None:
    """Thousands of uses are within the limit of one token: reading them all for each new one would stop the rest."""
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    hall = replace(stage.miso, store=cast(Any, Short(stage.miso.store)))
    for _ in range(5):
        await tokens.principal(hall, token)
    assert len(await workflow.rows(Note.TOKEN_USED)) == 5
    assert await stage.miso.store.verify() == []


async def test_counting_strangers_never_walks_the_whole_ledger(workflow: Workflow) -> None:
    """What is counted at each refusal is found by an index, however long the ledger has become."""
    with pytest.raises(ValueError, match="account or streams"):
        await workflow.stage.miso.store.count(Note.DOOR_REFUSED, 0)
    assert (await workflow.exchange("a.b.c")).code == "token_malformed"
    assert [row.body["code"] for row in await workflow.rows(Note.EXCHANGE_REFUSED)] == ["token_malformed"]


@pytest.mark.parametrize(("who", "linked", "code"), [("bob", False, "not_linked"), ("eve", True, "permission_denied")])
async def test_rule_15_whoever_may_not_ask_costs_github_little(
    workflow: Workflow, who: str, linked: bool, code: str
) -> None:
    """Else anybody who can sign in uses up what GitHub lets the installation ask in an hour."""
    stage = workflow.stage
    token = await signs_in(stage, who, linked=linked)
    before = len(await stage.sim.exchanges(server="github"))
    for commit in ("f" * 40, "e" * 40):
        no = await workflow.promotes(token, "test", commit=commit)
        assert (no.status, no.code) == (403, code)
    most = 6 if linked else 0
    assert len(await stage.sim.exchanges(server="github")) - before <= most


# --- requests that no reader understands -----------------------------------------------------------------------------


UNREADABLE = [
    "application/x-www-form-urlencoded; charset=klingon",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
]


async def test_a_form_that_nobody_can_read_is_refused_and_no_fault_of_ours(workflow: Workflow) -> None:
    url, held = workflow.stage.url, await browses(workflow.stage, "bob")
    for kind, form in product(UNREADABLE, (b"csrf=\xff", b"csrf=%ff", b"csrf")):
        sent = [("Cookie", held["Cookie"]), ("Content-Type", kind)]
        for path in ("/account/link", "/device", "/sign-out"):
            assert (await send(url, f"POST {path}", sent, form)).status in (400, 403), (path, kind, form)
        workflow.stage.clock.pass_(20)
    # Whoever is known by the header may send no form at all.
    sent = [("Cookie", held["Cookie"]), (auth.CSRF_HEADER, held[auth.CSRF_HEADER]), ("Content-Type", UNREADABLE[3])]
    assert (await send(url, "POST /device", sent, b"x")).status == 400


async def test_bytes_that_are_no_text_are_no_token(workflow: Workflow) -> None:
    stage = workflow.stage
    held = await browses(stage, "bob")
    answer = await send(
        stage.url, "POST /oidc/introspect", [FORM, ("Authorization", b"Bearer \xff\xfe")], b"token=%3F%3F"
    )
    assert (answer.status, answer.text) == (200, '{"active": false}')
    kid = held[auth.CSRF_HEADER].partition(".")[0].encode()
    answer = await send(
        stage.url, "POST /account/link", [("Cookie", held["Cookie"]), (auth.CSRF_HEADER, kid + b".\xff")], b""
    )
    assert (answer.status, answer.code) == (403, "csrf_refused")


@pytest.mark.parametrize("path", ["/account", "/nowhere", "/api/v1/me", "/oidc/token", "/livez"])
async def test_no_answer_says_what_we_are_made_of(workflow: Workflow, path: str) -> None:
    answer = await send(workflow.stage.url, f"GET {path}")
    assert "aiohttp" not in answer.head
    assert "Python" not in answer.head
    assert "Traceback" not in answer.text


# --- who said what ---------------------------------------------------------------------------------------------------


def test_a_key_of_one_person_is_never_that_of_another_whose_name_begins_alike() -> None:
    """`anna` with the key `b:1` is not `anna:b` with the key `1`: subjects of some services are chosen by people."""
    made = {
        cause_of(
            make_mocked_request("POST", "/", headers={"Idempotency-Key": key}),
            Principal(actor=Actor(kind=ActorKind.PERSON, id=0), door=Door.API, subject=f"oidc:https://a.example#{who}"),
        )
        for who, key in (("anna", "shared:12345678"), ("anna:shared", "12345678"))
    }
    assert len(made) == 2


async def test_rule_16_whoever_is_turned_away_stands_in_the_ledger(workflow: Workflow) -> None:
    """Every door tells, not only those at GitHub."""
    stage = workflow.stage
    _, stream = await waiting_in_production(stage)
    approve = f"/api/v1/promotions/{stream}/approve"
    built = await workflow.builds("Remove cart")
    token, other = await workflow.token("dev", built["run"]), await workflow.token("dev", built["run"])
    await workflow.post("/oidc/revoke", {"token": other})
    bob = await browses(stage, "bob")
    assert (await workflow.call("POST", approve, {}, **await browses(stage, "ann"))).code == "author_is_approver"
    assert (await workflow.call("POST", approve, {}, **await browses(stage, "eve"))).code == "permission_denied"
    assert (
        await workflow.call("POST", approve, {}, token=await signs_in(stage, "bob"))
    ).code == "device_may_not_approve"
    assert (await workflow.call("POST", approve, {}, token=token)).code == "not_found"
    assert (await workflow.call("GET", "/api/v1/me", token=other)).code == "token_revoked"
    assert (await workflow.call("POST", approve, {}, **bob, Origin="https://evil.example")).code == "csrf_refused"
    await workflow.post("/oidc/introspect", {"token": other}, token=other)
    assert (await workflow.post("/oidc/assertion", {}, token=token)).code == "assertion_refused"
    assert (await workflow.post("/oidc/token?grant_type=x", {"grant_type": "x"})).code == "request_malformed"
    rows = await workflow.rows(Note.DOOR_REFUSED)
    assert [(row.body["door"], row.body["code"]) for row in rows] == [
        ("portal", "author_is_approver"),
        ("portal", "permission_denied"),
        ("cli", "device_may_not_approve"),
        ("api", "not_found"),
        ("token", "token_revoked"),
        ("form", "csrf_refused"),
        ("introspect", "token_revoked"),
        ("assertion", "assertion_refused"),
        ("oidc", "request_malformed"),
    ]
    people = stage.shop.people
    assert [row.actor_id for row in rows[:3]] == [people["ann"], people["eve"], people["bob"]]
    assert [row.body["token"] for row in rows[3:8]] == [key_of(token), key_of(other), "", key_of(other), key_of(token)]
    written = repr([row.body for row in rows])
    assert not [secret for secret in (*workflow.tokens, bob["Cookie"]) if secret in written]


# --- what exists and what does not -----------------------------------------------------------------------------------


async def test_rule_20_a_stranger_of_a_shared_issuer_cannot_tell_our_guids_from_invented_ones(tmp_path: Path) -> None:
    """Anybody has a project there: neither what is wrong nor how long it takes may tell that a GUID is somebody's."""
    async with staged(tmp_path, trusting=trusting, judged=False) as stage, working(stage) as workflow:
        before = len(await stage.sim.exchanges(server="github"))
        await stage.sim.add_fault("github .*", "status", status=500, times=None)
        for more in (
            {},
            {"environment": None},
            {"environment": "production"},
            {"claims": {"sha": "main"}},
            {"claims": {"ref_type": None}},
            {"namespace_id": 73},
            {"ref": "feature"},
        ):
            given = {"environment": "dev", "audience": stage.url, "sha": "a" * 40, "project_id": 99, **more}
            answers = []
            for ids in ({}, {"application_id": NOWHERE}, {"environment_id": NOWHERE}):
                token = str((await stage.sim.call("gitlab.token", **given))["token"])
                answers.append(await workflow.exchange(token, **ids))
            assert {(each.status, each.code) for each in answers} == {(400, "guid_not_bound")}, more
            assert len({str(each.body) for each in answers}) == 1, more
        assert len(await stage.sim.exchanges(server="github")) == before
        told = {str(row.body["code"]) for row in await workflow.rows(Note.EXCHANGE_REFUSED)}
        assert {"trust_project", "trust_environment", "trust_environment_missing", "token_claim_missing"} <= told
