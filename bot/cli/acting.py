"""`miso promote`, `rollback`, `approve`, `reject`, `revoke`, `cancel` and `show`: somebody acts, from any machine.

Through `/api/v1` and as the person who signed in with `miso login`; never on the database, and without a setting of the
controller: access to a shell is no identity. The server decides, as at every other door, and tells every rule. Each
invocation has a key of its own, so that a request that is sent twice is done once.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from bot.cli import promotion, screen
from bot.cli.calling import Denied, Outside, Server, invocation, signed_in, understood
from bot.cli.promotion import Promotion
from bot.domain.codes import Code
from bot.domain.messages import plain, refusal
from bot.domain.model import STAGE_ALIASES, Stage
from bot.errors import ConfigError, Refused

PROMOTIONS, APPLICATIONS = "/api/v1/promotions", "/api/v1/applications"
LEAST_OF_A_HASH = 8
"""Digits of the evidence that `--yes` must name: nobody says yes to what they have not seen."""
WAIT_SECONDS = 20
NOTHING: Mapping[str, Code] = {
    "approve": Code.NOTHING_TO_APPROVE,
    "reject": Code.NOTHING_TO_REJECT,
    "revoke": Code.NOTHING_TO_REVOKE,
    "cancel": Code.NOTHING_TO_CANCEL,
    "show": Code.NOT_FOUND,
}
"""What is said where nothing waits."""
_COMMIT = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
_STREAM = re.compile(r"promotion-[0-9a-f]{24}", re.ASCII)

Where = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="dev, test or production.")]
What = Annotated[
    str,
    typer.Argument(metavar="PROMOTION|ENVIRONMENT", help="Id of a promotion, or the environment in which it waits."),
]
Which = Annotated[str, typer.Option("--application", "-a", help="Name or GUID; needed where there are several.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end; exit code 1 unless it ends well.")]
Yes = Annotated[
    str, typer.Option("--yes", metavar="EVIDENCE", help="Do not ask: the first 8 digits or more of the evidence.")
]
Reason = Annotated[str, typer.Option(help="Why, in a line.")]


class Running(Outside):
    promotion: str
    commit: str


class Place(Outside):
    """An environment, with what runs and what waits there."""

    id: str
    stage: str
    running: Running | None = None
    waiting: tuple[str, ...] = ()
    """Ids of promotions."""


class Application(Outside):
    id: str
    name: str
    environments: tuple[Place, ...]

    def at(self, stage: Stage) -> Place:
        for place in self.environments:
            if place.stage == stage:
                return place
        raise refusal(Code.ENVIRONMENT_UNKNOWN, environment=stage)


class Applications(Outside):
    applications: tuple[Application, ...]


def promote(
    environment: Where,
    commit: Annotated[str, typer.Argument(help="12 digits or more; else what the stage before runs.")] = "",
    application: Which = "",
    break_glass: Annotated[str, typer.Option(metavar="REASON", help="Go past rules that two people may pass.")] = "",
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a release in an environment, as the person who signed in."""
    asyncio.run(_ask(environment, commit, application, break_glass=break_glass, watch=watch, as_json=as_json))


def rollback(
    environment: Where,
    commit: Annotated[str, typer.Argument(help="One that was healthy there; else the one before.")] = "",
    application: Which = "",
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Go back to the release before, or to one that was healthy there."""
    asyncio.run(_ask(environment, commit, application, back=True, watch=watch, as_json=as_json))


def approve(what: What, application: Which = "", yes: Yes = "", as_json: AsJson = False) -> None:
    """Show what you sign, ask, and approve it."""
    asyncio.run(_say("approve", what, application, yes=yes, as_json=as_json))


def reject(what: What, application: Which = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """Stop what waits."""
    asyncio.run(_say("reject", what, application, reason=reason, as_json=as_json))


def revoke(what: What, application: Which = "", as_json: AsJson = False) -> None:
    """Take your own approval back."""
    asyncio.run(_say("revoke", what, application, as_json=as_json))


def cancel(what: What, application: Which = "", reason: Reason = "", as_json: AsJson = False) -> None:
    """Take back what you asked for."""
    asyncio.run(_say("cancel", what, application, reason=reason, as_json=as_json))


def show(what: What, application: Which = "", watch: Watch = False, as_json: AsJson = False) -> None:
    """Show a promotion: what it is, how it stands, and each rule."""
    asyncio.run(_show(what, application, watch, as_json))


async def _ask(
    environment: str,
    commit: str,
    application: str,
    *,
    back: bool = False,
    break_glass: str = "",
    watch: bool,
    as_json: bool,
) -> None:
    stage, commit = _stage(environment), _commit(commit)
    async with signed_in() as there:
        which = await _application(there, application)
        body: dict[str, Any] = {"application_id": which.id, "environment_id": which.at(stage).id}
        if commit or not back:
            body["commit"] = commit or _before(which, stage)
        body |= {"rollback": True} if back else {}
        body |= {"break_glass": True, "reason": break_glass} if break_glass else {}
        document = await _told(there, "POST", PROMOTIONS, body, as_json=as_json)
        await _shown(there, document, watch=watch, as_json=as_json)


async def _say(
    word: str, what: str, application: str, *, yes: str = "", reason: str = "", as_json: bool = False
) -> None:
    async with signed_in() as there:
        found = await _found(there, word, what, application)
        if word == "approve":
            _agreed(found, yes, as_json)
        body = {"commit": found.commit, **({"reason": reason} if reason else {})}
        document = await _told(there, "POST", f"{PROMOTIONS}/{found.id}/{word}", body, as_json=as_json)
        await _shown(there, document, watch=False, as_json=as_json)


async def _show(what: str, application: str, watch: bool, as_json: bool) -> None:
    async with signed_in() as there:
        found = await _found(there, "show", what, application)
        if not as_json:
            promotion.card(found)
        document = await there.call("GET", f"{PROMOTIONS}/{found.id}")
        if watch or as_json:
            await _shown(there, document, watch=watch, as_json=as_json)


async def _told(there: Server, method: str, path: str, body: Mapping[str, Any], *, as_json: bool) -> dict[str, Any]:
    """The answer; what was refused is told rule by rule on its way out."""
    try:
        return await there.call(method, path, body, key=invocation())
    except Denied as no:
        if as_json:
            screen.print_json(no.document)
        else:
            promotion.rules(promotion.document_rules(no.document), to_errors=True)
        raise


async def _shown(there: Server, document: Mapping[str, Any], *, watch: bool, as_json: bool) -> None:
    """How it stands, or every step to its end."""
    now = understood(Promotion, document)
    if not as_json:
        promotion.line(now)
    while watch and now.open:
        path = f"{PROMOTIONS}/{now.id}?wait={WAIT_SECONDS}&version={now.version}"
        document = await there.call("GET", path)
        before, now = now, understood(Promotion, document)
        if not as_json and (now.status, now.says) != (before.status, before.says):
            promotion.line(now)
    if as_json:
        screen.print_json(document)
    if watch and not now.well:
        if not as_json and now.detail:
            screen.refused(now.detail, now.hint, now.code)
        raise typer.Exit(1)


def _agreed(found: Promotion, yes: str, as_json: bool) -> None:
    """The person has seen what they sign: by a question here, or by naming its evidence."""
    if yes:
        if len(yes) < LEAST_OF_A_HASH or not found.evidence.startswith(yes.lower()):
            raise Refused(
                Code.PLAN_CHANGED,
                "What waits there has another evidence than the one that `--yes` names.",
                f"Look at it with `miso show {found.id}`.",
            )
        return
    if as_json or not sys.stdin.isatty():
        raise ConfigError(["nobody can be asked here: look at it with `miso show`, then name its evidence with --yes"])
    promotion.card(found)
    screen.err().print(Text("What you sign is the evidence above: if any of it changes, your approval is void.", "dim"))
    if not typer.confirm(f"Approve {found.commit[:12]} for {plain(found.where, 80)}?", err=True):
        raise typer.Exit(1)


async def _found(there: Server, word: str, what: str, application: str) -> Promotion:
    """The promotion of this id, or the one that waits in this environment; to be shown also what runs there."""
    if not _STREAM.fullmatch(what):
        stage = _stage(what)
        place = (await _application(there, application)).at(stage)
        known = place.waiting
        if word == "show":
            known = known[:1] or tuple(each.promotion for each in (place.running,) if each is not None)
        if not known:
            raise refusal(NOTHING[word], stage=stage)
        if len(known) > 1:
            raise ConfigError([f"more than one promotion waits there: name one of {', '.join(known)}"])
        [what] = known
    return understood(Promotion, await there.call("GET", f"{PROMOTIONS}/{what}"))


async def _application(there: Server, name: str) -> Application:
    told = understood(Applications, await there.call("GET", APPLICATIONS)).applications
    found = [each for each in told if name in ("", each.name, each.id)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(plain(each.name, 60) for each in told)) or "none"
    why = f"no application is called '{plain(name, 60)}'" if name else "which application is meant is not clear"
    raise ConfigError([f"{why}: name one with --application (you may see {names})"])


def _before(application: Application, stage: Stage) -> str:
    """What the stage before runs: the commit that somebody means who names none."""
    running = application.at(stage.before).running if stage.before is not None else None
    if running is None:
        raise ConfigError([f"which commit is to go to {stage} is not clear: name it"])
    return running.commit


def _stage(word: str) -> Stage:
    stage = STAGE_ALIASES.get(word.lower())
    if stage is None:
        raise refusal(Code.STAGE_UNKNOWN, word=word)
    return stage


def _commit(word: str) -> str:
    commit = word.removeprefix("@").lower()
    if commit and not _COMMIT.fullmatch(commit):
        raise refusal(Code.SHA_MALFORMED, word=word)
    return commit
