"""An environment in which Miso would start, with nothing of the machine's own `MISO_` variables."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Environ = Callable[..., None]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environ:
    """`environ(MISO_X="1", MISO_Y=None)` changes the good environment; None takes a variable away."""
    for name in [name for name in os.environ if name.upper().startswith("MISO_")]:
        monkeypatch.delenv(name)
    key = tmp_path / "app.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    key.chmod(0o600)
    good = {
        "MISO_APP_ID": "4711",
        "MISO_APP_PRIVATE_KEY_FILE": str(key),
        "MISO_WEBHOOK_SECRET": "0123456789abcdef0123456789abcdef",
        "MISO_PUBLIC_URL": "https://miso.example/",
        "MISO_REGISTRIES": "ghcr.io, docker.io=auth.docker.io",
        "MISO_DATA_DIR": str(tmp_path / "data"),
    }
    for name, value in good.items():
        monkeypatch.setenv(name, value)

    def change(**changes: str | None) -> None:
        for name, value in changes.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)

    return change
