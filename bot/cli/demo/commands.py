"""The commands of `miso demo`: the story, the story left running, and what a visitor may do in it.

The little verbs act as people of the pretend world, and of that world only.
"""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.demo.place import DEFAULT
from bot.errors import Refused

TERMINATED = 143
"""What a shell shows of a process that SIGTERM ended."""

app = typer.Typer(invoke_without_command=True, help="Live through a whole story on this machine.")
Directory = Annotated[Path, typer.Option(help="Where the demo that was left running keeps its data.")]
Person = Annotated[str, typer.Option("--as", help="ann (write), bob (maintain), olga (admin) or eve (read).")]
Number = Annotated[int, typer.Argument(help="Number of the pull request.", min=1)]


@app.callback()
def demo(
    context: typer.Context,
    serve: Annotated[bool, typer.Option("--serve", help="Leave everything running afterwards, to play with.")] = False,
    directory: Directory = DEFAULT,
) -> None:
    """Live through a whole story: a pretend GitHub and Azure, a real controller. Fails unless all of it came true."""
    if context.invoked_subcommand is not None:
        return
    if importlib.util.find_spec("trustme") is None:
        raise Refused(
            "demo_extra",
            "The pretend world needs a package that is not installed: `trustme`.",
            "Install Miso with its extra `demo`, or use `make demo` in a checkout.",
        )
    from bot.cli.demo import place, running

    try:
        if serve:
            with place.taken(directory) as own:
                good = asyncio.run(running.stay(own.resolve()))
        else:
            with tempfile.TemporaryDirectory(prefix="miso-demo-") as temporary:
                good = asyncio.run(running.tell(Path(temporary)))
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None
    raise typer.Exit(0 if good else 1)


@app.command()
def comment(
    pull_request: Number,
    text: Annotated[str, typer.Argument(help="What is typed, e.g. '/promote test'.")],
    person: Person,
    directory: Directory = DEFAULT,
) -> None:
    """Type a comment on a pull request of the demo, as one of its people."""
    from bot.cli.demo import visitor

    asyncio.run(visitor.comment(directory, pull_request, text, person))


@app.command()
def merge(
    title: Annotated[str, typer.Argument(help="What the change is about.")],
    person: Person,
    behaves: Annotated[
        str, typer.Option(help="How its image behaves: healthy, crash, unhealthy or production_only.")
    ] = "healthy",
    directory: Directory = DEFAULT,
) -> None:
    """Open and merge a pull request of the demo and let its build succeed; dev follows."""
    from bot.cli.demo import visitor

    asyncio.run(visitor.merge(directory, title, person, behaves))


@app.command()
def press(
    pull_request: Number,
    button: Annotated[str, typer.Argument(help="Approve, Reject or 'Roll back'.")],
    person: Person,
    environment: Annotated[str, typer.Option("--environment", "-e", help="Whose check run.")] = "production",
    directory: Directory = DEFAULT,
) -> None:
    """Press a button of a check run of the demo, as one of its people."""
    from bot.cli.demo import visitor

    asyncio.run(visitor.press(directory, pull_request, button, person, environment))
