"""The window that the hall calls `oidc`: Miso's own tokens and keys, and its ear for the issuers on its list.

Made by `bot.app`. It adds nothing: what signs is `bot.oidc.issue`, what listens is `bot.oidc.verify`, and neither knows
the other, so that no token of one kind can be taken for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.domain.claims import DeployClaims, OwnClaims, SignedClaims
from bot.domain.trust import Book
from bot.oidc.issue import Issuer
from bot.oidc.verify import SubjectReader


class OidcWindow:
    """See `bot.context.Oidc` for what each method promises. `audience` is what subject tokens must be meant for."""

    def __init__(
        self, issuer: Issuer, reader: SubjectReader, trust: Book, audience: str, *, tended: Callable[[], None]
    ) -> None:
        """`tended` is called when the keys were looked after: others may hold copies of some."""
        self._tended = tended
        self._issuer = issuer
        self._reader = reader
        self._trust = trust
        self._audience = audience

    @property
    def trust(self) -> Book:
        return self._trust

    def discovery(self) -> Mapping[str, Any]:
        return self._issuer.discovery()

    def jwks(self) -> Mapping[str, Any]:
        return self._issuer.jwks()

    async def read_subject(self, token: str) -> SignedClaims:
        return await self._reader.read(token, audience=self._audience)

    async def issue(self, claims: DeployClaims) -> str:
        return await self._issuer.issue(claims)

    def read_own(self, token: str) -> OwnClaims:
        return self._issuer.read_own(token)

    async def workflow_assertion(self, environment_id: str) -> str:
        return await self._issuer.workflow_assertion(environment_id)

    def stamp(self, purpose: str, text: str) -> str:
        return self._issuer.stamp(purpose, text)

    def stamped(self, purpose: str, text: str, stamp: str) -> bool:
        return self._issuer.stamped(purpose, text, stamp)

    async def tend(self) -> None:
        await self._issuer.tend()
        self._tended()
