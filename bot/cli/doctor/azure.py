"""Checks of registries and of every environment: federation as it is expected and sent, access, and the resource.

The token exchange is the real one, through the credential that deployments use. Nothing is written to Azure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

from bot.app import USER_AGENT, Running, tls
from bot.azure.credentials import credential
from bot.azure.transport import SCOPE
from bot.cli.doctor.entra import code_of, meaning
from bot.cli.doctor.finding import Finding, by_stage, fail, failed, ok, warn
from bot.domain.model import Environment
from bot.domain.plan import must_be_ours
from bot.errors import MisoError
from bot.oidc.issue import DISCOVERY_PATH, subject
from bot.oidc.keys import TERMS, Use
from bot.services import journal
from bot.settings import Settings

REQUEST = "miso-doctor"


async def checks(running: Running, settings: Settings) -> AsyncIterator[Finding]:
    """The issuer first, then each environment in turn."""
    miso = running.miso
    timeout = aiohttp.ClientTimeout(total=20, connect=5)
    connector = aiohttp.TCPConnector(ssl=tls(settings))
    # azure-core unpacks bodies itself, and the two documents are asked for unpacked.
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        yield await _issuer(running, settings, session)
        for application in await miso.store.applications():
            for environment in by_stage(await miso.store.environments(application.id)):
                area = f"{application.name} / {environment.stage}"
                async for finding in _environment(running, settings, session, area, environment):
                    yield finding


async def _issuer(running: Running, settings: Settings, session: aiohttp.ClientSession) -> Finding:
    """Whether the documents by which Entra checks us are served, with our own keys."""
    url = settings.public_url + DISCOVERY_PATH
    following = "`miso serve` must run there; a proxy in front of it must pass /.well-known/ on."
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    try:
        async with session.get(url, allow_redirects=False, headers=headers) as answer:
            document: Any = await answer.json(content_type=None)
        async with session.get(str(document["jwks_uri"]), allow_redirects=False, headers=headers) as answer:
            served: Any = await answer.json(content_type=None)
        kids = {key["kid"] for key in served["keys"]}
        issuer = document["issuer"]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as fault:
        return fail("issuer", "documents", f"{url} does not serve them ({type(fault).__name__})", following)
    ours = {key["kid"] for key in running.miso.oidc.jwks()["keys"]}
    if issuer != settings.public_url:
        return fail("issuer", "documents", f"{url} names another issuer: {issuer}", following)
    if not ours <= kids:
        lacking = ", ".join(sorted(ours - kids))
        return fail("issuer", "documents", f"{url} does not publish our key {lacking}", "Is it another controller's?")
    return ok("issuer", "documents", f"{url} serves issuer and keys")


async def _environment(
    running: Running, settings: Settings, session: aiohttp.ClientSession, area: str, environment: Environment
) -> AsyncIterator[Finding]:
    yield _sent(running, settings, area, environment)
    exchanged = await _exchange(running, settings, session, area, environment)
    yield exchanged
    if exchanged.verdict == "fail":
        return
    try:
        await running.azure.check(environment, request_id=REQUEST)
        yield ok(area, "resource group", f"{environment.resource_group} in {environment.subscription_id}")
        yield await _resource(running, settings, area, environment)
    except MisoError as fault:
        yield failed(area, "resource group", fault)
    yield await _image(running, area, environment)


def _sent(running: Running, settings: Settings, area: str, environment: Environment) -> Finding:
    """What our assertions really say, beside what the federated credential is to name."""
    claims = jwt.decode(running.issuer.assertion(environment.id), options={"verify_signature": False})
    expected = {"iss": settings.public_url, "sub": subject(environment.id), "aud": TERMS[Use.ASSERTION].audience}
    sent = {name: claims.get(name) for name in expected}
    if sent != expected:
        return fail(area, "assertion", f"sent: {sent}; expected: {expected}", "This is a fault of Miso.")
    return ok(area, "assertion", f"issuer {sent['iss']}, subject {sent['sub']}, audience {sent['aud']}")


async def _exchange(
    running: Running, settings: Settings, session: aiohttp.ClientSession, area: str, environment: Environment
) -> Finding:
    """Our assertion for a token of the environment's identity."""
    identity = credential(
        authority=settings.entra_authority,
        tenant_id=environment.tenant_id,
        client_id=environment.client_id,
        environment_id=environment.id,
        assertion=running.issuer.assertion,
        transport=AioHttpTransport(session=session, session_owner=False, use_env_settings=False),
    )
    try:
        await identity.get_token(SCOPE)
    except ClientAuthenticationError as fault:
        return _denied(settings, area, environment, code_of(str(fault.message)))
    except AzureError as fault:
        told = f"{settings.entra_authority} did not answer as it should ({type(fault).__name__})"
        return fail(area, "token exchange", told, "See whether it can be reached from here.")
    return ok(area, "token exchange", f"Entra gave client {environment.client_id} a token")


def _denied(settings: Settings, area: str, environment: Environment, code: str) -> Finding:
    if not code:
        told = f"{settings.entra_authority} did not answer as Entra does"
        return fail(area, "token exchange", told, "See whether it can be reached from here.")
    means = meaning(code)
    values = (
        f"issuer {settings.public_url}, subject {subject(environment.id)}, audience {TERMS[Use.ASSERTION].audience}"
    )
    known = f"tenant {environment.tenant_id}, client {environment.client_id}"
    return fail(area, "token exchange", f"{means.found} (AADSTS{code})", f"{means.following}\n{values}\n{known}")


async def _resource(running: Running, settings: Settings, area: str, environment: Environment) -> Finding:
    """Whether the resource is there and ours to change."""
    check = f"{environment.target} {environment.name}"
    seen = await running.azure.observe(environment, request_id=REQUEST)
    try:
        must_be_ours(seen, environment, settings.controller_name)
    except MisoError as fault:
        return failed(area, check, fault)
    if not seen.main.exists:
        return warn(area, check, "is not there yet", "The first deployment makes it.")
    return ok(area, check, f"runs {seen.main.digest or 'no image that is pinned by a digest'}")


async def _image(running: Running, area: str, environment: Environment) -> Finding:
    """Whether the registry still has what runs there: a rollback will need it."""
    miso = running.miso
    state = await miso.store.environment_state(environment.id)
    promotion = await journal.load(miso, state.running) if state.running else None
    if promotion is None:
        return warn(area, "registry", "was not asked: nothing was deployed yet", "The first deployment asks it.")
    release = promotion.request.release
    try:
        there = await miso.images.exists(release.image, release.digest, environment)
    except MisoError as fault:
        return failed(area, "registry", fault)
    if not there:
        told = f"{release.image} no longer has {release.digest}"
        return fail(area, "registry", told, "Keep the images that run: without it there is no way back.")
    return ok(area, "registry", f"{release.image} has the digest that runs")
