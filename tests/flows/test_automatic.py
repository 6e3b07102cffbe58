"""Miso asks for test by itself once a release is healthy, soaked and validated in dev; once, never for production."""

from __future__ import annotations

import pytest

from bot.domain.model import SYSTEM, Status
from bot.domain.model import Stage as Where
from bot.domain.rules import RequiredCheck
from bot.services import drift
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import card, checked
from tests.flows.stage import Stage
from tests.flows.test_closures import freeze
from tests.flows.test_drift import another, by_hand, environment
from tests.flows.trouble import quick
from tests.flows.words import ruled, taken_over

pytestmark = pytest.mark.full

SOAK = 30


async def by_itself(stage: Stage, **policy: object) -> None:
    await ruled(stage, Where.TEST, auto_promote=True, soak_minutes=SOAK, **policy)


async def after(stage: Stage, minutes: float) -> None:
    """Time in which the loops come round now and then."""
    while minutes > 0:
        stage.clock.pass_(min(minutes, 10) * 60 + 1)
        minutes -= 10
        await stage.settle()


async def asked(stage: Stage, where: str = "test") -> int:
    return len(await stage.miso.store.promotions(environment_id=stage.environments[where]))


async def test_what_is_healthy_and_soaked_goes_to_test_by_itself_and_says_why(stage: Stage) -> None:
    await by_itself(stage)
    pull = await stage.ships("By itself")
    await after(stage, SOAK - 5)
    assert await asked(stage) == 0
    await after(stage, 10)
    assert await stage.runs("test") == pull["digest"]
    assert (await stage.latest("test")).request.requester == SYSTEM
    shown = await card(stage, "test")
    assert "Miso, because it was healthy in dev for 30 minutes" in shown
    await after(stage, 60)
    assert (await asked(stage), await asked(stage, "production")) == (1, 0)


async def test_where_the_policy_does_not_say_so_nothing_goes_by_itself(stage: Stage) -> None:
    await stage.ships("By hand")
    await after(stage, 60)
    assert await asked(stage) == 0


async def test_only_what_runs_now_goes_and_each_soaks_anew(stage: Stage) -> None:
    await by_itself(stage)
    first = await stage.ships("First")
    await after(stage, SOAK - 10)
    second = await stage.ships("Second")
    await after(stage, 20)
    assert await asked(stage) == 0
    await after(stage, 20)
    assert await stage.runs("test") == second["digest"] != first["digest"]
    assert await asked(stage) == 1


async def test_a_required_check_is_waited_for(stage: Stage) -> None:
    app = int((await stage.sim.create_app("scanner"))["id"])
    await by_itself(stage, checks=(RequiredCheck(name="trivy", app_id=app),))
    pull = await stage.ships("Validated")
    await after(stage, 60)
    assert await asked(stage) == 0
    await checked(stage, pull["merge_commit_sha"], conclusion="failure")
    await after(stage, 20)
    assert await asked(stage) == 0
    await checked(stage, pull["merge_commit_sha"])
    await after(stage, 20)
    assert await stage.runs("test") == pull["digest"]


@pytest.mark.parametrize("why", quick(["banned", "unhealthy", "drifted", "frozen", "locked"], "banned"))
async def test_what_may_not_go_is_not_asked_for(stage: Stage, why: str) -> None:
    frozen = (freeze(stage, lasts=600),) if why == "frozen" else ()
    await by_itself(stage, freezes=frozen)
    pull = await stage.ships("Stays", mark="unhealthy" if why == "unhealthy" else "healthy")
    if why == "banned":
        await stage.says("bob", f"/reject @{pull['merge_commit_sha'][:12]} it leaks", on=pull["number"])
    if why == "locked":
        await stage.says("bob", "/lock test an audit", on=pull["number"])
    if why == "drifted":
        await by_hand(stage, "dev", await another(stage))
        await drift.look(stage.miso, await environment(stage, "dev"))
    await after(stage, 90)
    assert await asked(stage) == 0
    assert await stage.runs("test") == ""


async def test_what_a_person_cancelled_or_rejected_is_not_asked_for_again(stage: Stage) -> None:
    await by_itself(stage, approvals=1)
    pull = await stage.ships("Not now")
    await after(stage, SOAK + 10)
    assert (await stage.latest("test")).status is Status.REQUESTED
    await stage.says("bob", "/cancel not this week", on=pull["number"])
    assert (await stage.latest("test")).status is Status.CANCELLED
    await after(stage, 60)
    assert await asked(stage) == 1
    # Somebody who asks in person is another matter.
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert "waits for 1 approval" in told["replies"][0]


async def test_what_was_missed_while_nobody_was_there_is_asked_for_by_the_next_controller(stage: Stage) -> None:
    """Level-triggered: another controller sees what is so, whatever happened before it came."""
    await by_itself(stage)
    pull = await stage.ships("Missed")
    stage.clock.pass_((SOAK + 1) * 60)
    taken_over(stage)
    await stage.settle()
    assert await stage.runs("test") == pull["digest"]
    taken_over(stage)
    await after(stage, 30)
    assert await asked(stage) == 1


async def test_never_to_production_whatever_the_policy_says(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, auto_promote=True, approvals=0)
    pull = await stage.ships("Stops in test")
    await stage.says("ann", "/promote test", on=pull["number"])
    await after(stage, 60)
    assert await stage.runs("test") == pull["digest"]
    assert await asked(stage, "production") == 0


async def test_going_back_in_dev_takes_nothing_along(stage: Stage) -> None:
    """A person went back in dev: what runs there now was in nobody's mind for test."""
    await stage.ships("First")
    stage.clock.pass_(60)
    second = await stage.ships("Second")
    await stage.says("ann", "/rollback dev", on=second["number"])
    await by_itself(stage)
    await after(stage, 60)
    assert await asked(stage) == 0


async def test_the_build_of_an_open_pull_request_stays_in_dev(stage: Stage) -> None:
    await stage.ships("Before")
    await ruled(stage, Where.DEV, open_pull_requests=True)
    pull = await stage.sim.open_pull_request(REPOSITORY, "ann", "Try it", {"new.py": "1"})
    digest = await scenarios.build(stage.sim, pull["head_sha"], pull_request=pull["number"])
    await stage.settle()
    await stage.says("ann", f"/promote dev @{pull['head_sha'][:12]}", on=pull["number"])
    assert await stage.runs("dev") == digest
    await by_itself(stage)
    await after(stage, 60)
    assert await asked(stage) == 0
