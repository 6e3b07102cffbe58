"""Who may ask the pretend GitHub what: App JWT, scoped tokens, permissions, limits."""

from __future__ import annotations

import re
import time

import aiohttp
import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from gidgethub import BadRequest, RateLimitExceeded
from gidgethub.aiohttp import GitHubAPI

from bot.sim.world import Options, World
from tests.sim.conftest import REPO, App


async def test_the_app_knows_itself_by_its_jwt(app: App) -> None:
    status, _, body = await app.ask("GET", "/app", bearer=app.jwt())
    assert (status, body["id"], body["slug"]) == (200, 4242, "miso")


async def test_gidgethub_asks_with_the_apps_key(app: App, world: World) -> None:
    gh = GitHubAPI(app.session, "miso", base_url=world.addresses.github)
    found = await gh.getitem("/app/installations", jwt=app.jwt())
    assert [entry["account"]["login"] for entry in found] == ["acme"]


@pytest.mark.parametrize(
    ("claim", "seconds"),
    [("exp", -5), ("exp", 700), ("iss", None), ("iat", 300)],
    ids=["expired", "longer than ten minutes", "another app", "issued in the future"],
)
async def test_a_wrong_app_jwt_is_refused(app: App, claim: str, seconds: int | None) -> None:
    value = "77" if seconds is None else int(time.time()) + seconds
    status, _, _ = await app.ask("GET", "/app", bearer=app.jwt(**{claim: value}))
    assert status == 401


async def test_a_jwt_of_another_key_is_refused(app: App) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    token = pyjwt.encode({"iat": now, "exp": now + 60, "iss": "4242"}, key, algorithm="RS256")
    assert (await app.ask("GET", "/app", bearer=token))[0] == 401


async def test_a_token_is_long_opaque_and_lives_an_hour(app: App, world: World) -> None:
    path = f"/app/installations/{next(iter(world.state.installations))}/access_tokens"
    _, _, body = await app.ask("POST", path, bearer=app.jwt(), body={"permissions": {"contents": "read"}})
    assert len(body["token"]) > 300
    assert re.fullmatch(r"ghs_4242_[\w-]+\.[\w-]+\.[\w-]+", body["token"])
    assert body["permissions"] == {"contents": "read", "metadata": "read"}
    assert body["expires_at"].endswith("Z")


async def test_without_a_token_nothing_is_told(app: App) -> None:
    assert (await app.ask("GET", f"/repos/{REPO}"))[0] == 401
    assert (await app.ask("GET", f"/repos/{REPO}", bearer="ghs_made_up"))[0] == 401
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=app.jwt()))[0] == 401


async def test_rule_35_a_token_sees_only_its_repositories(app: App, world: World) -> None:
    other = world.github.create_repository("acme/other")
    token = await app.token([other["id"]])
    assert (await app.ask("GET", "/repos/acme/other", bearer=token))[0] == 200
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 404


async def test_rule_20_another_accounts_repository_does_not_exist(app: App, world: World) -> None:
    theirs = world.github.create_repository("rival/secret")
    status, _, body = await app.ask("GET", f"/repositories/{theirs['id']}", bearer=await app.token())
    assert (status, body["message"]) == (404, "Not Found")


async def test_rule_35_a_token_has_only_its_permissions(app: App) -> None:
    token = await app.token(contents="read")
    status, _, body = await app.ask(
        "POST", f"/repos/{REPO}/deployments", bearer=token, body={"ref": "main", "auto_merge": False}
    )
    assert (status, body["message"]) == (403, "Resource not accessible by integration")


@pytest.mark.parametrize("permissions", [{"administration": "write"}, {"contents": "write"}])
async def test_more_than_the_installation_has_cannot_be_asked(
    app: App, world: World, permissions: dict[str, str]
) -> None:
    path = f"/app/installations/{next(iter(world.state.installations))}/access_tokens"
    assert (await app.ask("POST", path, bearer=app.jwt(), body={"permissions": permissions}))[0] == 422


async def test_suspension_stops_tokens_and_uninstalling_ends_them(app: App, world: World) -> None:
    token = await app.token()
    world.github.suspend("acme")
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 403
    world.github.unsuspend("acme")
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 200
    world.github.uninstall("acme")
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 401


async def test_a_revoked_token_is_dead(app: App) -> None:
    token = await app.token()
    assert (await app.ask("DELETE", "/installation/token", bearer=token))[0] == 204
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 401


async def test_the_rate_limit_counts_down_and_then_refuses(app: App, world: World) -> None:
    world.state.rate_limit = 2
    gh = await app.api()
    await gh.getitem(f"/repos/{REPO}")
    assert gh.rate_limit is not None
    assert (gh.rate_limit.limit, gh.rate_limit.remaining) == (2, 1)
    await gh.getitem(f"/repos/{REPO}")
    with pytest.raises(RateLimitExceeded):
        await gh.getitem(f"/repos/{REPO}")


async def test_an_unchanged_answer_is_free_and_bound_to_the_token(app: App) -> None:
    first, second = await app.token(), await app.token()
    _, headers, _ = await app.ask("GET", f"/repos/{REPO}", bearer=first)
    tag = {"If-None-Match": headers["ETag"]}
    status, again, body = await app.ask("GET", f"/repos/{REPO}", bearer=first, headers=tag)
    assert (status, body) == (304, None)
    assert (await app.ask("GET", f"/repos/{REPO}", bearer=second, headers=tag))[0] == 200
    _, last, _ = await app.ask("GET", f"/repos/{REPO}", bearer=first)
    assert int(last["X-RateLimit-Used"]) == int(headers["X-RateLimit-Used"]) + 2
    assert again["ETag"] == headers["ETag"]


async def test_another_api_version_is_refused(app: App) -> None:
    status, _, _ = await app.ask("GET", "/app", bearer=app.jwt(), headers={"X-GitHub-Api-Version": "2026-03-10"})
    assert status == 400


async def test_an_unrouted_path_is_no_quiet_404(app: App, world: World) -> None:
    assert (await app.ask("GET", "/repos/acme/shop/traffic/views", bearer=await app.token()))[0] == 501
    assert world.wire.violations.pop().endswith("the pretend GitHub does not have this route")


async def test_gidgethub_gets_github_errors(app: App) -> None:
    gh = await app.api()
    with pytest.raises(BadRequest, match="Not Found"):
        await gh.getitem("/repos/acme/nothing")


async def test_a_token_ends_with_its_hour() -> None:
    now = [time.time()]
    async with World.running(Options(clock=lambda: now[0])) as world, aiohttp.ClientSession() as session:
        world.github.create_repository(REPO)
        world.github.install_app("acme")
        app = App(world, session)
        token = await app.token()
        now[0] += 3601
        assert (await app.ask("GET", f"/repos/{REPO}", bearer=token))[0] == 401


async def test_long_answers_come_compressed_to_those_who_can(app: App) -> None:
    _, headers, body = await app.ask("GET", f"/repos/{REPO}", bearer=await app.token())
    assert headers["Content-Encoding"] in ("gzip", "deflate")
    assert body["full_name"] == REPO
