"""The policy as a decision: two replicas over one ledger, files that differ, and administrators who agree or do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.context import Miso, Store
from bot.domain import policy_story
from bot.domain.canonical import digest_of
from bot.domain.codes import Code
from bot.domain.model import SYSTEM, Actor, ActorKind, Append, Environment, NewRow, Stage
from bot.domain.rules import Freeze, Policy, PolicySet, Rules, Who, set_as_body, set_from_body
from bot.errors import Refused
from bot.services import policies
from bot.services.notes import Note
from bot.store import SqliteStore
from tests.domain.given import DEV, PRODUCTION, TEST
from tests.store.builders import Clock as Microseconds

ANN = Actor(kind=ActorKind.PERSON, id=1001, login="ann")
BOB = Actor(kind=ActorKind.PERSON, id=1002, login="bob")
EVE = Actor(kind=ActorKind.PERSON, id=1003, login="eve")
FILE = "policy.yml"

STRICT = PolicySet(
    stages={
        Stage.DEV: Policy(),
        Stage.TEST: Policy(),
        Stage.PRODUCTION: Policy(approvals=2, approval_hours=24, unknown_author_needs=-1),
    },
    administrators=(ANN.id, BOB.id),
)


def with_production(policies: PolicySet, **changes: Any) -> PolicySet:
    production = replace(policies.stages[Stage.PRODUCTION], **changes)
    return replace(policies, stages={**policies.stages, Stage.PRODUCTION: production})


LOOSE = with_production(STRICT, approvals=1)
HASH = policy_story.hash_of(LOOSE)


class Clock:
    """The store's clock, as a verb sees it."""

    def __init__(self, at: Microseconds) -> None:
        self.at = at

    def now_us(self) -> int:
        return self.at()

    async def sleep(self, seconds: float) -> None:
        self.at.pass_(seconds)


def hall(store: Store, at: Microseconds) -> Miso:
    """A replica that has nothing but its store: the policy's own story needs no window."""
    nowhere = cast(Any, None)
    rules = Rules(controller="miso-test", app_id=99)
    return Miso(
        rules=rules,
        store=store,
        github=nowhere,
        azure=nowhere,
        images=nowhere,
        probe=nowhere,
        oidc=nowhere,
        clock=Clock(at),
    )


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Miso, Miso]]:
    """Two controllers, each with its own connection to the same database."""
    at = Microseconds()
    path = tmp_path / "miso.sqlite"
    one = await SqliteStore.open(path, clock_us=at)
    two = await SqliteStore.open(path, clock_us=at)
    yield hall(one, at), hall(two, at)
    await one.close()
    await two.close()


@pytest.fixture
def miso(replicas: tuple[Miso, Miso]) -> Miso:
    return replicas[0]


async def in_force(miso: Miso) -> tuple[int, PolicySet]:
    now = await policies.accepted(miso)
    assert now is not None
    return now.version, now.policies


async def kinds(miso: Miso) -> list[str]:
    return [row.kind for row in await miso.store.stream(policy_story.STREAM)]


async def refused(doing: Any) -> str:
    with pytest.raises(Refused) as no:
        await doing
    return no.value.code


# --- files -----------------------------------------------------------------------------------------------------------


async def test_without_any_policy_nothing_is_in_force(miso: Miso) -> None:
    assert await policies.accepted(miso) is None
    assert await refused(policies.agree(miso, ANN, HASH, "comment:1")) == Code.NOT_ADMINISTRATOR


async def test_the_first_file_is_version_one(miso: Miso) -> None:
    await policies.adopt(miso, STRICT, FILE)
    assert await in_force(miso) == (1, STRICT)
    [version] = (await policies.story(miso)).versions
    assert (version.by, version.origin, version.loosens) == ((), FILE, ())
    assert version.difference


async def test_the_same_file_again_writes_nothing(replicas: tuple[Miso, Miso]) -> None:
    one, two = replicas
    for miso in (one, two, one):
        await policies.adopt(miso, STRICT, FILE)
    assert await kinds(one) == [Note.POLICY_ACCEPTED]


async def test_replicas_that_start_at_once_accept_one_version(replicas: tuple[Miso, Miso]) -> None:
    one, two = replicas
    await asyncio.gather(*(policies.adopt(miso, STRICT, FILE) for miso in (one, two) * 8))
    assert await kinds(one) == [Note.POLICY_ACCEPTED]


async def test_replicas_that_start_at_once_make_one_proposal(replicas: tuple[Miso, Miso]) -> None:
    one, two = replicas
    await policies.adopt(one, STRICT, FILE)
    await asyncio.gather(*(policies.adopt(miso, LOOSE, FILE) for miso in (one, two) * 8))
    assert await kinds(one) == [Note.POLICY_ACCEPTED, Note.POLICY_PROPOSED]


@pytest.mark.parametrize(
    "tighter",
    [
        with_production(STRICT, approvals=3),
        with_production(STRICT, freezes=(Freeze(name="party", starts="2026-12-24T00:00", minutes=60),)),
        replace(STRICT, stages={**STRICT.stages, Stage.DEV: Policy(open_pull_requests=True)}),
        replace(STRICT, operators=Who(role="admin")),
    ],
    ids=["production tighter", "a freeze", "dev looser", "operators fewer"],
)
async def test_a_file_that_loosens_nothing_in_production_is_in_force_at_once(
    replicas: tuple[Miso, Miso], tighter: PolicySet
) -> None:
    one, two = replicas
    await policies.adopt(one, STRICT, FILE)
    assert await in_force(two) == (1, STRICT)
    await policies.adopt(one, tighter, FILE)
    assert await in_force(two) == (2, tighter)
    assert (await policies.story(two)).versions[-1].difference


@pytest.mark.parametrize(
    "looser",
    [
        LOOSE,
        with_production(STRICT, approve=Who(role="read")),
        replace(STRICT, administrators=(EVE.id, BOB.id)),
        replace(STRICT, operators=Who(role="write")),
        replace(STRICT, clear_people=1),
        replace(STRICT, environments={PRODUCTION.id: replace(STRICT.stages[Stage.PRODUCTION], approvals=1)}),
    ],
    ids=["fewer approvals", "more approvers", "other administrators", "operators", "clear", "one environment"],
)
async def test_a_file_that_loosens_production_is_only_proposed(miso: Miso, looser: PolicySet) -> None:
    await policies.adopt(miso, STRICT, FILE)
    await policies.adopt(miso, looser, FILE)
    assert await in_force(miso) == (1, STRICT)
    waits = await policies.pending(miso)
    assert waits is not None
    assert waits.loosens
    assert waits.policies == looser


async def test_a_file_that_goes_back_withdraws_its_proposal(miso: Miso) -> None:
    for file in (STRICT, LOOSE, STRICT):
        await policies.adopt(miso, file, FILE)
    assert await policies.pending(miso) is None
    assert await refused(policies.agree(miso, ANN, HASH, "comment:1")) == Code.POLICY_NOT_PROPOSED
    await policies.adopt(miso, LOOSE, FILE)
    assert await policies.pending(miso) is not None


async def test_a_tightening_ends_what_was_proposed_against_the_policy_before(miso: Miso) -> None:
    """Whoever agreed looked at the difference from something that is no longer in force."""
    for file in (STRICT, LOOSE):
        await policies.adopt(miso, file, FILE)
    await policies.agree(miso, ANN, HASH, "comment:1")
    await policies.adopt(miso, with_production(STRICT, soak_minutes=60), FILE)
    assert await refused(policies.agree(miso, BOB, HASH, "comment:2")) == Code.POLICY_NOT_PROPOSED
    await policies.adopt(miso, LOOSE, FILE)
    waits = await policies.pending(miso)
    assert waits is not None
    assert waits.agreed == ()


# --- administrators --------------------------------------------------------------------------------------------------


@pytest.fixture
async def proposed(replicas: tuple[Miso, Miso]) -> tuple[Miso, Miso]:
    for file in (STRICT, LOOSE):
        await policies.adopt(replicas[0], file, FILE)
    return replicas


async def test_one_administrator_alone_loosens_nothing(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    first = await policies.agree(one, ANN, HASH[:12], "comment:1")
    assert (first.accepted, first.needed) == (None, 1)
    assert await refused(policies.agree(two, ANN, HASH[:12], "comment:2")) == Code.ALREADY_APPROVED
    assert await in_force(two) == (1, STRICT)


async def test_two_administrators_put_it_in_force_on_every_replica(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    assert await in_force(two) == (1, STRICT)
    await policies.agree(one, ANN, HASH[:12], "comment:1")
    second = await policies.agree(two, BOB, HASH, "comment:2")
    assert second.accepted is not None
    assert [account.id for account in second.accepted.by] == [ANN.id, BOB.id]
    assert second.accepted.loosens
    assert await in_force(one) == await in_force(two) == (2, LOOSE)
    assert await policies.pending(one) is None


async def test_both_at_once_are_two_and_not_one(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    await asyncio.gather(policies.agree(one, ANN, HASH, "comment:1"), policies.agree(two, BOB, HASH, "comment:2"))
    assert await in_force(one) == (2, LOOSE)
    assert await kinds(one) == [
        Note.POLICY_ACCEPTED,
        Note.POLICY_PROPOSED,
        Note.POLICY_AGREED,
        Note.POLICY_ACCEPTED,
    ]


@pytest.mark.parametrize(
    "stranger",
    [
        EVE,
        Actor(kind=ActorKind.APP, id=ANN.id, login="ann"),
        Actor(kind=ActorKind.WORKFLOW, id=ANN.id, login="ann"),
        Actor(kind=ActorKind.PERSON, id=4711, login="ann"),
        SYSTEM,
    ],
    ids=["somebody else", "an App with the number", "a workflow with it", "the name with another number", "Miso"],
)
async def test_rule_6_and_9_only_a_person_with_the_number_is_an_administrator(
    proposed: tuple[Miso, Miso], stranger: Actor
) -> None:
    miso, _ = proposed
    assert await refused(policies.agree(miso, stranger, HASH, "comment:1")) == Code.NOT_ADMINISTRATOR
    assert await refused(policies.reject(miso, stranger, HASH, "comment:1")) == Code.NOT_ADMINISTRATOR


@pytest.mark.parametrize("hash_", ["", HASH[:11], "0" * 12, HASH[:12] + "0" * 52, HASH + "0"])
async def test_somebody_who_names_another_hash_agrees_to_nothing(proposed: tuple[Miso, Miso], hash_: str) -> None:
    miso, _ = proposed
    assert await refused(policies.agree(miso, ANN, hash_, "comment:1")) == Code.POLICY_NOT_PROPOSED
    assert await refused(policies.reject(miso, ANN, hash_, "comment:1")) == Code.POLICY_NOT_PROPOSED


async def test_whom_the_proposal_itself_names_cannot_agree_to_it(miso: Miso) -> None:
    crowd = replace(LOOSE, administrators=(ANN.id, BOB.id, EVE.id))
    for file in (STRICT, crowd):
        await policies.adopt(miso, file, FILE)
    hash_ = policy_story.hash_of(crowd)
    assert await refused(policies.agree(miso, EVE, hash_, "comment:1")) == Code.NOT_ADMINISTRATOR


async def test_a_comment_that_is_delivered_twice_is_told_the_same(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    for cause, actor in (("comment:1", ANN), ("comment:2", BOB)):
        assert await policies.agree(one, actor, HASH, cause) == await policies.agree(two, actor, HASH, cause)
    before = await kinds(one)
    # The first one's again, long after: what it came to then.
    assert (await policies.agree(two, ANN, HASH, "comment:1")).needed == 1
    assert await kinds(one) == before


async def test_one_administrators_no_ends_it_and_the_same_file_does_not_ask_again(
    proposed: tuple[Miso, Miso],
) -> None:
    one, two = proposed
    await policies.agree(one, ANN, HASH, "comment:1")
    no = await policies.reject(two, BOB, HASH, "comment:2")
    assert no == await policies.reject(one, BOB, HASH, "comment:2")
    await policies.adopt(one, LOOSE, FILE)
    assert await policies.pending(one) is None
    assert await refused(policies.agree(one, ANN, HASH, "comment:3")) == Code.POLICY_NOT_PROPOSED
    # The file changes, and changes back: that is a new question.
    for file in (STRICT, LOOSE):
        await policies.adopt(two, file, FILE)
    waits = await policies.pending(one)
    assert waits is not None
    assert waits.agreed == ()


async def test_another_loosening_takes_the_place_of_the_first(proposed: tuple[Miso, Miso]) -> None:
    miso, _ = proposed
    await policies.agree(miso, ANN, HASH, "comment:1")
    other = with_production(STRICT, approvals=1, approval_hours=48)
    await policies.adopt(miso, other, FILE)
    waits = await policies.pending(miso)
    assert waits is not None
    assert (waits.hash, waits.agreed) == (policy_story.hash_of(other), ())
    assert await refused(policies.agree(miso, BOB, HASH, "comment:2")) == Code.POLICY_NOT_PROPOSED


# --- what is not understood ------------------------------------------------------------------------------------------


async def written(miso: Miso, kind: str, body: dict[str, Any], v: int = 1) -> None:
    seq = len(await miso.store.stream(policy_story.STREAM)) + 1
    row = NewRow(kind=kind, actor=SYSTEM, body=body, v=v)
    await miso.store.append([Append(stream=policy_story.STREAM, seq=seq, rows=(row,))])


def newer() -> Iterable[Any]:
    body = {"version": 2, "hash": HASH, "document": set_as_body(LOOSE)}
    document = {**set_as_body(LOOSE), "moon": "full"}
    known = {**body, "hash": digest_of(document), "document": document}
    yield pytest.param(body, 2, id="a newer row")
    yield pytest.param(known, 1, id="a demand that is not known here")
    yield pytest.param({**body, "hash": "0" * 64}, 1, id="a document that is not the one of its hash")
    yield pytest.param({**body, "document": {"stages": {"moon": {}}}}, 1, id="no policy at all")


@pytest.mark.parametrize(("body", "v"), list(newer()))
async def test_a_policy_that_is_not_understood_allows_nothing(miso: Miso, body: dict[str, Any], v: int) -> None:
    await policies.adopt(miso, STRICT, FILE)
    await written(miso, Note.POLICY_ACCEPTED, body, v)
    assert await policies.accepted(miso) is None
    before = await kinds(miso)
    story = await policies.adopt(miso, LOOSE, FILE)
    assert story.newer
    assert await refused(policies.agree(miso, ANN, HASH, "comment:1")) == Code.NOT_ADMINISTRATOR
    assert await kinds(miso) == before


async def test_a_document_of_before_a_key_existed_is_read_with_its_default(miso: Miso) -> None:
    document = set_as_body(STRICT)
    del document["break_glass_minutes"]
    body = {"version": 1, "hash": digest_of(document), "document": document}
    await written(miso, Note.POLICY_ACCEPTED, body)
    assert await in_force(miso) == (1, STRICT)


async def test_what_is_in_force_is_found_without_reading_what_was(miso: Miso, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (24, 23, 22, 21):
        await policies.adopt(miso, with_production(STRICT, approval_hours=hours), FILE)

    async def no_stream(self: object, stream: str) -> None:
        raise AssertionError(f"{stream} was read whole")

    monkeypatch.setattr(SqliteStore, "stream", no_stream)
    assert (await in_force(miso))[0] == 4


def of(environment: Environment, policies: PolicySet) -> Policy:
    found = policies.of(environment)
    assert found is not None
    return found


def test_every_stage_and_single_environments_keep_their_own() -> None:
    whole = replace(STRICT, environments={PRODUCTION.id: Policy(approvals=4)})
    again = set_from_body(set_as_body(whole))
    assert [of(each, again).approvals for each in (DEV, TEST, PRODUCTION)] == [0, 0, 4]
