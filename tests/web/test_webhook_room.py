"""What strangers send together is bounded, before anybody has proven to be GitHub."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.store.sqlite import SqliteStore
from bot.web import webhook
from tests.store.builders import Clock
from tests.web.test_webhook import SECRET, gate_of, headers, send


async def test_rule_23_strangers_together_are_read_no_more_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=Clock())
    whole = webhook.Room
    monkeypatch.setattr(webhook, "Room", lambda: whole(1_000))
    async with gate_of(store, SECRET) as gate:
        large = b'{"a":"' + b"x" * 2_000 + b'"}'
        assert (await send(gate, large, headers(large)))[0] == 503
        assert (await send(gate, b"{}", headers(b"{}")))[0] == 202, "what was not read takes no room for ever"
    await store.close()
