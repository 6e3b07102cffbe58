"""One authenticated request to the pretend ARM, as its resource providers see it, and how they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.sim.azure.state import ArmError, Json, ResourceGroup


@dataclass(frozen=True)
class Call:
    """`values` are the named parts of the path as the caller wrote them; `name` is what faults are matched with."""

    name: str
    method: str
    path: str
    origin: str
    api_version: str
    values: dict[str, str]
    query: dict[str, str]
    body: bytes
    group: ResourceGroup
    correlation: str

    def json(self) -> Json:
        try:
            parsed = json.loads(self.body)
        except ValueError as fault:
            raise ArmError(400, "InvalidRequestContent", "The request content could not be deserialized.") from fault
        if not isinstance(parsed, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content must be an object.")
        return parsed

    def link(self, path: str) -> str:
        """An absolute URL on this server, with the caller's API version."""
        return f"{self.origin}{path}?api-version={self.api_version}"


def answer(call: Call, status: int, body: Any = None, **headers: str) -> web.Response:
    """JSON (or nothing) with the headers that ARM always sends. Underscores in header names become dashes."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    named["x-ms-correlation-request-id"] = call.correlation
    named["x-ms-request-id"] = call.correlation
    if body is None:
        return web.Response(status=status, headers=named)
    return web.json_response(body, status=status, headers=named)
