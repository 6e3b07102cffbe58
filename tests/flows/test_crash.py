"""A controller that dies at any point of a deployment leaves the same world behind as one that lives.

Each step is killed before Azure is asked, after Azure took the request, and after it was done; the next process finds
out by looking what happened (one PUT a step, one swap), and GitHub is told the end once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.apart import Apart, apart

POINTS = ("before", "taken", "after")
QUICK = {"group.put:taken", "swap:before", "swap:taken"}


def points(*steps: str) -> list[object]:
    """Every point of these steps; most of them in the full suite only."""
    names = [f"{step}:{point}" for step in steps for point in POINTS]
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.full]) for name in names]


async def first_production(story: Apart, stop_at: str) -> None:
    await story.start(stop_at=stop_at)
    pull = await story.to_production("Good")
    assert {stage: story.runs(stage) for stage in ("dev", "test", "production")} == dict.fromkeys(
        ("dev", "test", "production"), pull["digest"]
    )
    assert story.effects() == [
        ("put", "shop-dev"),
        ("put", "shop-test"),
        ("put", "staging"),
        ("swap", "contoso-shop"),
    ]
    assert story.shown() == {
        "deployments": [(stage, "Good", "success") for stage in ("dev", "test", "production")],
        "checks": sorted(
            (f"miso / {stage}", "Good", "completed", "success") for stage in ("dev", "test", "production")
        ),
        "comments": {
            "Good": [
                ("miso[bot]", []),
                ("ann", ["eyes"]),
                ("miso[bot]", []),
                ("ann", ["eyes"]),
                ("miso[bot]", []),
                ("bob", ["eyes"]),
                ("miso[bot]", []),
            ]
        },
    }
    assert story.died == (1 if stop_at else 0)


@pytest.mark.parametrize("stop_at", ["", *points("group.put", "slot.put", "swap")])
async def test_the_way_to_production_survives_death_at(tmp_path: Path, stop_at: str) -> None:
    async with apart(tmp_path) as story:
        await first_production(story, stop_at)
