"""How the story is told: a chapter, then a line for everything that happens, with how long it took.

Used by the story. On a terminal a line turns while it is waited for; elsewhere each is printed when it is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from bot.cli.screen import said


@dataclass
class Line:
    """One thing that happens. `shows` is what GitHub showed for it."""

    what: str
    shows: str = ""


@dataclass
class Teller:
    """Prints the story as it happens."""

    console: Console
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def chapter(self, title: str) -> None:
        self.console.print()
        self.console.print(Text(title, style="bold cyan"))

    def note(self, text: str) -> None:
        self.console.print(Text(f"  {text}", style="dim"))

    @contextmanager
    def line(self, what: str) -> Iterator[Line]:
        """One line, marked with ✓ when the block ends well and with ✗ when it does not."""
        line, began = Line(what), time.monotonic()
        good = False
        try:
            with self.console.status(Text(f"{what} …")):
                yield line
            good = True
        finally:
            mark = ("✓", "green") if good else ("✗", "red")
            self.console.print(
                Text.assemble(
                    "  ",
                    mark,
                    " ",
                    line.what,
                    ("  → " if line.shows else "", "dim"),
                    said(line.shows, "italic", 160),
                    (f"  {time.monotonic() - began:.1f} s", "dim"),
                )
            )
