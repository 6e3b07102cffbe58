"""A controller that dies at any point of a deployment leaves the same world behind as one that lives.

Each step is killed before Azure is asked, after Azure took the request, and after it was done; the next process finds
out by looking what happened (one PUT a step, one swap), and GitHub is told the end once.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.flows.apart import Apart, apart

pytestmark = pytest.mark.full

STAGES = ("dev", "test", "production")
POINTS = ("before", "taken", "after")
QUICK = {"group.put:taken", "swap:before", "swap:taken"}


def points(*steps: str) -> list[object]:
    """Every point of these steps; most of them in the full suite only."""
    names = [f"{step}:{point}" for step in steps for point in POINTS]
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.full]) for name in names]


async def first_production(story: Apart) -> None:
    """The whole way of one release, and what must stand in the end however often the controller died on it."""
    pull = await story.to_production("Good")
    assert [story.runs(stage) for stage in STAGES] == [pull["digest"]] * 3
    assert story.effects() == [("put", "shop-dev"), ("put", "shop-test"), ("put", "staging"), ("swap", "contoso-shop")]
    shown = story.shown()
    assert sorted(shown["deployments"]) == sorted((stage, "Good", "success") for stage in STAGES)
    assert shown["checks"] == sorted((f"miso / {stage}", "Good", "completed", "success") for stage in STAGES)
    # One comment that is edited, and one answer to each command.
    answered = [("ann", ["eyes"]), ("ann", ["eyes"]), ("bob", ["eyes"])]
    assert shown["comments"] == {"Good": sorted([*answered, *[("miso[bot]", [])] * 4])}


@pytest.mark.parametrize("stop_at", ["", *points("group.put", "slot.put", "swap")])
async def test_the_way_to_production_survives_death_at(tmp_path: Path, stop_at: str) -> None:
    async with apart(tmp_path) as story:
        await story.start(stop_at=stop_at)
        await first_production(story)
        assert story.died == (1 if stop_at else 0)


async def second_production(story: Apart, stop_at: str) -> None:
    """The second release is fine in its slot and not in production: it is swapped back, once."""
    await story.start(stop_at=stop_at)
    good = await story.to_production("Good")
    await story.to_production("Bad", mark="production_only")
    assert story.runs("production") == good["digest"]
    assert story.effects()[4:] == [
        ("put", "shop-dev"),
        ("put", "shop-test"),
        ("put", "staging"),
        ("swap", "contoso-shop"),
        ("swap", "contoso-shop"),
    ]
    shown = story.shown()
    assert shown["deployments"][-1] == ("production", "Bad", "failure")
    assert ("miso / production", "Bad", "completed", "failure") in shown["checks"]
    assert len(shown["deployments"]) == len(shown["checks"]) == 6
    assert [login for login, _ in shown["comments"]["Bad"]].count("miso[bot]") == 4
    assert story.died == (1 if stop_at else 0)


@pytest.mark.parametrize("stop_at", [pytest.param("", marks=pytest.mark.full), *points("swapped_back")])
async def test_the_way_back_survives_death_at(tmp_path: Path, stop_at: str) -> None:
    async with apart(tmp_path) as story:
        await second_production(story, stop_at)


@pytest.mark.full
@pytest.mark.parametrize("stop_at", ["", *[f"group.delete:{point}" for point in POINTS]])
async def test_a_recreation_survives_death_at(tmp_path: Path, stop_at: str) -> None:
    """Another port cannot be given to a container group in place: it is deleted once and made once."""
    async with apart(tmp_path) as story:
        await story.start(stop_at=stop_at)
        await story.ships("Old")
        pull = await story.ships("New", port=9090)
        assert story.runs("dev") == pull["digest"]
        assert story.effects() == [("put", "shop-dev"), ("delete", "shop-dev"), ("put", "shop-dev")]
        assert [each[2] for each in story.shown()["deployments"]] == ["inactive", "success"]
        assert story.died == (1 if stop_at else 0)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
async def test_kills_at_random_moments_change_nothing_in_the_end(tmp_path: Path, seed: int) -> None:
    """SIGKILL again and again through the whole way to production; what GitHub could not deliver is sent once more."""
    moments = random.Random(seed)
    async with apart(tmp_path, MISO_STEP_ATTEMPTS="20") as story:
        await story.start()
        killing = asyncio.create_task(killed_again_and_again(story, moments, times=6))
        try:
            await first_production(story)
        finally:
            killing.cancel()


async def killed_again_and_again(story: Apart, moments: random.Random, *, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(moments.uniform(0.05, 1.5))
        await story.kill()
