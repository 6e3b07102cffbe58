"""The folders of `MISO_CONFIG_DIR`: the text of every file in one of them, or all that cannot be read at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.errors import ConfigError


def texts(config: Path, folder: str) -> Mapping[str, str]:
    """The text of each `folder/*.yml`, by name. Raises ConfigError."""
    found: dict[str, str] = {}
    faults: list[str] = []
    for file in sorted((config / folder).glob("*.yml")):
        try:
            found[f"{folder}/{file.name}"] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            faults.append(f"'{file}' cannot be read as text: {fault}")
    if faults:
        raise ConfigError(faults)
    return found
