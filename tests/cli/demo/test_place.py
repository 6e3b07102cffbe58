"""A demo that was left running is found by its state file, and no directory of anybody else's is touched."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.cli.demo import place
from bot.cli.demo.place import Demo
from bot.errors import Refused


def demo(pid: int) -> Demo:
    return Demo(pid=pid, control="http://127.0.0.1:1", web="http://127.0.0.1:2", controller="http://127.0.0.1:3")


def test_it_is_found_while_it_runs_and_gone_afterwards(tmp_path: Path) -> None:
    at = tmp_path / ".miso" / "demo"
    with place.taken(at):
        assert stat.S_IMODE(at.stat().st_mode) == stat.S_IMODE(at.parent.stat().st_mode) == 0o700
        place.tell(at, demo(os.getpid()), {"MISO_WEBHOOK_SECRET": "it's secret"})
        assert place.found(at) == demo(os.getpid())
        assert stat.S_IMODE((at / place.SETTINGS).stat().st_mode) == 0o600
        sourced = subprocess.run(
            ["sh", "-c", f'. {at / place.SETTINGS}; printf %s "$MISO_WEBHOOK_SECRET"'], capture_output=True, check=True
        )
        assert sourced.stdout == b"it's secret"
        with pytest.raises(Refused, match="demo_running"), place.taken(at):
            pass
    with pytest.raises(Refused, match="no_demo"):
        place.found(at)


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    at = tmp_path / "demo"
    at.mkdir()
    (at / "old").touch()
    place.tell(at, demo(ended.pid), {})
    with place.taken(at):
        assert not (at / "old").exists()


def test_a_directory_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(Refused, match="demo_directory"), place.taken(tmp_path):
        pass
    assert (tmp_path / "mine").exists()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "command",
    [
        ("comment", "1", "/status", "--as", "ann"),
        ("merge", "A change", "--as", "ann"),
        ("press", "1", "Approve", "--as", "bob"),
    ],
)
def test_without_a_demo_a_visitor_is_told_how_to_start_one(command: tuple[str, ...], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", *command, "--directory", str(tmp_path)])
    assert done.exit_code == 1
    assert "miso demo --serve" in done.output
