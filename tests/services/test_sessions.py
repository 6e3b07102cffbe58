"""Sessions and sign-ins when several things happen to the same person in the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from bot.domain.identity import Door, SignedIn
from bot.errors import Refused
from bot.services import people, sessions, signing_in
from bot.services.bearer import fresh, key_of
from bot.services.signing_in import Entered
from tests.web.lodge import OPERATORS, Lodge, lodge


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lodge]:
    async with lodge(tmp_path) as opened:
        opened.person("ann", groups=[OPERATORS])
        yield opened


async def answered(here: Lodge) -> tuple[dict[str, str], str]:
    """What came back from the sign-in service, and what the browser holds."""
    begun = await signing_in.begin(here.miso, to="/account")
    back = await here.browser.get(begun.address)
    return dict(parse_qsl(urlsplit(back.to).query)), begun.browser


async def enter(here: Lodge) -> Entered:
    answer, browser = await answered(here)
    entered = await signing_in.finish(here.miso, answer, browser=browser, cookie="", agent="")
    assert isinstance(entered, Entered)
    return entered


async def test_a_state_counts_for_one_of_those_who_bring_it_at_once(here: Lodge) -> None:
    answer, browser = await answered(here)
    results = await asyncio.gather(
        *(signing_in.finish(here.miso, answer, browser=browser, cookie="", agent="") for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Entered) for each in results) == 1
    assert {each.code for each in results if isinstance(each, Refused)} == {"sign_in_state"}


async def test_two_browsers_sign_in_at_once(here: Lodge) -> None:
    entered = await asyncio.gather(*(enter(here) for _ in range(4)))
    found = [await sessions.of_cookie(here.miso, each.cookie) for each in entered]
    assert all(each is not None and each.door is Door.PORTAL for each in found)
    assert len({each.session for each in found if each is not None}) == 4


async def test_ending_and_using_a_session_at_once_leaves_none(here: Lodge) -> None:
    entered = await enter(here)
    who = await sessions.of_cookie(here.miso, entered.cookie)
    assert who is not None
    here.clock.pass_(120)
    await asyncio.gather(
        *(sessions.of_cookie(here.miso, entered.cookie) for _ in range(5)),
        sessions.end_all(here.miso, who),
        *(sessions.of_cookie(here.miso, entered.cookie) for _ in range(5)),
    )
    assert await sessions.of_cookie(here.miso, entered.cookie) is None


async def test_use_is_written_down_once_a_minute(here: Lodge) -> None:
    entered = await enter(here)
    before = await here.miso.store.kept("session", key_of(entered.cookie))
    for _ in range(5):
        here.clock.pass_(10)
        await sessions.of_cookie(here.miso, entered.cookie)
    assert await here.miso.store.kept("session", key_of(entered.cookie)) == before
    here.clock.pass_(10)
    await sessions.of_cookie(here.miso, entered.cookie)
    after = await here.miso.store.kept("session", key_of(entered.cookie))
    assert before is not None
    assert after is not None
    assert after.until_us == before.until_us + 60_000_000


async def test_without_what_was_told_of_a_person_there_is_no_session(here: Lodge) -> None:
    """Nobody is somebody by a session alone."""
    entered = await enter(here)
    person = await here.miso.store.kept(people.KIND, key_of(entered.subject))
    assert person is not None
    assert await here.miso.store.keep(people.without(person))
    assert await sessions.of_cookie(here.miso, entered.cookie) is None


async def test_groups_grow_old_and_viewing_goes_on(here: Lodge) -> None:
    entered = await enter(here)
    who = await sessions.of_cookie(here.miso, entered.cookie)
    assert who is not None
    assert not people.stale(here.miso, who)
    here.clock.pass_(601)
    who = await sessions.of_cookie(here.miso, entered.cookie)
    assert who is not None
    assert people.stale(here.miso, who)


async def test_a_policy_that_changes_changes_what_everybody_is_at_once(here: Lodge) -> None:
    told = await people.roles(here.miso, frozenset({f"group:{OPERATORS}"}))
    assert sorted(told) == ["operator", "viewer"]
    assert sorted(await people.roles(here.miso, frozenset({f"role:{OPERATORS}"}))) == ["viewer"]


async def test_a_name_is_cut(here: Lodge) -> None:
    signed = SignedIn(subject="entra:a:b", name="n" * 5000, groups=frozenset())
    body = people.news(here.miso, signed, None).body
    assert body is not None
    assert len(body["name"]) == people.MOST_NAME


async def test_nobody_ends_a_session_that_is_not_theirs(here: Lodge) -> None:
    mine = await enter(here)
    who = await sessions.of_cookie(here.miso, mine.cookie)
    assert who is not None
    assert not await sessions.end(here.miso, who, key_of(fresh()))
