"""Registries for these tests: real ones and scripted ones, all on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from tests import registry
from tests.images.scripted import Scripted, Start


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as made:
        yield made


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry.running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[TestServer] = []

    async def start_one(scripted: Scripted) -> Scripted:
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", scripted.answer)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        scripted.host = f"127.0.0.1:{servers[-1].port}"
        return scripted

    yield start_one
    for server in servers:
        await server.close()
