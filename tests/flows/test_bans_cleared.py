"""Whatever keeps a release can be cleared by the very line that says so: an image built from two commits, a commit
built twice, a build that nobody asked for yet."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.model import SYSTEM, Untrusted
from bot.services import holds
from bot.sim import scenarios
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import cleared


async def test_the_line_names_the_commit_that_was_rejected_and_clears_the_image_under_any_other(stage: Stage) -> None:
    first = await stage.ships("First")
    short = first["merge_commit_sha"][:12]
    await stage.says("bob", f"/reject @{short} it leaks", on=first["number"])
    second = await scenarios.merge_change(stage.sim, "Second", text="again")
    commit = second["merge_commit_sha"]
    await stage.sim.call("registry.tag", repository="shop", tag=commit, digest=first["digest"])
    await stage.sim.run_workflow(REPOSITORY, head_sha=commit)
    await stage.settle()
    refused = next(c for c in (await stage.state())["checks"] if c["head_sha"] == commit)
    assert f"/clear @{short}" in f"{refused['summary']}{refused['text']}"
    assert "try again" in await cleared(stage, short, "looked at it", on=first["number"])
    await stage.sim.run_workflow(REPOSITORY, head_sha=commit)
    await stage.settle()
    assert (await stage.latest("dev")).request.release.commit == commit


async def test_every_image_of_a_commit_that_was_built_twice_is_cleared_with_it(stage: Stage) -> None:
    pull = await stage.ships("Built twice")
    commit, number = pull["merge_commit_sha"], pull["number"]
    newer = (await stage.latest("dev")).request.release
    older = replace(newer, digest="sha256:" + "7" * 64)
    application = await stage.miso.store.application(APPLICATION_ID)
    assert application is not None
    for release in (older, newer):
        await holds.ban(stage.miso, application, release, SYSTEM, Untrusted("it leaks"), f"story:{release.digest}")
    assert "try again" in await cleared(stage, commit, "looked at it", on=number)
    for release in (older, newer):
        assert await holds.bans(stage.miso, APPLICATION_ID, release) == ()


async def test_what_was_built_and_never_asked_for_is_cleared_too(stage: Stage) -> None:
    pull = await stage.ships("Asked for")
    release = replace((await stage.latest("dev")).request.release, commit="9" * 40, digest="sha256:" + "9" * 64)
    application = await stage.miso.store.application(APPLICATION_ID)
    assert application is not None
    await holds.ban(stage.miso, application, release, SYSTEM, Untrusted("it leaks"), "story")
    assert "try again" in await cleared(stage, release.commit, "looked at it", on=pull["number"])
    assert await holds.bans(stage.miso, APPLICATION_ID, release) == ()
