"""What merging a pull request would change: one check on its head, and another one where it changes `.github/miso.yml`.

Called by the `pull_request` door. It reads GitHub and the store, draws, and writes rows; `show` publishes them in the
report loop. Nothing that is read of a pull request here is used for anything but showing it (security rule 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bot.context import Miso, Repository
from bot.domain import freezes, plan, preview, pull_plan, repository_config
from bot.domain.codes import Code
from bot.domain.demands import takes_branch
from bot.domain.messages.config_check import config_check
from bot.domain.messages.pull_plan import plan_check
from bot.domain.model import (
    SYSTEM,
    Actor,
    Application,
    CheckRun,
    PullRequest,
    Release,
    RepositoryFacts,
    Row,
)
from bot.domain.permissions import REPORT
from bot.domain.pull_plan import PullPlan, Station, Travel
from bot.domain.repository_config import PATH, ConfigFault, RepositoryConfig
from bot.domain.rules import Policy
from bot.domain.satisfiable import Finding
from bot.errors import Refused, Transient
from bot.services import access, audits, journal, lint, notes, overview, own_file, policies
from bot.services.access import Origin
from bot.services.board import board_of, put_check
from bot.services.notes import Note
from bot.services.overview import Standing

T = TypeVar("T")

PER_HOUR = 60
"""So many checks an hour a pull request gets; whoever pushes faster than that is not reading them."""
_FILES_SHOWN = 3000
"""GitHub names no more changed files of a pull request: beyond that, anything may have changed."""
_CHECK = TypeAdapter(CheckRun)


@dataclass(frozen=True, kw_only=True)
class _Pull:
    """A pull request as GitHub shows it now."""

    origin: Origin
    repository: Repository
    identity: RepositoryFacts
    pull: PullRequest
    applications: tuple[Application, ...]
    base: str
    """Head of the branch that it is merged into."""
    present: str | None
    """`.github/miso.yml` of the default branch: what counts now, whatever a pull request says."""
    text: str | None
    """The pull request's own, where it changes the file; else as it is."""
    changes_config: bool

    @property
    def merged(self) -> str | None:
        """The file that would count after the merge: merging into another branch changes nothing of it."""
        return self.text if self.pull.base_branch == self.identity.default_branch else self.present


async def moved(miso: Miso, origin: Origin, number: int, pusher: Actor | None) -> None:
    """A pull request was opened, pushed to (`pusher`), reopened, made ready, or got another base.

    Who pushed is written down first, whatever becomes of the rest: an approval may hang on it (rule 9).
    """
    if pusher is not None:
        first = replace(origin, delivery="")
        await audits.pushed(miso, first, pull_request=number, user_id=pusher.id, login=pusher.login)
    applications, _ = await access.registered(miso, origin.repository_id)
    if not applications or await _too_often(miso, origin, number):
        return
    seen = await _look(miso, origin, number, applications)
    if seen is None:
        return
    if seen.changes_config:
        check = await _configuration(miso, seen)
        await _write(miso, seen, Note.PULL_CONFIGURED, check)
    shown = await _plan(miso, seen)
    check = plan_check(shown, external_id=_stream(seen.origin, seen.pull, Note.PULL_PREVIEWED))
    await _write(miso, seen, Note.PULL_PREVIEWED, check, inbox_done=origin.delivery)


async def show(miso: Miso, rows: Sequence[Row]) -> None:
    """Publish what a stream of this module says last; for the report loop."""
    newest = rows[-1]
    check = _CHECK.validate_python(newest.body["check"])
    repository = miso.github.at(int(newest.body["installation"]), int(newest.body["repository"]), REPORT)
    await put_check(await board_of(miso, newest.stream, newest.seq), repository, check)


def _prefix(origin: Origin, number: int) -> str:
    return f"preview-{origin.repository_id}-{number}"


async def _too_often(miso: Miso, origin: Origin, number: int) -> bool:
    since = miso.clock.now_us() - 3_600_000_000
    prefix = f"{_prefix(origin, number)}-"
    return await miso.store.count(Note.PULL_PREVIEWED, since, stream_prefix=prefix) >= PER_HOUR


async def _look(miso: Miso, origin: Origin, number: int, applications: tuple[Application, ...]) -> _Pull | None:
    """The pull request, asked of GitHub. None when nothing is to be shown: closed, or its repository changed hands."""
    repository = access.facts_of(miso, origin)
    identity, pull = await asyncio.gather(repository.identity(), repository.pull_request(number))
    own = tuple(each for each in applications if each.owner_id == identity.owner_id)
    if pull is None or not pull.open or pull.base_repository_id != origin.repository_id or not own:
        return None
    base, default, files = await asyncio.gather(
        repository.head(pull.base_branch), repository.head(identity.default_branch), repository.changed_files(number)
    )
    may_change = PATH in files or len(files) >= _FILES_SHOWN
    present = await repository.file(PATH, default)
    text = await repository.file(PATH, pull.head_sha) if may_change else present
    return _Pull(
        origin=origin,
        repository=repository,
        identity=identity,
        pull=pull,
        applications=own,
        base=base,
        present=present,
        text=text,
        changes_config=PATH in files or text != present,
    )


# --- what would change -----------------------------------------------------------------------------------------------


async def _plan(miso: Miso, seen: _Pull) -> PullPlan:
    standings = await _standings(miso, seen)
    config = own_file.parsed(seen.merged) if seen.merged is not None else None
    own, merged, counting = await asyncio.gather(
        _told(seen.repository.compare(seen.base, seen.pull.head_sha)),
        _merged(seen, standings),
        _policies(miso, seen.present, standings),
    )
    return PullPlan(
        number=seen.pull.number,
        head=seen.pull.head_sha,
        base_branch=seen.pull.base_branch,
        default_branch=seen.identity.default_branch,
        fork=seen.pull.head_repository_id != seen.origin.repository_id,
        own=pull_plan.travel(own),
        config=None if config else Code.CONFIG_MISSING if seen.merged is None else Code.CONFIG_INVALID,
        changes_config=seen.merged != seen.present,
        stations=tuple(_station(miso, seen, each, config, merged, counting) for each in standings),
    )


async def _standings(miso: Miso, seen: _Pull) -> list[Standing]:
    of_each = await asyncio.gather(*(overview.of_application(miso, each) for each in seen.applications))
    return [standing for some in of_each for standing in some]


def _station(
    miso: Miso,
    seen: _Pull,
    standing: Standing,
    config: RepositoryConfig | None,
    merged: Mapping[str, Travel | None],
    counting: Mapping[str, Policy],
) -> Station:
    here, state, now = standing.environment, standing.state, miso.clock.now_us()
    request = standing.running.request if standing.running else None
    policy = counting.get(here.id)
    shown = None
    if config is not None:
        release = _to_be_built(standing.application, seen.pull, config)
        wanted = plan.build(here, release, controller=miso.rules.controller)
        shown = preview.of(here, request.plan if request else None, wanted)
    return Station(
        application=standing.application,
        environment=here,
        running=request.release if request else None,
        source=request.pull_request if request else 0,
        preview=shown,
        merged=merged.get(request.release.commit) if request else Travel(count=0),
        policy=policy,
        reachable=policy is None or takes_branch(policy, seen.pull.base_branch, seen.identity.default_branch),
        lock=state.lock if state.lock is not None and state.lock.holds(now) else None,
        frozen=freezes.active(policy.freezes, now) if policy is not None else None,
        held=state.held,
        drift=state.drift,
    )


def _to_be_built(application: Application, pull: PullRequest, config: RepositoryConfig) -> Release:
    """What the build of this change would make. Without a digest it can be shown and never deployed."""
    return Release(
        application_id=application.id,
        repository_id=application.repository_id,
        commit=pull.head_sha,
        image=config.image,
        digest="",
        run_id=0,
        port=config.port,
        health_path=config.health,
    )


async def _merged(seen: _Pull, standings: Sequence[Standing]) -> dict[str, Travel | None]:
    """By commit that runs somewhere: what is merged since."""
    running = sorted({each.running.request.release.commit for each in standings if each.running is not None})
    ranges = await asyncio.gather(*(_told(seen.repository.compare(commit, seen.base)) for commit in running))
    return {commit: pull_plan.travel(found) for commit, found in zip(running, ranges, strict=True)}


async def _policies(miso: Miso, text: str | None, standings: Sequence[Standing]) -> dict[str, Policy]:
    """By environment: the accepted policy, tightened by what this text of `.github/miso.yml` says."""
    accepted = await policies.accepted(miso)
    config = own_file.parsed(text) if text is not None else None
    overrides = config.policy if config is not None else {}
    whole = accepted.policies if accepted is not None else None
    found = {each.environment.id: policies.tightened(whole, each.environment, overrides) for each in standings}
    return {id_: policy for id_, policy in found.items() if policy is not None}


async def _told(asking: Awaitable[T]) -> T | None:
    """The answer, or None where GitHub says no; what it could not say now is asked again with the whole delivery."""
    try:
        return await asking
    except Refused:
        return None


# --- its configuration -----------------------------------------------------------------------------------------------


async def _configuration(miso: Miso, seen: _Pull) -> CheckRun:
    """Every fault of the file as the pull request has it, and what its policy would make impossible."""
    stream = _stream(seen.origin, seen.pull, Note.PULL_CONFIGURED)
    if seen.text is None:
        gone = ConfigFault(line=0, path="", sentence="it is removed here; without it no build becomes a release")
        return config_check(head_sha=seen.pull.head_sha, external_id=stream, faults=(gone,))
    standings = await _standings(miso, seen)
    ours = await _policies(miso, None, standings)
    by_stage = {e.stage: ours[e.id] for e in (standing.environment for standing in standings) if e.id in ours}
    faults = repository_config.check(seen.text, by_stage)
    findings = await _findings(miso, seen)
    return config_check(head_sha=seen.pull.head_sha, external_id=stream, faults=faults, findings=findings)


async def _findings(miso: Miso, seen: _Pull) -> list[Finding]:
    """What could no longer be met because of this change. What is wrong already is not for its author to mend."""
    then, now = (own_file.parsed(text) if text is not None else None for text in (seen.text, seen.present))
    before = now.policy if now is not None else {}
    if then is None or then.policy == before:
        return []
    wrong = await lint.of_repository(miso, seen.origin, then.policy)
    known = await lint.of_repository(miso, seen.origin, before) if wrong else ()
    return [finding for finding in wrong if finding not in known]


# --- rows ------------------------------------------------------------------------------------------------------------


def _stream(origin: Origin, pull: PullRequest, kind: Note) -> str:
    """One stream for each head and check, so that a push makes a check of its own and a redelivery makes none."""
    return journal.stream_id(_prefix(origin, pull.number), pull.head_sha, kind)


async def _write(miso: Miso, seen: _Pull, kind: Note, check: CheckRun, *, inbox_done: str = "") -> None:
    """One row, unless the newest one says the same already: then GitHub shows it, or is about to."""
    stream = _stream(seen.origin, seen.pull, kind)
    body: dict[str, Any] = {
        "installation": seen.origin.installation_id,
        "repository": seen.origin.repository_id,
        "pull_request": seen.pull.number,
        "check": _CHECK.dump_python(check, mode="json"),
    }
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        if rows and rows[-1].body == body:
            return
        if await notes.write(miso, stream, rows, kind, SYSTEM, body, inbox_done=inbox_done):
            return
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same place in the journal.")
