"""What a visitor does in a demo that was left running: as one of its people, through the pretend world's own verbs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from rich.text import Text

from bot.cli import screen
from bot.cli.demo import place
from bot.cli.demo.people import Missed, People, View
from bot.errors import Refused
from bot.sim import scenarios
from bot.sim.client import Refused as Nonsense
from bot.sim.client import SimClient
from bot.sim.scenarios import REPOSITORY

ANSWER_SECONDS = 8.0
MARKS = ("healthy", "crash", "unhealthy", "production_only")


@asynccontextmanager
async def _there(directory: Path) -> AsyncIterator[People]:
    """The people of the demo that runs there. What makes no sense in its world is told as a refusal."""
    demo = place.found(directory)
    try:
        async with SimClient(demo.control) as sim:
            yield People(sim)
    except Nonsense as no:
        raise Refused("not_there", f"The pretend world does not know that: {no}", f"Look at {demo.web}.") from None
    except aiohttp.ClientConnectionError:
        raise Refused("no_demo", "The demo does not answer.", "Start one with `miso demo --serve`.") from None


async def comment(directory: Path, number: int, text: str, person: str) -> None:
    """Type it, and show the answer if one comes soon."""
    async with _there(directory) as people:
        said = await people.sim.comment(REPOSITORY, number, person, text)
        console = screen.out()
        console.print(Text.assemble(("✓ ", "green"), said["url"]))
        try:
            answers = await people.until(
                "an answer", lambda view: view.replies(number, said["id"]), patience=ANSWER_SECONDS
            )
        except Missed:
            reactions = _reactions(await people.look(), number, said["id"])
            console.print(Text(f"No answer{f', but {reactions}' if reactions else ''}.", "dim"))
            return
    for line in answers[0].splitlines():
        if line and not line.startswith("<!--"):
            console.print(screen.said(line))


async def merge(directory: Path, title: str, person: str, behaves: str) -> None:
    """A change, merged and built."""
    if behaves not in MARKS:
        raise Refused("usage", f"An image cannot be '{behaves}'.", f"Choose one of {', '.join(MARKS)}.")
    async with _there(directory) as people:
        pull = await scenarios.merge_change(people.sim, title, author=person)
        commit = str(pull["merge_commit_sha"])
        await scenarios.build(people.sim, commit, mark=behaves)
    screen.out().print(Text.assemble(("✓ ", "green"), f"#{pull['number']} {pull['url']}, commit {commit[:12]}"))


async def press(directory: Path, number: int, button: str, person: str, environment: str) -> None:
    """A button, if it is shown."""
    async with _there(directory) as people:
        view = await people.look()
        commits = [pull["merge_commit_sha"] for pull in view.state["pulls"] if pull["number"] == number]
        check = view.check(f"miso / {environment}", commits[0]) if commits else None
        shown = {action["label"].lower(): action["identifier"] for action in (check or {}).get("actions", ())}
        if check is None or button.lower() not in shown:
            there = f"It shows: {', '.join(shown)}." if shown else "It shows none now."
            raise Refused("no_button", f"#{number} has no button '{button}' for {environment}.", there)
        await people.sim.click(REPOSITORY, check["id"], shown[button.lower()], person)
    screen.out().print(Text.assemble(("✓ ", "green"), f"{person} pressed {button}"))


def _reactions(view: View, number: int, comment_id: int) -> str:
    found = next(each for each in view.pull(number)["comments"] if each["id"] == comment_id)
    return ", ".join(f"{reaction['content']} by {reaction['login']}" for reaction in found["reactions"])
