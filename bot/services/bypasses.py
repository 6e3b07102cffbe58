"""Deployments that went past Miso on GitHub's side (security rule 32): reported as done, or let past a gate, undecided.

Called by the doors. It writes rows, which the report loop shows, and an alarm for the operator; it stops nothing, for
what is reported has happened. What keeps others from deploying is that nobody but Miso has access to Azure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.context import Miso
from bot.domain import catalog
from bot.domain.codes import Code
from bot.domain.model import Actor, Environment, Stage, Status
from bot.errors import Refused, Transient
from bot.services import access, journal, notes
from bot.services.access import Origin
from bot.services.notes import Note
from bot.telemetry import logger

log = logger(__name__)

BEGUN = frozenset({Status.DEPLOYING, Status.DEPLOYED, Status.UNHEALTHY, Status.ROLLING_BACK})
"""The decision before the first effect let it through, and it is under way."""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A deployment of which somebody says that it succeeded."""

    deployment_id: int
    run_id: int
    """The workflow run whose job made it; 0: none, or GitHub did not say."""
    commit: str
    environment: str
    by_actions: bool


@dataclass(frozen=True, kw_only=True)
class Review:
    """A person's yes at the gates of a run."""

    run_id: int
    attempt: int
    commit: str
    environments: tuple[str, ...]
    users: frozenset[int]
    """Accounts that the environment names as reviewers: their yes is for their own rule, and ours still waits."""
    teams: frozenset[int]
    owner_id: int


async def deployment_reported(miso: Miso, origin: Origin, actor: Actor, reported: Reported) -> None:
    """One row for each deployment that is said to have succeeded though nothing that Miso decided stands behind it."""
    for environment in await _registered(miso, origin, (reported.environment,)):
        gate = (origin.repository_id, reported.run_id, reported.deployment_id, reported.environment, reported.commit)
        if await _decided(miso, environment, reported.commit) or await _approved(miso, gate):
            continue
        body = {
            "deployment": reported.deployment_id,
            "commit": reported.commit,
            "by_actions": reported.by_actions,
            "reported": True,
        }
        stream = journal.stream_id("foreign", origin.repository_id, reported.deployment_id)
        await _write(miso, origin, stream, Note.DEPLOYMENT_FOREIGN, actor, environment, body)


async def gate_passed(miso: Miso, origin: Origin, actor: Actor, review: Review) -> None:
    """One row for each environment whose gate an administrator opened though Miso has not decided."""
    found = await _registered(miso, origin, review.environments)
    if not found or await _reviewer(miso, origin, actor, review):
        return
    for environment in found:
        if await _decided(miso, environment, review.commit):
            continue
        stream = journal.stream_id("bypass", origin.repository_id, review.run_id, review.attempt, environment.id)
        body = {"run": review.run_id, "commit": review.commit}
        await _write(miso, origin, stream, Note.GATE_BYPASSED, actor, environment, body)


async def _registered(miso: Miso, origin: Origin, names: tuple[str, ...]) -> list[Environment]:
    applications, environments = await access.registered(miso, origin.repository_id)
    looked_up = (catalog.find_environment(environments, a.id, name) for a in applications for name in names)
    return [found for found in looked_up if isinstance(found, Environment)]


async def _decided(miso: Miso, environment: Environment, commit: str) -> bool:
    """Whether a promotion of exactly this commit was let through there and is under way, or is what runs."""
    state = await miso.store.environment_state(environment.id)
    rows = await miso.store.promotions(environment_id=environment.id, commit_prefix=commit, limit=20)
    return any(r.status in BEGUN or (r.status is Status.LIVE and r.stream == state.running) for r in rows)


async def _approved(miso: Miso, gate: tuple[int, int, int, str, str]) -> bool:
    """Whether we opened this very gate, whatever became of the promotion since."""
    rows = await miso.store.stream(journal.stream_id("gate", *gate))
    told = notes.last(rows, Note.GATE_ANSWERED)
    return told is not None and told.body.get("state") == "approved"


async def _reviewer(miso: Miso, origin: Origin, actor: Actor, review: Review) -> bool:
    """Whether the person is one of the environment's reviewers. A team that cannot be read makes nobody one."""
    if actor.id in review.users:
        return True
    for team in sorted(review.teams):
        try:
            members = await miso.github.team(origin.installation_id, review.owner_id, team)
        except Refused:
            continue
        if any(member.id == actor.id for member in members or ()):
            return True
    return False


async def _write(
    miso: Miso,
    origin: Origin,
    stream: str,
    kind: Note,
    actor: Actor,
    environment: Environment,
    body: dict[str, Any],
) -> None:
    """Once for each stream, however often it is told. Perhaps behind a row of the deployment's making."""
    whole = {
        "installation": origin.installation_id,
        "repository": origin.repository_id,
        "environment": environment.github_name,
        "login": actor.login,
        **body,
    }
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        if any(row.kind == kind and row.body.get("reported") == body.get("reported") for row in rows):
            return
        if await notes.write(
            miso,
            stream,
            rows,
            kind,
            actor,
            whole,
            application_id=environment.application_id,
            environment_id=environment.id,
        ):
            production = environment.stage is Stage.PRODUCTION
            tell = log.warning if production else log.info
            tell("alarm.out_of_band" if production else "out of band", environment=environment.id, kind=kind.value)
            return
    raise Transient(Code.STORE_UNAVAILABLE, "Too many rows were written down at once.")
