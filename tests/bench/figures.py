"""What was measured, as values: samples, medians of rounds, and the lines of the final table.

Used by every part of the bench; `page` prints and writes them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table. `wish` is empty where nothing was wished for; `met` says whether it came true."""

    group: str
    what: str
    value: str
    against: str = ""
    wish: str = ""
    met: bool | None = None


def percentile(samples: Sequence[float], share: float) -> float:
    """The nearest rank: a value that really occurred."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
