"""`miso policy test FILE`: recorded decisions, taken anew under another policy.

Nothing is asked outside and nothing is changed. What the policy of that day did not ask for was not established, so a
rule about it is told as unknown and not as passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.cli.reading import text_of
from bot.domain.codes import Code
from bot.domain.decision import Verdict
from bot.domain.messages import explain
from bot.domain.rules import PolicySet

if TYPE_CHECKING:
    from bot.services.history import Replayed, Taken

WORDS = {Verdict.ALLOW: "allowed", Verdict.REFUSE: "refused"}


def try_on(
    file: Annotated[str, typer.Argument(help="A policy.yml to try; `-` reads standard input.")],
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only decisions since this day.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 1000,
    all_: Annotated[bool, typer.Option("--all", help="Those that would be the same, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show what a changed policy would have decided otherwise. Exit code 1 when the file has faults."""
    from bot.domain import policy_file

    policies, faults = policy_file.read(text_of(file), file)
    if faults:
        screen.faults(faults)
        raise typer.Exit(1)
    since_us = int(since.replace(tzinfo=UTC).timestamp() * 1_000_000) if since else 0
    found = asyncio.run(_replay(policies, since_us, limit))
    shown = [each for each in found if all_ or each.differs]
    counts = {
        "decisions": len(found),
        "otherwise": sum(each.differs and not each.untold for each in found),
        "untold": sum(bool(each.differs and each.untold) for each in found),
    }
    if as_json:
        screen.print_json({**counts, "decided": [_document(each) for each in shown]})
    else:
        _print(shown, counts)


async def _replay(policies: PolicySet, since_us: int, limit: int) -> list[Replayed]:
    from bot.cli.opening import opened
    from bot.services import history

    async with opened() as miso:
        return [each async for each in history.replay(miso, policies, since_us=since_us, limit=limit)]


def _document(each: Replayed) -> dict[str, Any]:
    asked = each.asked
    return {
        "at": screen.moment(each.at_us),
        "application": asked.application.name,
        "stage": asked.environment.stage,
        "commit": asked.release.commit if asked.release else None,
        "requester": {"kind": asked.requester.kind, "id": asked.requester.id, "login": asked.requester.login},
        "then": _taken(each.then),
        "now": _taken(each.now),
        "differs": each.differs,
        "untold": list(each.untold),
        "approvals": [{"id": account.id, "login": account.login} for account in each.approvals],
        "became": each.status,
    }


def _taken(taken: Taken) -> dict[str, Any]:
    return {"verdict": taken.verdict, "codes": list(taken.codes), "approvals_needed": taken.approvals_needed}


def _print(shown: Sequence[Replayed], counts: dict[str, int]) -> None:
    console = screen.out()
    table = screen.table("when", "what", "where", "by", "then", "now", "why")
    for each in shown:
        asked = each.asked
        table.add_row(
            screen.moment(each.at_us),
            asked.release.commit[:12] if asked.release else "unknown",
            f"{asked.application.name} / {asked.environment.stage}",
            screen.foreign(asked.requester.login, limit=60),
            _then(each),
            Text("cannot be told", "yellow") if each.untold else _said(each.now),
            _why(each),
        )
    if shown:
        console.print(table)
    if not counts["decisions"]:
        console.print("No decision is recorded in that time.")
        return
    told = f"{counts['decisions']} decisions: {counts['otherwise']} would be taken otherwise"
    told += f", {counts['untold']} cannot be told" if counts["untold"] else ""
    console.print(Text(told, "bold"))


def _said(taken: Taken) -> Text:
    if taken.verdict is Verdict.NEEDS_APPROVAL:
        return Text(f"needs {taken.approvals_needed} approval{'' if taken.approvals_needed == 1 else 's'}", "yellow")
    return Text(WORDS[taken.verdict], "red" if taken.verdict is Verdict.REFUSE else "green")


def _then(each: Replayed) -> Text:
    """What was decided, and what people made of it."""
    said = _said(each.then)
    if each.approvals:
        logins = ", ".join(account.login for account in each.approvals)
        said.append(Text.assemble("; approved by ", screen.foreign(logins, limit=100)))
    if each.status is not None:
        said.append(f"; {each.status.replace('_', ' ')}", "dim")
    return said


def _why(each: Replayed) -> str:
    """Rules that stand in the way now and did not, or did and do not."""
    now = [_title(code) for code in each.untold or each.now.codes if code not in each.then.codes]
    gone = [f"no longer: {_title(code)}" for code in each.then.codes if code not in each.now.codes]
    if each.untold:
        now = [f"not established that day: {title}" for title in now]
    return "\n".join([*now, *gone])


def _title(code: Code) -> str:
    return explain(code).title
