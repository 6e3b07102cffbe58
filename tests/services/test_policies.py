"""The policy as a decision: two replicas over one ledger, files that differ, and rows of a newer version."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.context import Miso
from bot.domain import policy_story
from bot.domain.codes import Code
from bot.domain.model import SYSTEM, Append, NewRow, Stage
from bot.domain.rules import Freeze, Policy, PolicySet, Who
from bot.services import agreements, policies
from bot.services.notes import Note
from bot.store import SqliteStore
from tests.domain.given import PRODUCTION
from tests.people import at
from tests.services.replicas import ANN, BOB, EVE, FILE, HASH, LOOSE, STRICT, in_force, kinds, refused, with_production

# --- files -----------------------------------------------------------------------------------------------------------


async def test_without_any_policy_nothing_is_in_force(miso: Miso) -> None:
    assert await policies.accepted(miso) is None
    assert await refused(agreements.agree(miso, at(ANN), HASH, "comment:1")) == Code.NOT_ADMINISTRATOR


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
    assert await refused(agreements.agree(miso, at(ANN), HASH, "comment:1")) == Code.POLICY_NOT_PROPOSED
    await policies.adopt(miso, LOOSE, FILE)
    assert await policies.pending(miso) is not None


async def test_a_tightening_ends_what_was_proposed_against_the_policy_before(miso: Miso) -> None:
    """Whoever agreed looked at the difference from something that is no longer in force."""
    for file in (STRICT, LOOSE):
        await policies.adopt(miso, file, FILE)
    await agreements.agree(miso, at(ANN), HASH, "comment:1")
    await policies.adopt(miso, with_production(STRICT, soak_minutes=60), FILE)
    assert await refused(agreements.agree(miso, at(BOB), HASH, "comment:2")) == Code.POLICY_NOT_PROPOSED
    await policies.adopt(miso, LOOSE, FILE)
    waits = await policies.pending(miso)
    assert waits is not None
    assert waits.agreed == ()


# --- what is not understood ------------------------------------------------------------------------------------------


async def test_a_policy_that_a_newer_version_wrote_allows_nothing_and_is_left_alone(miso: Miso) -> None:
    await policies.adopt(miso, STRICT, FILE)
    row = NewRow(kind=Note.POLICY_ACCEPTED, actor=SYSTEM, body={"version": 2, "hash": HASH}, v=2)
    await miso.store.append([Append(stream=policy_story.STREAM, seq=2, rows=(row,))])
    assert await policies.accepted(miso) is None
    before = await kinds(miso)
    assert (await policies.adopt(miso, LOOSE, FILE)).newer
    assert await refused(agreements.agree(miso, at(ANN), HASH, "comment:1")) == Code.NOT_ADMINISTRATOR
    assert await kinds(miso) == before


async def test_what_is_in_force_is_found_without_reading_what_was(miso: Miso, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (24, 23, 22, 21):
        await policies.adopt(miso, with_production(STRICT, approval_hours=hours), FILE)

    async def no_stream(self: object, stream: str) -> None:
        raise AssertionError(f"{stream} was read whole")

    monkeypatch.setattr(SqliteStore, "stream", no_stream)
    assert (await in_force(miso))[0] == 4
