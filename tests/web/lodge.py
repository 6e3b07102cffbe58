"""A controller's doors for people over a real store and real keys, beside the pretend Entra, with a browser in front.

Only what a sign-in needs is there: no GitHub, no Azure. Everything between browser, doors and Entra goes over loopback.
"""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp import web
from yarl import URL

from bot.context import Miso, SignIn
from bot.domain.identity import Role
from bot.domain.model import Keep, Row, Stage
from bot.domain.rules import Members, Policy, PolicySet, Rules
from bot.domain.trust import Book
from bot.oidc.issue import Issuer
from bot.oidc.jwks import IssuerKeys
from bot.oidc.opening import open_rings
from bot.oidc.provider import ProviderSignIn
from bot.oidc.sign_in import EntraSignIn
from bot.oidc.verify import SubjectReader
from bot.oidc.window import OidcWindow
from bot.services import links, policies
from bot.services.bearer import key_of
from bot.sim.world import Options, World
from bot.store import SqliteStore
from bot.web import account, auth, device, guard, health, oidc, pages, sign_in, tokens
from tests.services.indoors import HandClock

TENANT = "00000000-0000-4000-8000-0000000000aa"
CLIENT = "00000000-0000-4000-8000-00000000005e"
OPERATORS = "00000000-0000-4000-8000-0000000000b1"
AUDITORS = "00000000-0000-4000-8000-0000000000a1"
POLICIES = PolicySet(
    stages={stage: Policy() for stage in Stage},
    roles={
        Role.OPERATOR: Members(groups=(OPERATORS,)),
        Role.AUDITOR: Members(groups=(AUDITORS,)),
        Role.APPROVER: Members(app_roles=("approver",)),
        Role.ADMINISTRATOR: Members(app_roles=("administrator",)),
    },
)
CSRF = re.compile(r'name="csrf" value="([^"]*)"')


@dataclass(frozen=True)
class Seen:
    """An answer, read to its end."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: tuple[str, ...]

    @property
    def to(self) -> str:
        return self.headers.get("Location", "")

    @property
    def words(self) -> str:
        """The page without its marks."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text.partition("<main")[2])).split())

    @property
    def csrf(self) -> str:
        match = CSRF.search(self.text)
        assert match is not None, self.text
        return unescape(match[1])

    @property
    def code(self) -> str:
        match = re.search(r"Reason: <code>([a-z_]+)</code>", self.text)
        return match[1] if match else ""


@dataclass
class Browser:
    """Cookies of its own; follows no redirect unless it is told to."""

    url: str
    session: aiohttp.ClientSession
    agent: str = "Firefox on a laptop"

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, world: World, **more: Any) -> AsyncIterator[Browser]:
        connector = aiohttp.TCPConnector(ssl=world.authority.client())
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            yield cls(url, session, **more)

    async def ask(self, method: str, path: str, **more: Any) -> Seen:
        sent = {"User-Agent": self.agent, **more.pop("headers", {})}
        address = path if "://" in path else self.url + path
        async with self.session.request(
            method, URL(address, encoded=True), headers=sent, allow_redirects=False, **more
        ) as answer:
            text = await answer.text()
            return Seen(answer.status, text, dict(answer.headers), tuple(answer.headers.getall("Set-Cookie", [])))

    async def get(self, path: str, **more: Any) -> Seen:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, **form: str) -> Seen:
        """A form of one of our pages, as a browser sends it."""
        sent = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        return await self.ask("POST", path, data=form, headers=sent)

    async def sign_in(self, to: str = "/account") -> Seen:
        """Away to Entra and back; the answer of the callback."""
        away = await self.get(f"/sign-in?to={to}")
        assert away.status == 303, away.text
        back = await self.get(away.to)
        assert back.status == 302, back.text
        return await self.get(back.to)

    async def account(self) -> Seen:
        return await self.get("/account")

    @property
    def cookie(self) -> str:
        return next((c.value for c in self.session.cookie_jar if c.key == "miso"), "")

    def holds(self, cookie: str) -> None:
        """Somebody put this into the browser."""
        self.session.cookie_jar.update_cookies({"miso": cookie}, URL(self.url))

    def forgets(self) -> None:
        self.session.cookie_jar.clear()


@dataclass
class Lodge:
    miso: Miso
    world: World
    clock: HandClock
    browser: Browser
    url: str
    issuer: Issuer
    app: web.Application
    directory: Path
    people: dict[str, str] = field(default_factory=dict)

    def person(self, name: str, **more: Any) -> str:
        """Somebody with an account, who sits in front of the browser now; gives the subject."""
        oid = self.world.entra.person(name, **more)
        self.world.entra.signs_in(name)
        self.people[name] = f"entra:{TENANT}:{oid}"
        return self.people[name]

    async def link(self, subject: str, number: int, login: str = "someone") -> None:
        """As if that account had typed `/link`."""
        kept = await self.miso.store.kept(links.LINK, key_of(subject))
        body = links.Account(
            subject=subject, account=number, login=login, since_us=1, by=number, by_login=login, cause="test"
        )
        assert await self.miso.store.keep(
            Keep(
                kind=links.LINK,
                key=key_of(subject),
                owner=str(number),
                body=body.model_dump(mode="json"),
                version=kept.version if kept else 0,
            )
        )

    async def rows(self, *kinds: str) -> list[Row]:
        return list(await self.miso.store.ledger(kinds=kinds, limit=500))

    async def refused(self) -> list[str]:
        """Codes of whoever was turned away, in order."""
        return [str(row.body["code"]) for row in await self.rows("door.refused")]


@asynccontextmanager
async def lodge(
    directory: Path, *, provider: bool = False, doors: Mapping[str, Any] | None = None, **rules: Any
) -> AsyncIterator[Lodge]:
    """`provider`: the other one than Entra; `doors`: for the guard; `rules`: what the operator set otherwise."""
    clock = HandClock()
    options = Options(clock=lambda: clock.at_us / 1e6)
    async with World.running(options) as there:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        store = await SqliteStore.open(directory / "miso.sqlite", clock_us=clock.now_us)
        connector = aiohttp.TCPConnector(ssl=there.authority.client())
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            rings = await open_rings(directory / "keys", issuer=url, now_us=clock.now_us, client=provider)
            issuer = Issuer(url, rings, clock.now_us, client_id=CLIENT)
            keys = IssuerKeys(session, clock.now_us)
            nothing = cast(Any, None)
            miso = Miso(
                rules=Rules(
                    **{"controller": "miso-test", "app_id": 99, "public_url": url, "token_audience": url, **rules}
                ),
                store=store,
                clock=clock,
                github=nothing,
                azure=nothing,
                images=nothing,
                probe=nothing,
                oidc=OidcWindow(issuer, SubjectReader(keys, Book(), clock.now_us), Book(), url, tended=lambda: None),
                sign_in=(_provider if provider else _entra)(session, there, issuer, keys, clock),
            )
            await policies.adopt(miso, POLICIES, "test")
            there.provider.client(CLIENT, jwks_uri=f"{url}/.well-known/jwks", redirect_uris=[f"{url}/sign-in/callback"])
            there.entra.sign_in_client(TENANT, CLIENT, redirect_uris=[f"{url}/sign-in/callback"])
            there.entra.federate(TENANT, CLIENT, issuer=url, subject="miso:signin")
            app = application(miso, doors or {})
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.SockSite(runner, door).start()
            try:
                async with Browser.opened(url, there) as browser:
                    yield Lodge(miso, there, clock, browser, url, issuer, app, directory)
            finally:
                await runner.cleanup()
                await keys.close()
                await store.close()


def _entra(session: aiohttp.ClientSession, world: World, issuer: Issuer, keys: IssuerKeys, clock: HandClock) -> SignIn:
    return EntraSignIn(
        session,
        authority=world.addresses.entra,
        tenant=TENANT,
        client_id=CLIENT,
        assertion=issuer.sign_in_assertion,
        keys=keys,
        now_us=clock.now_us,
    )


def _provider(
    session: aiohttp.ClientSession, world: World, issuer: Issuer, keys: IssuerKeys, clock: HandClock
) -> SignIn:
    return ProviderSignIn(
        session,
        issuer=world.addresses.provider,
        client_id=CLIENT,
        groups_claim="groups",
        client_assertion=issuer.client_assertion,
        keys=keys,
        now_us=clock.now_us,
    )


def application(miso: Miso, doors: Mapping[str, Any]) -> web.Application:
    """The doors that people and their tokens use, and one that shows who asks."""
    asked: dict[str, Any] = {"sign_in_requests_per_minute": 1000, "token_requests_per_minute": 1000}
    made = guard.Doors(**{"public_url": miso.rules.public_url, "now_us": miso.clock.now_us, **asked, **doors})
    app = web.Application(middlewares=guard.middlewares(made))

    async def who(request: web.Request) -> web.Response:
        found = await auth.require(miso, request)
        return web.json_response(
            {
                "id": found.actor.id,
                "subject": found.subject,
                "door": found.door,
                "roles": sorted(found.roles),
                "device": found.device,
                "address": request[guard.ADDRESS],
            }
        )

    async def breaks(request: web.Request) -> web.Response:
        raise RuntimeError("a secret that nobody should see")

    app.add_routes(pages.routes())
    for each in (sign_in, device, account, tokens):
        app.add_routes(each.routes(miso))
    app.add_routes(oidc.routes(miso.oidc))
    app.add_routes(health.routes({}))
    app.add_routes([web.get("/api/v1/who", who), web.post("/api/v1/who", who), web.get("/breaks", breaks)])
    return app
