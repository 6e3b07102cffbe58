"""Rules 10, 12 and 16: an approval is a word on one thing for a time, and no door leads around it."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.model import Actor, ActorKind, Status, Untrusted
from bot.domain.model import Stage as Where
from bot.domain.rules import PolicySet, Who
from bot.errors import Refused
from bot.services import access, approvals, holds, promotions, registering
from bot.services.access import Origin
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import approved_but_waiting, goes_on, refused
from tests.flows.stage import Stage
from tests.flows.words import cleared, in_force, in_test, live, ruled, waiting
from tests.people import at


async def test_rule_10_an_approval_runs_out_and_another_one_counts(stage: Stage) -> None:
    """24 hours for production."""
    number = await approved_but_waiting(stage, "Too late")
    stage.clock.pass_(24 * 3600 + 1)
    await goes_on(stage)
    await refused(stage, "approval_expired")
    await stage.says("ann", "/promote production", on=number)
    await stage.says("bob", "/approve", on=number)
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_10_an_approval_holds_for_its_time(stage: Stage) -> None:
    await approved_but_waiting(stage, "In time")
    stage.clock.pass_(23 * 3600)
    await goes_on(stage)
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_03_and_10_a_policy_that_changed_before_the_approval_voids_the_request(stage: Stage) -> None:
    pull = await waiting(stage, "New rules")
    await ruled(stage, Where.PRODUCTION, approval_hours=25)
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "policy_changed" in told["replies"][0]
    assert (await stage.latest("production")).approvals == ()


async def test_rule_03_and_10_a_policy_that_changed_after_the_approval_refuses_the_effect(stage: Stage) -> None:
    await approved_but_waiting(stage, "New rules later")
    await ruled(stage, Where.PRODUCTION, approval_hours=25)
    await goes_on(stage)
    await refused(stage, "policy_changed")


async def test_rule_10_an_empty_rule_set_is_no_permission(stage: Stage) -> None:
    pull = await in_test(stage, "No rules")
    await in_force(stage, PolicySet())
    told = await stage.says("ann", "/promote production", on=pull["number"])
    assert "no_rules" in told["replies"][0]


async def test_rule_10_a_plan_that_changed_before_or_after_the_approval_refuses_it(stage: Stage) -> None:
    """Somebody registers another setting: what would be written is no longer what was shown."""
    number = await approved_but_waiting(stage, "New plan")
    another = stage.shop.registration.replace("slot: staging", "slot: staging\n    settings: {MODE: other}")
    await registering.register(stage.miso, another, origin="command")
    await goes_on(stage)
    await refused(stage, "plan_changed")
    await stage.says("ann", "/promote production", on=number)
    await registering.register(stage.miso, stage.shop.registration, origin="command")
    told = await stage.says("bob", "/approve", on=number)
    assert "plan_changed" in told["replies"][0]
    assert "MODE` removed" in told["replies"][0], told["replies"]
    assert (await stage.latest("production")).approvals == ()


async def test_rule_10_a_smaller_machine_is_another_plan(stage: Stage) -> None:
    """CPU of a container group, in a stage that wants no approval: refused at the effect all the same."""
    pull = await stage.ships("Smaller")
    await stage.sim.comment(REPOSITORY, pull["number"], "ann", "/promote test")
    await stage.world.delivered()
    # Only asked for: the loop that deploys has not come round.
    while not await stage.miso.store.promotions(environment_id=stage.environments["test"]):
        await stage.running.worker.drain()
        await asyncio.sleep(0.02)
    smaller = stage.shop.registration.replace("name: shop-test", "name: shop-test\n    cpu: 0.5")
    await registering.register(stage.miso, smaller, origin="command")
    await goes_on(stage)
    latest = await stage.latest("test")
    assert (latest.status, latest.code) == (Status.REFUSED, "plan_changed")
    assert await stage.runs("test") == ""


@pytest.mark.parametrize(
    "route",
    ["/collaborators/", "/environments/", "/actions/variables", "/issues/comments/", "/repositories/"],
)
async def test_rule_10_a_fact_that_stays_away_is_waited_for_and_never_taken_for_a_yes(stage: Stage, route: str) -> None:
    await approved_but_waiting(stage, "Unknown")
    await stage.sim.clear_faults()
    await stage.sim.add_fault(f"^github GET .*{route}", "status", status=500, times=None)
    stage.clock.pass_(601)
    await stage.running.worker.settle()
    assert (await stage.latest("production")).status is Status.APPROVED
    assert stage.effects("swap") == []
    await goes_on(stage)
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_09_authors_that_cannot_be_asked_for_are_unknown_authors(stage: Stage) -> None:
    await approved_but_waiting(stage, "Authors away")
    await stage.sim.clear_faults()
    await stage.sim.add_fault("^github GET .*/commits/", "status", status=500, times=None)
    stage.clock.pass_(601)
    await stage.running.worker.settle()
    assert (await stage.latest("production")).status in (Status.APPROVED, Status.REFUSED)
    assert stage.effects("swap") == []


async def test_rule_12_a_rollback_goes_to_what_was_verified_here_and_holds_what_it_left(stage: Stage) -> None:
    first = await live(stage, "First")
    second = await live(stage, "Second")
    never = await in_test(stage, "Never in production")
    number, short = second["number"], second["merge_commit_sha"][:12]
    told = await stage.says("ann", f"/rollback production to @{never['merge_commit_sha'][:12]}", on=number)
    assert "rollback_target_not_verified" in told["replies"][0]
    assert (await stage.says("eve", "/rollback production", on=number))["replies"] == []
    assert await stage.runs("production") == second["digest"]

    await stage.says("ann", "/rollback production", on=number)
    assert await stage.runs("production") == first["digest"]
    assert (await stage.latest("production")).request.rollback
    # It was taken back by hand: it waits for a person like one that was found unhealthy, whatever the direction.
    for word in ("/promote production", f"/rollback production to @{short}"):
        told = await stage.says("ann", word, on=number)
        assert "release_held" in told["replies"][0], word
    told = await stage.says("ann", "/rollback production", on=number)
    assert "nothing_to_roll_back_to" in told["replies"][0]
    assert "try again" in await cleared(stage, short, "it was something else", on=number)
    await stage.says("ann", f"/rollback production to @{short}", on=number)
    assert await stage.runs("production") == second["digest"]


async def test_rule_12_a_rollback_needs_the_artifact_and_the_right_to_approve(stage: Stage) -> None:
    first = await live(stage, "First")
    second = await live(stage, "Second")
    await ruled(stage, approve=Who(role="maintain"), rollback=Who(role="maintain"))
    told = await stage.says("ann", "/rollback production", on=second["number"])
    assert "permission_denied" in told["replies"][0]
    await stage.sim.call("registry.delete", repository="shop", digest=first["digest"])
    told = await stage.says("bob", "/rollback production", on=second["number"])
    assert "artifact_gone" in told["replies"][0]
    assert await stage.runs("production") == second["digest"]


async def test_rule_16_every_verb_that_changes_something_asks_who_it_is(stage: Stage) -> None:
    """The verbs themselves, whichever door is built before them: neither a stranger nor an App moves anything."""
    pull = await waiting(stage, "Chokepoint")
    before = await stage.latest("production")
    application = await stage.miso.store.application(before.application_id)
    environment = await stage.miso.store.environment(before.environment_id)
    assert application is not None
    assert environment is not None
    request = before.request
    origin = Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)
    place = await access.bind(stage.miso, origin, environment.stage)
    eve, bob = stage.world.github.person("eve").id, stage.world.github.person("bob").id
    strangers = [
        Actor(kind=ActorKind.PERSON, id=eve, login="eve"),
        Actor(kind=ActorKind.PERSON, id=eve, login="bob"),
        Actor(kind=ActorKind.APP, id=bob, login="bob"),
        Actor(kind=ActorKind.WORKFLOW, id=bob, login="bob"),
    ]
    commit, why = pull["merge_commit_sha"], Untrusted("because")
    for number, stranger in enumerate(strangers):
        said = promotions.Word(principal=at(stranger), cause="test")
        asks = [
            promotions.Ask(
                cause=f"test:{number}:{back}",
                principal=at(stranger),
                origin=origin,
                release=request.release,
                rollback=back,
            )
            for back in (False, True)
        ]
        for attempt in (
            approvals.approve(stage.miso, before.stream, said, origin),
            approvals.revoke(stage.miso, before.stream, said),
            promotions.reject(stage.miso, before.stream, said, origin, ""),
            holds.clear(stage.miso, place, application, commit, at(stranger), why, "test"),
            promotions.reject_release(stage.miso, application, request.release, said, origin, why),
            promotions.cancel(stage.miso, before.stream, said, origin, ""),
            *(promotions.request(stage.miso, ask, place, application, environment) for ask in asks),
        ):
            with pytest.raises(Refused) as no:
                await attempt
            assert no.value.code in {"permission_denied", "bot_refused"}
    after = await stage.latest("production")
    assert (after.stream, after.status, after.approvals) == (before.stream, Status.REQUESTED, ())
