"""Reading a webhook body that is already stored: JSON with limits, so that nothing odd reaches a door.

Called by `bot.worker`. Duplicate keys are refused because two readers may see two different events in one body; depth
is limited because deep nesting is an attack and never GitHub's. Pure apart from the parsing.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bot.domain.codes import Code
from bot.domain.messages import refusal

MOST_DEPTH = 32
"""GitHub's deepest payloads nest about ten levels."""

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKETS = re.compile(rb"[{}\[\]]")


class _Duplicate(ValueError):
    """The same key twice in one object."""


def parse(body: bytes) -> dict[str, Any]:
    """The event's object. Raises Refused (`body_not_json`, `body_too_deep`, `body_duplicate_keys`, `event_shape`)."""
    if _too_deep(body):
        raise refusal(Code.BODY_TOO_DEEP)
    try:
        data = json.loads(body, object_pairs_hook=_pairs)
    except _Duplicate:
        raise refusal(Code.BODY_DUPLICATE_KEYS) from None
    except RecursionError:
        raise refusal(Code.BODY_TOO_DEEP) from None
    except ValueError:
        raise refusal(Code.BODY_NOT_JSON) from None
    if not isinstance(data, dict):
        raise refusal(Code.EVENT_SHAPE)
    return data


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
    return found


def _too_deep(body: bytes) -> bool:
    """Whether brackets outside strings nest deeper than allowed; counted before any parser recurses into them."""
    if body.count(b"{") + body.count(b"[") <= MOST_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"{[" else -1
        if depth > MOST_DEPTH:
            return True
    return False
