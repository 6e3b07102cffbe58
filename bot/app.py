"""The front door: builds `Miso` from `Settings`, serves it, runs its worker. The only module that imports everything.

Called by `bot.cli serve` and by tests. It opens one TLS context and two sessions (Azure's SDK must get bytes as they
came, everybody else wants them unpacked) and closes what it opened, last first.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web
from gidgethub.sansio import Event

from bot import telemetry
from bot.azure import AzureWindow
from bot.clock import SystemClock
from bot.context import Clock, Miso, SignIn
from bot.github.client import GitHubWindow
from bot.images import ImagesWindow
from bot.oidc.issue import Issuer
from bot.oidc.jwks import IssuerKeys
from bot.oidc.opening import open_rings
from bot.oidc.provider import ProviderSignIn
from bot.oidc.rings import Rings
from bot.oidc.sign_in import EntraSignIn
from bot.oidc.verify import SubjectReader
from bot.oidc.window import OidcWindow
from bot.probe import ProbeWindow
from bot.services import policies, refusing, registering
from bot.settings import Settings
from bot.store.sealing import Seal
from bot.store.sqlite import SqliteStore
from bot.web import account, api, device, guard, health, oidc, pages, sign_in, tokens, webhook
from bot.worker import Worker
from handlers import router

log = telemetry.logger("app")

USER_AGENT = "miso-controller"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A controller that is up: its hall, its worker and where it listens."""

    miso: Miso
    worker: Worker
    web: web.Application
    azure: AzureWindow
    issuer: Issuer


def tls(settings: Settings) -> ssl.SSLContext:
    """The system's authorities plus `MISO_CA_FILE`. One context for every connection keeps connections alive."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(cafile=settings.ca_file)
    return context


@asynccontextmanager
async def building(settings: Settings, *, clock: Clock | None = None, adopts: bool = True) -> AsyncIterator[Running]:
    """Everything made and wired, nothing started. Closes it all on the way out.

    `adopts`: hold the policy file against the policy in force, as a controller does that will decide; a command that
    only looks puts nothing in force. Raises ConfigError when keys, store or registry files do not allow a start.
    """
    clock = clock or SystemClock()
    rules = settings.rules()
    settings.make_data_dir()
    for secret in settings.webhook_secrets:
        telemetry.hide(secret.decode())
    async with AsyncExitStack() as stack:
        context = tls(settings)
        timeout = aiohttp.ClientTimeout(total=settings.write_deadline, connect=5)

        def session(unpack: bool) -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=64),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=unpack,
                timeout=timeout if unpack else aiohttp.ClientTimeout(),
            )

        for_azure = await stack.enter_async_context(session(unpack=False))
        for_others = await stack.enter_async_context(session(unpack=True))
        rings = await key_rings(settings, for_azure, clock, stack)
        seal = _seal(settings, rings)
        store = await SqliteStore.open(
            settings.store_path, clock_us=clock.now_us, seal=seal, inbox_days=settings.inbox_days
        )
        stack.push_async_callback(store.close)
        issuer = Issuer(
            settings.public_url,
            rings,
            clock.now_us,
            audience=settings.token_audience,
            client_id=settings.sign_in_client_id,
            device=settings.device_sign_in and settings.sign_in != "off",
        )
        stack.push_async_callback(issuer.close)
        keys = IssuerKeys(for_others, clock.now_us)
        stack.push_async_callback(keys.close)
        azure = AzureWindow(
            owner=rules.controller,
            session=for_azure,
            authority=settings.entra_authority,
            arm_url=settings.arm_url,
            assertion=issuer.assertion,
            poll_seconds=settings.azure_poll_seconds,
            write_seconds=settings.write_deadline,
            observe_seconds=settings.observe_deadline,
        )
        stack.push_async_callback(azure.close)
        github = GitHubWindow(
            for_others,
            app_id=settings.app_id,
            private_key_pem=settings.app_private_key().encode(),
            api_url=settings.github_api_url,
            user_agent=USER_AGENT,
            now_us=clock.now_us,
            sleep=clock.sleep,
            write_spacing=settings.github_write_spacing,
        )
        stack.push_async_callback(github.close)
        miso = Miso(
            rules=rules,
            store=store,
            github=github,
            azure=azure,
            images=ImagesWindow(
                for_others,
                registries=settings.registries,
                allow_local=settings.allow_local_hosts,
                acr_token=azure.acr_token,
            ),
            probe=ProbeWindow(
                ssl_context=context,
                connect_to=settings.probe_connect_to,
                allow_local=settings.allow_local_hosts,
                timeout=settings.probe_timeout,
            ),
            oidc=OidcWindow(
                issuer,
                SubjectReader(keys, settings.trust, clock.now_us),
                settings.trust,
                rules.token_audience,
                tended=lambda: seal.use(rings.sealing()),
            ),
            clock=clock,
            sign_in=_sign_in(settings, for_others, issuer, keys, clock),
        )
        await registering.import_files(miso, settings.catalog_files())
        if adopts:
            await policies.adopt(miso, settings.policies, str(settings.config_dir / "policy.yml"))
        environments = [environment.id for environment in await store.environments()]
        await issuer.warm(environments, sign_in=settings.sign_in == "entra")
        worker = Worker(miso, router, _event, holder())
        yield Running(miso=miso, worker=worker, web=application(miso, settings), azure=azure, issuer=issuer)


async def key_rings(
    settings: Settings, session: aiohttp.ClientSession, clock: Clock, stack: AsyncExitStack, *, make: bool = True
) -> Rings:
    """The keys, on disk or in the vault that the host's own identity opens. `make`: a first one where there is none."""
    vault = None
    if settings.key_vault_url:
        # Only here: whoever keeps keys on disk need not load a second SDK.
        from bot.oidc.vault import KeyVault

        vault = KeyVault(settings.key_vault_url, session, identity=settings.managed_identity)
        stack.push_async_callback(vault.close)
    return await open_rings(
        settings.keys_dir,
        issuer=settings.public_url,
        now_us=clock.now_us,
        key_days=settings.key_days,
        publish_hours=settings.key_publish_hours,
        keep_hours=settings.key_keep_hours,
        session_hours=settings.session_hours,
        client=settings.sign_in == "oidc",
        vault=vault,
        make=make,
    )


def _seal(settings: Settings, rings: Rings) -> Seal:
    """With the keys of the ring; what an earlier version sealed with a file of its own still opens."""
    earlier = settings.data_dir / "seal.key"
    return Seal(rings.sealing(), fernet=[earlier.read_bytes().strip()] if earlier.is_file() else [])


def _sign_in(
    settings: Settings, session: aiohttp.ClientSession, issuer: Issuer, keys: IssuerKeys, clock: Clock
) -> SignIn | None:
    if settings.sign_in == "entra":
        return EntraSignIn(
            session,
            authority=settings.entra_authority,
            tenant=settings.sign_in_tenant,
            client_id=settings.sign_in_client_id,
            assertion=issuer.sign_in_assertion,
            keys=keys,
            now_us=clock.now_us,
        )
    if settings.sign_in == "oidc":
        return ProviderSignIn(
            session,
            issuer=settings.sign_in_issuer,
            client_id=settings.sign_in_client_id,
            groups_claim=settings.sign_in_groups_claim,
            client_assertion=issuer.client_assertion,
            keys=keys,
            now_us=clock.now_us,
        )
    return None


def application(miso: Miso, settings: Settings) -> web.Application:
    """Every route, behind the guard. The webhook has a guard and a cap of its own."""
    decided = guard.Doors(
        public_url=settings.public_url,
        now_us=miso.clock.now_us,
        trusted_proxies=settings.trusted_proxies,
        token_requests_per_minute=settings.token_requests_per_minute,
        sign_in_requests_per_minute=settings.sign_in_requests_per_minute,
        api_requests_per_minute=settings.api_requests_per_minute,
        turned_away=partial(refusing.note, miso, door="form"),
    )
    app = web.Application(client_max_size=guard.MOST_BYTES, middlewares=guard.middlewares(decided))

    async def store_ready() -> bool:
        await miso.store.leases()
        return True

    app.add_routes(webhook.routes(miso, [secret.decode() for secret in settings.webhook_secrets]))
    app.add_routes(oidc.routes(miso.oidc))
    app.add_routes(pages.routes())
    for doors in (tokens, api, sign_in, device, account):
        app.add_routes(doors.routes(miso))
    app.add_routes(health.routes({"store": store_ready}))
    return app


async def serve(settings: Settings, *, ready: asyncio.Event | None = None, stop: asyncio.Event | None = None) -> None:
    """Serve until `stop` is set (SIGTERM): stop listening first, let answers finish, then end the loops."""
    async with building(settings) as running:
        runner = web.AppRunner(running.web, access_log=None, shutdown_timeout=8)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.listen.host, settings.listen.port)
            await site.start()
            log.info("serving", address=f"{settings.listen.host}:{settings.listen.port}", issuer=settings.public_url)
            if ready is not None:
                ready.set()
            work = asyncio.create_task(running.worker.run())
            waiting = asyncio.create_task((stop or asyncio.Event()).wait())
            done, _ = await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            await runner.cleanup()
            for task in (work, waiting):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await work
            if work in done:
                log.error("worker ended")
        finally:
            await runner.cleanup()


def holder() -> str:
    """Name of this process in leases."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _event(data: Mapping[str, Any], event: str, delivery: str) -> Event:
    return Event(data, event=event, delivery_id=delivery)
