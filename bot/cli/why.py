"""`miso why`: the very answer of `/why`, at a shell: may this release go there now, and what stands in the way?

It asks GitHub, the registry and the store as a comment would, decides nothing of its own and asks for nothing. Whoever
types it is nobody in particular: without `--as` the requester's role is unknown, and told as such.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.context import Miso
from bot.domain import messages
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision, RuleResult
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal
from bot.domain.messages.rules_text import RuleLine, rules_table
from bot.domain.model import STAGE_ALIASES, SYSTEM, Actor, ActorKind, Application, Environment, Release, Stage
from bot.errors import ConfigError

if TYPE_CHECKING:
    from bot.services.access import Origin, Place

STYLES = {"✗": "red", "?": "yellow", "⚠": "yellow", "✓": "green"}
NOBODY = Actor(kind=ActorKind.PERSON, id=0, login="")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was decided, about what."""

    application: Application
    environment: Environment
    release: Release | None
    commit: str
    decision: Decision


def why(
    application: Annotated[str, typer.Argument(help="Name or GUID of the application.")],
    environment: Annotated[str, typer.Argument(help="dev, test or production.")],
    commit: Annotated[str, typer.Option("--commit", help="12 digits or more; else the newest one that could go.")] = "",
    login: Annotated[str, typer.Option("--as", help="GitHub login of the person who would ask.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show each rule of a promotion with its outcome. Exit code 1 when it would be refused."""
    stage = STAGE_ALIASES.get(environment.lower())
    if stage is None:
        raise refusal(Code.STAGE_UNKNOWN, word=environment)
    commit = commit.removeprefix("@").lower()
    if commit and not re.fullmatch(r"[0-9a-f]{12,40}", commit, re.ASCII):
        raise refusal(Code.SHA_MALFORMED, word=commit)
    answer = asyncio.run(_ask(application, stage, commit, login))
    if as_json:
        screen.print_json(_document(answer, login))
    else:
        _print(answer, login)
    raise typer.Exit(1 if answer.decision.refused else 0)


async def _ask(name: str, stage: Stage, commit: str, login: str) -> Answer:
    from bot.cli.opening import opened
    from bot.services import access, choosing, releases
    from bot.services.access import Origin

    async with opened() as miso:
        application, environment = await _where(miso, name, stage)
        installation = await miso.github.installation_of(application.repository_id, application.owner_id)
        if installation is None:
            raise refusal(Code.INSTALLATION_MISMATCH)
        origin = Origin(installation_id=installation, repository_id=application.repository_id)
        place = await access.bind(miso, origin, stage)
        commit = commit or await _newest(miso, application, environment)
        release = None
        if commit:
            release = await choosing.find_release(miso, application, commit, stage)
            release = release or await releases.recorded(miso, place, application, commit)
        decision = await _decide(miso, origin, place, application, environment, release, login)
    return Answer(application=application, environment=environment, release=release, commit=commit, decision=decision)


async def _where(miso: Miso, name: str, stage: Stage) -> tuple[Application, Environment]:
    found = [each for each in await miso.store.applications() if name in (each.id, each.name)]
    if len(found) != 1:
        raise ConfigError(
            [f"{'no' if not found else 'more than one'} application is called '{name}': `miso status` lists them"]
        )
    for environment in await miso.store.environments(found[0].id):
        if environment.stage is stage:
            return found[0], environment
    raise refusal(Code.ENVIRONMENT_UNKNOWN, environment=stage)


async def _newest(miso: Miso, application: Application, environment: Environment) -> str:
    """The commit that somebody who names none would mean: what waits here; what the stage before runs and this one does
    not; the newest."""
    from bot.services import knowledge

    waiting = await miso.store.open_promotions(environment_id=environment.id)
    if waiting:
        return max(waiting, key=lambda row: row.requested_us).commit
    here, _ = await knowledge.runs(miso, await miso.store.environment_state(environment.id))
    for before in await miso.store.environments(application.id):
        if before.stage is environment.stage.before:
            running, _ = await knowledge.runs(miso, await miso.store.environment_state(before.id))
            if running is not None and (here is None or here.commit != running.commit):
                return running.commit
    rows = await miso.store.promotions(application_id=application.id, limit=1)
    return rows[0].commit if rows else ""


async def _decide(
    miso: Miso,
    origin: Origin,
    place: Place,
    application: Application,
    environment: Environment,
    release: Release | None,
    login: str,
) -> Decision:
    from bot.services import access, knowledge, promotions
    from bot.services.promotions import Ask

    if login:
        role = await place.repository.permission(login)
        if role is None:
            raise ConfigError([f"GitHub knows no account '{login}' in this repository: --as takes a login"])
        actor = Actor(kind=ActorKind.PERSON, id=role.user_id, login=login)
        ask = Ask(cause="miso why", principal=Principal(actor=actor, door=Door.INSIDE), origin=origin, release=release)
        return await promotions.explain(miso, ask, place, application, environment)
    asked = Asked(requester=SYSTEM, application=application, environment=environment, release=release)
    known = await knowledge.gather(miso, asked, place.repository, access.ready(place))
    known = replace(known, facts=replace(known.facts, permission=None, teams=None))
    return known.decide(miso, replace(asked, requester=NOBODY), miso.clock.now_us())


# --- how it is told --------------------------------------------------------------------------------------------------


def _document(answer: Answer, login: str) -> dict[str, Any]:
    decision = answer.decision
    states = {result.rule: result for result in decision.rules}
    return {
        "application": answer.application.name,
        "environment": answer.environment.stage,
        "commit": answer.release.commit if answer.release else answer.commit or None,
        "digest": answer.release.digest if answer.release else None,
        "requester": login or None,
        "verdict": decision.verdict,
        "code": decision.code,
        "says": _verdict(answer),
        "approvals_needed": decision.approvals_needed,
        "may_not_approve": [number for number in decision.excluded if number],
        "rules": [_rule(line, states[line.rule]) for line in rules_table(decision.rules)],
    }


def _rule(line: RuleLine, result: RuleResult) -> dict[str, Any]:
    return {
        "rule": line.rule,
        "state": result.state,
        "skipped": result.skipped,
        "code": result.code,
        "title": messages.bare(line.title, 300),
        "says": messages.bare(line.text, 600),
        "who": line.who or None,
        "command": result.command or None,
    }


def _verdict(answer: Answer) -> str:
    """The first line of the comment."""
    told = messages.reply_why(answer.decision, answer.environment, answer.release)
    return messages.bare(told.partition("\n\n")[0], 600)


def _print(answer: Answer, login: str) -> None:
    console = screen.out()
    console.print(Text(_verdict(answer), "bold"))
    if not login:
        console.print(Text("Nobody in particular asks; --as LOGIN decides for a person.", "dim"))
    for line in rules_table(answer.decision.rules):
        code = (f" ({line.code})" if line.code else "", "dim")
        mark = (f"{line.mark} ", STYLES[line.mark])
        console.print(Text.assemble("  ", mark, screen.said(line.title, limit=300), code))
        if line.text and (login or line.rule != "requester"):
            console.print(Text.assemble("      ", screen.said(line.text, limit=600)))
        if line.who:
            console.print(Text(f"      Who can change it: {line.who}", "dim"))
