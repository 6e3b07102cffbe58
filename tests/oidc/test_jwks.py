"""Asking issuers for their keys: once for many, bounded in every way; old ones for a day, withdrawn ones not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.domain.codes import Code
from bot.errors import Transient
from bot.oidc.jwks import SECOND, IssuerKeys
from bot.sim.issuers.keyring import Keyring, signing_key
from tests.oidc.ground import DAY, MINUTE, Time
from tests.oidc.scripted import DISCOVERY, JWKS, Scripted


async def settled(issuer: Scripted) -> None:
    """Until what is on its way is read."""
    await asyncio.gather(*(each for each in asyncio.all_tasks() if each.get_name() == f"keys of {issuer.url}"))


async def refused(keys: IssuerKeys, issuer: Scripted, host: str = "") -> None:
    with pytest.raises(Transient) as fault:
        await keys.key(issuer.url, issuer.kid, host=host)
    assert fault.value.code == Code.ISSUER_UNAVAILABLE
    assert fault.value.retry_after == 5


async def test_a_key_is_found_by_its_name(keys: IssuerKeys, issuer: Scripted) -> None:
    found = await keys.key(issuer.url, issuer.kid)
    assert found is not None
    assert found.key.public_numbers() == signing_key(issuer.kid).public_key().public_numbers()
    assert issuer.seen == [DISCOVERY, JWKS]


async def test_rule_18_many_at_once_ask_once(keys: IssuerKeys, issuer: Scripted) -> None:
    issuer.seconds = 0.05
    found = await asyncio.gather(*(keys.key(issuer.url, issuer.kid) for _ in range(50)))
    assert all(found)
    assert issuer.asked == 1


async def test_whoever_goes_away_does_not_take_the_answer_with_them(keys: IssuerKeys, issuer: Scripted) -> None:
    issuer.seconds = 0.1
    first = asyncio.create_task(keys.key(issuer.url, issuer.kid))
    second = asyncio.create_task(keys.key(issuer.url, issuer.kid))
    await asyncio.sleep(0.02)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    assert await second is not None
    assert issuer.asked == 1


async def test_fresh_keys_are_taken_as_they_are(keys: IssuerKeys, issuer: Scripted, time: Time) -> None:
    for _ in range(5):
        assert await keys.key(issuer.url, issuer.kid)
        time.us += MINUTE
    assert issuer.asked == 1


async def test_after_five_minutes_they_serve_while_they_are_looked_at_again(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    old = issuer.kid
    await keys.key(issuer.url, old)
    issuer.ring.rotate(forget=True)
    time.us += 5 * MINUTE + SECOND
    assert await keys.key(issuer.url, old), "nobody waits for the answer"
    await settled(issuer)
    assert issuer.asked == 2
    assert await keys.key(issuer.url, old) is None, "the issuer has withdrawn it"
    assert await keys.key(issuer.url, issuer.kid)


async def test_a_key_that_was_withdrawn_while_nobody_came_is_not_used_once_more(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    old = issuer.kid
    await keys.key(issuer.url, old)
    issuer.ring.rotate(forget=True)
    time.us += 11 * MINUTE
    assert await keys.key(issuer.url, old) is None


async def test_a_new_key_is_found_at_once_when_the_last_question_is_some_time_ago(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    old = issuer.kid
    await keys.key(issuer.url, old)
    new = issuer.ring.rotate()
    assert await keys.key(issuer.url, new) is None, "asked just now"
    time.us += 30 * SECOND
    assert await keys.key(issuer.url, new)
    assert await keys.key(issuer.url, old)
    assert issuer.asked == 2


async def test_rule_18_unknown_names_cause_one_question_in_half_a_minute(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    await keys.key(issuer.url, issuer.kid)
    time.us += MINUTE
    for number in range(10):
        assert await keys.key(issuer.url, f"nobody-{number}") is None
    assert issuer.asked == 2
    time.us += 29 * SECOND
    assert await keys.key(issuer.url, "nobody") is None
    assert issuer.asked == 2
    time.us += SECOND
    assert await keys.key(issuer.url, "nobody") is None
    assert issuer.asked == 3


async def test_old_keys_serve_for_a_day_when_the_issuer_does_not_answer(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    await keys.key(issuer.url, issuer.kid)
    issuer.down = True
    for _ in range(4):
        time.us += DAY // 4
        assert await keys.key(issuer.url, issuer.kid)
    time.us += SECOND
    await refused(keys, issuer)
    issuer.down = False
    time.us += 5 * SECOND
    assert await keys.key(issuer.url, issuer.kid)


async def test_during_an_outage_one_in_half_a_minute_waits(keys: IssuerKeys, issuer: Scripted, time: Time) -> None:
    await keys.key(issuer.url, issuer.kid)
    issuer.down = True
    time.us += 20 * MINUTE
    for _ in range(10):
        assert await keys.key(issuer.url, issuer.kid)
        time.us += 2 * SECOND
    assert issuer.seen.count(DISCOVERY) == 2


async def test_an_unknown_name_during_an_outage_is_not_called_unknown(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    await keys.key(issuer.url, issuer.kid)
    issuer.ring.rotate()
    issuer.down = True
    time.us += MINUTE
    await refused(keys, issuer)
    await refused(keys, issuer)
    issuer.down = False
    time.us += 30 * SECOND
    assert await keys.key(issuer.url, issuer.kid)


async def test_an_issuer_that_never_answered_is_asked_again_soon(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    issuer.down = True
    for _ in range(3):
        await refused(keys, issuer)
    assert issuer.seen == [DISCOVERY]
    time.us += 5 * SECOND
    issuer.down = False
    assert await keys.key(issuer.url, issuer.kid)


async def test_a_clock_that_is_put_back_makes_no_key_fresh(keys: IssuerKeys, issuer: Scripted, time: Time) -> None:
    old = issuer.kid
    await keys.key(issuer.url, old)
    issuer.ring.rotate(forget=True)
    time.us -= DAY
    assert await keys.key(issuer.url, old) is None


async def test_issuers_do_not_share_keys(keys: IssuerKeys, issuer: Scripted) -> None:
    async with Scripted.running() as other:
        other.ring = Keyring("other")
        assert await keys.key(issuer.url, issuer.kid)
        assert await keys.key(other.url, issuer.kid) is None
        assert await keys.key(other.url, other.kid)


async def test_closing_ends_what_is_on_its_way(keys: IssuerKeys, issuer: Scripted) -> None:
    issuer.seconds = 10
    waiting = asyncio.create_task(keys.key(issuer.url, issuer.kid))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(1):
        await keys.close()
        with suppress(asyncio.CancelledError):
            await waiting


# --- answers that cannot be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "over",
    [
        {"issuer": None},
        {"issuer": "https://evil.example"},
        {"issuer": ["x"]},
        {"jwks_uri": None},
        {"jwks_uri": 1},
        {"jwks_uri": ""},
        {"jwks_uri": "/.well-known/jwks"},
        {"jwks_uri": "https://evil.example/jwks"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://127.0.0.1:1/jwks"},
        {"jwks_uri": "https://[::1"},
    ],
    ids=str,
)
async def test_rule_18_a_discovery_document_that_leads_elsewhere(
    keys: IssuerKeys, issuer: Scripted, over: dict[str, Any]
) -> None:
    issuer.over = over
    await refused(keys, issuer)
    assert issuer.seen == [DISCOVERY]


@pytest.mark.parametrize("form", ["{}/", "{}?x", "{}/x", "HTTP{}"])
async def test_rule_18_the_issuer_must_call_itself_exactly_so(keys: IssuerKeys, issuer: Scripted, form: str) -> None:
    issuer.over = {"issuer": form.format(issuer.url)}
    await refused(keys, issuer)


async def test_rule_18_an_address_with_a_user_is_refused(keys: IssuerKeys, issuer: Scripted) -> None:
    issuer.over = {"jwks_uri": issuer.url.replace("://", "://127.0.0.1@") + JWKS}
    await refused(keys, issuer)


async def test_rule_18_keys_come_from_another_host_only_where_the_operator_named_it(
    keys: IssuerKeys, issuer: Scripted, time: Time
) -> None:
    async with Scripted.running() as other:
        issuer.over = {"jwks_uri": other.url + JWKS}
        await refused(keys, issuer)
        time.us += MINUTE
        assert await keys.key(issuer.url, other.kid, host=other.url.removeprefix("http://"))
        assert (issuer.asked, other.asked) == (0, 1)


@pytest.mark.parametrize("page", [DISCOVERY, JWKS])
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 302, "headers": {"Location": "/elsewhere"}},
        {"status": 308, "headers": {"Location": "http://169.254.169.254/"}},
        {"status": 404},
        {"status": 500},
        {"status": 204},
        {"text": "{}", "content_type": "text/html"},
        {"text": "{}", "content_type": "text/plain"},
        {"text": "[]", "content_type": "application/json"},
        {"text": "{", "content_type": "application/json"},
        {"text": '{"issuer": 1, "issuer": 2}', "content_type": "application/json"},
        {"body": b'{"a": "\xff"}', "content_type": "application/json"},
        {"text": "[" * 50_000, "content_type": "application/json"},
        {"text": '{"a": "' + "x" * 66_000 + '"}', "content_type": "application/json"},
    ],
    ids=lambda answer: str(answer)[:60],
)
async def test_rule_18_an_answer_that_is_none(
    keys: IssuerKeys, issuer: Scripted, page: str, answer: dict[str, Any]
) -> None:
    issuer.answers[page] = web.Response(**answer)
    await refused(keys, issuer)
    assert "/elsewhere" not in issuer.seen, "redirects are not followed"


async def test_rule_18_both_documents_together_have_their_time(session: aiohttp.ClientSession, time: Time) -> None:
    async with Scripted.running() as issuer:
        issuer.seconds = 0.15
        hasty = IssuerKeys(session, time.now_us, timeout=0.2)
        await refused(hasty, issuer)
        assert issuer.seen == [DISCOVERY, JWKS]


async def test_rule_18_nobody_listens(keys: IssuerKeys, issuer: Scripted) -> None:
    issuer.url = "http://127.0.0.1:1"
    await refused(keys, issuer)
