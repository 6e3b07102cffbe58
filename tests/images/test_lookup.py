"""Which hosts are asked, how a digest is found, and what a registry in trouble leads to."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web

from bot.domain.codes import Code
from bot.errors import Refused, Transient
from bot.images import ImagesWindow
from tests.images.scripted import DIGEST, OTHER, Scripted, Start, environment, found, given, window


class TestAllowedHosts:
    @pytest.mark.parametrize(
        "image",
        [
            "evil.example/shop",
            "ghcr.io.evil.example/shop",
            "ghcr.io:444/shop",
            "ghcr.io@evil.example/shop",
            "shop",
            "/shop",
            "",
        ],
    )
    async def test_rule_18_other_hosts_are_never_asked(self, session: ClientSession, image: str) -> None:
        images = ImagesWindow(session, registries={"ghcr.io": "ghcr.io"})
        with pytest.raises(Refused) as refused:
            await images.digest(image, "v1", None)
        assert refused.value.code == Code.IMAGE_HOST_NOT_ALLOWED

    async def test_rule_18_loopback_needs_the_switch(self, session: ClientSession, start: Start) -> None:
        scripted = await start(Scripted(given))
        images = ImagesWindow(session, registries={scripted.host: scripted.host})
        with pytest.raises(Refused) as refused:
            await images.digest(f"{scripted.host}/shop", "v1", None)
        assert refused.value.code == Code.IMAGE_HOST_NOT_ALLOWED
        assert scripted.seen == []

    async def test_an_environment_may_name_one_registry(self, session: ClientSession, start: Start) -> None:
        scripted = await start(Scripted(given))
        images = window(session, scripted.host)
        assert await images.digest(f"{scripted.host}/shop", "v1", environment(scripted.host)) == DIGEST
        with pytest.raises(Refused) as refused:
            await images.digest(f"{scripted.host}/shop", "v1", environment("other.example"))
        assert refused.value.code == Code.IMAGE_HOST_NOT_ALLOWED

    @pytest.mark.parametrize("image", ["", "Shop", "../x", "shop:v1", "a//b", "shop?x=1", "shop/", "a" * 256, "shop@x"])
    async def test_what_is_no_repository_is_refused(self, session: ClientSession, start: Start, image: str) -> None:
        scripted = await start(Scripted(given))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).digest(f"{scripted.host}/{image}", "v1", None)
        assert refused.value.code == Code.CONFIG_INVALID
        assert scripted.seen == []

    async def test_what_is_no_tag_or_digest_is_refused(self, session: ClientSession) -> None:
        images = ImagesWindow(session, registries={"ghcr.io": "ghcr.io"})
        for tag in ("", "a/b", "-x", "v1\n", "a" * 129):
            with pytest.raises(Refused):
                await images.digest("ghcr.io/shop", tag, None)
        for digest in ("", "sha256:" + "AB" * 32, "sha512:" + "ab" * 64, DIGEST + "\n"):
            with pytest.raises(Refused):
                await images.exists("ghcr.io/shop", digest, None)


class TestDigests:
    async def test_one_head_is_enough(self, session: ClientSession, start: Start) -> None:
        scripted = await start(Scripted(given))
        assert await window(session, scripted.host).digest(f"{scripted.host}/a/b", "v1", None) == DIGEST
        assert scripted.seen == [("HEAD", "/v2/a/b/manifests/v1", "")]

    async def test_without_the_header_the_bytes_are_hashed(self, session: ClientSession, start: Start) -> None:
        async def silent(request: web.Request) -> web.Response:
            return found(None)

        scripted = await start(Scripted(silent))
        assert await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None) == DIGEST
        assert [method for method, _, _ in scripted.seen] == ["HEAD", "GET"]

    async def test_without_head_the_manifest_is_read(self, session: ClientSession, start: Start) -> None:
        async def no_head(request: web.Request) -> web.Response:
            return web.Response(status=405) if request.method == "HEAD" else found()

        scripted = await start(Scripted(no_head))
        assert await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None) == DIGEST

    async def test_rule_13_a_header_that_lies_is_refused(self, session: ClientSession, start: Start) -> None:
        async def lies(request: web.Request) -> web.Response:
            return web.Response(status=405) if request.method == "HEAD" else found(OTHER)

        scripted = await start(Scripted(lies))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert refused.value.code == Code.REGISTRY_REFUSED

    async def test_rule_13_another_image_than_asked_for_is_refused(self, session: ClientSession, start: Start) -> None:
        scripted = await start(Scripted(given))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).exists(f"{scripted.host}/shop", OTHER, None)
        assert refused.value.code == Code.REGISTRY_REFUSED


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    async def test_a_registry_in_trouble_is_asked_again_later(
        self, session: ClientSession, start: Start, status: int
    ) -> None:
        async def trouble(request: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Retry-After": "17"})

        scripted = await start(Scripted(trouble))
        with pytest.raises(Transient) as transient:
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert (transient.value.code, transient.value.retry_after) == (Code.REGISTRY_UNAVAILABLE, 17.0)

    async def test_silence_ends_in_time(self, session: ClientSession, start: Start) -> None:
        end = asyncio.Event()

        async def silent(request: web.Request) -> web.StreamResponse:
            await end.wait()
            return web.Response()

        scripted = await start(Scripted(silent))
        with pytest.raises(Transient) as transient:
            await window(session, scripted.host, timeout=0.05).digest(f"{scripted.host}/shop", "v1", None)
        end.set()
        assert transient.value.code == Code.REGISTRY_UNAVAILABLE

    async def test_a_dropped_connection(self, session: ClientSession, start: Start) -> None:
        async def dropped(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        scripted = await start(Scripted(dropped))
        with pytest.raises(Transient):
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)

    async def test_nobody_there(self, session: ClientSession, unused_tcp_port: int) -> None:
        host = f"127.0.0.1:{unused_tcp_port}"
        with pytest.raises(Transient):
            await window(session, host).digest(f"{host}/shop", "v1", None)

    async def test_a_manifest_without_end_is_refused(self, session: ClientSession, start: Start) -> None:
        async def endless(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            if request.method != "HEAD":
                for _ in range(80):
                    await response.write(b"x" * 65_536)
            return response

        scripted = await start(Scripted(endless))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert refused.value.code == Code.REGISTRY_REFUSED

    async def test_rule_18_redirects_are_not_followed(self, session: ClientSession, start: Start) -> None:
        elsewhere = await start(Scripted(given))

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://{elsewhere.host}/v2/shop/manifests/v1"})

        scripted = await start(Scripted(redirect))
        with pytest.raises(Refused):
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert elsewhere.seen == []
