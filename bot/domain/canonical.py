"""One text for one value: canonical JSON and its SHA-256, for whatever an approval or a comparison is bound to.

Called by `bot.domain.plan` and `bot.domain.policy`. Never reads anything; floats appear only as the registry gave them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks. Raises ValueError for NaN, TypeError for what JSON does not know."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Any) -> str:
    """64 hex digits: the SHA-256 of the canonical JSON in UTF-8."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
