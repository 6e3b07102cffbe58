"""JSON objects that can be read in one way only. Used by `bot.oidc.jwks` and `bot.oidc.verify` on others' bytes.

Two readers of one text may see two different tokens where a name stands twice: https://www.rfc-editor.org/rfc/rfc8725#section-2.4
and section 4 of RFC 7519 let both ways pass, this lets none. Numbers that JSON does not have are refused too.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn


def exact_object(data: bytes) -> dict[str, Any]:
    """The object. Raises ValueError for anything else."""
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
