"""Every hostile request gets its code and leaves its row, on the wire; nothing moves, and nothing secret is written."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.domain.codes import Code
from bot.services import journal
from bot.services.bearer import key_of
from bot.services.notes import Note
from bot.sim.scenarios import SIGN_IN_CLIENT_ID, TENANT_ID
from tests.flows.workflow import Answer
from tests.hostile.forge import Hostile
from tests.hostile.ground import Ground, grounds
from tests.hostile.jobs import JOBS
from tests.hostile.requests import REQUESTS
from tests.hostile.subjects import HERE, TOKENS
from tests.hostile.trick import Request

one_world = pytest.mark.asyncio(loop_scope="module")
HIDDEN = {Code.TRUST_REPOSITORY: Code.GUID_NOT_BOUND}
"""What a stranger is told instead (rule 20)."""
HERE_ALONE = {"another issuer in the payload": Code.ISSUER_REFUSED}
"""This controller listens to one issuer, the table's to two."""
NOT_THEIRS = {
    "the repository's id as a number",
    "the repository's id with a zero before it",
    "the repository's id with a blank behind it",
    "the repository's id in a list",
    "the repository's id in digits of another script",
    "no id of the repository",
}
"""Before the registry is asked about rules, whatever is not this repository's number is another repository."""
SUBJECTS = [each for each in (*TOKENS, *JOBS) if each.code is not None and each.what != "nothing at all"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    settings = {"MISO_SIGN_IN": "entra", "MISO_SIGN_IN_TENANT": TENANT_ID, "MISO_SIGN_IN_CLIENT_ID": SIGN_IN_CLIENT_ID}
    async with grounds(tmp_path_factory.mktemp("requests"), **settings) as ready:
        yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """With the audience of the tables of tokens."""
    async with grounds(tmp_path_factory.mktemp("subjects"), MISO_TOKEN_AUDIENCE=HERE) as ready:
        yield ready


async def head(ground: Ground) -> int:
    rows = await ground.rows_since(0)
    return rows[-1].position


@one_world
@pytest.mark.parametrize("trick", REQUESTS, ids=lambda trick: trick.what)
async def test_a_hostile_request_is_refused_with_its_code_and_leaves_its_row(ground: Ground, trick: Request) -> None:
    before, waits = await head(ground), await ground.stage.miso.store.stream(ground.stream)
    ground.stage.clock.pass_(0.01)
    answer = await trick.make(ground)
    assert (answer.status, answer.code) == (trick.status, trick.code), answer
    rows = await ground.rows_since(before)
    told = [row for row in rows if row.kind in (Note.DOOR_REFUSED, Note.EXCHANGE_REFUSED)]
    if trick.ledger is None:
        assert told == []
    else:
        assert (trick.ledger, trick.told or trick.code) in [(row.kind, row.body["code"]) for row in told]
    written = repr([row.body for row in rows])
    assert not [secret for secret in ground.secrets if secret in written]
    assert not any(word in written for word in ("evil", "mallory", "Set-Cookie", "\\x00"))
    assert await ground.stage.miso.store.stream(ground.stream) == waits, "what waits for production waits"
    said = str(answer.body) if isinstance(answer, Answer) else answer.text
    assert "Traceback" not in said
    assert not [secret for secret in ground.secrets if secret in said]


@one_world
@pytest.mark.parametrize("trick", SUBJECTS, ids=lambda trick: trick.what)
async def test_a_hostile_token_gets_nothing_and_leaves_its_row(elsewhere: Ground, trick: Hostile) -> None:
    token = trick.make(elsewhere.forge)
    expected = Code.TRUST_REPOSITORY if trick.what in NOT_THEIRS else HERE_ALONE.get(trick.what, trick.code)
    assert expected is not None
    no = await elsewhere.workflow.exchange(token, "production")
    assert (no.status, no.code) == (400, HIDDEN.get(expected, expected))
    stream = journal.stream_id("exchange", key_of(token))
    rows = await elsewhere.stage.miso.store.stream(stream)
    assert expected in [row.body["code"] for row in rows]
    assert {row.body["token"] for row in rows} == {key_of(token)}


@one_world
async def test_after_all_of_it_the_ledger_is_whole_and_the_honest_are_served(ground: Ground) -> None:
    stage = ground.stage
    assert await stage.miso.store.verify() == []
    assert (await ground.exchanges()).status == 200
    assert (await ground.workflow.promotes(ground.token)).status == 202
    done = await ground.api("POST", f"/promotions/{ground.stream}/approve", {}, **ground.browsers["bob"])
    assert (done.status, done.body["status"]) == (200, "approved")


def test_no_trick_stands_there_twice() -> None:
    names = [each.what for each in REQUESTS]
    assert len(names) == len(set(names))
    assert len(names) >= 60
