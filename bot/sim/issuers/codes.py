"""Authorization codes with PKCE, as the pretend Entra and the other pretend provider give them out.

https://www.rfc-editor.org/rfc/rfc6749#section-4.1 and https://www.rfc-editor.org/rfc/rfc7636: a code is good once, for
ten minutes, for the client and the address that asked, and for whoever knows the verifier. S256 only.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

LIFETIME_S = 600
Reason = Literal["unknown", "used", "expired", "client", "redirect_uri", "verifier"]


class Unredeemable(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the client asked for, and who signed in. `person` is a name in the provider's own directory."""

    client_id: str
    redirect_uri: str
    scope: str
    challenge: str
    nonce: str | None
    person: str


class Codes:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._given: dict[str, tuple[Asked, float]] = {}
        self._used: set[str] = set()

    def issue(self, asked: Asked) -> str:
        code = secrets.token_urlsafe(32)
        self._given[code] = (asked, self._clock() + LIFETIME_S)
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Asked:
        """A code that was shown with a wrong verifier is gone, as one that was redeemed."""
        asked, until = self._given.get(code, (None, 0.0))
        if asked is None:
            raise Unredeemable("unknown")
        if code in self._used:
            raise Unredeemable("used")
        if asked.client_id != client_id:
            raise Unredeemable("client")
        self._used.add(code)
        if self._clock() > until:
            raise Unredeemable("expired")
        if asked.redirect_uri != redirect_uri:
            raise Unredeemable("redirect_uri")
        digest = hashlib.sha256(verifier.encode()).digest()
        if not secrets.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), asked.challenge):
            raise Unredeemable("verifier")
        return asked
