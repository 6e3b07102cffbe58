"""How often somebody may ask: a bucket for each address or principal that fills again with time.

Used by `bot.web.guard` for addresses and by `bot.web.auth` for principals. Kept in memory alone and bounded: who was
not seen for longest is forgotten first, and begins with a full bucket. It protects a process, it decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum

from cachetools import LRUCache

from bot.domain.codes import Code
from bot.domain.messages import explain
from bot.errors import Refused

MOST_REMEMBERED = 20_000
"""Of each kind."""


class Limit(StrEnum):
    """What is counted apart."""

    TOKENS = "tokens"
    """Token routes, for each address. What was refused at the API for want of a valid token counts here too."""
    SIGN_IN = "sign_in"
    """Pages, for each address."""
    API = "api"
    """For each principal."""


class TooMany(Refused):
    """Refused for now. `retry_after`: whole seconds until the next request would be taken."""

    def __init__(self, retry_after: int) -> None:
        said = explain(Code.TOO_MANY_REQUESTS)
        super().__init__(said.code, said.sentence, said.hint)
        self.retry_after = retry_after


class Limits:
    """`per_minute`: how many a minute of each kind; so many may also come at once after a pause."""

    def __init__(
        self, now_us: Callable[[], int], per_minute: Mapping[Limit, int], *, most: int = MOST_REMEMBERED
    ) -> None:
        self._now_us = now_us
        self._per_minute = dict(per_minute)
        # Who → (requests left, when that was so).
        self._left: dict[Limit, LRUCache[str, tuple[float, int]]] = {kind: LRUCache(most) for kind in Limit}

    def take(self, kind: Limit, who: str) -> None:
        """Count one request. Raises TooMany when there is none left."""
        left, wait = self._look(kind, who)
        if wait:
            raise TooMany(wait)
        self._left[kind][who] = (left - 1.0, self._now_us())

    def check(self, kind: Limit, who: str) -> None:
        """Raise TooMany when there is none left, and count nothing."""
        _, wait = self._look(kind, who)
        if wait:
            raise TooMany(wait)

    def _look(self, kind: Limit, who: str) -> tuple[float, int]:
        """Requests left, and seconds to wait for the next one when there is none."""
        most, now = float(self._per_minute[kind]), self._now_us()
        left, since = self._left[kind].get(who, (most, now))
        left = min(most, left + max(0, now - since) / 60e6 * most)
        return left, 0 if left >= 1.0 else max(1, math.ceil((1.0 - left) / most * 60.0))
