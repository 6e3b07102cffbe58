"""Tokens for registries: only from the pinned realm, only for pulling, and Entra's only where it belongs."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession, web

from bot.domain.codes import Code
from bot.domain.model import Environment
from bot.errors import Refused
from bot.images import ImagesWindow
from tests.images.scripted import DIGEST, Scripted, Start, environment, found, given, wants_token, window


class TestTokens:
    @staticmethod
    def guarded() -> Scripted:
        """A registry that wants a token, and a token service that gives it."""

        async def manifest(request: web.Request) -> web.Response:
            known = request.headers.get("Authorization") == "Bearer the-token"
            return found() if known else wants_token(f"http://{request.host}/token")

        async def give(request: web.Request) -> web.Response:
            return web.json_response({"token": "the-token", "expires_in": 300})

        return Scripted(manifest, give)

    async def test_a_challenge_is_answered_for_pull_of_one_repository(
        self, session: ClientSession, start: Start
    ) -> None:
        scripted = await start(self.guarded())
        assert await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None) == DIGEST
        asked = [path for _, path, _ in scripted.seen]
        assert asked[1] == "/token?service=the-service&scope=repository:shop:pull"
        assert [authorization for _, _, authorization in scripted.seen] == ["", "", "Bearer the-token"]

    async def test_a_token_is_kept_for_its_repository_alone(self, session: ClientSession, start: Start) -> None:
        scripted = await start(self.guarded())
        now = [1000.0]
        images = window(session, scripted.host, timer=lambda: now[0])

        def tokens() -> int:
            return sum(path.startswith("/token") for _, path, _ in scripted.seen)

        await images.digest(f"{scripted.host}/shop", "v1", None)
        await images.digest(f"{scripted.host}/shop", "v2", None)
        assert tokens() == 1
        await images.digest(f"{scripted.host}/other", "v1", None)
        assert tokens() == 2
        await images.digest(f"{scripted.host}/shop", "v1", environment())
        assert tokens() == 3
        now[0] += 291
        await images.digest(f"{scripted.host}/shop", "v1", None)
        assert tokens() == 4

    async def test_a_kept_token_that_is_refused_is_got_anew(self, session: ClientSession, start: Start) -> None:
        right = ["first"]

        async def manifest(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") == f"Bearer {right[0]}":
                return found()
            return wants_token(f"http://{scripted.host}/token")

        async def give(request: web.Request) -> web.Response:
            return web.json_response({"access_token": right[0], "expires_in": 300})

        scripted = await start(Scripted(manifest, give))
        images = window(session, scripted.host)
        await images.digest(f"{scripted.host}/shop", "v1", None)
        right[0] = "second"
        assert await images.digest(f"{scripted.host}/shop", "v1", None) == DIGEST

    async def test_rule_18_the_realm_is_pinned(self, session: ClientSession, start: Start) -> None:
        elsewhere = await start(Scripted(given, given))
        for realm in (
            f"http://{elsewhere.host}/token",
            f"https://{elsewhere.host}/token",
            "http://169.254.169.254/token",
            "http://user:pw@{host}/token",
            "https://{host}/token",
            "//{host}/token",
            "file:///etc/passwd",
            "::",
            "",
        ):

            async def manifest(request: web.Request, realm: str = realm) -> web.Response:
                return wants_token(realm.format(host=request.host))

            scripted = await start(Scripted(manifest))
            with pytest.raises(Refused) as refused:
                await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
            assert refused.value.code == Code.REGISTRY_REFUSED
            assert len(scripted.seen) == 1
        assert elsewhere.seen == []

    async def test_a_realm_host_that_the_operator_listed_is_used(self, session: ClientSession, start: Start) -> None:
        realm = await start(self.guarded())

        async def manifest(request: web.Request) -> web.Response:
            known = request.headers.get("Authorization") == "Bearer the-token"
            return found() if known else wants_token(f"http://{realm.host}/token")

        scripted = await start(Scripted(manifest))
        images = ImagesWindow(session, registries={scripted.host: realm.host}, allow_local=True)
        assert await images.digest(f"{scripted.host}/shop", "v1", None) == DIGEST

    async def test_basic_sign_in_is_not_done(self, session: ClientSession, start: Start) -> None:
        async def basic(request: web.Request) -> web.Response:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

        scripted = await start(Scripted(basic))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert refused.value.code == Code.REGISTRY_REFUSED

    @pytest.mark.parametrize("body", ["", "[]", "{}", '{"token": ""}', '{"token": 3}', '{"token": "a\\r\\nX: y"}'])
    async def test_a_token_service_that_talks_nonsense(self, session: ClientSession, start: Start, body: str) -> None:
        async def manifest(request: web.Request) -> web.Response:
            return wants_token(f"http://{request.host}/token")

        async def nonsense(request: web.Request) -> web.Response:
            return web.Response(text=body)

        scripted = await start(Scripted(manifest, nonsense))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert refused.value.code == Code.REGISTRY_REFUSED

    async def test_denied_with_a_token_is_told(self, session: ClientSession, start: Start) -> None:
        async def manifest(request: web.Request) -> web.Response:
            return wants_token(f"http://{request.host}/token")

        async def give(request: web.Request) -> web.Response:
            return web.json_response({"token": "useless"})

        scripted = await start(Scripted(manifest, give))
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host).digest(f"{scripted.host}/shop", "v1", None)
        assert refused.value.code == Code.REGISTRY_REFUSED
        assert "AcrPull" in refused.value.hint


class TestAzureContainerRegistry:
    @staticmethod
    def acr() -> Scripted:
        async def manifest(request: web.Request) -> web.Response:
            known = request.headers.get("Authorization") == "Bearer pull-token"
            return found() if known else wants_token(f"http://{request.host}/oauth2/token", request.host)

        async def token(request: web.Request) -> web.Response:
            if request.path == "/oauth2/exchange":
                return web.json_response({"refresh_token": "the-refresh"})
            return web.json_response({"access_token": "pull-token" if request.method == "POST" else "anonymous"})

        return Scripted(manifest, token)

    async def test_the_environments_identity_is_exchanged(self, session: ClientSession, start: Start) -> None:
        asked: list[Environment] = []

        async def entra(environment: Environment) -> str:
            asked.append(environment)
            return "entra-token"

        scripted = await start(self.acr())
        mine = environment(scripted.host)
        images = window(session, scripted.host, acr_token=entra)
        assert await images.digest(f"{scripted.host}/shop", "v1", mine) == DIGEST
        assert asked == [mine]
        exchange, pull = scripted.forms
        assert exchange == {
            "grant_type": "access_token",
            "service": scripted.host,
            "tenant": "the-tenant",
            "access_token": "entra-token",
        }
        assert pull == {
            "grant_type": "refresh_token",
            "service": scripted.host,
            "scope": "repository:shop:pull",
            "refresh_token": "the-refresh",
        }

    async def test_rule_17_a_registry_that_is_not_named_sees_no_entra_token(
        self, session: ClientSession, start: Start
    ) -> None:
        async def entra(environment: Environment) -> str:
            pytest.fail("an Entra token was made for a registry that the environment does not name")

        scripted = await start(self.acr())
        images = window(session, scripted.host, acr_token=entra)
        for whose in (None, environment()):
            with pytest.raises(Refused) as refused:
                await images.digest(f"{scripted.host}/shop", "v1", whose)
            assert refused.value.code == Code.REGISTRY_REFUSED
        assert scripted.forms == []

    async def test_an_identity_without_the_role_is_told(self, session: ClientSession, start: Start) -> None:
        async def entra(environment: Environment) -> str:
            return "entra-token"

        async def denied(request: web.Request) -> web.Response:
            return web.Response(status=403)

        acr = self.acr()
        acr.token = denied
        scripted = await start(acr)
        with pytest.raises(Refused) as refused:
            await window(session, scripted.host, acr_token=entra).digest(
                f"{scripted.host}/shop", "v1", environment(scripted.host)
            )
        assert refused.value.code == Code.REGISTRY_REFUSED
        assert "AcrPull" in refused.value.hint
