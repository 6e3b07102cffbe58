"""The application's side of a sign-in: MSAL in a thread, and a browser that follows no redirect by itself."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import jwt
import requests

from bot.sim.entra import AUDIENCE
from bot.sim.world import World
from tests.sim.conftest import REPO

msal: Any = importlib.import_module("msal")
"""It ships no types."""
TENANT = "00000000-0000-4000-8000-0000000000aa"
CLIENT = "00000000-0000-4000-8000-00000000005e"
BACK = "http://127.0.0.1:9/sign-in/callback"
SUBJECT = "miso:signin"
AUDITORS = "00000000-0000-4000-8000-00000000a0d1"


@dataclass
class Door:
    """The application's side: MSAL in a thread, and a browser that follows no redirect by itself."""

    world: World
    browser: aiohttp.ClientSession
    subject: str = SUBJECT
    now: list[float] = field(default_factory=list)

    def assertion(self) -> str:
        """Signed by an issuer that Entra can reach, as the controller's is."""
        actions = self.world.actions
        return actions.actions_token(REPO, audience=AUDIENCE, claims={"sub": self.subject})["token"]

    async def msal(self, call: Callable[[Any], Any]) -> Any:
        assertion = self.assertion()
        # Of its own: with REQUESTS_CA_BUNDLE in the environment, `verify=` would count for nothing.
        http = requests.Session()
        http.trust_env, http.verify = False, self.world.addresses.ca_file

        def in_thread() -> Any:
            application = msal.ConfidentialClientApplication(
                CLIENT,
                authority=f"{self.world.addresses.entra}/{TENANT}",
                client_credential={"client_assertion": lambda: assertion},
                instance_discovery=False,
                http_client=http,
            )
            return call(application)

        return await asyncio.to_thread(in_thread)

    async def begin(self, **more: Any) -> dict[str, Any]:
        return dict(await self.msal(lambda app: app.initiate_auth_code_flow([], redirect_uri=BACK, **more)))

    async def visit(self, url: str) -> dict[str, str]:
        """What came back to the application in its address."""
        async with self.browser.get(url, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            target = answer.headers["Location"]
        assert target.startswith(f"{BACK}?")
        return dict(parse_qsl(urlsplit(target).query))

    async def redeem(self, flow: dict[str, Any], back: dict[str, str]) -> dict[str, Any]:
        return dict(await self.msal(lambda app: app.acquire_token_by_auth_code_flow(flow, back)))

    async def claims(self) -> dict[str, Any]:
        flow = await self.begin()
        answer = await self.redeem(flow, await self.visit(flow["auth_uri"]))
        return await self.read(answer["id_token"], answer)

    async def read(self, token: str, told: Any = None) -> dict[str, Any]:
        """As the controller must: by the published keys, issuer and audience. MSAL itself checks none of it."""
        base = f"{self.world.addresses.entra}/{TENANT}"
        async with self.browser.get(f"{base}/v2.0/.well-known/openid-configuration") as answer:
            discovery = await answer.json()
        async with self.browser.get(discovery["jwks_uri"]) as answer:
            published = (await answer.json())["keys"]
        assert not any("alg" in key for key in published)
        key = jwt.PyJWKSet.from_dict({"keys": published})[jwt.get_unverified_header(token)["kid"]]
        assert discovery["issuer"] == f"{base}/v2.0", told
        return dict(jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT, issuer=discovery["issuer"]))
