"""One run of the demo, from start to verdict, and its being left running. Called by the commands of `miso demo`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bot.cli.demo import claims, findings, place, table
from bot.cli.demo.chapters import CHAPTERS
from bot.cli.demo.findings import Ends, Seen
from bot.cli.demo.ground import Ground, GroundFault, laid
from bot.cli.demo.people import Missed, People
from bot.cli.demo.place import Demo
from bot.cli.demo.story import FOREIGN, Story
from bot.cli.demo.telling import Teller
from bot.cli.screen import out
from bot.sim.scenarios import REPOSITORY

Judged = Callable[[Ends, Seen], Awaitable[None]]


async def tell(directory: Path, *, judged: Judged | None = None) -> bool:
    """Live through every chapter and judge the end. True when every claim holds. `judged` sees what was judged."""
    with _Terminated():
        return await _tell(directory, judged)


async def _tell(directory: Path, judged: Judged | None) -> bool:
    console = out()
    try:
        async with laid(directory) as ground:
            good = await _lived_and_judged(console, ground, judged)
        console.print(Text("All of it is taken down again; `miso demo --serve` leaves it running.", style="dim"))
        return good
    except GroundFault as fault:
        console.print(Text(f"✗ {fault}", style="red"))
        return False


async def stay(directory: Path) -> bool:
    """The story, then everything is left running until Ctrl-C or SIGTERM."""
    console = out()
    stop = asyncio.Event()
    try:
        async with laid(directory) as ground:
            with _Terminated():
                good = await _lived_and_judged(console, ground, None)
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            demo = Demo(
                pid=os.getpid(),
                control=ground.world["control"],
                web=ground.world["web"],
                controller=ground.controller.url,
            )
            place.tell(directory, demo, ground.controller.settings)
            _invite(console, directory, demo)
            await stop.wait()
            console.print(Text("\nStopping the controller, then the pretend world.", style="dim"))
    except GroundFault as fault:
        console.print(Text(f"✗ {fault}", style="red"))
        return False
    return good


async def _lived_and_judged(console: Console, ground: Ground, judged: Judged | None) -> bool:
    teller = Teller(console)
    told = Story(ground=ground, teller=teller, people=People(ground.sim))
    if not await _lived(console, told):
        return False
    seen, ends = await findings.look(ground.sim, FOREIGN), told.ends()
    table.show(console, ends, seen, world=ground.world, seconds=teller.seconds)
    if judged is not None:
        await judged(ends, seen)
    return table.verdict(console, claims.judge(ends, seen))


async def _lived(console: Console, told: Story) -> bool:
    """Every chapter; False when one did not come true, which is told with the end of the controller's log."""
    for title, chapter in CHAPTERS:
        told.teller.chapter(title)
        try:
            await chapter(told)
        except Missed as missed:
            console.print(Text(f"    expected {missed.expected}", style="red"))
            console.print(Text(f"    found    {missed.found}", style="red"))
        except GroundFault as fault:
            console.print(Text(f"    {fault}", style="red"))
        else:
            continue
        console.print(Text(f"The end of the controller's log:\n{told.ground.controller.tail()}", style="dim"))
        return False
    return True


class _Terminated:
    """While the block runs, SIGTERM ends the task as Ctrl-C does, so that no process of the demo is left behind."""

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # a coroutine that runs has a task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


def _invite(console: Console, directory: Path, demo: Demo) -> None:
    shown = Path(os.path.relpath(directory))
    here = "" if shown == place.DEFAULT else f" --directory {shown}"
    lines = (
        ("It goes on running. Ctrl-C stops it.", "bold green"),
        (f"  pull requests   {demo.web}/{REPOSITORY}", ""),
        (f"  deployments     {demo.web}/{REPOSITORY}/deployments", ""),
        (f"  controller      {demo.controller}/readyz", ""),
        ("In another terminal, as the people of this pretend world:", "bold"),
        (f"  miso demo merge{here} 'Bigger buttons' --as bob", ""),
        (f"  miso demo comment{here} 9 '/promote test' --as bob", ""),
        (f"  miso demo comment{here} 9 '/promote production' --as bob", ""),
        (f"  miso demo press{here} 9 Approve --as ann", ""),
        (f"  miso demo comment{here} 9 /status --as ann", ""),
        ("And as the operator of this controller:", "bold"),
        (f"  . {shown}/{place.SETTINGS}    # its settings", ""),
        ("  miso status; miso deliveries --limit 10; miso doctor", ""),
    )
    console.print()
    for line, style in lines:
        console.print(Text(line, style=style))
