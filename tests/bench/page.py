"""The table in the terminal, and `docs/benchmarks.md`. Called by `__main__`."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import Figure

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
MEASURED = Path(__file__).parent / "measured.md"


def machine() -> str:
    """What the figures depend on, and nothing that names a machine."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"


def show(figures: Sequence[Figure], console: Console) -> None:
    table = Table(title=f"Miso on {machine()}", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for header in ("", "measured", "compared to", "wished for"):
        table.add_column(header, overflow="fold")
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            table.add_row(Text(group, style="bold cyan"))
        style = {True: "green", False: "yellow", None: ""}[figure.met]
        mark = {True: " ✓", False: " ✗", None: ""}[figure.met]
        table.add_row(f"  {figure.what}", Text(figure.value, style=style), figure.against, f"{figure.wish}{mark}")
    console.print(table)


def write(figures: Sequence[Figure]) -> Path:
    """`docs/benchmarks.md`, whole: how it was measured stands in `measured.md`, the figures are of this run."""
    rows = ["| | | measured | compared to | wished for |", "|---|---|---|---|---|"]
    group = ""
    for figure in figures:
        shown = "" if figure.group == group else f"**{figure.group}**"
        group = figure.group
        mark = {True: ", met", False: ", **not met**", None: ""}[figure.met]
        rows.append(f"| {shown} | {figure.what} | {figure.value} | {figure.against} | {figure.wish}{mark} |")
    text = MEASURED.read_text().replace("{machine}", machine()).replace("{table}", "\n".join(rows))
    PAGE.write_text(text)
    return PAGE
