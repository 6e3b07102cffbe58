"""Deployed applications behind TLS, on loopback."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.probe.deployed import HOST, Deploy, Deployed, Handler


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def deploy(authority: trustme.CA) -> AsyncIterator[Deploy]:
    servers: list[TestServer] = []

    async def start(handler: Handler) -> Deployed:
        async def remember(request: web.Request) -> web.StreamResponse:
            deployed.seen.append((request.headers["Host"], request.path_qs))
            return await handler(request)

        app = web.Application()
        app.router.add_get("/{anything:.*}", remember)
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(own)
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        server = TestServer(app, scheme="https")
        await server.start_server(ssl=own)
        servers.append(server)
        assert server.port is not None
        deployed = Deployed(address=("127.0.0.1", server.port), trust=trust)
        return deployed

    yield start
    for server in servers:
        await server.close()
