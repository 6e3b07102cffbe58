"""Who we are to GitHub: the App's key, and one short-lived token for each job in each repository.

A token is limited to one set of repositories and one set of permissions (rule 35), kept for its hour so that ETags stay
good, and renewed five minutes early; callers that need the same one at once wait for one request. Called by
`bot.github.door` and `bot.github.client`. No token or key is ever part of a message, a log line or a `repr`; a
token's form is GitHub's affair and is never looked into.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.errors import ConfigError, MisoError, Transient
from bot.github import faults
from bot.github.faults import Answer
from bot.github.flight import Flights
from bot.github.transport import Api, Line, Pace

T = TypeVar("T")

SECOND = 1_000_000
BACKDATED = 60 * SECOND
"""GitHub wants `iat` a minute in the past, against clocks that drift."""
LIFE_OF_JWT = 8 * 60 * SECOND
"""With the backdating below the ten minutes that GitHub allows."""
USE_OF_JWT = 5 * 60 * SECOND
RENEWED_BEFORE_END = 5 * 60 * SECOND
LEAST_USE = 60 * SECOND
"""A token is used at least so long, however wrong our clock may be: no request storm for new ones."""
TOKENS_KEPT = 2048


class AppKey:
    """The App's private key, parsed once: signing with a parsed key is a hundred times cheaper than with PEM."""

    def __init__(self, app_id: int, pem: bytes, now_us: Callable[[], int]) -> None:
        """Raises `ConfigError` when `pem` is not an RSA key of at least 2048 bits, without quoting it."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            raise ConfigError(["the GitHub App's private key is not a PEM key without passphrase"]) from None
        if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
            raise ConfigError(["the GitHub App's private key is not an RSA key of at least 2048 bits"])
        self._key = key
        self._app_id = str(app_id)
        self._now_us = now_us
        self._jwt = ""
        self._fresh_until_us = 0

    def jwt(self) -> str:
        """The App's own credential, RS256, valid for a few more minutes."""
        now = self._now_us()
        if now >= self._fresh_until_us or now < self._fresh_until_us - USE_OF_JWT:
            issued, ends = (now - BACKDATED) // SECOND, (now + LIFE_OF_JWT) // SECOND
            claims = {"iat": issued, "exp": ends, "iss": self._app_id}
            self._jwt = jwt.encode(claims, self._key, algorithm="RS256")
            self._fresh_until_us = now + USE_OF_JWT
        return self._jwt


@dataclass(frozen=True)
class Scope:
    """What a token may do: one installation, these repositories, exactly these permissions.

    Without repositories it is for what belongs to the organisation; beside its permissions such a token reads the
    metadata of every repository there, which GitHub gives with each.
    """

    installation_id: int
    repository_ids: tuple[int, ...]
    permissions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, installation_id: int, repository_id: int | None, permissions: Mapping[str, str]) -> Scope:
        repositories = () if repository_id is None else (repository_id,)
        return cls(installation_id, repositories, tuple(sorted(permissions.items())))


@dataclass(frozen=True)
class Token:
    """A minted token behind its API. The secret stands nowhere but in `secret` and in the header of a request."""

    secret: str = field(repr=False)
    api: Api = field(repr=False)
    good_until_us: int


class Tokens:
    """Tokens by scope: bounded, renewed early, one request for all who wait, handed back at the end."""

    def __init__(self, line: Line, key: AppKey, *, write_spacing: float) -> None:
        self._line = line
        self._spacing = write_spacing
        self._paces: LRUCache[int, Pace] = LRUCache(TOKENS_KEPT)
        self._kept: LRUCache[Scope, Token] = LRUCache(TOKENS_KEPT)
        self._flights: Flights[Token] = Flights()
        self._forgotten: dict[int, int] = {}
        self.app = Api(line, Pace(0.0, line.now_us, line.sleep), key.jwt, app=True)
        """The API as the App itself, for what no installation token may ask."""

    async def api(self, scope: Scope) -> Api:
        """The API with a token of exactly this scope.

        Raises `Refused` when the installation does not cover the repository, lacks a permission, is suspended or gone.
        """
        token = self._kept.get(scope)
        if token is None or self._line.now_us() >= token.good_until_us:
            token = await self._flights.join(scope, lambda: self._mint(scope))
        return token.api

    async def using(self, scope: Scope, ask: Callable[[Api], Awaitable[T]]) -> T:
        """A 401 means that the token was revoked elsewhere and nothing was done: once more with a new one."""
        api = await self.api(scope)
        try:
            return await ask(api)
        except Answer as answer:
            if answer.status != 401:
                raise
        self._drop(scope, api)
        return await ask(await self.api(scope))

    def _drop(self, scope: Scope, api: Api) -> None:
        """Forget a token that GitHub no longer takes. A newer one of the same scope stays."""
        token = self._kept.get(scope)
        if token is not None and token.api is api:
            del self._kept[scope]

    async def forget(self, installation_id: int) -> None:
        """Revoke every token of an installation that was suspended, removed or changed (rule 35)."""
        self._forgotten[installation_id] = self._forgotten.get(installation_id, 0) + 1
        await self._revoke([scope for scope in self._kept if scope.installation_id == installation_id])

    async def close(self) -> None:
        """Revoke every token that is still good: nothing that we leave behind opens a door."""
        await self._flights.end()
        await self._revoke(list(self._kept))

    async def _mint(self, scope: Scope) -> Token:
        age = self._forgotten.get(scope.installation_id, 0)
        now = self._line.now_us()
        asked: dict[str, Any] = {"permissions": dict(scope.permissions)}
        if scope.repository_ids:
            asked["repository_ids"] = list(scope.repository_ids)
        path = f"/app/installations/{scope.installation_id}/access_tokens"
        answer = await self._ask(path, asked)
        try:
            secret, ends = str(answer["token"]), datetime.fromisoformat(answer["expires_at"])
            ends_us = int(ends.timestamp()) * SECOND
        except (KeyError, TypeError, ValueError):
            raise faults.unavailable("GitHub's answer to a request for a token was not understood") from None
        good_until = max(ends_us - RENEWED_BEFORE_END, now + LEAST_USE)
        token = Token(secret, Api(self._line, self._pace(scope.installation_id), lambda: secret), good_until)
        if self._forgotten.get(scope.installation_id, 0) == age:
            self._kept[scope] = token
        return token

    async def _ask(self, path: str, asked: Mapping[str, Any]) -> Any:
        """A token that nobody received harms nobody, so this one POST is repeated once when its answer was lost."""
        try:
            try:
                return await self.app.write("POST", path, asked)
            except Transient as error:
                if error.retry_after is not None:
                    raise
            return await self.app.write("POST", path, asked)
        except Answer as answer:
            # 422 here says that the repository is not covered or a permission not granted, not that we asked wrongly.
            raise Answer(answer.status, forbidden=True) from None

    def _pace(self, installation_id: int) -> Pace:
        pace = self._paces.get(installation_id)
        if pace is None:
            pace = self._paces[installation_id] = Pace(self._spacing, self._line.now_us, self._line.sleep)
        return pace

    async def _revoke(self, scopes: list[Scope]) -> None:
        """https://docs.github.com/en/rest/apps/installations#revoke-an-installation-access-token"""
        gone = [self._kept.pop(scope) for scope in scopes]
        now = self._line.now_us()
        await asyncio.gather(*(self._end(token) for token in gone if now < token.good_until_us + RENEWED_BEFORE_END))

    async def _end(self, token: Token) -> None:
        # Its own pace: an end at shutdown does not queue behind reports. Failing is fine, it runs out by itself.
        api = Api(self._line, Pace(0.0, self._line.now_us, self._line.sleep), lambda: token.secret)
        try:
            await api.write("DELETE", "/installation/token", b"")
        except MisoError:
            return
