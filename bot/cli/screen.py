"""How the command line looks: two consoles, tables, JSON, faults. Used by every command.

Colours only on a terminal, never with NO_COLOR (https://no-color.org; rich keeps both). Without a terminal lines are
not cut to a width that nobody has. Text from outside loses everything invisible before it is printed (rule 14).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.domain.messages import bare, plain

WIDE = 200
"""Columns for a reader that has no width of its own: a file, a pipe, a log."""


def out() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """Standard error: faults and progress, so that standard output stays what was asked for."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else WIDE, highlight=False)


def table(*headers: str, title: str = "") -> Table:
    """An empty table in our style."""
    made = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None)
    for header in headers:
        made.add_column(header, overflow="fold")
    made.pad_edge = False
    return made


def foreign(text: str, style: str = "", limit: int = 120) -> Text:
    """Text that somebody outside wrote, harmless on a terminal."""
    return Text(plain(text, limit), style=style)


def said(markdown: str, style: str = "", limit: int = 400) -> Text:
    """One of our own sentences without its Markdown."""
    return Text(bare(markdown, limit), style=style)


def print_json(value: Any) -> None:
    """Two-space JSON with sorted keys, one document."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def faults(each: Sequence[str]) -> None:
    """Why nothing was done: a list, one fault a line, each with what to do."""
    console = err()
    count = f"{len(each)} thing{'' if len(each) == 1 else 's'}"
    console.print(Text(f"Nothing was done: {count} to put right", style="bold red"))
    for fault in each:
        console.print(Text.assemble(("  ✗ ", "red"), plain(fault, 600)))
    if any(fault.startswith("MISO_") for fault in each):
        console.print(Text("Every setting with its meaning: docs/configuration.md", style="dim"))


def refused(sentence: str, hint: str, code: str) -> None:
    """One refusal with its next step."""
    console = err()
    console.print(Text.assemble(("✗ ", "red"), bare(sentence, 600)), Text(f"({code})", style="dim"))
    if hint:
        console.print(Text.assemble("  ", bare(hint, 600)))


def moment(at_us: int) -> str:
    """ISO 8601 in UTC, seconds; "" for 0."""
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at_us else ""


def age(at_us: int, now_us: int) -> str:
    """How long ago, in one unit: `4 s`, `12 min`, `3 h`, `5 d`; "" for 0."""
    if not at_us:
        return ""
    seconds = max(now_us - at_us, 0) // 1_000_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
