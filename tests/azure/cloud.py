"""A pretend Azure on loopback for tests: Entra and ARM over TLS, a registry, deployed apps, and an issuer of our own.

`Cloud.running()` gives one with a tenant, a client, a resource group, a plan and an image. Nothing sleeps.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.sim.azure import Arm
from bot.sim.entra import AUDIENCE, Entra
from bot.sim.hosts import Hosts
from bot.sim.registry import Registry
from bot.sim.wire import Wire
from tests.contracts.arm import observe

TENANT = "00000000-0000-4000-8000-0000000000aa"
CLIENT = "00000000-0000-4000-8000-0000000000bb"
SUBSCRIPTION = "00000000-0000-4000-8000-0000000000cc"
GROUP = "shop-rg"
ENVIRONMENT = "00000000-0000-4000-8000-0000000000ee"
ISSUER = "https://miso.test"
SUBJECT = f"miso:env:{ENVIRONMENT}"

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_CA = trustme.CA()


@dataclass
class Issuer:
    """Signs assertions as our own issuer does, and answers Entra's two fetches."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: _KEY)
    claims: dict[str, Any] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> Any:
        self.fetched.append(url)
        if url.endswith("/.well-known/openid-configuration"):
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEY.public_key()))
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def assertion(self, environment_id: str = ENVIRONMENT) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {"iss": ISSUER, "sub": f"miso:env:{environment_id}", "aud": AUDIENCE}
        claims |= {"iat": now, "nbf": now - 30, "exp": now + 600, "jti": str(uuid4())}
        return jwt.encode({**claims, **self.claims}, self.key, algorithm="RS256", headers={"kid": "one"})


@dataclass
class Cloud:
    """Everything at hand; `session` is the one that a window gets from the front door."""

    wire: Wire
    entra: Entra
    registry: Registry
    arm: Arm
    hosts: Hosts
    issuer: Issuer
    session: aiohttp.ClientSession
    entra_url: str
    arm_url: str
    registry_url: str
    hosts_url: str
    digest: str
    other_digest: str

    def image(self, digest: str | None = None) -> str:
        return f"registry.test/shop@{digest or self.digest}"

    def requests(self, method: str, path: str = "", server: str = "arm") -> list[str]:
        """Paths of what was asked, to count and to order."""
        found = [e for e in self.wire.exchanges if e.server == server and e.method == method]
        return [e.path for e in found if path.lower() in e.path.lower()]

    async def token(self) -> str:
        """A bearer token for ARM, got as the SDK gets one."""
        form = {
            "client_id": CLIENT,
            "grant_type": "client_credentials",
            "scope": "https://management.azure.com/.default",
            "client_assertion": self.issuer.assertion(),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        async with self.session.post(f"{self.entra_url}/{TENANT}/oauth2/v2.0/token", data=form) as response:
            return str(json.loads(await response.read())["access_token"])

    @staticmethod
    @asynccontextmanager
    async def running(clock: Callable[[], float] = time.time) -> AsyncIterator[Cloud]:
        wire, issuer = Wire(), Issuer()
        wire.observers.append(observe)
        entra = Entra(wire, fetch=issuer.fetch, clock=clock)
        registry = Registry(wire, tokens=entra.principal)
        arm = Arm(wire, tokens=entra.principal, pull=registry.pull, clock=clock)
        hosts = Hosts(wire, arm, slow_seconds=0.01)
        entra.federate(TENANT, CLIENT, issuer=ISSUER, subject=SUBJECT)
        arm.assign(CLIENT, arm.add_resource_group(SUBSCRIPTION, GROUP, tenant=TENANT))
        arm.add_plan(SUBSCRIPTION, GROUP, "plan")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _CA.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
        servers = [await _serve(server.app(), tls) for server in (entra, arm)]
        servers += [await _serve(server.app(), None) for server in (registry, hosts)]
        trust = ssl.create_default_context()
        _CA.configure_trust(trust)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        urls = [str(server.make_url("")).rstrip("/") for server in servers]
        digests = [registry.push("shop", name, text=name) for name in ("one", "two")]
        try:
            yield Cloud(wire, entra, registry, arm, hosts, issuer, session, *urls, *digests)
            assert wire.violations == []
        finally:
            await session.close()
            for server in servers:
                await server.close()


async def _serve(app: web.Application, tls: ssl.SSLContext | None) -> TestServer:
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    return server
