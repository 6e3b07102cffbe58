"""`miso people`: an administrator says which GitHub account somebody is who signs in elsewhere, or takes that back.

Over HTTP, as the administrator who signed in. Whoever can type on GitHub proves it themselves with `/link CODE`.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from bot.cli import screen
from bot.cli.calling import signed_in

LINKS = "/api/v1/links"

app = typer.Typer(no_args_is_help=True, help="Link people to GitHub accounts, as an administrator.")
Subject = Annotated[str, typer.Argument(help="Identity, as `miso whoami` shows it: entra:… or oidc:….")]


@app.command()
def link(
    subject: Subject,
    github_id: Annotated[
        int, typer.Argument(min=1, help="Number of the GitHub account: `gh api users/LOGIN --jq .id`.")
    ],
    login: Annotated[str, typer.Argument(help="Its login, for showing.")],
) -> None:
    """Say which GitHub account somebody is."""
    asyncio.run(_link(subject, github_id, login))


@app.command()
def unlink(subject: Subject) -> None:
    """Take a link away; whoever it was is signed out everywhere."""
    asyncio.run(_unlink(subject))


async def _link(subject: str, github_id: int, login: str) -> None:
    async with signed_in() as there:
        await there.call("POST", LINKS, {"subject": subject, "github_id": github_id, "login": login})
    account = Text.assemble(screen.foreign(login), f" (id {github_id})")
    screen.out().print(Text.assemble(("✓ ", "green"), screen.foreign(subject, limit=300), " is ", account, " now."))


async def _unlink(subject: str) -> None:
    async with signed_in() as there:
        await there.call("DELETE", LINKS, {"subject": subject})
    screen.out().print(Text.assemble(("✓ ", "green"), screen.foreign(subject, limit=300), " is no GitHub account now."))
