"""`miso policy lint`: faults of a policy file with their lines, what it would change, and who could never approve what.

With a file, that file is judged as if it were in force; without one, the policy that is. GitHub is asked who is in the
teams and repositories; what it does not tell is a finding of its own, because unknown is not fine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.cli.reading import text_of
from bot.domain import messages
from bot.domain.codes import Code
from bot.domain.model import Application, Environment
from bot.domain.rules import PolicySet

if TYPE_CHECKING:
    from bot.domain.satisfiable import Finding

UNREAD = frozenset({Code.PERMISSION_UNKNOWN, Code.TEAM_UNKNOWN, Code.GITHUB_UNAVAILABLE})
MARKS = {"error": ("✗ ", "red"), "warning": ("! ", "yellow")}


@dataclass(frozen=True, kw_only=True)
class Linted:
    """What was found about a policy."""

    faults: tuple[str, ...] = ()
    difference: tuple[str, ...] = ()
    """From the policy in force, for a file."""
    loosens: tuple[str, ...] = ()
    findings: tuple[tuple[Application, tuple[Finding, ...]], ...] = ()
    environments: Mapping[str, Environment]

    @property
    def wrong(self) -> bool:
        return bool(self.faults) or self.unknown or any(each.level == "error" for each in self.all)

    @property
    def unknown(self) -> bool:
        """Whether something could not be looked at: that is not fine."""
        return any(each.code in UNREAD for each in self.all)

    @property
    def all(self) -> tuple[Finding, ...]:
        return tuple(finding for _, some in self.findings for finding in some)


def lint(
    file: Annotated[str, typer.Argument(help="A policy.yml; `-` reads standard input. Else the one in force.")] = "",
    alone: Annotated[
        bool, typer.Option("--alone", help="Look at the file only; ask neither store nor GitHub.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Find what is wrong with a policy before anybody runs into it. Exit code 1 when anything is."""
    from bot.domain import policy_file

    policies: PolicySet | None = None
    faults: tuple[str, ...] = ()
    if file:
        policies, faults = policy_file.read(text_of(file), file)
    elif alone:
        raise typer.BadParameter("--alone needs a file")
    found = Linted(faults=faults, environments={}) if faults or alone else asyncio.run(_lint(policies))
    if as_json:
        screen.print_json(_document(found))
    else:
        _print(found)
    raise typer.Exit(1 if found.wrong else 0)


async def _lint(policies: PolicySet | None) -> Linted:
    """`policies`: of a file; None: those in force."""
    from bot.cli.opening import opened
    from bot.domain import tightness
    from bot.services import lint as lints
    from bot.services import policies as ledger

    async with opened() as miso:
        applications = await miso.store.applications()
        found = [(each, await lints.of_application(miso, each, policies=policies)) for each in applications]
        now = await ledger.accepted(miso)
        environments = {each.id: each for each in await miso.store.environments()}
    difference: tuple[str, ...] = ()
    loosens: tuple[str, ...] = ()
    if policies is not None and now is not None:
        difference = tightness.difference(now.policies, policies)
        loosens = tightness.loosens_production(now.policies, policies)
    return Linted(difference=difference, loosens=loosens, findings=tuple(found), environments=environments)


def _document(found: Linted) -> dict[str, Any]:
    return {
        "faults": list(found.faults),
        "difference": list(found.difference),
        "loosens": list(found.loosens),
        "applications": [
            {"id": application.id, "name": application.name, "findings": [_finding(each, found) for each in some]}
            for application, some in found.findings
        ],
    }


def _finding(each: Finding, found: Linted) -> dict[str, Any]:
    environment = found.environments.get(each.environment_id)
    sentence, hint = said(each)
    return {
        "level": each.level,
        "code": each.code,
        "stage": environment.stage if environment else None,
        "says": sentence,
        "hint": hint,
    }


def said(finding: Finding) -> tuple[str, str]:
    """A finding in words, and what to do about it."""
    if finding.code is Code.PERMISSION_UNKNOWN:
        return "GitHub did not say who has access to the repository, so who could approve is not known.", "Ask again."
    told = messages.explain(finding.code, **finding.values)
    return messages.bare(told.sentence, 600), messages.bare(told.hint, 600)


def _print(found: Linted) -> None:
    console = screen.out()
    for fault in found.faults:
        console.print(Text.assemble(("✗ ", "red"), screen.foreign(fault, limit=600)))
    for application, some in found.findings:
        _print_application(application, some, found)
    if found.difference:
        console.print(Text("What it would change:", "bold"))
        _list(found.difference)
    if found.loosens:
        console.print(Text("Looser for production, so two administrators must agree:", "bold yellow"))
        _list(found.loosens)
    if found.unknown:
        console.print(Text.assemble(("? ", "yellow"), "Not everything could be looked at: see above."))
    elif not found.wrong:
        console.print(Text.assemble(("✓ ", "green"), "Nothing stands in the way."))


def _print_application(application: Application, some: Sequence[Finding], found: Linted) -> None:
    console = screen.out()
    console.print(Text(application.name, "bold"))
    for each in some:
        environment = found.environments.get(each.environment_id)
        where = f"{environment.stage}: " if environment else ""
        sentence, hint = said(each)
        code = (f" ({each.code})", "dim")
        console.print(Text.assemble("  ", MARKS[each.level], where, screen.foreign(sentence, limit=600), code))
        if hint:
            console.print(Text.assemble("      ", ("→ ", "dim"), screen.foreign(hint, limit=600)))
    if not some:
        console.print(Text.assemble("  ", ("✓ ", "green"), "every environment can be reached and approved"))


def _list(phrases: Sequence[str]) -> None:
    for phrase in phrases:
        screen.out().print(Text.assemble("  ", screen.foreign(phrase, limit=300)))
