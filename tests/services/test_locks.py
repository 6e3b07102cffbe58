"""Who locks an environment, who may take the lock off, and what the journal keeps of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.environments import rebuild
from bot.domain.model import Actor, ActorKind, EnvironmentState, Lock, Untrusted
from bot.domain.rules import PolicySet, Who
from bot.errors import Refused
from bot.services import locks, policies
from bot.services.notes import Note
from tests.people import at, with_role
from tests.services.indoors import Indoors, indoors
from tests.sources import modules
from tests.store.builders import environment

ANN = Actor(kind=ActorKind.PERSON, id=1, login="ann")
RENAMED = Actor(kind=ActorKind.PERSON, id=1, login="anna")
BOB = Actor(kind=ActorKind.PERSON, id=2, login="bob")
PLACE = environment()
HOUR = 3_600_000_000


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Indoors]:
    async with indoors(tmp_path) as ready:
        yield ready


async def lock(here: Indoors, who: Actor, reason: str = "a fair", *, hours: int = 0, cause: str = "comment:1") -> Lock:
    until_us = here.clock.now_us() + hours * HOUR if hours else 0
    place = with_role(who, "write")
    return await locks.lock(here.miso, place, PLACE, at(who), Untrusted(reason), until_us, cause, who=Who())


async def unlock(here: Indoors, who: Actor, reason: str = "", *, role: str = "write", cause: str = "comment:9") -> Lock:
    return await locks.unlock(here.miso, with_role(who, role), PLACE, at(who), Untrusted(reason), cause)


async def state(here: Indoors) -> EnvironmentState:
    """What stands in the projection; rebuilt from the journal it is the same."""
    kept = await here.miso.store.environment_state(PLACE.id)
    told = rebuild(await here.miso.store.stream(locks.stream_of(PLACE.id)))
    assert told.get(PLACE.id, EnvironmentState(environment_id=PLACE.id)) == kept
    return kept


async def kinds(here: Indoors) -> list[str]:
    return [row.kind for row in await here.miso.store.stream(locks.stream_of(PLACE.id))]


async def refused(attempt: object) -> Code:
    with pytest.raises(Refused) as no:
        await attempt  # type: ignore[misc]  # any coroutine
    return Code(no.value.code)


async def test_a_lock_stands_until_it_is_taken_off(here: Indoors) -> None:
    given = await lock(here, ANN)
    assert given == Lock(owner=ANN, reason=Untrusted("a fair"), since_us=here.clock.now_us(), until_us=0)
    assert (await state(here)).lock == given
    here.clock.pass_(10_000)
    assert await unlock(here, RENAMED) == given, "an owner is known by the number, whatever the name"
    assert (await state(here)).lock is None
    assert await refused(unlock(here, ANN, cause="comment:10")) is Code.NOT_LOCKED


async def test_a_lock_ends_by_itself(here: Indoors) -> None:
    await lock(here, ANN, hours=2)
    here.clock.pass_(2 * 3600 - 1)
    assert await refused(lock(here, BOB, cause="comment:2")) is Code.ALREADY_LOCKED
    here.clock.pass_(1)
    assert await refused(unlock(here, ANN)) is Code.NOT_LOCKED
    mine = await lock(here, BOB, cause="comment:2")
    assert (await state(here)).lock == mine


async def test_the_owner_changes_reason_and_end_and_nobody_else_does(here: Indoors) -> None:
    await lock(here, ANN, hours=1)
    longer = await lock(here, ANN, "a longer fair", hours=5, cause="comment:2")
    assert (await state(here)).lock == longer
    assert await refused(lock(here, BOB, cause="comment:3")) is Code.ALREADY_LOCKED
    assert (await state(here)).lock == longer


async def test_another_person_takes_it_off_only_with_a_right_and_a_reason(here: Indoors) -> None:
    await policies.adopt(here.miso, PolicySet(), "a file")
    given = await lock(here, ANN)
    assert await refused(unlock(here, BOB, "I want to")) is Code.NOT_YOURS
    assert await refused(unlock(here, BOB, "  ", role="maintain")) is Code.REASON_MISSING
    assert (await state(here)).lock == given
    assert await unlock(here, BOB, "ann is away", role="maintain") == given
    [_, off] = await here.miso.store.stream(locks.stream_of(PLACE.id))
    assert (off.actor_id, off.body["reason"]) == (BOB.id, "ann is away")


async def test_rule_5_who_may_only_read_keeps_nobody_out(here: Indoors) -> None:
    place = with_role(ANN, "read")
    attempt = locks.lock(here.miso, place, PLACE, at(ANN), Untrusted("mine"), 0, "comment:1", who=Who())
    assert await refused(attempt) is Code.PERMISSION_DENIED
    await lock(here, BOB)
    assert await refused(unlock(here, ANN, "mine", role="read")) is Code.PERMISSION_DENIED
    assert await kinds(here) == [Note.ENVIRONMENT_LOCKED]


async def test_a_lock_needs_a_reason(here: Indoors) -> None:
    assert await refused(lock(here, ANN, " ")) is Code.REASON_MISSING
    assert await kinds(here) == []


async def test_a_delivery_that_comes_twice_is_one_word(here: Indoors) -> None:
    first = await lock(here, ANN)
    here.clock.pass_(60)
    assert await lock(here, ANN) == first
    off = await unlock(here, ANN)
    assert off == first
    assert await unlock(here, ANN) == first, "and not told that nothing is locked"
    assert await lock(here, ANN) == first, "nor does a late delivery lock again"
    assert await kinds(here) == [Note.ENVIRONMENT_LOCKED, Note.ENVIRONMENT_UNLOCKED]
    assert (await state(here)).lock is None


async def test_of_two_at_once_one_has_the_lock(here: Indoors) -> None:
    answers = await asyncio.gather(
        *(lock(here, who, cause=f"comment:{who.id}") for who in (ANN, BOB)), return_exceptions=True
    )
    [given] = [answer for answer in answers if isinstance(answer, Lock)]
    [no] = [answer for answer in answers if isinstance(answer, Refused)]
    assert no.code == Code.ALREADY_LOCKED
    assert (await state(here)).lock == given
    assert await here.miso.store.verify() == []


@pytest.mark.parametrize(("note", "verb"), [("ENVIRONMENT_LOCKED", "lock"), ("ENVIRONMENT_UNLOCKED", "unlock")])
def test_rule_16_a_lock_has_one_verb_whichever_door_was_used(note: str, verb: str) -> None:
    """Every place that names the row outside its vocabulary is the verb."""
    naming = {
        module.name
        for module in modules("bot", "handlers")
        if f"Note.{note}" in module.text and module.name != "bot/services/notes.py"
    }
    assert naming == {"bot/services/locks.py"}
    [module] = [module for module in modules("bot/services") if module.name == "bot/services/locks.py"]
    body = module.text.partition(f"async def {verb}(")[2].partition("\nasync def ")[0]
    assert f"Note.{note}" in body
