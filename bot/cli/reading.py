"""A text that somebody names on the command line: a file, or `-` for standard input. For `register` and `policy`."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.errors import ConfigError


def text_of(file: str) -> str:
    """The text, or ConfigError with what to do about it."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is no text"
        raise ConfigError([f"'{file}' cannot be read ({why}): name a file, or `-` for standard input"]) from None
