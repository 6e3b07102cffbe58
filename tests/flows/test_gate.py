"""Rules 26 to 28, 31 and 33: GitHub's gate mirrors the decision, fails closed, and believes GitHub's word alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.domain.model import DeliveryState
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import in_test, live, waiting
from tests.flows.workflow import working


async def at_the_gate(stage: Stage, commit: str, environment: str = "production", **again: Any) -> int:
    run = await stage.sim.run_workflow(
        REPOSITORY, path=".github/workflows/deploy.yml", head_sha=commit, conclusion=None, **again
    )
    await stage.sim.request_gate(REPOSITORY, run["id"], environment)
    await stage.settle()
    return int(run["id"])


async def gate(stage: Stage, run: int) -> Any:
    [found] = [g for g in (await stage.state())["gates"] if g["run_id"] == run]
    return found


async def state_of(stage: Stage, run: int) -> str:
    return str((await gate(stage, run))["state"])


async def looks_again(stage: Stage, seconds: float = 700) -> None:
    """What moves a promotion and what looks at a gate are two loops: the second time everything has come round."""
    for pause in (seconds, 10):
        stage.clock.pass_(pause)
        await stage.settle()


async def answers(stage: Stage) -> list[Any]:
    return list(await stage.sim.exchanges(server="github", method="POST", path=r"/deployment_protection_rule$"))


async def test_rule_26_only_the_exact_commit_in_the_exact_environment_opens_it(stage: Stage) -> None:
    first = await live(stage, "First")
    # What runs in production says nothing about an environment of the same commit where it was taken back.
    second = await in_test(stage, "Second")
    await stage.sim.create_environment(REPOSITORY, "test", app_rule=True)
    assert await state_of(stage, await at_the_gate(stage, second["merge_commit_sha"])) == "pending"
    assert await state_of(stage, await at_the_gate(stage, second["merge_commit_sha"], "test")) == "approved"
    opened = await gate(stage, await at_the_gate(stage, first["merge_commit_sha"]))
    assert opened["state"] == "approved"
    assert "`gate_approved`" in str(opened["comments"][-1])
    # What was live once opens no gate today: running an old job again must be no rollback without a decision.
    assert await state_of(stage, await at_the_gate(stage, first["merge_commit_sha"], "test")) == "pending"


async def test_rule_28_a_rejection_a_hold_and_the_deadline_close_it(stage: Stage) -> None:
    pull = await waiting(stage, "Rejected")
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    assert await state_of(stage, run) == "pending"
    await stage.says("ann", "/reject not today", on=pull["number"])
    await looks_again(stage)
    assert await state_of(stage, run) == "rejected"
    assert "`gate_rejected`" in str((await gate(stage, run))["comments"][-1])

    lonely = await in_test(stage, "Nobody cares")
    run = await at_the_gate(stage, lonely["merge_commit_sha"])
    for _ in range(5):
        await looks_again(stage, 3600)
    asked = await gate(stage, run)
    assert (asked["state"], len(asked["comments"])) == ("pending", 1)
    await looks_again(stage, 20 * 3600)
    closed = await gate(stage, run)
    assert (closed["state"], len(closed["comments"])) == ("rejected", 2)
    assert "`gate_expired`" in str(closed["comments"][-1])


async def test_rule_28_a_held_release_is_rejected(stage: Stage) -> None:
    await live(stage, "Good")
    bad = await waiting(stage, "Bad", mark="production_only")
    await stage.says("bob", "/approve", on=bad["number"])
    assert await state_of(stage, await at_the_gate(stage, bad["merge_commit_sha"])) == "rejected"


async def test_rule_26_approved_is_said_after_the_last_decision_and_not_before(stage: Stage) -> None:
    """With every approval given, the decision before the first effect still says no."""
    pull = await waiting(stage, "Gone again")
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    await stage.sim.add_fault("^registry ", "status", status=503, times=None, skip=2)
    await stage.sim.comment(REPOSITORY, pull["number"], "bob", "/approve")
    await stage.world.delivered()
    stage.clock.pass_(60)
    await stage.running.worker.settle()
    assert await state_of(stage, run) == "pending"
    await stage.sim.clear_faults()
    await stage.sim.call("registry.delete", repository="shop", digest=pull["digest"])
    await looks_again(stage)
    assert await state_of(stage, run) == "rejected"


@pytest.mark.parametrize("route", ["/actions/variables", "/environments/", "/repositories/", "/actions/runs/"])
async def test_rule_26_whatever_fails_no_gate_is_approved(stage: Stage, route: str) -> None:
    pull = await live(stage, "Approved")
    stage.clock.pass_(3600)
    await stage.sim.add_fault(f"^github GET .*{route}", "status", status=502, times=None)
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    await looks_again(stage)
    assert await answers(stage) == []
    assert await state_of(stage, run) == "pending"
    await stage.sim.clear_faults()
    await looks_again(stage)
    assert await state_of(stage, run) == "approved"


async def test_rule_26_trouble_past_the_deadline_is_a_no(stage: Stage) -> None:
    pull = await live(stage, "Approved")
    stage.clock.pass_(3600)
    await stage.sim.add_fault("^github GET .*/actions/variables", "status", status=502, times=None)
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    await looks_again(stage, 25 * 3600)
    assert await state_of(stage, run) == "rejected"


async def tells_of_a_gate(stage: Stage, **changes: Any) -> None:
    """A delivery under our secret whose content is not what GitHub would say; None leaves a field out."""
    last = next(d for d in reversed(stage.world.webhooks.log) if d.event == "deployment_protection_rule")
    body = json.loads(last.body)
    for key, value in changes.items():
        body[key] = value(body[key]) if callable(value) else value
    body = {key: value for key, value in body.items() if value is not None}
    stage.world.webhooks.emit(
        "deployment_protection_rule", body, installation_id=last.installation_id, repository_id=last.repository_id
    )
    await stage.settle()


async def test_rule_27_a_callback_elsewhere_is_never_called_and_a_missing_field_is_parked(stage: Stage) -> None:
    pull = await in_test(stage, "Callback")
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    before = len(await answers(stage))
    here = stage.world.addresses.github
    url = f"{here}/repos/{REPOSITORY}/actions/runs/{run}/deployment_protection_rule"
    wrong = [
        url.replace(here, "http://127.0.0.1:9"),
        url.replace(here, f"{here}.attacker.example"),
        url.replace(here, here.replace("http://", "http://x@")),
        url.replace(REPOSITORY, "contoso/other"),
        url.replace("/actions/", "/../other/actions/"),
        f"{url}?x=/actions/runs/5/deployment_protection_rule",
        f"{url}\n",
        "",
    ]
    for address in wrong:
        await tells_of_a_gate(stage, deployment_callback_url=address)
    missing = ("deployment_callback_url", "environment", "deployment", "installation")
    for name in missing:
        # Without our installation GitHub's own envelope is missing too; the others are the event's own fields.
        await tells_of_a_gate(stage, **{name: lambda _: None})
    assert len(await answers(stage)) == before
    parked = await stage.miso.store.deliveries(state=DeliveryState.PARKED, limit=50)
    assert len(parked) == len(wrong) + len(missing)
    assert {delivery.code for delivery in parked} == {"event_shape"}


async def test_rule_21_and_27_the_run_is_asked_what_it_runs(stage: Stage) -> None:
    """A delivery names a commit that may go, and the run of another one: GitHub's word about the run counts."""
    good = await live(stage, "Good")
    evil = await scenarios.merge_change(stage.sim, "Evil", text="evil")
    run = await at_the_gate(stage, evil["merge_commit_sha"])
    await tells_of_a_gate(stage, deployment=lambda d: {**d, "id": d["id"] + 1, "sha": good["merge_commit_sha"]})
    await looks_again(stage)
    assert await state_of(stage, run) == "pending"


async def test_rule_31_a_rerun_is_judged_anew(stage: Stage) -> None:
    first = await live(stage, "First")
    run = await at_the_gate(stage, first["merge_commit_sha"])
    assert await state_of(stage, run) == "approved"
    await live(stage, "Second")
    assert await at_the_gate(stage, first["merge_commit_sha"], run_id=run) == run
    again = await gate(stage, run)
    assert (again["state"], len(again["comments"])) == ("pending", 1)


async def test_rule_33_a_status_or_a_check_in_our_name_opens_nothing(stage: Stage) -> None:
    pull = await waiting(stage, "Forged")
    [ours] = [c for c in (await stage.state())["checks"] if c["name"] == "miso / production"]
    await stage.sim.report_status(REPOSITORY, "eve", pull["merge_commit_sha"], ours["name"])
    forged = await stage.sim.foreign_check(REPOSITORY, ours["name"], pull["merge_commit_sha"])
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    await looks_again(stage)
    assert await state_of(stage, run) == "pending"
    # Ours is the one that is kept up to date, and the one that can be required by its App.
    await stage.says("bob", "/approve", on=pull["number"])
    checks = {c["id"]: c for c in (await stage.state())["checks"]}
    assert (checks[ours["id"]]["app"], checks[ours["id"]]["conclusion"]) == ("miso", "success")
    assert (checks[forged["id"]]["app"], checks[forged["id"]]["title"]) == ("other-ci", None)


async def test_rule_29_a_build_that_deploys_itself_is_let_into_the_first_stage(stage: Stage) -> None:
    """Its job waits here, and the promotion waits for the job: the gate says what the exchange would say."""
    await stage.sim.create_environment(REPOSITORY, "dev", app_rule=True)
    async with working(stage) as workflow:
        built = await workflow.builds("Add cart")
        await stage.sim.request_gate(REPOSITORY, built["run"], "dev")
        await stage.settle()
        assert await state_of(stage, built["run"]) == "approved"
        token = await workflow.token("dev", built["run"])
        assert (await workflow.promotes(token)).status == 202
        # A workflow that built nothing, or whose release is banned, still waits for somebody's word.
        idle = await stage.sim.run_workflow(REPOSITORY, path=".github/workflows/deploy.yml", conclusion=None)
        await stage.sim.request_gate(REPOSITORY, idle["id"], "test")
        await stage.settle()
        assert await state_of(stage, idle["id"]) == "pending"
        assert (await workflow.exchange(await workflow.id_token("test", idle["id"]), "test")).status == 400
