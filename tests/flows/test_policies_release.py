"""What the policy asks of a release and of its place: soak, checks, branches, registries, machines, the kind of proof.

That a repository tightens all this on its default branch and nowhere else stands in `test_policy`.
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import ProbeKind, Status
from bot.domain.model import Stage as Where
from bot.domain.rules import Concurrency, RequiredCheck
from bot.services import registering
from bot.sim import scenarios
from bot.sim.scenarios import CONFIG, PLACES, REPOSITORY, RESOURCE_GROUP, SUBSCRIPTION_ID
from tests.flows.between import card, checked, goes_on, held_up, refused
from tests.flows.stage import Stage
from tests.flows.words import in_test, ruled, waiting

pytestmark = pytest.mark.full

PLAN = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.Web/serverfarms/shop-plan"


async def answered(stage: Stage, text: str, *, on: int, who: str = "ann") -> str:
    return str((await stage.says(who, text, on=on))["replies"][0])


# --- time and checks -------------------------------------------------------------------------------------------------


async def test_soak_is_waited_for_and_starts_again_when_another_release_ran_there(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, soak_minutes=60)
    first = await in_test(stage, "First")
    told = await answered(stage, "/promote production", on=first["number"])
    assert "soak_not_over" in told
    assert "1 hour to go" in told
    stage.clock.pass_(45 * 60)
    second = await in_test(stage, "Second")
    stage.clock.pass_(30 * 60)
    # The first one would have been healthy for longer than an hour, had it stayed.
    assert "soak_not_over" in await answered(stage, "/promote production", on=first["number"])
    assert "soak_not_over" in await answered(stage, "/promote production", on=second["number"])
    stage.clock.pass_(31 * 60)
    assert "waits for 1 approval" in await answered(stage, "/promote production", on=second["number"])


async def test_soak_that_is_interrupted_between_approval_and_effect_refuses_it(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, soak_minutes=60)
    pull = await in_test(stage, "Soaked")
    stage.clock.pass_(61 * 60)
    await stage.says("ann", "/promote production", on=pull["number"])
    await held_up(stage, pull["number"], "bob", "/approve")
    await in_test(stage, "Other")
    await goes_on(stage)
    await refused(stage, "soak_not_over")


async def test_rule_33_a_required_check_is_one_apps_and_must_succeed(stage: Stage) -> None:
    pull = await in_test(stage, "Scanned")
    number, commit = pull["number"], pull["merge_commit_sha"]
    app = int((await stage.sim.create_app("scanner"))["id"])
    await ruled(stage, Where.PRODUCTION, checks=(RequiredCheck(name="trivy", app_id=app),))
    assert "check_missing" in await answered(stage, "/promote production", on=number)
    await checked(stage, commit, app="look-alike")
    assert "check_missing" in await answered(stage, "/promote production", on=number)
    under_way = await stage.sim.foreign_check(REPOSITORY, "trivy", commit, app="scanner", conclusion=None)
    assert "check_missing" in await answered(stage, "/promote production", on=number)
    await stage.sim.finish_check(REPOSITORY, under_way["id"], "failure")
    assert "check_failed" in await answered(stage, "/promote production", on=number)
    await checked(stage, commit, conclusion="neutral")
    assert "check_failed" in await answered(stage, "/promote production", on=number)
    await checked(stage, commit)
    assert "waits for 1 approval" in await answered(stage, "/promote production", on=number)


async def test_rule_33_checks_that_cannot_be_read_are_none(stage: Stage) -> None:
    pull = await in_test(stage, "Unread")
    app = await checked(stage, pull["merge_commit_sha"])
    await ruled(stage, Where.PRODUCTION, checks=(RequiredCheck(name="trivy", app_id=app),))
    await stage.sim.add_fault("^github GET .*/check-runs", "status", status=500, times=None)
    assert "checks_unknown" in await answered(stage, "/promote production", on=pull["number"])


# --- what was built --------------------------------------------------------------------------------------------------


async def release_branch(stage: Stage, branch: str, text: str = "a fix") -> tuple[str, str]:
    """A commit on another branch, built there. Gives commit and digest."""
    pushed = await stage.sim.push(REPOSITORY, "ann", {"fix.py": text}, branch=branch)
    digest = await scenarios.build(stage.sim, pushed["sha"], branch=branch)
    await stage.settle()
    return pushed["sha"], digest


async def test_builds_of_a_branch_come_only_where_the_policy_takes_them(stage: Stage) -> None:
    pull = await stage.ships("On main")
    commit, _ = await release_branch(stage, "release/1")
    assert await stage.runs("dev") == pull["digest"]
    assert "release_unknown" in await answered(stage, f"/promote test @{commit}", on=pull["number"])

    for where in (Where.DEV, Where.TEST):
        await ruled(stage, where, branches=("main", "release/*"))
    stage.clock.pass_(60)
    commit, digest = await release_branch(stage, "release/1", "a better one")
    assert await stage.runs("dev") == digest
    await stage.says("ann", f"/promote test @{commit}", on=pull["number"])
    assert await stage.runs("test") == digest
    told = await answered(stage, f"/promote production @{commit}", on=pull["number"])
    assert "branch_not_allowed" in told
    assert "release/1" in told


async def open_pull(stage: Stage, **how: Any) -> Any:
    return await stage.sim.open_pull_request(REPOSITORY, "ann", "Try it", {"new.py": "1"}, **how)


async def built_open(stage: Stage, pull: Any) -> str:
    digest = await scenarios.build(stage.sim, pull["head_sha"], pull_request=pull["number"])
    await stage.settle()
    return digest


async def test_rule_01_and_07_an_open_pull_request_comes_to_dev_by_its_commit_and_no_further(stage: Stage) -> None:
    main = await stage.ships("Before")
    await ruled(stage, Where.DEV, open_pull_requests=True)
    pull = await open_pull(stage)
    digest = await built_open(stage, pull)
    assert await stage.runs("dev") == main["digest"]
    assert "not_merged" in await answered(stage, "/promote dev", on=pull["number"])
    await stage.says("ann", f"/promote dev @{pull['head_sha'][:12]}", on=pull["number"])
    assert await stage.runs("dev") == digest
    told = await answered(stage, f"/promote test @{pull['head_sha'][:12]}", on=pull["number"])
    assert "branch_not_allowed" in told
    assert await stage.runs("test") == ""


async def test_rule_01_a_push_between_comment_and_effect_changes_nothing_of_what_was_named(stage: Stage) -> None:
    await stage.ships("Before")
    await ruled(stage, Where.DEV, open_pull_requests=True)
    pull = await open_pull(stage)
    digest = await built_open(stage, pull)
    await held_up(stage, pull["number"], "ann", f"/promote dev @{pull['head_sha'][:12]}", where="dev")
    pushed = await stage.sim.push_to_pull(REPOSITORY, pull["number"], "ann", {"new.py": "evil"})
    await built_open(stage, pushed)
    await goes_on(stage)
    assert await stage.runs("dev") == digest


async def test_rule_07_a_fork_stays_out_where_open_pull_requests_may_come(stage: Stage) -> None:
    main = await stage.ships("Before")
    await ruled(stage, Where.DEV, open_pull_requests=True)
    await stage.sim.create_user("finn")
    fork = await open_pull(stage, fork_owner="finn")
    await built_open(stage, fork)
    told = await answered(stage, f"/promote dev @{fork['head_sha'][:12]}", on=fork["number"])
    assert "fork_refused" in told
    # The commit of a fork, named on somebody else's pull request.
    told = await answered(stage, f"/promote dev @{fork['head_sha'][:12]}", on=main["number"])
    assert "release_unknown" in told
    assert await stage.runs("dev") == main["digest"]


async def test_open_pull_requests_are_no_builds_where_the_policy_does_not_say_so(stage: Stage) -> None:
    main = await stage.ships("Before")
    pull = await open_pull(stage)
    await built_open(stage, pull)
    told = await answered(stage, f"/promote dev @{pull['head_sha'][:12]}", on=pull["number"])
    assert "release_unknown" in told
    assert await stage.runs("dev") == main["digest"]


async def test_images_come_from_registries_that_the_policy_names(stage: Stage) -> None:
    pull = await stage.ships("Pulled")
    await ruled(stage, Where.TEST, registries=("ghcr.io",))
    told = await answered(stage, "/promote test", on=pull["number"])
    assert "image_source_refused" in told
    await ruled(stage, Where.TEST, registries=(stage.world.addresses.registry,))
    await stage.says("ann", "/promote test", on=pull["number"])
    assert await stage.runs("test") == pull["digest"]


# --- the place -------------------------------------------------------------------------------------------------------


async def test_production_wants_more_than_one_machine(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, min_instances=2, min_zones=2)
    pull = await in_test(stage, "Available")
    number = pull["number"]
    assert "capacity_too_small" in await answered(stage, "/promote production", on=number)
    await stage.sim.call("arm.scale_plan", resource=PLAN, capacity=3, zone_redundant=True)
    assert "waits for 1 approval" in await answered(stage, "/promote production", on=number)
    # Somebody saves money between the approval and the effect.
    await held_up(stage, number, "bob", "/approve")
    await stage.sim.call("arm.scale_plan", resource=PLAN, capacity=1)
    await goes_on(stage)
    await refused(stage, "capacity_too_small")


async def test_machines_that_azure_does_not_tell_of_are_none(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, min_instances=2)
    pull = await in_test(stage, "Unknown")
    await stage.sim.add_fault("^arm GET .*/serverfarms/", "status", status=503, times=None)
    assert "capacity_unknown" in await answered(stage, "/promote production", on=pull["number"])


async def test_azures_word_alone_is_too_weak_a_proof_where_the_policy_says_so(stage: Stage) -> None:
    pull = await stage.ships("Proved")
    weaker = stage.shop.registration.replace("name: shop-test", "name: shop-test\n    probe: platform")
    await registering.register(stage.miso, weaker, origin="command")
    await ruled(stage, Where.TEST, probe=ProbeKind.HTTP)
    assert "probe_too_weak" in await answered(stage, "/promote test", on=pull["number"])
    await registering.register(stage.miso, stage.shop.registration, origin="command")
    await stage.says("ann", "/promote test", on=pull["number"])
    assert await stage.runs("test") == pull["digest"]


# --- several at once, and the repository's own word ------------------------------------------------------------------


async def test_requests_queue_and_the_older_one_goes_first(stage: Stage) -> None:
    await ruled(stage, Where.TEST, concurrency=Concurrency.QUEUE)
    first = await stage.ships("First")
    await held_up(stage, first["number"], "ann", "/promote test", where="test")
    stage.clock.pass_(60)
    second = await stage.ships("Second")
    await stage.says("ann", "/promote test", on=second["number"])
    waits = await stage.miso.store.open_promotions(environment_id=PLACES[1].id)
    assert [row.status for row in waits] == [Status.APPROVED, Status.APPROVED]
    assert (await stage.latest("test")).code == "not_your_turn"
    assert "another release goes first" in await card(stage, "test")
    assert await stage.runs("test") == ""
    for _ in range(2):
        await goes_on(stage)
    assert await stage.runs("test") == second["digest"]
    gone = [row for row in await stage.miso.store.promotions(environment_id=PLACES[1].id) if row.verified]
    assert {row.commit for row in gone} == {first["merge_commit_sha"], second["merge_commit_sha"]}


@pytest.mark.parametrize("what", ["faulty", "gone"])
async def test_rule_03_a_file_that_breaks_between_approval_and_effect_refuses_it(stage: Stage, what: str) -> None:
    pull = await waiting(stage, "Broken later")
    await held_up(stage, pull["number"], "bob", "/approve")
    text = "image: [" if what == "faulty" else None
    await stage.sim.push(REPOSITORY, "ann", {".github/miso.yml": text})
    await goes_on(stage)
    await refused(stage, "config_invalid" if what == "faulty" else "config_missing")


async def test_rule_03_a_repository_that_tightens_itself_voids_what_was_approved(stage: Stage) -> None:
    pull = await waiting(stage, "Stricter")
    await held_up(stage, pull["number"], "bob", "/approve")
    stricter = CONFIG.format(registry=stage.world.addresses.registry) + "policy:\n  production:\n    approvals: 2\n"
    await stage.sim.push(REPOSITORY, "ann", {".github/miso.yml": stricter})
    await goes_on(stage)
    await refused(stage, "policy_changed")
