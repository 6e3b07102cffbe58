"""The commands of `miso demo`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(invoke_without_command=True, help="Live through a whole story on this machine.")


@app.callback()
def demo(
    context: typer.Context,
    serve: Annotated[bool, typer.Option("--serve", help="Leave everything running, to play with.")] = False,
) -> None:
    """Live through a whole story: a pretend GitHub and Azure, a real controller. Fails unless all of it came true."""
    if context.invoked_subcommand is not None:
        return
    from bot.cli.demo import running

    with tempfile.TemporaryDirectory(prefix="miso-demo-") as directory:
        good = asyncio.run(running.tell(Path(directory)))
    raise typer.Exit(0 if good else 1)
