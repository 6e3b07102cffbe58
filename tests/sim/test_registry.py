"""The pretend registry on the wire: digests, the Bearer realm, ACR's exchange, tags that move."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import aiohttp
import pytest

from tests.azure.cloud import TENANT, Cloud


async def get(cloud: Cloud, path: str, *, token: str = "", method: str = "GET") -> tuple[int, Any, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with cloud.session.request(method, f"{cloud.registry_url}{path}", headers=headers) as response:
        return response.status, response.headers, await response.read()


async def anonymous(cloud: Cloud, challenge: str) -> str:
    found = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = {"service": found["service"], "scope": found["scope"]}
    async with cloud.session.get(found["realm"], params=query) as response:
        return str(json.loads(await response.read())["token"])


async def test_manifest_is_given_behind_the_anonymous_realm() -> None:
    async with Cloud.running() as cloud:
        status, headers, _ = await get(cloud, "/v2/shop/manifests/one", method="HEAD")
        assert status == 401
        token = await anonymous(cloud, headers["WWW-Authenticate"])
        status, headers, body = await get(cloud, "/v2/shop/manifests/one", token=token)
        assert (status, headers["Docker-Content-Digest"]) == (200, cloud.digest)
        assert cloud.digest == "sha256:" + hashlib.sha256(body).hexdigest()
        assert headers["Content-Type"] == json.loads(body)["mediaType"]
        status, headers, body = await get(cloud, f"/v2/shop/manifests/{cloud.digest}", token=token, method="HEAD")
        assert (status, headers["Docker-Content-Digest"], body) == (200, cloud.digest, b"")
        assert (await get(cloud, "/v2/shop/manifests/absent", token=token))[0] == 404
        assert json.loads((await get(cloud, "/v2/shop/tags/list", token=token))[2])["tags"] == ["one", "two"]


async def test_token_is_good_for_its_repository_only() -> None:
    async with Cloud.running() as cloud:
        cloud.registry.push("other", "one")
        _, headers, _ = await get(cloud, "/v2/shop/manifests/one")
        token = await anonymous(cloud, headers["WWW-Authenticate"])
        assert (await get(cloud, "/v2/other/manifests/one", token=token))[0] == 401


async def test_open_registry_asks_for_nothing() -> None:
    async with Cloud.running() as cloud:
        cloud.registry.challenge = False
        assert (await get(cloud, "/v2/"))[0] == 200
        assert (await get(cloud, "/v2/shop/manifests/one"))[0] == 200


async def test_moved_tag_gives_the_other_digest_and_a_deleted_image_nothing() -> None:
    async with Cloud.running() as cloud:
        cloud.registry.challenge = False
        cloud.registry.tag("shop", "one", cloud.other_digest)
        assert (await get(cloud, "/v2/shop/manifests/one"))[1]["Docker-Content-Digest"] == cloud.other_digest
        cloud.registry.delete("shop", cloud.other_digest)
        assert (await get(cloud, "/v2/shop/manifests/one"))[0] == 404
        assert await cloud.registry.pull(cloud.image(cloud.other_digest)) is None
        with pytest.raises(KeyError):
            cloud.registry.tag("shop", "one", cloud.other_digest)


async def test_same_text_is_the_same_image() -> None:
    async with Cloud.running() as cloud:
        assert cloud.registry.push("shop", "again", text="one") == cloud.digest
        assert cloud.registry.push("shop", "new") != cloud.digest


async def test_private_repository_takes_a_token_got_for_an_entra_token() -> None:
    async with Cloud.running() as cloud:
        cloud.registry.private.add("shop")
        status, headers, _ = await get(cloud, "/v2/shop/manifests/one")
        challenge = headers["WWW-Authenticate"]
        assert status == 401
        assert "/oauth2/token" in challenge
        exchange = {"grant_type": "access_token", "service": "x", "tenant": TENANT, "access_token": await cloud.token()}
        refresh = (await _post(cloud.session, f"{cloud.registry_url}/oauth2/exchange", exchange))["refresh_token"]
        form = {
            "grant_type": "refresh_token",
            "service": "x",
            "scope": "repository:shop:pull",
            "refresh_token": refresh,
        }
        token = (await _post(cloud.session, f"{cloud.registry_url}/oauth2/token", form))["access_token"]
        assert (await get(cloud, "/v2/shop/manifests/one", token=token))[0] == 200
        anonymous_token = (await get(cloud, "/token?scope=repository:shop:pull"))[2]
        assert (await get(cloud, "/v2/shop/manifests/one", token=json.loads(anonymous_token)["token"]))[0] == 401
        for path, wrong in (("exchange", {**exchange, "access_token": "x"}), ("token", {**form, "refresh_token": "x"})):
            assert "errors" in await _post(cloud.session, f"{cloud.registry_url}/oauth2/{path}", wrong)


async def test_image_of_another_host_cannot_be_pulled() -> None:
    async with Cloud.running() as cloud:
        cloud.registry.hosts.add("registry.test")
        assert await cloud.registry.pull(cloud.image()) == cloud.digest
        assert await cloud.registry.pull("registry.test/shop:one") == cloud.digest
        assert await cloud.registry.pull(cloud.image().replace("registry.test", "evil.test")) is None


async def _post(session: aiohttp.ClientSession, url: str, form: dict[str, str]) -> dict[str, Any]:
    async with session.post(url, data=form) as response:
        answer: dict[str, Any] = json.loads(await response.read())
        return answer
