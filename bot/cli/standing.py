"""`miso status`: what runs where, since when, what is held, what waits for whom, what went around Miso.

It reads projections and verifies the hash chains. It asks neither GitHub nor Azure; `miso doctor` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.context import Miso
from bot.domain import messages
from bot.domain.model import Environment, EnvironmentState, Row
from bot.domain.promotion import Kind, Promotion

LATELY_US = 7 * 86_400 * 1_000_000
PAGE = 500


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show what runs where. Exit code 1 when the journal is not as it was written."""
    whole = asyncio.run(_read())
    if as_json:
        screen.print_json(whole)
    else:
        _print(whole)
    if not whole["journal"]["verified"]:
        raise typer.Exit(1)


async def _read() -> dict[str, Any]:
    from bot.cli.opening import opened

    async with opened() as miso:
        faults = await miso.store.verify()
        return {
            "at": screen.moment(miso.clock.now_us()),
            "journal": {"verified": not faults, "faults": list(faults)},
            "applications": [await _application(miso, each.id) for each in await miso.store.applications()],
        }


async def _application(miso: Miso, application_id: str) -> dict[str, Any]:
    from bot.services import overview

    application = await miso.store.application(application_id)
    assert application is not None  # it was listed just now
    standings = await overview.of_application(miso, application)
    return {
        "id": application.id,
        "name": application.name,
        "repository_id": application.repository_id,
        "environments": [await _environment(miso, each.environment, each.state, each.running) for each in standings],
    }


async def _environment(
    miso: Miso, environment: Environment, state: EnvironmentState, running: Promotion | None
) -> dict[str, Any]:
    return {
        "id": environment.id,
        "stage": environment.stage,
        "github_name": environment.github_name,
        "target": environment.target,
        "resource": environment.name,
        "running": await _running(miso, running) if running else None,
        "last_verified": await _verified(miso, state.last_verified),
        "held": [
            {"commit": hold.commit, "digest": hold.digest, "since": screen.moment(hold.since_us)} for hold in state.held
        ],
        "waiting": await _waiting(miso, environment),
        "out_of_band": await _out_of_band(miso, environment),
    }


async def _running(miso: Miso, promotion: Promotion) -> dict[str, Any]:
    release = promotion.request.release
    return {
        "commit": release.commit,
        "digest": release.digest,
        "pull_request": promotion.request.pull_request or None,
        "since": await _verified(miso, promotion.stream),
        "says": messages.headline(promotion),
    }


async def _verified(miso: Miso, stream: str) -> str | None:
    """When a release was seen healthy there."""
    rows = await miso.store.stream(stream) if stream else ()
    passed = [row.at_us for row in rows if row.kind in (Kind.PROBE_PASSED, Kind.ROLLBACK_DONE)]
    return screen.moment(passed[-1]) if passed else None


async def _waiting(miso: Miso, environment: Environment) -> list[dict[str, Any]]:
    from bot.services import journal

    found = []
    for row in await miso.store.open_promotions(environment_id=environment.id):
        promotion = await journal.load(miso, row.stream)
        if promotion is None:
            continue
        found.append(
            {
                "stream": row.stream,
                "commit": row.commit,
                "pull_request": row.pull_request or None,
                "status": row.status,
                "requested": screen.moment(row.requested_us),
                "says": messages.headline(promotion, now_us=miso.clock.now_us()),
                "next": messages.bare(messages.next_step(promotion, environment), 300),
                "approvals": {"given": len(promotion.approvals), "needed": promotion.request.approvals_needed},
                "may_not_approve": list(promotion.request.excluded),
            }
        )
    return found


async def _out_of_band(miso: Miso, environment: Environment) -> list[dict[str, Any]]:
    """Deployments of the last week that others made, not those of a workflow that waits at its gate. Each once: that it
    began and that it succeeded are written down apart."""
    from bot.services.notes import Note

    since = miso.clock.now_us() - LATELY_US
    found: dict[int, dict[str, Any]] = {}
    after = 0
    while True:
        page: Sequence[Row] = await miso.store.ledger(
            kinds=[Note.DEPLOYMENT_FOREIGN], environment_id=environment.id, after=after, limit=PAGE
        )
        found |= {
            row.body["deployment"]: {
                "at": screen.moment(row.at_us),
                "deployment_id": row.body["deployment"],
                "commit": row.body["commit"],
                "login": row.body["login"],
            }
            for row in page
            if row.at_us >= since and not row.body["by_actions"]
        }
        if len(page) < PAGE:
            return list(found.values())
        after = page[-1].position


def _print(whole: dict[str, Any]) -> None:
    console = screen.out()
    if not whole["applications"]:
        console.print("No application is registered yet: `miso register FILE` does it.", markup=False)
    table = screen.table("application", "environment", "runs", "pull request", "verified", "now")
    for application in whole["applications"]:
        for each in application["environments"]:
            table.add_row(*_row(application["name"], each))
    if whole["applications"]:
        console.print(table)
    for application in whole["applications"]:
        for each in application["environments"]:
            _notices(f"{application['name']} / {each['stage']}", each)
    if whole["journal"]["verified"]:
        console.print(Text.assemble(("✓ ", "green"), "The journal is as it was written."))
    for fault in whole["journal"]["faults"]:
        console.print(Text.assemble(("✗ ", "red"), "The journal was changed: ", screen.foreign(fault)))


def _row(application: str, each: dict[str, Any]) -> tuple[str | Text, ...]:
    running = each["running"]
    if running is None:
        return application, each["stage"], Text("nothing yet", "dim"), "", "", ""
    digest = running["digest"].removeprefix("sha256:")[:12]
    return (
        application,
        each["stage"],
        Text.assemble(running["commit"][:12], (f" {digest}", "dim")),
        f"#{running['pull_request']}" if running["pull_request"] else "",
        running["since"] or "",
        Text(running["says"], "green"),
    )


def _notices(where: str, each: dict[str, Any]) -> None:
    console = screen.out()
    for waiting in each["waiting"]:
        pull = f" (#{waiting['pull_request']})" if waiting["pull_request"] else ""
        console.print(Text.assemble(("● ", "yellow"), f"{where}: {waiting['commit'][:12]}{pull}: {waiting['says']}"))
        if waiting["next"]:
            console.print(Text(f"    {waiting['next']}", "dim"))
    for hold in each["held"]:
        console.print(
            Text.assemble(
                ("■ ", "red"),
                f"{where}: {hold['commit'][:12]} is held since {hold['since']};"
                f" /clear @{hold['commit'][:12]} <reason> on its pull request lets it try again",
            )
        )
    for foreign in each["out_of_band"]:
        console.print(
            Text.assemble(
                ("▲ ", "yellow"),
                f"{where}: deployment {foreign['deployment_id']} of {foreign['commit'][:12]} went around Miso, by ",
                screen.foreign(foreign["login"], limit=60),
                f", {foreign['at']}",
            )
        )
