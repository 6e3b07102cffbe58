"""The settings of a controller under measurement: those of a real installation, pointed at loopback.

Used by `intake` and `promoting`. What differs from the defaults is named in `docs/benchmarks.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECRET = "a secret of the bench alone"


def controller(world: Mapping[str, Any], *, data: Path, port: int) -> dict[str, str]:
    """`MISO_…` for a controller on this port. `world`: addresses as the pretend world prints them."""
    apps = f"*.azurecontainer.io=127.0.0.1:{world['apps_http']},*.azurewebsites.net=127.0.0.1:{world['apps_https']}"
    given = {
        "GITHUB_API_URL": world["github"],
        "GITHUB_WEB_URL": world["web"],
        "APP_ID": str(world["app_id"]),
        "APP_PRIVATE_KEY_FILE": world["app_key_file"],
        "WEBHOOK_SECRET": SECRET,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LISTEN": f"127.0.0.1:{port}",
        "DATA_DIR": str(data),
        "ENTRA_AUTHORITY": world["entra"],
        "ARM_URL": world["arm"],
        "REGISTRIES": world["registry"],
        "CA_FILE": world["ca_file"],
        "ALLOW_LOCAL_HOSTS": "true",
        "PROBE_CONNECT_TO": apps,
        "PROBE_INTERVAL": "0.01",
        "AZURE_POLL_SECONDS": "0.01",
        "GITHUB_WRITE_SPACING": "0",
        "COMMANDS_PER_HOUR": "10000",
        "LOG_LEVEL": "error",
    }
    return {f"MISO_{name}": value for name, value in given.items()}
