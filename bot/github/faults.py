"""What GitHub's refusals mean: one place that turns statuses and headers into `Refused` or `Transient`.

Called by `bot.github.transport`. It never lets a word of GitHub's answer through: messages of a provider are foreign
text, and some quote what was sent.
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
"""

from __future__ import annotations

from collections.abc import Mapping

import gidgethub

from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.errors import MisoError, Refused, Transient

LONGEST_WAIT = 3700.0
"""Seconds. GitHub's windows are an hour; a wait beyond it is a clock that is wrong."""
SHORTEST_SECONDARY_WAIT = 60.0
"""Seconds to stay away after a secondary limit that named no time."""


class Answer(Refused):
    """A refusal with the HTTP status that GitHub gave, for the few callers inside this window that look at it."""

    def __init__(self, status: int, *, forbidden: bool = False) -> None:
        """`forbidden`: the caller knows that this status means a lack of permission, as 401, 403 and 404 always do."""
        forbidden = forbidden or status in (401, 403, 404)
        said = refusal(Code.GITHUB_FORBIDDEN if forbidden else Code.GITHUB_REFUSED)
        super().__init__(said.code, said.sentence, said.hint)
        self.status = status


def unavailable(what: str, *, outcome_unknown: bool = False) -> Transient:
    """GitHub could not be reached, broke, or spoke in a way that is not its API."""
    return Transient(Code.GITHUB_UNAVAILABLE, what, outcome_unknown=outcome_unknown)


def throttled(seconds: float) -> Transient:
    """GitHub asked us to stay away for so long. A throttled request was never acted upon."""
    return Transient(Code.GITHUB_THROTTLED, "GitHub asks us to slow down", retry_after=seconds)


def meaning(error: gidgethub.HTTPException, *, write: bool, now_us: int) -> MisoError:
    """What an answer above 299 means. `write`: the request may have changed something."""
    status = int(error.status_code)
    wait = _wait(status, error.headers, str(error), now_us)
    if wait is not None:
        return throttled(wait)
    if status >= 500:
        return unavailable(f"GitHub answered {status}", outcome_unknown=write)
    return Answer(status)


def _wait(status: int, headers: Mapping[str, str], message: str, now_us: int) -> float | None:
    """Seconds to stay away when this is a rate limit, in the order of precedence that GitHub documents."""
    spent = headers.get("x-ratelimit-remaining") == "0"
    named = "retry-after" in headers or "rate limit" in message.lower()
    if status != 429 and not (status == 403 and (spent or named)):
        return None
    wait = number(headers.get("retry-after"))
    if wait is None and spent:
        wait = until_reset(headers, now_us)
    return min(max(SHORTEST_SECONDARY_WAIT if wait is None else wait, 1.0), LONGEST_WAIT)


def until_reset(headers: Mapping[str, str], now_us: int) -> float | None:
    """Seconds until the primary limit is full again, by GitHub's clock against ours; at least one."""
    reset = number(headers.get("x-ratelimit-reset"))
    return None if reset is None else min(max(reset - now_us / 1e6 + 1.0, 1.0), LONGEST_WAIT)


def number(text: str | None) -> float | None:
    """A non-negative decimal whole number of a header, or None."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else None
