"""`miso policy show` and `miso policy history`: what is in force, what waits for agreement, and what was before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.context import Miso
from bot.domain.model import Account, Stage
from bot.domain.policy_story import PEOPLE, Accepted, Proposal, Story
from bot.domain.rules import Policy, PolicySet

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
SHORT = 12


def show(as_json: AsJson = False) -> None:
    """Show the policy in force, environment by environment, and what waits. Exit code 1 when there is none."""
    story, names = asyncio.run(_read())
    if as_json:
        screen.print_json(_document(story, names))
    else:
        _print(story, names)
    if story.accepted is None or story.newer:
        raise typer.Exit(1)


def history(as_json: AsJson = False) -> None:
    """List every policy that was in force: since when, by whom, and what it changed."""
    story, _ = asyncio.run(_read())
    if as_json:
        screen.print_json({"versions": [_version(each) for each in story.versions]})
        return
    table = screen.table("version", "hash", "since", "by", "what it changed")
    for each in reversed(story.versions):
        phrases = each.difference if each.version > 1 else ("the first one",)
        changed = Text("\n").join(screen.foreign(phrase, limit=300) for phrase in phrases)
        table.add_row(str(each.version), each.hash[:SHORT], screen.moment(each.at_us), _by(each), changed)
    screen.out().print(table)


async def _read() -> tuple[Story, dict[str, str]]:
    from bot.cli.opening import opened
    from bot.services import policies

    async with opened() as miso:
        return await policies.story(miso), await _names(miso)


async def _names(miso: Miso) -> dict[str, str]:
    """What each registered environment is called, by GUID."""
    applications = {each.id: each.name for each in await miso.store.applications()}
    return {each.id: f"{applications[each.application_id]} / {each.stage}" for each in await miso.store.environments()}


# --- as JSON ---------------------------------------------------------------------------------------------------------


def _document(story: Story, names: dict[str, str]) -> dict[str, Any]:
    accepted, proposal = story.accepted, story.proposal
    return {
        "understood": not story.newer,
        "accepted": {**_version(accepted), "says": demands(accepted.policies, names)} if accepted else None,
        "pending": _pending(proposal) if proposal else None,
        "rejected": story.rejected or None,
    }


def _version(accepted: Accepted) -> dict[str, Any]:
    return {
        "version": accepted.version,
        "hash": accepted.hash,
        "at": screen.moment(accepted.at_us),
        "by": _people(accepted.by),
        "origin": accepted.origin,
        "difference": list(accepted.difference),
        "loosens": list(accepted.loosens),
    }


def _pending(proposal: Proposal) -> dict[str, Any]:
    return {
        "hash": proposal.hash,
        "at": screen.moment(proposal.at_us),
        "origin": proposal.origin,
        "difference": list(proposal.difference),
        "loosens": list(proposal.loosens),
        "agreed": _people(proposal.agreed),
    }


def _people(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    return [{"id": account.id, "login": account.login} for account in accounts]


def demands(policies: PolicySet, names: dict[str, str]) -> dict[str, list[str]]:
    """What a policy asks for, in the words of its file: by stage, by environment, and what holds for all."""
    from bot.domain import tightness

    found: dict[str, list[str]] = {}
    for stage in Stage:
        if stage in policies.stages:
            found[stage] = _of_stage(stage, policies.stages[stage])
    for guid, policy in policies.environments.items():
        found[names.get(guid, guid)] = _of_stage(policies.environment_stages.get(guid, Stage.DEV), policy)
    whole = PolicySet(
        administrators=policies.administrators,
        operators=policies.operators,
        clear_people=policies.clear_people,
        break_glass_minutes=policies.break_glass_minutes,
    )
    found["everywhere"] = list(tightness.difference(None, whole))
    return found


def _of_stage(stage: Stage, policy: Policy) -> list[str]:
    from bot.domain import tightness

    said = tightness.difference(None, PolicySet(stages={stage: policy}))
    return [phrase.removeprefix(f"{stage}.") for phrase in said if phrase.startswith(f"{stage}.")]


# --- for people ------------------------------------------------------------------------------------------------------


def _print(story: Story, names: dict[str, str]) -> None:
    console = screen.out()
    accepted = story.accepted
    if story.newer:
        console.print(
            Text("A newer version of Miso wrote the policy; this one cannot read it and allows nothing.", "red")
        )
    if accepted is None:
        console.print("No policy is in force: nothing is allowed. `miso serve` accepts its policy.yml at start.")
        return
    console.print(
        Text.assemble(
            (f"Version {accepted.version} ", "bold"),
            (accepted.hash[:SHORT], "dim"),
            f", in force since {screen.moment(accepted.at_us)}, accepted by {_by(accepted)}, from ",
            screen.foreign(accepted.origin),
        )
    )
    for name, phrases in demands(accepted.policies, names).items():
        console.print()
        console.print(Text(name, "bold"))
        for phrase in phrases or ["nothing beyond what always holds"]:
            console.print(Text.assemble("  ", screen.foreign(phrase, limit=300)))
    if story.proposal is not None:
        _print_pending(story.proposal)


def _print_pending(proposal: Proposal) -> None:
    console = screen.out()
    missing = PEOPLE - len(proposal.agreed)
    console.print()
    console.print(
        Text.assemble(
            ("● ", "yellow"),
            (f"Another policy waits {proposal.hash[:SHORT]}", "bold"),
            f" since {screen.moment(proposal.at_us)}, from ",
            screen.foreign(proposal.origin),
        )
    )
    for phrase in proposal.difference:
        looser = phrase.split(" ", 1)[0] in proposal.loosens
        mark = ("  ! ", "yellow") if looser else ("    ", "")
        console.print(Text.assemble(mark, screen.foreign(phrase, limit=300)))
    console.print(Text.assemble("  Looser for production: ", screen.foreign(", ".join(proposal.loosens), limit=600)))
    if proposal.agreed:
        console.print(Text.assemble("  Agreed so far: ", screen.foreign(_logins(proposal.agreed))))
    people = "1 more administrator" if missing == 1 else f"{missing} administrators"
    console.print(f"  {people} must agree on a pull request: /policy accept {proposal.hash[:SHORT]}", markup=False)


def _by(accepted: Accepted) -> str:
    return screen.foreign(_logins(accepted.by)).plain if accepted.by else "Miso (it loosened nothing)"


def _logins(accounts: Sequence[Account]) -> str:
    return ", ".join(f"{account.login} ({account.id})" for account in accounts)
