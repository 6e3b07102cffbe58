"""How the pretend Entra says no: an AADSTS code, a sentence, and the numbers that support asks for.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from aiohttp import web


class Denied(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, code: int, message: str, *, error: str = "invalid_client", status: int = 401) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.error = error
        self.status = status


def missing(name: str) -> Denied:
    told = f"The request body must contain the following parameter: '{name}'."
    return Denied(900144, told, error="invalid_request", status=400)


def refusal(denied: Denied, now: float) -> web.Response:
    """The error body of the token endpoint."""
    trace, correlation = str(uuid4()), str(uuid4())
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    body = {
        "error": denied.error,
        "error_description": f"AADSTS{denied.code}: {denied.message} Trace ID: {trace} Correlation ID:"
        f" {correlation} Timestamp: {at}",
        "error_codes": [denied.code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={denied.code}",
    }
    return web.json_response(body, status=denied.status)
