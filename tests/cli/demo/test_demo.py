"""The whole demo, as `make demo` runs it, and with its end spoilt on purpose."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.demo import findings, running
from bot.cli.demo.claims import judge
from bot.cli.demo.findings import RESOURCES, Ends, Seen
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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_ended_half_way_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo"],
        env={**clean, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whoever runs the tests in the background may have SIGINT ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    port = 0
    for line in process.stdout:
        found = re.search(r"miso serve {2}→ http://127\.0\.0\.1:(\d+)", line)
        port = int(found[1]) if found else port
        if line.startswith("1 "):
            break
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in rest
    assert not list(tmp_path.iterdir())
    with socket.socket() as asked:
        assert asked.connect_ex(("127.0.0.1", port)) != 0, "the controller goes on"


def test_left_running_it_is_played_with_and_ends_well(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--serve", "--directory", str(tmp_path / "demo")],
        env={**clean, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if "miso doctor" in line:
            break
    command = [sys.executable, "-m", "bot", "demo", "comment", "1", "/help", "--as", "ann"]
    command += ["--directory", str(tmp_path / "demo")]
    answered = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60, check=False)
    assert "/promote" in answered.stdout, told + answered.stderr
    doctor = [f". {tmp_path}/demo/demo.env; {sys.executable} -m bot doctor"]
    examined = subprocess.run(doctor, shell=True, env=clean, capture_output=True, text=True, timeout=60, check=False)
    assert examined.returncode == 0, examined.stdout
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert not (tmp_path / "demo").exists()


async def test_it_fails_when_the_world_ends_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts another web app in the place of production: the last look must see it."""
    look = findings.look

    async def spoilt(sim: SimClient, foreign: str) -> Seen:
        _, _, subscription, _, group, *_, name = RESOURCES["production"].split("/")
        image = "somewhere/else@sha256:" + "0" * 64
        await sim.call("arm.add_site", subscription=subscription, group=group, name=name, plan="shop-plan", image=image)
        return await look(sim, foreign)

    monkeypatch.setattr(findings, "look", spoilt)
    judged: list[tuple[Ends, Seen]] = []

    async def keep(ends: Ends, seen: Seen) -> None:
        judged.append((ends, seen))
        await asyncio.sleep(0)

    assert await running.tell(tmp_path, judged=keep) is False
    broken = [claim.text for claim in judge(*judged[0]) if not claim.holds]
    assert broken
    assert all(text.startswith(("production runs", "staging slot runs")) for text in broken)
