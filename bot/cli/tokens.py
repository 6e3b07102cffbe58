"""`miso tokens`: which deploy tokens of workflows are there, and ending one.

Over HTTP, as the operator who signed in. A token is shown and named by its SHA-256; nobody has the token itself but the
job that it was given to.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.text import Text

from bot.cli import screen
from bot.cli.calling import Outside, Server, signed_in, understood
from bot.errors import ConfigError

TOKENS = "/api/v1/tokens"
SHORTEST = 12
"""Digits of a SHA-256 by which one may be named."""

app = typer.Typer(no_args_is_help=True, help="Deploy tokens of workflows, for operators.")
Environment = Annotated[
    str, typer.Option("--environment", "-e", metavar="GUID", help="Of this environment; else of all, for who may.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


class Token(Outside):
    """A token as the API shows it."""

    sha256: str
    environment_id: str
    commit: str
    run_id: int
    run_attempt: int
    rule: str = ""
    issued_at: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None


class Page(Outside):
    tokens: tuple[Token, ...]
    after: str | None = None


@app.command("list")
def listing(environment: Environment = "", as_json: AsJson = False) -> None:
    """Tokens that have not run out."""
    asyncio.run(_list(environment, as_json))


@app.command()
def revoke(
    sha256: Annotated[str, typer.Argument(help="12 digits or more of its SHA-256.")],
    environment: Environment = "",
) -> None:
    """End one: it opens nothing from now on."""
    asyncio.run(_revoke(sha256.lower(), environment))


async def _list(environment: str, as_json: bool) -> None:
    async with signed_in() as there:
        tokens = await _all(there, environment)
    if as_json:
        screen.print_json({"tokens": [token.model_dump() for token in tokens]})
        return
    table = screen.table("sha256", "environment", "commit", "run", "rule", "until")
    for token in tokens:
        table.add_row(*_row(token))
    screen.out().print(table if tokens else Text("no tokens", "dim"))


def _row(token: Token) -> tuple[Text, ...]:
    ends = Text("revoked", "red") if token.revoked_at else screen.foreign(token.expires_at or "")
    return (
        screen.foreign(token.sha256[:SHORTEST]),
        screen.foreign(token.environment_id),
        screen.foreign(token.commit[:12]),
        Text(f"{token.run_id}.{token.run_attempt}"),
        screen.foreign(token.rule),
        ends,
    )


async def _revoke(given: str, environment: str) -> None:
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", given, re.ASCII):
        raise ConfigError([f"a token is named by {SHORTEST} digits or more of its SHA-256"])
    async with signed_in() as there:
        found = [given] if len(given) == 64 else await _named(there, given, environment)
        if len(found) != 1:
            raise ConfigError([f"{'no token begins' if not found else 'several tokens begin'} with {given}"])
        await there.call("POST", f"{TOKENS}/{found[0]}/revoke", {})
    screen.out().print(Text.assemble(("✓ ", "green"), f"{found[0][:SHORTEST]} opens nothing any more."))


async def _named(there: Server, given: str, environment: str) -> list[str]:
    return [token.sha256 for token in await _all(there, environment) if token.sha256.startswith(given)]


async def _all(there: Server, environment: str) -> list[Token]:
    """Page after page."""
    found: list[Token] = []
    query: dict[str, str] = {"environment_id": environment} if environment else {}
    while True:
        asked = urlencode(query)
        page = understood(Page, await there.call("GET", f"{TOKENS}?{asked}" if asked else TOKENS))
        found += page.tokens
        if not page.after or not page.tokens:
            return found
        query["after"] = page.after
