"""A visitor of a running demo acts as its people: comments are answered, buttons pressed, changes merged."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.cli.demo import place
from bot.cli.demo.people import People, View
from bot.cli.demo.place import Demo
from tests.cli.conftest import Desk


@pytest.fixture
async def open_demo(registered: Desk, tmp_path: Path) -> AsyncIterator[Path]:
    """The desk's world, found as a demo is; its controller works by itself."""
    work = asyncio.create_task(registered.running.worker.run())
    at = tmp_path / "demo"
    with place.taken(at):
        here = registered.world.addresses
        place.tell(at, Demo(pid=os.getpid(), control=here.control, web=here.web, controller=here.github), {})
        yield at
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def test_a_change_goes_to_production_by_a_visitors_hands(registered: Desk, open_demo: Path) -> None:
    async def demo(*command: str) -> str:
        done = await registered.miso("demo", *command, "--directory", str(open_demo))
        assert done.exit_code == 0, done.output
        return done.output

    async def ended(environment: str, conclusion: str) -> None:
        def shown(view: View) -> bool:
            checks = [c for c in view.state["checks"] if c["name"] == f"miso / {environment}"]
            return bool(checks) and checks[0]["conclusion"] == conclusion

        await People(registered.sim).until(f"{environment} to end as {conclusion}", shown)

    assert "#1 http" in await demo("merge", "Bigger buttons", "--as", "ann")
    await ended("dev", "success")
    assert "is to go to test" in await demo("comment", "1", "/promote test", "--as", "ann")
    await ended("test", "success")
    assert "1 approval" in await demo("comment", "1", "/promote production", "--as", "ann")
    await ended("production", "action_required")
    assert "bob pressed approve" in await demo("press", "1", "approve", "--as", "bob")
    await ended("production", "success")
    assert len(registered.world.arm.effects_of("swap")) == 1


async def test_nonsense_is_told_in_words(registered: Desk, open_demo: Path) -> None:
    for command, said in (
        (("comment", "99", "/status", "--as", "ann"), "no pull request 99"),
        (("comment", "99", "/status", "--as", "nobody"), "does not know that"),
        (("press", "99", "Approve", "--as", "bob"), "has no button"),
        (("merge", "A change", "--as", "ann", "--behaves", "strangely"), "Choose one of"),
    ):
        done = await registered.miso("demo", *command, "--directory", str(open_demo))
        assert done.exit_code == 1, done.output
        assert said in done.output
