"""The front gate: every fault has a status of its own, what was acknowledged is kept, and nothing is ever a 500."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import hmac
import logging
import random
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.context import Azure, GitHub, Images, Miso, Oidc, Probe
from bot.domain.model import DeliveryState
from bot.domain.rules import Rules
from bot.store.sqlite import SqliteStore
from bot.web import webhook
from tests.store.builders import Clock

SECRET = "It's a Secret to Everybody"
BEFORE = "the secret of last year"
GUID = "11111111-2222-4333-8444-555555555555"
Gate = TestClient[web.Request, web.Application]


def hall(store: SqliteStore, clock: Clock) -> Miso:
    """Only store and clock are there: the gate must need nothing else."""

    class Now:
        def now_us(self) -> int:
            return clock()

        async def sleep(self, seconds: float) -> None:
            clock.pass_(seconds)

    nothing: Any = None
    return Miso(
        rules=Rules(controller="miso", app_id=4242),
        store=store,
        github=cast(GitHub, nothing),
        azure=cast(Azure, nothing),
        images=cast(Images, nothing),
        probe=cast(Probe, nothing),
        oidc=cast(Oidc, nothing),
        clock=Now(),
    )


@contextlib.asynccontextmanager
async def gate_of(store: SqliteStore, *secrets: str) -> AsyncIterator[Gate]:
    app = web.Application()
    app.add_routes(webhook.routes(hall(store, Clock()), secrets or (SECRET,)))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=Clock())
    yield opened
    await opened.close()


@pytest.fixture
async def gate(store: SqliteStore) -> AsyncIterator[Gate]:
    async with gate_of(store, SECRET, BEFORE) as client:
        yield client


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(body: bytes, **others: str | None) -> dict[str, str]:
    """As GitHub sends them. `others`: by name with underscores; None leaves one out."""
    usual: dict[str, str | None] = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": GUID,
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Hook-Installation-Target-ID": "4242",
        "X-Hub-Signature-256": sign(body),
    }
    changed = {name.replace("_", "-"): value for name, value in others.items()}
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


async def send(gate: Gate, body: bytes, given: Mapping[str, str]) -> tuple[int, Any]:
    async with gate.post(webhook.PATH, data=body, headers=given, skip_auto_headers=["Content-Type"]) as answer:
        return answer.status, await answer.json()


def test_githubs_own_vector() -> None:
    """https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
    known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert webhook.signed(b"Hello, World!", known, [SECRET.encode()])
    assert not webhook.signed(b"Hello, World?", known, [SECRET.encode()])


async def test_rule_24_a_delivery_is_stored_before_it_is_acknowledged(gate: Gate, store: SqliteStore) -> None:
    body = b'{"action":"completed"}'
    assert await send(gate, body, headers(body)) == (202, {"delivery": "stored"})
    kept = await store.delivery(GUID)
    assert kept is not None
    assert (kept.event, kept.body, kept.state, kept.hook_target_id) == (
        "workflow_run",
        body,
        DeliveryState.WAITING,
        "4242",
    )


async def test_rule_21_the_same_guid_is_one_row_and_the_same_body_a_replay(gate: Gate, store: SqliteStore) -> None:
    body = b'{"action":"completed"}'
    other = GUID.replace("1", "9")
    assert await send(gate, body, headers(body)) == (202, {"delivery": "stored"})
    assert await send(gate, body, headers(body, X_GitHub_Delivery=GUID.upper())) == (202, {"delivery": "known"})
    assert await send(gate, body, headers(body, X_GitHub_Delivery=other)) == (202, {"delivery": "stored"})
    rows = {row.guid: row.replay_of for row in await store.deliveries(state=None, limit=10)}
    assert rows == {GUID: "", other: GUID}


async def test_rule_21_a_redelivery_opens_what_was_parked(gate: Gate, store: SqliteStore) -> None:
    body = b"{}"
    await send(gate, body, headers(body))
    await store.delivery_failed(GUID, code="event_shape", note="", retry_at_us=None)
    assert await send(gate, body, headers(body)) == (202, {"delivery": "reopened"})
    await store.delivery_done(GUID)
    assert await send(gate, body, headers(body)) == (202, {"delivery": "known"})


GOOD = sign(b"{}")
FAULTS: list[tuple[str, bytes, dict[str, str | None], int, str]] = [
    ("a form instead of JSON", b"{}", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "content_type"),
    ("no content type", b"{}", {"Content_Type": None}, 415, "content_type"),
    ("no signature", b"{}", {"X_Hub_Signature_256": None}, 401, "signature"),
    ("only SHA-1", b"{}", {"X_Hub_Signature_256": None, "X_Hub_Signature": "sha1=" + "0" * 40}, 401, "signature"),
    ("SHA-1 under the new name", b"{}", {"X_Hub_Signature_256": "sha1=" + "0" * 40}, 401, "signature"),
    ("not ASCII", b"{}", {"X_Hub_Signature_256": "sha256=" + "é" * 64}, 401, "signature"),
    ("too short", b"{}", {"X_Hub_Signature_256": GOOD[:-1]}, 401, "signature"),
    ("too long", b"{}", {"X_Hub_Signature_256": GOOD + "0"}, 401, "signature"),
    ("without its prefix", b"{}", {"X_Hub_Signature_256": GOOD[7:]}, 401, "signature"),
    ("in capitals", b"{}", {"X_Hub_Signature_256": "sha256=" + GOOD[7:].upper()}, 401, "signature"),
    ("with another secret", b"{}", {"X_Hub_Signature_256": sign(b"{}", "another")}, 401, "signature"),
    ("of another body", b"{}", {"X_Hub_Signature_256": sign(b"{ }")}, 401, "signature"),
    ("no delivery id", b"{}", {"X_GitHub_Delivery": None}, 400, "headers"),
    ("a delivery id that is no GUID", b"{}", {"X_GitHub_Delivery": "1' OR '1'='1"}, 400, "headers"),
    ("no event", b"{}", {"X_GitHub_Event": None}, 400, "headers"),
    ("an event with capitals", b"{}", {"X_GitHub_Event": "Workflow_Run"}, 400, "headers"),
    ("an event that is a path", b"{}", {"X_GitHub_Event": "../../etc"}, 400, "headers"),
    ("a target that is no number", b"{}", {"X_GitHub_Hook_Installation_Target_ID": "٤٢"}, 400, "headers"),
    ("a list", b"[]", {"X_Hub_Signature_256": sign(b"[]")}, 422, "not_an_object"),
    ("nothing at all", b"", {"X_Hub_Signature_256": sign(b"")}, 422, "not_an_object"),
    ("a byte order mark", b"\xef\xbb\xbf{}", {"X_Hub_Signature_256": sign(b"\xef\xbb\xbf{}")}, 422, "not_an_object"),
    ("something unpacked badly", b"{}", {"Content_Encoding": "gzip"}, 400, "body_unreadable"),
]


@pytest.mark.parametrize(("what", "body", "others", "status", "code"), FAULTS, ids=[fault[0] for fault in FAULTS])
async def test_rules_22_23_every_fault_has_its_own_status(
    gate: Gate, store: SqliteStore, what: str, body: bytes, others: dict[str, str | None], status: int, code: str
) -> None:
    answered, said = await send(gate, body, headers(body, **others))
    assert (answered, said["code"]) == (status, code)
    assert await store.deliveries(state=None, limit=10) == []


async def test_rule_22_both_secrets_count_while_rotating_and_one_afterwards(store: SqliteStore) -> None:
    body = b"{}"
    async with gate_of(store, SECRET, BEFORE) as rotating:
        for secret in (SECRET, BEFORE):
            assert (await send(rotating, body, headers(body, X_Hub_Signature_256=sign(body, secret))))[0] == 202
    async with gate_of(store, SECRET) as after:
        assert (await send(after, body, headers(body, X_Hub_Signature_256=sign(body, BEFORE))))[0] == 401


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, "")])
async def test_rule_22_an_empty_secret_refuses_to_start(store: SqliteStore, secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="secret"):
        webhook.routes(hall(store, Clock()), secrets)


async def test_rule_23_a_body_is_measured_while_it_is_read(
    gate: Gate, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_BYTES", 100)
    just = b"{" + b" " * 98 + b"}"
    assert (await send(gate, just, headers(just)))[0] == 202
    more = just + b" "
    assert await send(gate, more, headers(more)) == (
        413,
        {"code": "body_too_large", "hint": "GitHub sends at most 25 MB."},
    )

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 50

    async with gate.post(webhook.PATH, data=chunks(), headers=headers(b" " * 150)) as answer:
        assert answer.status == 413  # no Content-Length says it beforehand


async def test_rule_23_a_small_body_that_unpacks_to_a_large_one_is_too_large(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_BYTES", 10_000)
    packed = gzip.compress(b"{" + b" " * 100_000 + b"}")
    assert len(packed) < 10_000
    assert (await send(gate, packed, headers(packed, Content_Encoding="gzip")))[0] == 413


async def test_rule_24_an_inbox_that_cannot_be_written_says_so(gate: Gate, store: SqliteStore) -> None:
    await store.close()
    body = b"{}"
    async with gate.post(webhook.PATH, data=body, headers=headers(body)) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["code"] == "store_unavailable"


async def test_rule_24_a_sender_that_never_ends_is_not_waited_for(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "READ_SECONDS", 0.05)

    async def drips() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with gate.post(webhook.PATH, data=drips(), headers=headers(b"{")) as answer:
        assert answer.status == 408


async def test_a_body_is_never_logged(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"planted":"words of a private repository"'
    await send(gate, body, headers(body))
    await send(gate, body, headers(body, X_Hub_Signature_256=sign(body, "another")))
    await send(gate, body, headers(body, X_GitHub_Event="-"))
    assert "planted" not in caplog.text
    assert "private repository" not in caplog.text


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3))
async def test_rule_24_acknowledged_is_stored_through_kill_9(tmp_path: Path, seed: int) -> None:
    """The whole controller under load, killed at a random moment: whatever was answered 2xx is in the inbox."""
    from tests.flows.apart import apart

    async with apart(tmp_path) as story:
        story.world.webhooks.url = None
        await story.start()
        told: set[str] = set()
        moment = random.Random(seed).uniform(0.2, 0.8)
        async with aiohttp.ClientSession() as session:
            senders = [asyncio.create_task(sends(session, story.url, told, n, story.settings)) for n in range(8)]
            await asyncio.sleep(moment)
            await story.kill()
            await asyncio.gather(*senders)
        assert told
        with closing(sqlite3.connect(story.database)) as db:
            kept = {guid for (guid,) in db.execute("SELECT guid FROM delivery")}
        assert told <= kept


async def sends(
    session: aiohttp.ClientSession, url: str, told: set[str], number: int, settings: Mapping[str, str]
) -> None:
    """Deliveries without end, until nobody answers. An event that no door waits for, so that only intake is tried."""
    for at in range(1_000_000):
        guid = f"{number:08x}-0000-4000-8000-{at:012x}"
        body = f'{{"number":{at}}}'.encode()
        given = headers(
            body,
            X_GitHub_Delivery=guid,
            X_GitHub_Event="star",
            X_Hub_Signature_256=sign(body, settings["MISO_WEBHOOK_SECRET"]),
        )
        try:
            async with session.post(f"{url}{webhook.PATH}", data=body, headers=given) as answer:
                if answer.status == 202:
                    told.add(guid)
        except aiohttp.ClientError:
            return
