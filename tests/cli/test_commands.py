"""Faults become words and exit codes, never tracebacks; colours only where somebody sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app


def miso(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with no other MISO_ variables than these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MISO_")}
    return subprocess.run(
        [sys.executable, "-m", "bot", *command],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    for command in (
        "serve",
        "register",
        "status",
        "deliveries",
        "doctor",
        "demo",
        "login",
        "promote",
        "approve",
        "people",
    ):
        assert command in shown


def test_serve_refuses_with_every_fault_at_once_and_what_to_do() -> None:
    done = miso("serve", MISO_APP_ID="-1", MISO_ARM_URI="https://arm.example")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "did you mean MISO_ARM_URL?" in done.stderr
    for name in ("APP_ID", "APP_PRIVATE_KEY_FILE", "WEBHOOK_SECRET", "PUBLIC_URL", "REGISTRIES"):
        assert f"MISO_{name}" in done.stderr


def test_no_colour_without_a_terminal() -> None:
    assert "\x1b" not in miso("serve").stderr


@pytest.mark.parametrize("command", [("status",), ("deliveries",), ("register", "-"), ("doctor", "--json")])
def test_every_command_that_needs_settings_tells_what_is_missing(
    command: tuple[str, ...], no_settings: None, quiet: None
) -> None:
    done = CliRunner().invoke(app, command)
    assert done.exit_code in (1, 2)
    assert "MISO_PUBLIC_URL is not set" in done.output
    assert "Traceback" not in done.output


def test_wrong_usage_is_exit_code_two() -> None:
    assert CliRunner().invoke(app, ["deliveries", "--state", "nowhere"]).exit_code == 2


@pytest.mark.usefixtures("no_settings", "quiet")
def test_reading_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "app.pem"
    key.touch(mode=0o600)
    given = {
        "MISO_APP_ID": "1",
        "MISO_APP_PRIVATE_KEY_FILE": str(key),
        "MISO_WEBHOOK_SECRET": "0123456789abcdef0123",
        "MISO_PUBLIC_URL": "https://miso.example",
        "MISO_REGISTRIES": "ghcr.io",
        "MISO_DATA_DIR": str(tmp_path / "data"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 2
    assert "there is no store" in done.output
    assert not (tmp_path / "data").exists()
