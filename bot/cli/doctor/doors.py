"""Checks of who comes in: the issuers whose workflows are trusted, the sign-in of people, the proxies in front.

What Entra is to expect stands beside what is sent, and its answer is explained. Nobody is signed in, nothing is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import jwt
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

from bot.app import Running, tls
from bot.azure.credentials import credential
from bot.cli.doctor.entra import code_of, meaning
from bot.cli.doctor.finding import Finding, fail, failed, ok, warn
from bot.domain import trust_file
from bot.errors import MisoError
from bot.oidc.issue import SIGN_IN_SUBJECT
from bot.oidc.jwks import IssuerKeys
from bot.oidc.keys import TERMS, Use
from bot.settings import Settings
from bot.settings.forms import is_loopback

TRUST, SIGN_IN = "trust", "sign-in"
SCOPE = "https://graph.microsoft.com/.default"
"""Any will do: it is not used. Entra verifies the assertion before it looks at what is asked for."""
CALLBACK = "/sign-in/callback"


async def checks(running: Running, settings: Settings) -> AsyncIterator[Finding]:
    """Trust first, then sign-in."""
    timeout = aiohttp.ClientTimeout(total=20, connect=5)
    connector = aiohttp.TCPConnector(ssl=tls(settings))
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        async for finding in _trusted(running, settings, session):
            yield finding
    if settings.sign_in == "off":
        yield ok(SIGN_IN, "people", "nobody signs in here: MISO_SIGN_IN is off")
    elif settings.sign_in == "entra":
        async for finding in _entra(running, settings):
            yield finding
    else:
        told = f"{settings.sign_in_issuer} knows this controller as {settings.sign_in_client_id}"
        following = f"keys {settings.public_url}/.well-known/jwks, redirect URI {settings.public_url}{CALLBACK}"
        yield ok(SIGN_IN, "people", f"{told}; it must have {following}")
    for finding in _proxies(settings):
        yield finding


async def _trusted(running: Running, settings: Settings, session: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    if not settings.trust.issuers:
        yield ok(TRUST, "issuers", "none: no workflow gets a token here")
    for issuer, trust in settings.trust.issuers.items():
        keys = IssuerKeys(session, running.miso.clock.now_us)
        try:
            # No issuer has a key of this name; to say so, its keys must have been read.
            await keys.key(issuer, "miso doctor", host=trust.jwks_host)
            audience = trust.audience or running.miso.rules.token_audience
            yield ok(TRUST, issuer, f"its keys can be read; tokens must be meant for {audience}")
        except MisoError as fault:
            yield failed(TRUST, issuer, fault)
        finally:
            await keys.close()
    for danger in trust_file.lint(settings.trust):
        yield warn(TRUST, f"rule '{danger.rule}'", danger.sentence, "Say more exactly in config/trust who is meant.")


async def _entra(running: Running, settings: Settings) -> AsyncIterator[Finding]:
    """Our assertion for the sign-in, as it is sent and as it should be; and whether Entra takes it."""
    audience = TERMS[Use.ASSERTION].audience
    values = f"issuer {settings.public_url}, subject {SIGN_IN_SUBJECT}, audience {audience}"
    try:
        await running.issuer.tend()
        claims = jwt.decode(running.issuer.sign_in_assertion(), options={"verify_signature": False})
    except MisoError as fault:
        yield failed(SIGN_IN, "assertion", fault)
        return
    sent = f"issuer {claims['iss']}, subject {claims['sub']}, audience {claims['aud']}"
    if sent != values:
        yield fail(SIGN_IN, "assertion", f"sent: {sent}; expected: {values}", "This is a fault of Miso.")
        return
    yield ok(SIGN_IN, "assertion", sent)
    known = f"tenant {settings.sign_in_tenant}, client {settings.sign_in_client_id}"
    code = await _asked(running, settings)
    if code is None:
        told = f"{settings.entra_authority} did not answer as it should"
        yield fail(SIGN_IN, "federation", told, "See whether it can be reached from here.")
    elif code:
        means = meaning(code)
        yield fail(SIGN_IN, "federation", f"{means.found} (AADSTS{code})", f"{means.following}\n{values}\n{known}")
    else:
        yield ok(SIGN_IN, "federation", f"Entra takes it for {known}")
    yield ok(SIGN_IN, "redirect URI", f"the application must have {settings.public_url}{CALLBACK}, of the kind Web")


async def _asked(running: Running, settings: Settings) -> str | None:
    """The number of Entra's refusal, "" when it takes the assertion, None when there is no answer."""
    connector = aiohttp.TCPConnector(ssl=tls(settings))
    timeout = aiohttp.ClientTimeout(total=20, connect=5)
    # azure-core unpacks bodies itself.
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        identity = credential(
            authority=settings.entra_authority,
            tenant_id=settings.sign_in_tenant,
            client_id=settings.sign_in_client_id,
            environment_id="",
            assertion=lambda _: running.issuer.sign_in_assertion(),
            transport=AioHttpTransport(session=session, session_owner=False, use_env_settings=False),
        )
        try:
            await identity.get_token(SCOPE)
        except ClientAuthenticationError as fault:
            return code_of(str(fault.message)) or None
        except AzureError:
            return None
    return ""


def _proxies(settings: Settings) -> Iterator[Finding]:
    behind = settings.public_url.startswith("https://") and is_loopback(settings.listen.host)
    if behind and not settings.trusted_proxies:
        told = "a proxy must stand in front of this controller, and none is trusted"
        following = "Name it in MISO_TRUSTED_PROXIES: else limits count everybody behind it as one address."
        yield warn("doors", "proxies", told, following)
    elif settings.trusted_proxies:
        yield ok("doors", "proxies", ", ".join(str(network) for network in settings.trusted_proxies))
