"""The window to OCI registries: which digest a tag points to now, and whether a digest still exists.

Verbs call it through `Miso.images`. Only hosts of the operator's list are ever asked, tokens come only from the realm
host that the list pins to a registry, redirects are never followed, and nothing is pulled or written. https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from cachetools import TLRUCache
from yarl import URL

from bot.domain.codes import Code
from bot.domain.model import Environment
from bot.errors import Refused, Transient
from bot.settings.forms import is_loopback_url

AcrToken = Callable[[Environment], Awaitable[str]]
"""An Entra access token for `https://containerregistry.azure.net/.default`, as the environment's identity."""

ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""Indexes first: the digest of a multi-arch image is that of its index, which is what a tag names."""

MANIFEST_MOST: Final = 4 * 1024 * 1024
"""The specification asks registries to take manifests of 4 MiB, and lets them refuse more."""
TOKEN_MOST: Final = 64 * 1024
TOKEN_LIFE_S: Final = 300
ACR: Final = ".azurecr.io"

_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([a-zA-Z_]+)="([^"\\]*)"')

# What people write and what serves it: https://distribution.github.io/distribution/ (reference normalisation)
_SERVED_BY: Final = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One repository of one allowed registry, and as whom we ask."""

    host: str
    repository: str
    realm_host: str
    environment: Environment | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.host, self.repository, self.environment.id if self.environment else ""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class ImagesWindow:
    """Looks into registries. Every method may raise `Refused` or `Transient("registry_unavailable", …)`.

    `registries` maps each allowed host (with port, where it has one) to the host of its token realm. Loopback hosts are
    asked in plain HTTP and only with `allow_local`. `acr_token` gives Entra tokens for Azure Container Registry;
    without it, everything is asked anonymously. `timeout` is the most seconds that one request may take.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        registries: Mapping[str, str],
        allow_local: bool = False,
        acr_token: AcrToken | None = None,
        timeout: float = 5.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._registries = registries
        self._allow_local = allow_local
        self._acr_token = acr_token
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._tokens: TLRUCache[tuple[str, str, str], tuple[str, float]] = TLRUCache(
            maxsize=1024, ttu=lambda _key, token, now: now + token[1], timer=timer
        )

    async def digest(self, image: str, tag: str, environment: Environment | None) -> str | None:
        """`sha256:…` that the tag of `host/repository` names now; None when there is no such tag or repository."""
        if not _TAG.fullmatch(tag):
            raise Refused(Code.CONFIG_INVALID, "The image's tag is not one that a registry could hold.")
        return await self._resolve(self._place(image, environment), tag)

    async def exists(self, image: str, digest: str, environment: Environment | None) -> bool:
        """Whether `host/repository@digest` can still be pulled."""
        if not _DIGEST.fullmatch(digest):
            raise Refused(Code.CONFIG_INVALID, "The image's digest is not sha256 and 64 hex digits.")
        found = await self._resolve(self._place(image, environment), digest)
        if found not in (None, digest):
            raise Refused(Code.REGISTRY_REFUSED, "The registry answers with another image than it was asked for.")
        return found is not None

    def _place(self, image: str, environment: Environment | None) -> _Place:
        host, _, repository = image.partition("/")
        host = host.lower()
        if host not in self._registries or (environment and environment.registry not in ("", host)):
            raise Refused(
                Code.IMAGE_HOST_NOT_ALLOWED,
                "Images may not come from this registry.",
                "Use a registry that the operator listed in MISO_REGISTRIES and, if it names one, the environment's.",
            )
        if _is_loopback(host) and not self._allow_local:
            raise Refused(Code.IMAGE_HOST_NOT_ALLOWED, "Images may not come from the controller's own machine.")
        if len(repository) > 255 or not _REPOSITORY.fullmatch(repository):
            raise Refused(Code.CONFIG_INVALID, "The image is not written as host/repository, in lower case.")
        return _Place(host=host, repository=repository, realm_host=self._registries[host], environment=environment)

    async def _resolve(self, place: _Place, reference: str) -> str | None:
        served = _SERVED_BY.get(place.host, place.host)
        url = URL.build(
            scheme=self._scheme(place.host),
            authority=served,
            path=f"/v2/{place.repository}/manifests/{reference}",
        )
        answer = await self._with_token("HEAD", url, place)
        told = answer.headers.get("Docker-Content-Digest", "") if answer.status == 200 else ""
        if answer.status == 404:
            return None
        if answer.status == 200 and _DIGEST.fullmatch(told):
            return told
        # No header, or no HEAD: the digest is that of the manifest's bytes, and anything told must agree with it.
        answer = await self._with_token("GET", url, place)
        if answer.status == 404:
            return None
        _judge(answer)
        computed = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        if answer.headers.get("Docker-Content-Digest", computed) != computed:
            raise Refused(Code.REGISTRY_REFUSED, "The registry's manifest is not the one that its digest names.")
        return computed

    async def _with_token(self, method: str, url: URL, place: _Place) -> _Answer:
        """The answer to a request, with a token got on the way where the registry asks for one."""
        headers = {"Accept": ACCEPT, "Accept-Encoding": "identity"}
        known = self._tokens.get(place.key)
        if known is not None:
            answer = await self._ask(method, url, {**headers, "Authorization": f"Bearer {known[0]}"})
            if answer.status != 401:
                return _refuse_denied(answer)
            self._tokens.pop(place.key, None)
        answer = await self._ask(method, url, headers)
        if answer.status != 401:
            return _refuse_denied(answer)
        token, life = await self._token(answer.headers.get("WWW-Authenticate", ""), place)
        self._tokens[place.key] = (token, life)
        return _refuse_denied(await self._ask(method, url, {**headers, "Authorization": f"Bearer {token}"}))

    async def _token(self, challenge: str, place: _Place) -> tuple[str, float]:
        """A pull token for the one repository. https://distribution.github.io/distribution/spec/auth/token/"""
        scheme, _, rest = challenge.partition(" ")
        told = dict(_PARAMETER.findall(rest[:4096]))
        realm = self._realm(told.get("realm", ""), place) if scheme.lower() == "bearer" else None
        if realm is None:
            raise Refused(
                Code.REGISTRY_REFUSED,
                "The registry wants a sign-in that Miso does not do, or names a token service that is not listed.",
                "List the token service's host in MISO_REGISTRIES as host=realm-host.",
            )
        # The scope is ours, never the challenge's: pull, of this repository.
        wanted = {"service": told.get("service", place.host)[:255], "scope": f"repository:{place.repository}:pull"}
        if self._acr_token and place.environment and _is_acr(realm, place, place.environment):
            return await self._exchange(realm, wanted, place.environment, self._acr_token)
        return _read_token(await self._ask("GET", realm.update_query(wanted), {}, most=TOKEN_MOST))

    def _realm(self, realm: str, place: _Place) -> URL | None:
        """The realm's address, if it is on the pinned host and as safe as the registry itself."""
        try:
            url = URL(realm)
        except ValueError:
            return None
        right = url.scheme == self._scheme(place.host) and url.user is None and url.password is None
        return url if right and url.host and url.authority.lower() == place.realm_host else None

    async def _exchange(
        self, realm: URL, wanted: Mapping[str, str], environment: Environment, acr_token: AcrToken
    ) -> tuple[str, float]:
        """Entra token → refresh token → access token, as the environment's identity.

        https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
        """
        form = {"grant_type": "access_token", "service": wanted["service"], "tenant": environment.tenant_id}
        form["access_token"] = await acr_token(environment)
        answer = await self._ask("POST", realm.origin().with_path("/oauth2/exchange"), {}, form=form, most=TOKEN_MOST)
        refresh = _read_json(answer).get("refresh_token")
        if not isinstance(refresh, str) or not refresh:
            raise Refused(Code.REGISTRY_REFUSED, "The registry gave no token for the environment's identity.")
        form = {"grant_type": "refresh_token", "refresh_token": refresh, **wanted}
        return _read_token(await self._ask("POST", realm, {}, form=form, most=TOKEN_MOST))

    def _scheme(self, host: str) -> str:
        return "http" if self._allow_local and _is_loopback(host) else "https"

    async def _ask(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        most: int = MANIFEST_MOST,
    ) -> _Answer:
        """One request, its answer read up to `most` bytes.

        A redirect is an answer and never followed: it could carry a token to another host.
        """
        try:
            async with self._session.request(
                method, url, headers=headers, data=form, allow_redirects=False, timeout=self._timeout
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_chunked(65_536):
                    body += chunk
                    if len(body) > most:
                        raise Refused(Code.REGISTRY_REFUSED, "The registry's answer is larger than any manifest.")
                answer = _Answer(status=response.status, headers=response.headers.copy(), body=bytes(body))
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise Transient(Code.REGISTRY_UNAVAILABLE, "The registry does not answer.") from fault
        if answer.status == 429 or answer.status >= 500:
            after = answer.headers.get("Retry-After", "")
            raise Transient(
                Code.REGISTRY_UNAVAILABLE,
                "The registry is overloaded or out of order.",
                retry_after=float(after) if after.isdecimal() and len(after) < 6 else None,
            )
        return answer


def _refuse_denied(answer: _Answer) -> _Answer:
    if answer.status in (401, 403):
        raise Refused(
            Code.REGISTRY_REFUSED,
            "The registry does not let Miso see this image.",
            "Make the image readable: the environment's identity needs AcrPull, other registries must allow anonymous"
            " reading. Some registries answer like this, too, when the image does not exist.",
        )
    return answer


def _judge(answer: _Answer) -> None:
    if answer.status != 200:
        raise Refused(Code.REGISTRY_REFUSED, f"The registry answered {answer.status} where an image was expected.")


def _read_json(answer: _Answer) -> Mapping[str, Any]:
    _judge(_refuse_denied(answer))
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused(Code.REGISTRY_REFUSED, "The registry's token service answers in another language.")
    return document


def _read_token(answer: _Answer) -> tuple[str, float]:
    """The token and how many seconds to keep it: somewhat less than it lives, 60 where nothing is said."""
    document = _read_json(answer)
    token = document.get("access_token") or document.get("token")
    life = document.get("expires_in", 60)
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Refused(Code.REGISTRY_REFUSED, "The registry's token service gave no token.")
    seconds = life if isinstance(life, int) and not isinstance(life, bool) else 60
    return token, max(0.0, min(seconds, TOKEN_LIFE_S) - 10.0)


def _is_acr(realm: URL, place: _Place, environment: Environment) -> bool:
    """Whether this is a registry that may see an Entra token: Azure's own, or the one that the environment names."""
    named = place.host.endswith(ACR) or place.host == environment.registry
    return named and realm.path == "/oauth2/token" and realm.authority.lower() == place.host


def _is_loopback(host: str) -> bool:
    return is_loopback_url(f"//{host}")
