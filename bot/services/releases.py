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
from bot.domain.demands import takes_branch
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal, refusal_of
from bot.domain.model import Actor, ActorKind, Application, PullRequest, Release, Stage, WorkflowRun
from bot.domain.promotion import release_as_body, release_from_body
from bot.domain.repository_config import ConfigFault, RepositoryConfig
from bot.domain.rules import Policy
from bot.errors import Refused
from bot.services import access, journal, notes, own_file, policies, promotions
from bot.services.access import Origin, Place
from bot.services.notes import Note
from bot.services.promotions import Ask


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a webhook said of a finished run; only the ids are believed."""

    run_id: int
    attempt: int
    commit: str


async def build_finished(miso: Miso, origin: Origin, build: Build) -> None:
    """Path A, up to the request for dev. What stands in the way is shown as a check on the commit.

    The repository's configuration is that of its default branch now, whatever was built (rule 3). A build of an open
    pull request is written down where the policy of dev lets it in; somebody must ask for it by its commit.
    """
    applications, _ = await access.registered(miso, origin.repository_id)
    repository = access.facts_of(miso, origin)
    place, run, pulls = await asyncio.gather(
        access.bind(miso, origin, Stage.DEV),
        repository.workflow_run(build.run_id),
        repository.pull_requests_of(build.commit),
    )
    if run is None or not _counts(run, place, build):
        return
    demanded = await _demanded(miso, place)
    pull = _open_pull(pulls, run, build) if run.event == "pull_request" else None
    wanted = pull is not None and demanded is not None and demanded.open_pull_requests
    if run.event == "pull_request" and not wanted:
        return
    if run.event == "push" and not _branch_counts(run, place, demanded):
        return
    head = await repository.head(place.identity.default_branch)
    text = await repository.file(repository_config.PATH, head)
    if not applications and text is None:
        return
    config = own_file.judged(text) if text is not None else None
    if isinstance(config, RepositoryConfig) and run.path != config.build:
        return
    if run.event == "push" and not await _on_branch(place, run.head_branch, build.commit, head):
        return
    actor = Actor(kind=ActorKind.WORKFLOW, id=run.id, login=run.path)
    try:
        if config is None:
            raise refusal(Code.CONFIG_MISSING)
        if not isinstance(config, RepositoryConfig):
            await _refused(miso, origin, build, actor, refusal(Code.CONFIG_INVALID), faults=config)
            return
        made = await _made(miso, build, place, run, config, head, pull.number if pull is not None else 0)
        if pull is not None:
            await _record(miso, origin, made, actor)
        else:
            await _ask_for_dev(miso, origin, place, made, actor, _merged_as(pulls, build.commit))
    except Refused as no:
        await _refused(miso, origin, build, actor, no)


async def under_way(miso: Miso, place: Place, run: WorkflowRun) -> Release | None:
    """What a build that has not ended has made of its commit so far: for a job of the build itself that deploys.

    Image and workflow are those of the repository's own file on its default branch, never what the run says. None for
    a run that is no such build, or of a branch that is nobody's business; `place` is of dev. Raises Refused
    (`image_not_found`) while nothing was pushed.
    """
    own = run.event == "push" and run.repository_id == run.head_repository_id == place.identity.id
    if not own or run.conclusion or not _branch_counts(run, place, await _demanded(miso, place)):
        return None
    head = await place.repository.head(place.identity.default_branch)
    text = await place.repository.file(repository_config.PATH, head)
    config = own_file.parsed(text) if text is not None else None
    if config is None or run.path != config.build:
        return None
    if not await _on_branch(place, run.head_branch, run.head_sha, head):
        return None
    build = Build(run_id=run.id, attempt=run.attempt, commit=run.head_sha)
    return await _made(miso, build, place, run, config, head, 0)


async def _demanded(miso: Miso, place: Place) -> Policy | None:
    """The installation's policy of dev, to know which builds concern anybody; the decision asks for the whole one."""
    accepted = await policies.accepted(miso)
    bound = place.binding
    return accepted.policies.of(bound.environment) if accepted is not None and isinstance(bound, Bound) else None


def _branch_counts(run: WorkflowRun, place: Place, demanded: Policy | None) -> bool:
    """Whether builds of this branch are anybody's business: those of the default branch always, even to be refused."""
    if run.head_branch == place.identity.default_branch:
        return True
    return demanded is not None and takes_branch(demanded, run.head_branch, place.identity.default_branch)


def _open_pull(pulls: Sequence[PullRequest], run: WorkflowRun, build: Build) -> PullRequest | None:
    """The open pull request of this very repository whose head was built; a fork's is none (rule 7)."""
    return next(
        (
            pull
            for pull in pulls
            if pull.open and pull.head_repository_id == run.repository_id and pull.head_sha == build.commit
        ),
        None,
    )


async def _made(
    miso: Miso, build: Build, place: Place, run: WorkflowRun, config: RepositoryConfig, head: str, pull_request: int
) -> Release:
    """The release of a build: its tag resolved to a digest, once."""
    if not isinstance(place.binding, Bound):
        raise refusal(place.binding)
    bound = place.binding
    tag = repository_config.tag_for(config, build.commit)
    digest = await miso.images.digest(config.image, tag, bound.environment)
    if digest is None:
        raise refusal(Code.IMAGE_NOT_FOUND, commit=build.commit[:12])
    default = run.head_branch == place.identity.default_branch and not pull_request
    return Release(
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
        config_commit=head,
        branch="" if default else run.head_branch,
        open_pull_request=pull_request,
    )


async def _ask_for_dev(
    miso: Miso, origin: Origin, place: Place, release: Release, actor: Actor, pull_request: int
) -> None:
    assert isinstance(place.binding, Bound)  # a release was made for it
    bound = place.binding
    ask = Ask(
        cause=f"build:{origin.repository_id}:{release.run_id}:{release.run_attempt}",
        principal=Principal(actor=actor, door=Door.INSIDE),
        origin=origin,
        release=release,
        pull_request=pull_request,
    )
    outcome = await promotions.request(miso, ask, place, bound.application, bound.environment)
    if outcome.promotion is None and outcome.decision is not None:
        raise refusal_of(outcome.decision)


async def _record(miso: Miso, origin: Origin, release: Release, actor: Actor) -> None:
    """Write down what was built, to be asked for by its commit. The newest build of a commit counts."""
    stream = _built(release.application_id, release.commit)
    rows = await miso.store.stream(stream)
    if any(row.body["run_id"] == release.run_id and row.body["run_attempt"] == release.run_attempt for row in rows):
        return
    body = release_as_body(release)
    await notes.write(
        miso,
        stream,
        rows,
        Note.BUILD_RECORDED,
        actor,
        body,
        application_id=release.application_id,
        inbox_done=origin.delivery,
        show=False,
    )


async def recorded(miso: Miso, place: Place, application: Application, commit: str) -> Release | None:
    """The build of a commit that nobody has asked for yet; `commit`: 12 digits or more. None when none is known."""
    full = await place.repository.commit(commit)
    rows = await miso.store.stream(_built(application.id, full.sha)) if full is not None else ()
    return release_from_body(rows[-1].body) if rows else None


def _built(application_id: str, commit: str) -> str:
    return journal.stream_id("built", application_id, commit)


def _counts(run: WorkflowRun, place: Place, build: Build) -> bool:
    """Whether this run makes releases at all: other events, forks and failures are nobody's business here."""
    return (
        run.conclusion == "success"
        and run.event in ("push", "pull_request")
        and run.head_sha == build.commit
        and run.repository_id == place.identity.id
        and run.head_repository_id == place.identity.id
    )


async def _on_branch(place: Place, branch: str, commit: str, default_head: str) -> bool:
    """Whether the commit is part of the branch: `head_branch` may as well be a tag of that name (rule 2)."""
    head = default_head if branch == place.identity.default_branch else await place.repository.head(branch)
    if head == commit:
        return True
    return (await place.repository.compare(commit, head)).status in ("ahead", "identical")


async def pull_request_of(place: Place, commit: str) -> int:
    """The pull request that tells of this commit, for what was not asked for on one; 0 when it was pushed."""
    return _merged_as(await place.repository.pull_requests_of(commit), commit)


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
