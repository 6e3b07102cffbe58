"""A scripted issuer, and the window to it on a clock that is moved by hand; a host whose identity opens a vault."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.oidc.jwks import IssuerKeys
from tests.oidc.ground import Time
from tests.oidc.host import Host, hosted
from tests.oidc.scripted import Scripted


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def issuer() -> AsyncIterator[Scripted]:
    async with Scripted.running() as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


@pytest.fixture
async def keys(session: aiohttp.ClientSession, time: Time) -> AsyncIterator[IssuerKeys]:
    window = IssuerKeys(session, time.now_us, timeout=1.0)
    yield window
    await window.close()


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    async with hosted(tmp_path / "keys") as running:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", running.world.addresses.identity)
        yield running
