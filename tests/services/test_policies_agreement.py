"""Loosening production: two administrators, each a person, each once, for what they have seen."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.context import Miso
from bot.domain import policy_story
from bot.domain.codes import Code
from bot.domain.model import SYSTEM, Actor, ActorKind
from bot.services import agreements, policies
from bot.services.notes import Note
from tests.people import at
from tests.services.replicas import ANN, BOB, EVE, FILE, HASH, LOOSE, STRICT, in_force, kinds, refused, with_production


@pytest.fixture
async def proposed(replicas: tuple[Miso, Miso]) -> tuple[Miso, Miso]:
    for file in (STRICT, LOOSE):
        await policies.adopt(replicas[0], file, FILE)
    return replicas


async def test_one_administrator_alone_loosens_nothing(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    first = await agreements.agree(one, at(ANN), HASH[:12], "comment:1")
    assert (first.accepted, first.needed) == (None, 1)
    assert await refused(agreements.agree(two, at(ANN), HASH[:12], "comment:2")) == Code.ALREADY_APPROVED
    assert await in_force(two) == (1, STRICT)


async def test_two_administrators_put_it_in_force_on_every_replica(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    assert await in_force(two) == (1, STRICT)
    await agreements.agree(one, at(ANN), HASH[:12], "comment:1")
    second = await agreements.agree(two, at(BOB), HASH, "comment:2")
    assert second.accepted is not None
    assert [account.id for account in second.accepted.by] == [ANN.id, BOB.id]
    assert second.accepted.loosens
    assert await in_force(one) == await in_force(two) == (2, LOOSE)
    assert await policies.pending(one) is None


async def test_both_at_once_are_two_and_not_one(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    await asyncio.gather(
        agreements.agree(one, at(ANN), HASH, "comment:1"), agreements.agree(two, at(BOB), HASH, "comment:2")
    )
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
    code = Code.NOT_ADMINISTRATOR if stranger.kind is ActorKind.PERSON else Code.BOT_REFUSED
    assert await refused(agreements.agree(miso, at(stranger), HASH, "comment:1")) == code
    assert await refused(agreements.reject(miso, at(stranger), HASH, "comment:1")) == code


@pytest.mark.parametrize("hash_", ["", HASH[:11], "0" * 12, HASH[:12] + "0" * 52, HASH + "0"])
async def test_somebody_who_names_another_hash_agrees_to_nothing(proposed: tuple[Miso, Miso], hash_: str) -> None:
    miso, _ = proposed
    assert await refused(agreements.agree(miso, at(ANN), hash_, "comment:1")) == Code.POLICY_NOT_PROPOSED
    assert await refused(agreements.reject(miso, at(ANN), hash_, "comment:1")) == Code.POLICY_NOT_PROPOSED


async def test_whom_the_proposal_itself_names_cannot_agree_to_it(miso: Miso) -> None:
    crowd = replace(LOOSE, administrators=(ANN.id, BOB.id, EVE.id))
    for file in (STRICT, crowd):
        await policies.adopt(miso, file, FILE)
    hash_ = policy_story.hash_of(crowd)
    assert await refused(agreements.agree(miso, at(EVE), hash_, "comment:1")) == Code.NOT_ADMINISTRATOR


async def test_a_comment_that_is_delivered_twice_is_told_the_same(proposed: tuple[Miso, Miso]) -> None:
    one, two = proposed
    for cause, actor in (("comment:1", ANN), ("comment:2", BOB)):
        assert await agreements.agree(one, at(actor), HASH, cause) == await agreements.agree(
            two, at(actor), HASH, cause
        )
    before = await kinds(one)
    # The first one's again, long after: what it came to then.
    assert (await agreements.agree(two, at(ANN), HASH, "comment:1")).needed == 1
    assert await kinds(one) == before


async def test_one_administrators_no_ends_it_and_the_same_file_does_not_ask_again(
    proposed: tuple[Miso, Miso],
) -> None:
    one, two = proposed
    await agreements.agree(one, at(ANN), HASH, "comment:1")
    no = await agreements.reject(two, at(BOB), HASH, "comment:2")
    assert no == await agreements.reject(one, at(BOB), HASH, "comment:2")
    await policies.adopt(one, LOOSE, FILE)
    assert await policies.pending(one) is None
    assert await refused(agreements.agree(one, at(ANN), HASH, "comment:3")) == Code.POLICY_NOT_PROPOSED
    # The file changes, and changes back: that is a new question.
    for file in (STRICT, LOOSE):
        await policies.adopt(two, file, FILE)
    waits = await policies.pending(one)
    assert waits is not None
    assert waits.agreed == ()


async def test_another_loosening_takes_the_place_of_the_first(proposed: tuple[Miso, Miso]) -> None:
    miso, _ = proposed
    await agreements.agree(miso, at(ANN), HASH, "comment:1")
    other = with_production(STRICT, approvals=1, approval_hours=48)
    await policies.adopt(miso, other, FILE)
    waits = await policies.pending(miso)
    assert waits is not None
    assert (waits.hash, waits.agreed) == (policy_story.hash_of(other), ())
    assert await refused(agreements.agree(miso, at(BOB), HASH, "comment:2")) == Code.POLICY_NOT_PROPOSED
