"""`miso tokens`: listed and ended by their SHA-256, over HTTP, as somebody who signed in."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app, session
from bot.cli.calling import Tokens, understood
from tests.cli.counter import Answer, Counter, problem, standing

ONE, TWO = "ab" * 32, "ac" * 32


@pytest.fixture
async def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None) -> AsyncIterator[Counter]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with standing() as counter:
        _, tokens = counter.tokens()
        session.write(understood(Tokens, tokens).session(counter.url, asked=time.time()))
        yield counter


async def miso(*command: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["tokens", *command]))


def page(*hashes: str, after: str | None = None, **more: Any) -> Answer:
    told = {"commit": "c" * 40, "run_id": 7, "run_attempt": 2, "rule": "default branch", "revoked_at": None}
    ids = {"environment_id": "d1a40f1c-0b5a-4a55-8d0b-5d1e5b6f0d01", "expires_at": "2026-11-24T10:00:00Z"}
    return 200, {"tokens": [{"sha256": each, **told, **ids, **more} for each in hashes], "after": after}


async def test_they_are_listed_page_by_page(counter: Counter) -> None:
    counter.script["GET /api/v1/tokens"] = [page(ONE, after=ONE), page(TWO, revoked_at="2026-11-24T09:00:00Z")]
    ran = await miso("list", "--json")
    assert ran.exit_code == 0, ran.output
    assert [token["sha256"] for token in json.loads(ran.stdout)["tokens"]] == [ONE, TWO]
    counter.script["GET /api/v1/tokens"] = [page(ONE, TWO)]
    shown = (await miso("list")).stdout
    assert ONE[:12] in shown
    assert "7.2" in shown


async def test_one_is_ended_by_the_beginning_of_its_hash(counter: Counter) -> None:
    counter.script["GET /api/v1/tokens"] = [page(ONE, TWO)]
    counter.script[f"POST /api/v1/tokens/{ONE}/revoke"] = [(200, {})]
    ran = await miso("revoke", ONE[:12])
    assert ran.exit_code == 0, ran.output
    assert len(counter.to(f"{ONE}/revoke")) == 1


async def test_nothing_is_ended_by_guess(counter: Counter) -> None:
    counter.script["GET /api/v1/tokens"] = [page("ab" * 32, "ab" * 6 + "cd" * 26)]
    assert (await miso("revoke", "ab" * 6)).exit_code == 2
    assert (await miso("revoke", "ab" * 5)).exit_code == 2
    assert not [route for route, *_ in counter.asked if route.startswith("POST")]


async def test_whoever_may_not_is_told_so(counter: Counter) -> None:
    counter.script["GET /api/v1/tokens"] = [problem(403, "role_missing")]
    ran = await miso("list")
    assert ran.exit_code == 1
    assert "role_missing" in ran.output
