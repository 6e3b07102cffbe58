"""Whether a stored continuation token may be followed: only back to our own ARM address and this environment.

Used by `bot.azure.window`. The SDK would send the bearer token to whatever address stands in it; a changed store must
not be able to send it elsewhere. The token is a secret: it is never logged.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.domain.model import Environment

LINKS = ("azure-asyncoperation", "location", "operation-location")
LONGEST = 64 * 1024


def may_resume(token: str, *, arm_url: str, environment: Environment) -> bool:
    """True when every address in it is at `arm_url`'s scheme and host, and the request was this environment's."""
    state = _state(token)
    if state is None:
        return False
    request, response = state.get("request"), state.get("response")
    if not isinstance(request, dict) or not isinstance(response, dict) or not isinstance(response.get("headers"), dict):
        return False
    asked = str(request.get("url", ""))
    scope = f"/subscriptions/{environment.subscription_id}/resourcegroups/{environment.resource_group}/".lower()
    if scope not in urlsplit(asked).path.lower() or not _same(asked, arm_url):
        return False
    links = {key.lower(): str(value) for key, value in response["headers"].items()}
    return all(_same(links[name], arm_url) for name in LINKS if links.get(name))


def _same(url: str, base: str) -> bool:
    try:
        mine, theirs = urlsplit(base), urlsplit(url)
        return (mine.scheme, mine.hostname, mine.port) == (theirs.scheme, theirs.hostname, theirs.port) and not (
            theirs.username or theirs.password
        )
    except ValueError:
        return False


def _state(token: str) -> Mapping[str, Any] | None:
    if not token or len(token) > LONGEST:
        return None
    try:
        parsed = json.loads(base64.b64decode(token, validate=False))
    except (binascii.Error, ValueError):
        return None
    state = parsed.get("data") if isinstance(parsed, dict) else None
    return state if isinstance(state, dict) else None
