"""Webhooks that could not be worked through are listed with why, shown, and tried again on request."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from contextlib import closing

import aiohttp

from tests.cli.conftest import SECRET, Desk

GUID = "11111111-2222-3333-4444-555555555555"


async def send(desk: Desk, body: bytes, guid: str = GUID, event: str = "issue_comment") -> None:
    headers = {
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        "Content-Type": "application/json",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{desk.settings['MISO_PUBLIC_URL']}/github/webhooks", data=body, headers=headers) as answer,
    ):
        assert answer.status == 202
    await desk.settle()


async def test_a_parked_delivery_is_listed_shown_and_tried_again(registered: Desk) -> None:
    await send(registered, b'{"action": "created", "comment": "\\u001b[31m"}')
    listed = json.loads((await registered.miso("deliveries", "--state", "parked", "--json")).stdout)
    [parked] = listed
    told = {"guid", "event", "state", "received", "done", "attempts", "code", "note", "replay_of", "erased"}
    assert set(parked) == told
    assert parked["erased"] is False
    assert (parked["guid"], parked["event"], parked["state"], parked["code"]) == (
        GUID,
        "issue_comment",
        "parked",
        "event_shape",
    )
    table = (await registered.miso("deliveries")).output
    assert GUID in table
    assert "event_shape" in table

    shown = await registered.miso("deliveries", "show", GUID)
    assert '"action": "created"' in shown.output
    assert "\x1b" not in shown.output
    document = json.loads((await registered.miso("deliveries", "show", GUID, "--json")).stdout)
    assert document["body"]["comment"] == "\x1b[31m"

    assert (await registered.miso("deliveries", "retry", GUID)).exit_code == 0
    found = await registered.running.miso.store.delivery(GUID)
    assert found is not None
    assert found.state == "waiting"


async def test_a_replay_names_what_it_repeats(registered: Desk) -> None:
    body = b'{"action": "nothing"}'
    await send(registered, body, event="star")
    other = GUID.replace("1", "9")
    await send(registered, body, guid=other, event="star")
    listed = json.loads((await registered.miso("deliveries", "--limit", "1", "--json")).stdout)
    assert [(each["guid"], each["replay_of"]) for each in listed] == [(other, GUID)]


async def test_what_is_done_is_not_tried_again_and_what_is_unknown_is_said(registered: Desk) -> None:
    await send(registered, b'{"action": "nothing"}', event="star")
    for command, said in (
        (("retry", GUID), "not_parked"),
        (("retry", "no-such"), "delivery_unknown"),
        (("show", "no-such"), "delivery_unknown"),
    ):
        done = await registered.miso("deliveries", *command)
        assert done.exit_code == 1
        assert said in done.output


async def test_rule_17_what_is_done_is_erased_and_a_parked_one_after_its_days(registered: Desk) -> None:
    other = GUID.replace("1", "9")
    await send(registered, b'{"action": "nothing"}', event="star")
    await send(registered, b'{"action": "created"}', guid=other)
    done = await registered.miso("deliveries", "show", GUID)
    assert "The body is erased." in done.output
    document = json.loads((await registered.miso("deliveries", "show", GUID, "--json")).stdout)
    assert (document["body"], document["erased"]) == (None, True)

    with closing(sqlite3.connect(f"{registered.settings['MISO_DATA_DIR']}/miso.sqlite", isolation_level=None)) as bare:
        bare.execute("UPDATE delivery SET received_us = 1 WHERE guid = ?", (other,))
    assert await registered.running.miso.store.purge() == 1
    assert "erased" in (await registered.miso("deliveries", "--state", "parked")).output
    refused = await registered.miso("deliveries", "retry", other)
    assert refused.exit_code == 1
    assert "body_erased" in refused.output
