"""The documents on the wire: standard libraries fetch them and believe our assertions, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import jwt
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bot.clock import SystemClock
from bot.context import Oidc
from bot.oidc.issue import Issuer
from bot.oidc.opening import open_rings
from bot.web import oidc

ENVIRONMENT = "0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10"
AUDIENCE = "api://AzureADTokenExchange"


async def issuing(address: str, directory: Path) -> Issuer:
    now_us = SystemClock().now_us
    return Issuer(address, await open_rings(directory, issuer=address, now_us=now_us), now_us)


@pytest.fixture
async def issuer(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[tuple[str, Issuer]]:
    address = f"http://127.0.0.1:{unused_tcp_port}"
    made = await issuing(address, tmp_path / "served")
    app = web.Application()
    app.add_routes(oidc.routes(cast(Oidc, made)))  # of the hall's window they read the two documents
    server = TestServer(app, port=unused_tcp_port)
    await server.start_server()
    yield address, made
    await server.close()


async def test_pyjwt_follows_discovery_and_verifies(issuer: tuple[str, Issuer]) -> None:
    address, made = issuer
    async with ClientSession() as session, session.get(f"{address}/.well-known/openid-configuration") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        document = await answer.json()
    assert document["issuer"] == address
    token = made.assertion(ENVIRONMENT)
    client = jwt.PyJWKClient(document["jwks_uri"])
    key = await asyncio.to_thread(client.get_signing_key_from_jwt, token)
    claims = jwt.decode(
        token,
        key,
        algorithms=document["id_token_signing_alg_values_supported"],
        audience=AUDIENCE,
        issuer=address,
        options={"require": ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"], "strict_aud": True},
    )
    assert claims["sub"] == f"miso:env:{ENVIRONMENT}"
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["RS256"], audience="https://github.com/owner", issuer=address)


async def test_a_foreign_key_is_not_believed(issuer: tuple[str, Issuer], tmp_path: Path) -> None:
    address, _ = issuer
    forged = (await issuing(address, tmp_path / "keys")).assertion(ENVIRONMENT)
    client = jwt.PyJWKClient(f"{address}/.well-known/jwks")
    with pytest.raises(jwt.PyJWKClientError):
        await asyncio.to_thread(client.get_signing_key_from_jwt, forged)


async def test_only_public_parts_are_served(issuer: tuple[str, Issuer]) -> None:
    address, _ = issuer
    async with ClientSession() as session, session.get(f"{address}/.well-known/jwks") as answer:
        keys = (await answer.json())["keys"]
    assert [set(key) for key in keys] == [
        {"kty", "n", "e", "kid", "use", "alg"},
        {"kty", "crv", "x", "y", "kid", "use", "alg"},
    ]


async def test_nothing_can_be_written(issuer: tuple[str, Issuer]) -> None:
    address, _ = issuer
    async with ClientSession() as session:
        for path in ("/.well-known/openid-configuration", "/.well-known/jwks"):
            async with session.head(address + path) as answer:
                assert answer.status == 200
            async with session.post(address + path) as answer:
                assert answer.status == 405
