"""Links between identities: proven once by whoever typed the code, changed by administrators, never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.identity import Door, Principal, Role
from bot.domain.model import Actor, ActorKind, Keep, Row
from bot.errors import Refused
from bot.services import links
from bot.services.bearer import key_of
from bot.services.notes import Note
from tests.people import at, person
from tests.services.indoors import Indoors, indoors

ANN, BOB, EVE = person(1, "ann"), person(2, "bob"), person(3, "eve")
SUBJECT = "entra:11111111-1111-1111-1111-111111111111:22222222-2222-2222-2222-222222222222"
GUEST = Principal(actor=Actor(kind=ActorKind.PERSON, id=0), door=Door.PORTAL, subject=SUBJECT)
MINUTE = 60


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Indoors]:
    async with indoors(tmp_path) as ready:
        yield ready


def boss(here: Indoors, *, subject: str = "entra:t:boss", age: float = 0) -> Principal:
    """An administrator by a group of their sign-in."""
    then = here.clock.now_us() - int(age * 60e6)
    roles = frozenset({Role.ADMINISTRATOR})
    return Principal(actor=person(99, "boss"), door=Door.PORTAL, subject=subject, roles=roles, roles_us=then)


async def refused(attempt: object) -> Code:
    with pytest.raises(Refused) as no:
        await attempt  # type: ignore[misc]  # any coroutine
    return Code(no.value.code)


async def told(here: Indoors) -> list[Row]:
    return list(await here.miso.store.stream(links.stream_of(SUBJECT)))


async def signed_in(here: Indoors, subject: str = SUBJECT) -> None:
    for kind in links.SIGN_INS:
        assert await here.miso.store.keep(Keep(kind=kind, key=key_of(f"{kind}{subject}"), owner=subject, body={}))


async def sign_ins(here: Indoors, subject: str = SUBJECT) -> int:
    return sum([len(await here.miso.store.kept_by(kind, owner=subject)) for kind in links.SIGN_INS])


# --- proven ----------------------------------------------------------------------------------------------------------


async def test_rule_09_the_account_that_types_the_code_is_the_person_who_was_shown_it(here: Indoors) -> None:
    assert await links.of(here.miso, SUBJECT) is None
    code = await links.begin(here.miso, GUEST)
    await signed_in(here)
    await links.prove(here.miso, at(ANN), code, "comment:1")
    found = await links.of(here.miso, SUBJECT)
    assert found is not None
    assert (found.actor, found.actor.login, found.by) == (ANN, "ann", ANN)
    assert await links.of(here.miso, SUBJECT.upper()) is None
    assert await links.of(here.miso, "") is None
    assert await sign_ins(here) == 2, "who they were is who they are"
    [row] = await told(here)
    assert (row.kind, row.actor_id, row.body["account"], row.body["was"]) == (Note.PERSON_LINKED, ANN.id, ANN.id, 0)
    assert await here.miso.store.verify() == []


async def test_a_code_is_kept_as_a_hash_and_shown_in_no_row(here: Indoors) -> None:
    code = await links.begin(here.miso, GUEST)
    assert len(code.replace("-", "")) >= 8
    [kept] = await here.miso.store.kept_by(links.CODE, owner=SUBJECT)
    assert code not in f"{kept} {kept.body}"
    await links.prove(here.miso, at(ANN), code, "comment:1")
    assert all(code not in str(row) for row in await told(here))


async def test_a_code_is_good_once_for_ten_minutes_and_only_the_newest(here: Indoors) -> None:
    first, second = await links.begin(here.miso, GUEST), await links.begin(here.miso, GUEST)
    assert await refused(links.prove(here.miso, at(ANN), first, "comment:1")) is Code.LINK_CODE
    here.clock.pass_(10 * MINUTE)
    assert await refused(links.prove(here.miso, at(ANN), second, "comment:2")) is Code.LINK_CODE
    third = await links.begin(here.miso, GUEST)
    await links.prove(here.miso, at(ANN), third, "comment:3")
    assert await refused(links.prove(here.miso, at(ANN), third, "comment:4")) is Code.LINK_CODE
    assert len(await told(here)) == 1


async def test_a_comment_that_is_delivered_twice_is_one_proof(here: Indoors) -> None:
    code = await links.begin(here.miso, GUEST)
    first = await links.prove(here.miso, at(ANN), code, "comment:1")
    assert await links.prove(here.miso, at(ANN), code, "comment:1") == first
    assert len(await told(here)) == 1


async def test_of_two_accounts_that_type_the_same_code_one_is_linked(here: Indoors) -> None:
    code = await links.begin(here.miso, GUEST)
    both = [links.prove(here.miso, at(who), code, f"comment:{who.id}") for who in (ANN, BOB)]
    answers = await asyncio.gather(*both, return_exceptions=True)
    [no] = [answer for answer in answers if isinstance(answer, Refused)]
    assert no.code in (Code.LINK_CODE, Code.LINK_TAKEN)
    [row] = await told(here)
    found = await links.of(here.miso, SUBJECT)
    assert found is not None
    assert found.actor.id == row.actor_id


async def test_five_tries_of_an_account_in_an_hour(here: Indoors) -> None:
    code = await links.begin(here.miso, GUEST)
    for number in range(links.MOST_TRIES):
        wrong = links.prove(here.miso, at(EVE), "BBBB-BBBB-BBBB", f"comment:{number}")
        assert await refused(wrong) is Code.LINK_CODE
    assert await refused(links.prove(here.miso, at(EVE), code, "comment:9")) is Code.COMMAND_LIMIT
    assert not await links.waits(here.miso, EVE.id, code)
    await links.prove(here.miso, at(ANN), code, "comment:10")
    here.clock.pass_(60 * MINUTE)
    assert await refused(links.prove(here.miso, at(EVE), code, "comment:11")) is Code.LINK_CODE


async def test_rule_09_a_linked_identity_is_not_taken_over_by_another_account(here: Indoors) -> None:
    await links.prove(here.miso, at(ANN), await links.begin(here.miso, GUEST), "comment:1")
    again = replace(GUEST, actor=ANN)
    code = await links.begin(here.miso, again)
    assert await refused(links.prove(here.miso, at(EVE), code, "comment:2")) is Code.LINK_TAKEN
    renamed = person(ANN.id, "anna")
    await links.prove(here.miso, at(renamed), code, "comment:3")
    found = await links.of(here.miso, SUBJECT)
    assert found is not None
    assert (found.actor.id, found.actor.login) == (ANN.id, "anna")


async def test_only_people_link_and_only_whoever_signed_in_gets_a_code(here: Indoors) -> None:
    code = await links.begin(here.miso, GUEST)
    for kind in (ActorKind.APP, ActorKind.WORKFLOW, ActorKind.SYSTEM):
        stranger = at(Actor(kind=kind, id=7, login="x"))
        assert await refused(links.prove(here.miso, stranger, code, "comment:1")) is Code.BOT_REFUSED
        assert await refused(links.begin(here.miso, stranger)) is Code.BOT_REFUSED
    assert await refused(links.begin(here.miso, at(ANN))) is Code.NOT_SIGNED_IN
    assert await refused(links.prove(here.miso, GUEST, code, "x")) is Code.DOOR_REFUSED
    assert await told(here) == []


# --- set -------------------------------------------------------------------------------------------------------------


async def test_an_administrator_links_changes_and_ends_and_sign_ins_go_with_it(here: Indoors) -> None:
    await links.put(here.miso, boss(here), SUBJECT, ANN, cause="api:1")
    await signed_in(here)
    await links.put(here.miso, boss(here), SUBJECT, ANN, cause="api:1")
    assert await sign_ins(here) == 2
    await links.put(here.miso, boss(here), SUBJECT, BOB, cause="api:2")
    assert await sign_ins(here) == 0
    await signed_in(here)
    await signed_in(here, "entra:t:another")
    assert await links.remove(here.miso, boss(here), SUBJECT)
    assert not await links.remove(here.miso, boss(here), SUBJECT)
    assert (await sign_ins(here), await sign_ins(here, "entra:t:another")) == (0, 2)
    assert await links.of(here.miso, SUBJECT) is None
    rows = await told(here)
    assert [row.kind for row in rows] == [Note.PERSON_LINKED, Note.PERSON_LINKED, Note.PERSON_UNLINKED]
    assert [row.body["was"] for row in rows] == [0, ANN.id, BOB.id]
    assert {row.actor_id for row in rows} == {99}


async def test_nobody_else_sets_links_and_no_administrator_their_own(here: Indoors) -> None:
    own = boss(here, subject=SUBJECT)
    attempts = [
        (replace(boss(here), roles=frozenset(Role) - {Role.ADMINISTRATOR}), Code.ROLE_MISSING),
        (boss(here, age=11), Code.ROLES_TOO_OLD),
        (replace(boss(here), actor=GUEST.actor), Code.NOT_LINKED),
        (at(person(99)), Code.DOOR_REFUSED),
        (own, Code.DOOR_REFUSED),
    ]
    for who, code in attempts:
        assert await refused(links.put(here.miso, who, SUBJECT, EVE)) is code
        assert await refused(links.remove(here.miso, who, SUBJECT)) is code
    for nobody in (person(0), Actor(kind=ActorKind.APP, id=5)):
        assert await refused(links.put(here.miso, boss(here), SUBJECT, nobody)) is Code.REQUEST_MALFORMED
    assert await told(here) == []
