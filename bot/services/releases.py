"""A build has finished: make a release of it and ask for it in dev (path A).

Called by the `workflow_run` door. The webhook is a hint: the run is read again, and only a successful run of the named
workflow, pushed to the default branch of the very repository, makes a release. The tag is resolved to a digest once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.context import Miso
from bot.domain import repository_config
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.messages import refusal, refusal_of
from bot.domain.model import Actor, ActorKind, PullRequest, Release, Stage, WorkflowRun
from bot.domain.repository_config import ConfigFault, RepositoryConfig
from bot.errors import Refused
from bot.services import access, journal, notes, promotions
from bot.services.access import Origin, Place
from bot.services.notes import Note
from bot.services.promotions import Ask

CONFIG_PATH = ".github/miso.yml"


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a webhook said of a finished run; only the ids are believed."""

    run_id: int
    attempt: int
    commit: str


async def build_finished(miso: Miso, origin: Origin, build: Build) -> None:
    """Path A, up to the request for dev. What stands in the way is shown as a check on the commit."""
    applications, _ = await access.registered(miso, origin.repository_id)
    repository = access.facts_of(miso, origin)
    place, run, text, pulls = await asyncio.gather(
        access.bind(miso, origin, Stage.DEV),
        repository.workflow_run(build.run_id),
        repository.file(CONFIG_PATH, build.commit),
        repository.pull_requests_of(build.commit),
    )
    if run is None or not _counts(run, place, build) or (not applications and text is None):
        return
    config = repository_config.parse(text) if text is not None else None
    if isinstance(config, RepositoryConfig) and run.path != config.build:
        return
    if not await _on_default_branch(place, build.commit):
        return
    actor = Actor(kind=ActorKind.WORKFLOW, id=run.id, login=run.path)
    try:
        if config is None:
            raise refusal(Code.CONFIG_MISSING)
        if not isinstance(config, RepositoryConfig):
            await _refused(miso, origin, build, actor, refusal(Code.CONFIG_INVALID), faults=config)
            return
        await _release(miso, origin, build, place, run, config, actor, _merged_as(pulls, build.commit))
    except Refused as no:
        await _refused(miso, origin, build, actor, no)


async def _release(
    miso: Miso,
    origin: Origin,
    build: Build,
    place: Place,
    run: WorkflowRun,
    config: RepositoryConfig,
    actor: Actor,
    pull_request: int,
) -> None:
    if not isinstance(place.binding, Bound):
        raise refusal(place.binding)
    bound = place.binding
    tag = repository_config.tag_for(config, build.commit)
    digest = await miso.images.digest(config.image, tag, bound.environment)
    if digest is None:
        raise refusal(Code.IMAGE_NOT_FOUND, commit=build.commit[:12])
    release = Release(
        application_id=bound.application.id,
        repository_id=bound.application.repository_id,
        commit=build.commit,
        image=config.image,
        digest=digest,
        run_id=run.id,
        run_attempt=run.attempt,
        tag=tag,
        port=config.port,
        health_path=config.health,
        config_commit=build.commit,
    )
    ask = Ask(
        cause=f"build:{origin.repository_id}:{run.id}:{run.attempt}",
        actor=actor,
        origin=origin,
        release=release,
        pull_request=pull_request,
    )
    outcome = await promotions.request(miso, ask, place, bound.application, bound.environment)
    if outcome.promotion is None and outcome.decision is not None:
        raise refusal_of(outcome.decision)


def _counts(run: WorkflowRun, place: Place, build: Build) -> bool:
    """Whether this run makes releases at all: other events, branches, forks and failures are nobody's business here."""
    return (
        run.conclusion == "success"
        and run.event == "push"
        and run.head_sha == build.commit
        and run.repository_id == place.identity.id
        and run.head_repository_id == place.identity.id
        and run.head_branch == place.identity.default_branch
    )


async def _on_default_branch(place: Place, commit: str) -> bool:
    """Whether the commit is part of the default branch: `head_branch` may as well be a tag of that name (rule 2)."""
    head = await place.repository.head(place.identity.default_branch)
    if head == commit:
        return True
    return (await place.repository.compare(commit, head)).status in ("ahead", "identical")


def _merged_as(pulls: Sequence[PullRequest], commit: str) -> int:
    """The pull request whose merge made this commit; 0 when it was pushed."""
    return next((pull.number for pull in pulls if pull.merged and pull.merge_commit_sha == commit), 0)


async def _refused(
    miso: Miso, origin: Origin, build: Build, actor: Actor, no: Refused, faults: tuple[ConfigFault, ...] = ()
) -> None:
    """Write down that a build went nowhere, and why; the report loop makes a check of it."""
    # A fault of the configuration belongs to the commit, however many workflows ran for it.
    of_commit = no.code in (Code.CONFIG_INVALID, Code.CONFIG_MISSING)
    cause = (build.commit,) if of_commit else (build.run_id, build.attempt)
    stream = journal.stream_id("notice", "build", origin.repository_id, *cause)
    body = {
        "installation": origin.installation_id,
        "repository": origin.repository_id,
        "commit": build.commit,
        "code": no.code,
        "sentence": no.sentence,
        "hint": no.hint,
        "faults": [{"line": f.line, "path": f.path, "sentence": f.sentence} for f in faults],
    }
    rows = await miso.store.stream(stream)
    if not rows:
        await notes.write(miso, stream, rows, Note.BUILD_REFUSED, actor, body, inbox_done=origin.delivery)
