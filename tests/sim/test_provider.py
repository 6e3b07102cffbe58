"""Another provider than Entra: a client proves itself by its own published keys, and each proof is good once."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import aiohttp
import jwt
import pytest

from bot.sim.issuers.keyring import Keyring
from bot.sim.world import Options, World

CLIENT, BACK, VERIFIER = "miso", "http://127.0.0.1:9/sign-in/callback", "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Door:
    world: World
    browser: aiohttp.ClientSession
    keys: Keyring
    now: list[float]
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.world.addresses.provider

    def assertion(self, **claims: Any) -> str:
        now = int(self.now[0])
        whole = {"iss": CLIENT, "sub": CLIENT, "aud": f"{self.url}/token", "iat": now, "exp": now + 300}
        return self.keys.sign({**whole, "jti": str(uuid4()), **claims})

    async def visit(self, **change: str) -> dict[str, str]:
        asked = {
            "client_id": CLIENT,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid profile groups",
            "state": "s",
            "nonce": "n",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        url = f"{self.url}/authorize?{urlencode(asked | change)}"
        async with self.browser.get(url, allow_redirects=False) as answer:
            if answer.status != 302:
                return {"error": f"page {answer.status}"}
            back = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
        assert (back["state"], back["iss"]) == ("s", self.url)
        return back

    async def redeem(self, code: str, **change: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion(),
        }
        async with self.browser.post(f"{self.url}/token", data=form | change) as answer:
            return dict(await answer.json())


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """The client's keys are those of the pretend GitLab, which publishes them where this provider can read them."""
    now = [time.time()]
    async with World.running(Options(clock=lambda: now[0])) as world:
        world.gitlab.issuer()
        world.provider.client(CLIENT, jwks_uri=f"{world.addresses.gitlab}/oauth/discovery/keys", redirect_uris=[BACK])
        world.provider.person("ann", groups=["approvers"])
        world.provider.signs_in("ann")
        connector = aiohttp.TCPConnector(ssl=world.authority.client())
        async with aiohttp.ClientSession(connector=connector) as browser:
            yield Door(world, browser, world.gitlab._rings[""], now)


async def test_a_person_comes_back_with_their_groups(door: Door) -> None:
    answer = await door.redeem((await door.visit())["code"])
    async with door.browser.get(f"{door.url}/.well-known/openid-configuration") as found:
        discovery = await found.json()
    async with door.browser.get(discovery["jwks_uri"]) as found:
        keys = jwt.PyJWKSet.from_dict(await found.json())
    token = answer["id_token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT, issuer=discovery["issuer"])
    assert (claims["nonce"], claims["name"], claims["groups"]) == ("n", "Ann", ["approvers"])
    door.world.provider.mistaken(claims={"nonce": "x"})
    wrong = await door.redeem((await door.visit())["code"])
    assert jwt.decode(wrong["id_token"], options={"verify_signature": False})["nonce"] == "x"


async def test_a_proof_is_good_once_for_this_endpoint_and_for_a_while(door: Door) -> None:
    used = door.assertion()
    assert "id_token" in await door.redeem((await door.visit())["code"], client_assertion=used)
    hour = int(door.now[0]) + 3600
    wrong = [
        used,
        door.assertion(aud=door.url),
        door.assertion(aud=[f"{door.url}/token"]),
        door.assertion(iss="other"),
        door.assertion(sub="other"),
        door.assertion(exp=int(door.now[0]) - 1),
        door.assertion(exp=hour),
        door.assertion(jti=None),
        Keyring("a-stranger").sign({"iss": CLIENT, "sub": CLIENT}),
        "no.jwt",
    ]
    for assertion in wrong:
        answer = await door.redeem((await door.visit())["code"], client_assertion=assertion)
        assert answer["error"] == "invalid_client"
    secret = await door.redeem((await door.visit())["code"], client_secret="s3cret")
    assert secret["error"] == "invalid_client"


async def test_a_code_is_good_once_and_with_its_verifier(door: Door) -> None:
    code = (await door.visit())["code"]
    assert "id_token" in await door.redeem(code)
    assert (await door.redeem(code))["error"] == "invalid_grant"
    assert (await door.redeem((await door.visit())["code"], code_verifier="x" * 43))["error"] == "invalid_grant"
    assert (await door.redeem((await door.visit())["code"], redirect_uri="x"))["error"] == "invalid_grant"
    assert (await door.redeem("x", grant_type="password"))["error"] == "unsupported_grant_type"


async def test_a_browser_is_sent_back_or_shown_a_page(door: Door) -> None:
    assert (await door.visit(code_challenge_method="plain"))["error"] == "invalid_request"
    assert (await door.visit(redirect_uri="https://evil.test/"))["error"] == "page 400"
    assert (await door.visit(client_id="other"))["error"] == "page 400"
    door.world.provider.signs_in("ann", declines=True)
    assert (await door.visit())["error"] == "access_denied"
    door.world.provider.signs_in(None)
    assert (await door.visit())["error"] == "page 200"
