"""The pretend vault against the models of Azure's own SDK: no answer has a member that the SDK does not know.

An observer of the wire. The models are written from the service's official description.
"""

from __future__ import annotations

import re
from typing import Any

from azure.keyvault.keys._generated import models

from bot.sim.wire import Exchange

_ANSWERS: tuple[tuple[str, str, Any], ...] = (
    ("POST", r"/keys/[^/]+/(?:create|rotate)", models.KeyBundle),
    ("PATCH", r"/keys/[^/]+/[^/]*", models.KeyBundle),
    ("GET", r"/keys/[^/]+/versions", models.KeyItem),
    ("GET", r"/keys", models.KeyItem),
    ("GET", r"/keys/[^/]+(?:/[^/]*)?", models.KeyBundle),
    ("POST", r"/keys/[^/]+/[^/]*/verify", models.KeyVerifyResult),
    ("POST", r"/keys/[^/]+/[^/]*/[a-z]+", models.KeyOperationResult),
)
_INSIDE = {"key": models.JsonWebKey, "attributes": models.KeyAttributes}
_REQUIRED_OF_AN_ERROR = {"code", "message"}


def check(exchange: Exchange) -> list[str]:
    """What is wrong with this exchange; other servers are not judged."""
    if exchange.server != "vault":
        return []
    body = exchange.response_json()
    if exchange.status >= 400:
        error = body.get("error", {})
        return [] if error.keys() >= _REQUIRED_OF_AN_ERROR else [f"an error without code and message: {body}"]
    for method, path, model in _ANSWERS:
        if method == exchange.method and re.fullmatch(path, exchange.path):
            if model is models.KeyItem:
                return [fault for item in body["value"] for fault in _unknown(item, model)]
            return _unknown(body, model)
    return [f"{exchange.method} {exchange.path} is not described"]


def _unknown(body: dict[str, Any], model: Any) -> list[str]:
    # The table of members is made with the first instance.
    known = {field._rest_name for field in model()._attr_to_rest_field.values()}
    faults = [f"{model.__name__} has no {name}" for name in sorted(body.keys() - known)]
    for name, inner in _INSIDE.items():
        if isinstance(body.get(name), dict):
            faults += _unknown(body[name], inner)
    return faults
