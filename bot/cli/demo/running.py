"""One run of the demo, from start to verdict. Called by the commands of `miso demo` and by tests."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from bot.cli.demo import claims, table
from bot.cli.demo.ground import GroundFault, laid
from bot.cli.demo.people import Missed, People
from bot.cli.demo.story import CHAPTERS, FOREIGN, Story
from bot.cli.demo.telling import Teller
from bot.cli.screen import out


async def tell(directory: Path) -> bool:
    """Live through every chapter and judge the end. True when every claim holds."""
    console = out()
    teller = Teller(console)
    async with laid(directory) as ground:
        told = Story(ground=ground, teller=teller, people=People(ground.sim))
        if not await _lived(console, told):
            return False
        seen = await claims.look(ground.sim, FOREIGN)
        ends = told.ends()
        table.show(console, ends, seen, world=ground.world, seconds=teller.seconds)
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
