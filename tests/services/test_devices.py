"""Device codes and refresh tokens when two hands reach for the same one in the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.identity import Door, Principal
from bot.domain.model import Actor, ActorKind
from bot.errors import MisoError, Refused
from bot.services import devices, sessions
from bot.services.device_codes import CLIENT
from bot.services.devices import PersonTokens
from tests.web.lodge import Lodge, lodge


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lodge]:
    async with lodge(tmp_path) as opened:
        opened.person("ann")
        await opened.browser.sign_in()
        yield opened


async def ann(here: Lodge) -> Principal:
    found = await sessions.of_cookie(here.miso, here.browser.cookie)
    assert found is not None
    return found


async def granted(here: Lodge) -> str:
    begun = await devices.begin(here.miso, CLIENT, "", "203.0.113.7")
    await devices.decide(here.miso, await ann(here), begun.user_code, allow=True)
    return begun.device_code


def codes(answers: list[PersonTokens | BaseException]) -> list[str]:
    return sorted("" if isinstance(each, PersonTokens) else getattr(each, "code", repr(each)) for each in answers)


async def test_a_code_gives_tokens_to_one_of_those_who_poll_at_once(here: Lodge) -> None:
    device_code = await granted(here)
    answers = await asyncio.gather(
        *(devices.poll(here.miso, device_code, CLIENT) for _ in range(5)), return_exceptions=True
    )
    assert codes(list(answers)) == ["", *[Code.DEVICE_CODE.value] * 4]


async def test_yes_and_no_at_once_is_one_of_them(here: Lodge) -> None:
    begun = await devices.begin(here.miso, CLIENT, "", "203.0.113.7")
    who = await ann(here)
    said = await asyncio.gather(
        *(devices.decide(here.miso, who, begun.user_code, allow=allow) for allow in (True, False)),
        return_exceptions=True,
    )
    assert sum(each is None for each in said) == 1
    assert len(await here.rows("device.granted", "device.denied")) == 1


async def test_a_refresh_token_in_two_hands_at_once_ends_the_sign_in(here: Lodge) -> None:
    first = await devices.poll(here.miso, await granted(here), CLIENT)
    answers = await asyncio.gather(
        *(devices.refresh(here.miso, first.refresh_token, CLIENT) for _ in range(3)), return_exceptions=True
    )
    assert Code.REFRESH_REUSED.value in codes(list(answers))
    for each in answers:
        if isinstance(each, PersonTokens):
            assert await sessions.of_access(here.miso, each.access_token) is None
    assert await sessions.of_access(here.miso, first.access_token) is None


async def test_wrong_codes_at_once_are_not_more_than_five(here: Lodge) -> None:
    who = await ann(here)
    await asyncio.gather(*(devices.look(here.miso, who, "BBBB-BBBB") for _ in range(30)), return_exceptions=True)
    begun = await devices.begin(here.miso, CLIENT, "", "203.0.113.7")
    for _ in range(5):
        with pytest.raises(MisoError):
            await devices.look(here.miso, who, "BBBB-BBBB")
    with pytest.raises(Refused, match="too_many_requests"):
        await devices.look(here.miso, who, begun.user_code)


NOT_IN_A_BROWSER = [
    Principal(actor=Actor(kind=ActorKind.PERSON, id=7), door=Door.CLI, subject="entra:a:b", device=True),
    Principal(actor=Actor(kind=ActorKind.WORKFLOW, id=7), door=Door.API),
    Principal(actor=Actor(kind=ActorKind.PERSON, id=7), door=Door.COMMENT),
    Principal(actor=Actor(kind=ActorKind.PERSON, id=7), door=Door.PORTAL),
]


@pytest.mark.parametrize("who", NOT_IN_A_BROWSER, ids=lambda who: f"{who.door} {who.subject}")
async def test_only_somebody_in_a_browser_says_yes(here: Lodge, who: Principal) -> None:
    begun = await devices.begin(here.miso, CLIENT, "", "203.0.113.7")
    with pytest.raises(Refused, match=Code.DOOR_REFUSED):
        await devices.decide(here.miso, who, begun.user_code, allow=True)
