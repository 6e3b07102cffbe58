"""The public keys of issuers that Miso listens to, fetched when they are needed and kept for a while.

`bot.oidc.verify` and sign-in ask for one key of one issuer. Only addresses that the operator listed are ever asked, and
what their discovery document names on the same host; no redirect is followed, and size, time and number of keys are
bounded (rule 18). https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig

A key serves for five minutes without a question, for ten while the answer is on its way, and for a day when the issuer
does not answer; one that the issuer withdrew is gone with the next answer. Whoever sends tokens of keys that nobody has
causes one request in half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from yarl import URL

from bot.domain.codes import Code
from bot.domain.messages import explain
from bot.errors import Transient
from bot.oidc.exact_json import exact_object
from bot.settings.forms import is_loopback_url
from bot.telemetry import logger

SECOND = 1_000_000
FRESH_S = 300
"""Keys are taken as they are for so long; after it they are asked for again while they serve."""
LATE_S = 600
"""After this the answer is waited for, so that a key that was withdrawn while nobody came is not used once more."""
STALE_S = 86_400
"""So long keys serve whose issuer does not answer; then nobody is believed."""
COOL_DOWN_S = 30
"""Between two questions to one issuer, whatever tokens come."""
RETRY_S = 5
"""The same while no key of it is known that may still serve."""
DISCOVERY = "/.well-known/openid-configuration"
MOST_BYTES = 65_536
MOST_KEYS = 20
MOST_BITS = 8192
"""A larger key is refused: verifying would cost us more than it costs whoever sends."""
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
ALGORITHMS: Mapping[str, str] = {"RSA": "RS256", "EC": "ES256"}
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
"""Whoever publishes these has lost the key."""

log = logger(__name__)


class Unusable(ValueError):
    """Why an issuer's answer cannot be used. In our words: what was answered is quoted nowhere."""


@dataclass
class _Shelf:
    """What is known of one issuer."""

    keys: Mapping[str, jwt.PyJWK] = field(default_factory=dict)
    read_us: int | None = None
    asked_us: int | None = None
    flight: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        """Whether the last question was answered by nothing that can be used."""
        return self.asked_us is not None and (self.read_us is None or self.read_us < self.asked_us)


class IssuerKeys:
    """One for the process. `session` is for everybody but Azure, `now_us` the clock, `timeout` for both documents."""

    def __init__(self, session: aiohttp.ClientSession, now_us: Callable[[], int], *, timeout: float = 5.0) -> None:
        self._session = session
        self._now_us = now_us
        self._timeout = timeout
        self._shelves: dict[str, _Shelf] = {}

    async def key(self, issuer: str, kid: str, *, host: str = "") -> jwt.PyJWK | None:
        """The issuer's key of that name, or None where it has none. `host` may serve the keys beside the issuer's own.

        Raises Transient (`issuer_unavailable`) when there is no answer, and none that is young enough.
        """
        shelf = self._shelves.setdefault(issuer, _Shelf())
        age = self._age_s(shelf.read_us)
        if age > LATE_S:
            await self._ask(shelf, issuer, host)
            if self._age_s(shelf.read_us) > STALE_S:
                raise _unavailable()
        elif age > FRESH_S:
            self._begin(shelf, issuer, host)
        if kid not in shelf.keys:
            # Keys rotate between two of our questions: a name that is new may be right.
            await self._ask(shelf, issuer, host)
            if kid not in shelf.keys and shelf.failed:
                raise _unavailable()
        return shelf.keys.get(kid)

    async def close(self) -> None:
        """End what is on its way."""
        flights = [shelf.flight for shelf in self._shelves.values() if shelf.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _age_s(self, since_us: int | None) -> float:
        """Seconds since then. Without end for never, and for a moment that a clock put back has not reached."""
        past = -1 if since_us is None else self._now_us() - since_us
        return past / SECOND if past >= 0 else float("inf")

    async def _ask(self, shelf: _Shelf, issuer: str, host: str) -> None:
        """Wait for the answer that is on its way, or for a new one unless the last question was just now."""
        flight = self._begin(shelf, issuer, host)
        if flight is not None:
            # Whoever waits may go away; the others still want the answer.
            await asyncio.shield(flight)

    def _begin(self, shelf: _Shelf, issuer: str, host: str) -> asyncio.Task[None] | None:
        pause = RETRY_S if self._age_s(shelf.read_us) > STALE_S else COOL_DOWN_S
        if shelf.flight is None and self._age_s(shelf.asked_us) >= pause:
            shelf.asked_us = self._now_us()
            shelf.flight = asyncio.create_task(self._fill(shelf, issuer, host), name=f"keys of {issuer}")
        return shelf.flight

    async def _fill(self, shelf: _Shelf, issuer: str, host: str) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                keys = await self._fetch(issuer, host)
        except (Unusable, aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            what = str(fault) if isinstance(fault, Unusable) else type(fault).__name__
            log.warning("keys of an issuer could not be read", issuer=issuer, why=what)
        else:
            shelf.keys, shelf.read_us = keys, self._now_us()
        finally:
            shelf.flight = None

    async def _fetch(self, issuer: str, host: str) -> Mapping[str, jwt.PyJWK]:
        document = await self._document(URL(issuer + DISCOVERY, encoded=True))
        if document.get("issuer") != issuer:
            raise Unusable("its discovery document speaks of another issuer")
        return usable_keys(await self._document(_address(document.get("jwks_uri"), issuer, host)))

    async def _document(self, url: URL) -> Mapping[str, Any]:
        async with self._session.get(url, headers=HEADERS, allow_redirects=False) as answer:
            if answer.status != 200:
                raise Unusable(f"it answered with HTTP {answer.status}")
            kind, _, name = answer.content_type.lower().partition("/")
            if kind != "application" or not (name == "json" or name.endswith("+json")):
                raise Unusable("it answered with something else than JSON")
            body = bytearray()
            async for chunk in answer.content.iter_chunked(16_384):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Unusable("its answer is too large")
        try:
            return exact_object(bytes(body))
        except ValueError:
            raise Unusable("its answer is not a JSON object") from None


def _address(said: object, issuer: str, host: str) -> URL:
    """Where the keys are: https, on the issuer's own host or the one that the operator named."""
    try:
        url = URL(said, encoded=True) if isinstance(said, str) else URL()
        authority = url.authority
    except ValueError:
        raise Unusable("the address of its keys is none") from None
    own = URL(issuer)
    plain = url.scheme == "http" and own.scheme == "http" and is_loopback_url(str(url))
    if url.scheme != "https" and not plain:
        raise Unusable("the address of its keys is not https")
    allowed = {own.authority.lower(), host} - {""}
    if url.user is not None or url.password is not None or authority.lower() not in allowed:
        raise Unusable("the address of its keys is on another host")
    return url


def usable_keys(document: Mapping[str, Any]) -> Mapping[str, jwt.PyJWK]:
    """The keys of a JWKS that may verify signatures, by name: https://www.rfc-editor.org/rfc/rfc7517#section-5

    What cannot be used is left out, as the standard asks for; a name that stands twice is nobody's. Raises Unusable
    where nothing is left.
    """
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise Unusable("it publishes no list of keys, or a very long one")
    names = [each.get("kid") for each in listed if isinstance(each, dict)]
    found = {}
    for each in listed:
        key = _usable(each) if isinstance(each, dict) else None
        if key is not None and names.count(each["kid"]) == 1:
            found[str(each["kid"])] = key
    if not found:
        raise Unusable("it publishes no key that can be used")
    return found


def _usable(said: Mapping[str, Any]) -> jwt.PyJWK | None:
    kid, algorithm = said.get("kid"), ALGORITHMS.get(str(said.get("kty")))
    operations = said.get("key_ops", ["verify"])
    if not isinstance(kid, str) or not 0 < len(kid) <= 200 or algorithm is None or PRIVATE & said.keys():
        return None
    if said.get("use", "sig") != "sig" or said.get("alg", algorithm) != algorithm:
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        key = jwt.PyJWK.from_dict(dict(said), algorithm=algorithm)
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return None
    match key.key:
        case rsa.RSAPublicKey() as public if 2048 <= public.key_size <= MOST_BITS:
            return key
        case ec.EllipticCurvePublicKey() as public if isinstance(public.curve, ec.SECP256R1):
            return key
    return None


def _unavailable() -> Transient:
    return Transient(Code.ISSUER_UNAVAILABLE, explain(Code.ISSUER_UNAVAILABLE).sentence, retry_after=RETRY_S)
