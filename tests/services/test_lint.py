"""What nobody could ever approve, found with the people and teams that GitHub really shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.model import Application
from bot.domain.model import Stage as Where
from bot.domain.policy_keys import Override
from bot.domain.rules import Freeze, Who
from bot.services import lint
from bot.services.access import Origin
from bot.sim.scenarios import CONFIG, REPOSITORY
from tests.flows.stage import Stage, staged
from tests.flows.words import ruled


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as ready:
        yield ready


async def shop(stage: Stage) -> Application:
    [application] = await stage.miso.store.applications()
    return application


async def errors(stage: Stage) -> list[tuple[Code, str]]:
    found = await lint.of_application(stage.miso, await shop(stage))
    return [(each.code, str(each.values.get("stage", ""))) for each in found if each.level == "error"]


async def codes(stage: Stage) -> set[Code]:
    return {each.code for each in await lint.of_application(stage.miso, await shop(stage))}


async def test_nothing_is_wrong_with_the_policy_that_is_shipped_but_that_nobody_may_change_it(stage: Stage) -> None:
    assert await codes(stage) == {Code.NO_ADMINISTRATORS}
    await ruled(stage, administrators=(stage.shop.people["ann"], stage.shop.people["bob"]))
    assert await codes(stage) == set()


async def test_more_approvals_than_people(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, approvals=4)
    assert await errors(stage) == [(Code.NOBODY_CAN_APPROVE, "production")]


async def test_members_of_a_team_count_by_what_github_says_now(stage: Stage) -> None:
    team = await stage.sim.create_team("contoso", "releases", members=["ann"])
    await ruled(stage, Where.PRODUCTION, approve=Who(role="write", teams=(team["id"],)), request=Who(role="write"))
    found = await lint.of_application(stage.miso, await shop(stage))
    alone = next(each for each in found if each.code is Code.ONLY_REQUESTER_APPROVES)
    assert (alone.level, alone.values["who"]) == ("warning", "ann")
    await stage.sim.add_team_member("contoso", "releases", "olga")
    assert Code.ONLY_REQUESTER_APPROVES not in await codes(stage)


async def test_a_team_that_is_not_there_is_unknown_and_not_fine(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, approve=Who(role="write", teams=(4711,)))
    assert await errors(stage) == [(Code.TEAM_UNKNOWN, "production")]


async def test_what_github_does_not_show_is_told(stage: Stage) -> None:
    await stage.sim.uninstall("contoso")
    assert Code.PERMISSION_UNKNOWN in await codes(stage)


async def test_a_freeze_that_never_ends(stage: Stage) -> None:
    always = Freeze(name="always", starts="2020-01-01T00:00", minutes=2 * 1440, repeats="FREQ=DAILY")
    await ruled(stage, Where.TEST, freezes=(always,))
    assert (Code.ALWAYS_FROZEN, "test") in await errors(stage)


async def test_what_the_repository_tightens_counts_and_its_faults_are_told(stage: Stage) -> None:
    config = f"image: {stage.world.addresses.registry}/shop\nbuild: .github/workflows/build.yml\n"
    tighter = config + "policy:\n  production:\n    approvals: 4\n"
    await stage.sim.write_file(REPOSITORY, ".github/miso.yml", tighter, author="ann")
    assert await errors(stage) == [(Code.NOBODY_CAN_APPROVE, "production")]
    await stage.sim.write_file(REPOSITORY, ".github/miso.yml", "image: [", author="ann")
    assert (Code.CONFIG_INVALID, "") in await errors(stage)
    await stage.sim.push(REPOSITORY, "ann", {".github/miso.yml": None})
    assert (Code.CONFIG_MISSING, "") in await errors(stage)


async def test_what_the_repositorys_own_file_asks_for_in_vain_is_told(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, approvals=2)
    asks = CONFIG.format(registry=stage.world.addresses.registry)
    asks += "policy:\n  production:\n    approvals: 1\n    soak: 1h\n"
    await stage.sim.push(REPOSITORY, "ann", {".github/miso.yml": asks})
    found = await lint.of_application(stage.miso, await shop(stage))
    [looser] = [each for each in found if each.code is Code.CONFIG_LOOSER]
    assert (looser.level, looser.values["stage"], looser.values["key"]) == ("warning", "production", "approvals")


async def test_a_pull_request_is_told_what_it_would_make_impossible(stage: Stage) -> None:
    application = await shop(stage)
    installation = await stage.miso.github.installation_of(application.repository_id, application.owner_id)
    assert installation is not None
    origin = Origin(installation_id=installation, repository_id=application.repository_id)
    found = await lint.of_repository(stage.miso, origin, {Where.TEST: Override(approvals=4)})
    assert [(each.code, each.values["stage"]) for each in found if each.level == "error"] == [
        (Code.NOBODY_CAN_APPROVE, "test")
    ]
