"""The whole demo, as `make demo` runs it, and with its end spoilt on purpose."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.demo import claims, running
from bot.cli.demo.claims import RESOURCES, Ends, Seen, judge
from bot.sim.client import SimClient

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]


def test_the_whole_story_comes_true_in_time() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "demo"],
        env={**clean, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "claims hold against the pretend world" in done.stdout
    assert "\x1b" not in done.stdout
    assert "Traceback" not in done.stderr


async def test_it_fails_when_the_world_ends_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts another web app in the place of production: the last look must see it."""
    look = claims.look

    async def spoilt(sim: SimClient, foreign: str) -> Seen:
        _, _, subscription, _, group, *_, name = RESOURCES["production"].split("/")
        image = "somewhere/else@sha256:" + "0" * 64
        await sim.call("arm.add_site", subscription=subscription, group=group, name=name, plan="shop-plan", image=image)
        return await look(sim, foreign)

    monkeypatch.setattr(claims, "look", spoilt)
    judged: list[tuple[Ends, Seen]] = []

    async def keep(ends: Ends, seen: Seen) -> None:
        judged.append((ends, seen))
        await asyncio.sleep(0)

    assert await running.tell(tmp_path, judged=keep) is False
    broken = [claim.text for claim in judge(*judged[0]) if not claim.holds]
    assert broken
    assert all(text.startswith(("production runs", "staging slot runs")) for text in broken)
