"""The command: run every check in the order in which they build on one another, show them, give the exit code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import typer
from rich.text import Text

from bot.cli import screen
from bot.cli.doctor.finding import Finding, Verdict, fail, ok
from bot.errors import ConfigError, MisoError

MARKS = {Verdict.OK: ("✓", "green"), Verdict.WARN: ("!", "yellow"), Verdict.FAIL: ("✗", "red")}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check settings, keys, store, GitHub, policy, registries, environments, sign-in. Exit 1 when anything fails."""
    found = asyncio.run(_examine(quiet=as_json))
    failing = sum(each.verdict is Verdict.FAIL for each in found)
    if as_json:
        screen.print_json({"healthy": not failing, "findings": [each.as_json() for each in found]})
    else:
        _close(found)
    raise typer.Exit(1 if failing else 0)


async def _examine(*, quiet: bool) -> list[Finding]:
    found: list[Finding] = []
    console = screen.out()
    area = ""
    async for finding in _checks():
        found.append(finding)
        if quiet:
            continue
        if finding.area != area:
            area = finding.area
            console.print(Text(area, "bold"))
        _show(finding)
    return found


async def _checks() -> AsyncIterator[Finding]:
    """Findings as they come. What needs something that failed is left out: it would only say the same again."""
    from bot.app import building
    from bot.cli.doctor import azure, doors, github, here, policy
    from bot.settings import load

    try:
        settings = load()
    except ConfigError as wrong:
        for fault in wrong.faults:
            yield fail("settings", "settings", fault, "See docs/configuration.md.")
        return
    yield ok("settings", "settings", f"complete; this controller is {settings.public_url}")
    async for finding in here.keys(settings):
        yield finding
    try:
        async with building(settings, adopts=False) as running:
            async for finding in here.store(running.miso, settings):
                yield finding
            async for finding in github.checks(running.miso, settings):
                yield finding
            async for finding in policy.checks(running.miso, settings):
                yield finding
            async for finding in azure.checks(running, settings):
                yield finding
            async for finding in doors.checks(running, settings):
                yield finding
    except ConfigError as wrong:
        for fault in wrong.faults:
            yield fail("start", "start", fault, "Miso does not start before this is put right.")
    except MisoError as fault:
        yield fail("start", "start", str(fault), "Miso does not start before this is put right.")


def _show(finding: Finding) -> None:
    console = screen.out()
    mark, style = MARKS[finding.verdict]
    console.print(Text.assemble("  ", (mark, style), f" {finding.check}: ", screen.foreign(finding.found, limit=500)))
    if finding.next:
        for line in finding.next.splitlines():
            console.print(Text.assemble("      ", ("→ ", "dim"), screen.foreign(line, limit=500)))


def _close(found: list[Finding]) -> None:
    count = {verdict: sum(each.verdict is verdict for each in found) for verdict in Verdict}
    style = "red" if count[Verdict.FAIL] else ("yellow" if count[Verdict.WARN] else "green")
    summary = f"{count[Verdict.OK]} in order, {count[Verdict.WARN]} to look at, {count[Verdict.FAIL]} to put right"
    screen.out().print(Text(summary, f"bold {style}"))
