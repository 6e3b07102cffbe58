"""How requests to Azure are sent: bounded retries that never repeat a POST, timeouts, and a log line without secrets.

Used by `bot.azure.credentials` and `bot.azure.transport`. The SDK's own retry policy repeats a POST on 500, 503 and 504
and on any error that carries Retry-After; a repeated slot swap is the opposite swap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncRetryPolicy, SansIOHTTPPolicy

from bot.telemetry import logger

log = logger(__name__)

LONGEST_RETRY_S = 5.0
RETRIES = 3
REMAINING = "x-ms-ratelimit-remaining-"


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds. The SDK's own defaults are 300 each."""

    connect: float = 5.0
    read: float = 30.0


class Capped(AsyncRetryPolicy[Any, Any]):
    """A few quick retries, of requests that may be repeated.

    `Retry-After` longer than the cap is not slept here: the error goes up, and whoever holds the work comes back then.
    `post=True` is for the token endpoint alone, where a repeated POST does no harm.
    """

    def __init__(self, *, post: bool = False) -> None:
        super().__init__(
            retry_total=RETRIES,
            retry_connect=2,
            retry_read=2,
            retry_status=RETRIES,
            retry_backoff_factor=0.1,
            retry_backoff_max=LONGEST_RETRY_S,
        )
        self._post = post

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, LONGEST_RETRY_S)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        if response.http_request.method == "POST" and not self._post:
            return False
        asked = super().get_retry_after(response)
        if asked is not None and asked > LONGEST_RETRY_S:
            return False
        # The SDK retries any error with Retry-After; a refusal stays one however often it is asked.
        if response.http_response.status_code not in (408, 429, 500, 502, 503, 504):
            return False
        return bool(settings["total"] > 0 and super().is_retry(settings, response))


class Told(SansIOHTTPPolicy[Any, Any]):
    """One debug line an exchange: method, path, status, what is left of ARM's limits. Never a query or body."""

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        headers = response.http_response.headers
        left = {k.lower()[len(REMAINING) :]: v for k, v in headers.items() if k.lower().startswith(REMAINING)}
        log.debug(
            "azure answered",
            method=request.http_request.method,
            path=urlsplit(request.http_request.url).path,
            status=response.http_response.status_code,
            request=request.http_request.headers.get("x-ms-client-request-id", ""),
            left=left,
        )
