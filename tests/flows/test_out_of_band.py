"""What went around Miso on GitHub: a person's is shown and never executed, a workflow's waits at its gate (rule 32)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.model import Actor, ActorKind
from bot.services import bypasses, journal
from bot.services.access import Origin
from bot.services.bypasses import Review
from bot.services.notes import Note
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage

ACTIONS = "github-actions[bot]"


async def rows(stage: Stage, *kinds: Note) -> list[Any]:
    return list(await stage.miso.store.ledger(kinds=kinds or [Note.DEPLOYMENT_FOREIGN, Note.GATE_BYPASSED]))


async def check(stage: Stage, name: str) -> Any:
    """The one check run of this name; None when there is none."""
    found = [check for check in (await stage.state())["checks"] if check["name"] == name]
    assert len(found) <= 1
    return found[0] if found else None


async def to_production(stage: Stage, number: int, *, approved: bool = True) -> None:
    await stage.says("ann", "/promote test", on=number)
    await stage.says("ann", "/promote production", on=number)
    if approved:
        await stage.says("bob", "/approve", on=number)


async def waits(stage: Stage, sha: str, where: str = "production") -> tuple[int, int]:
    """A job of a workflow run waits at a gate. Gives the run and the deployment that GitHub made for it."""
    run = await stage.sim.run_workflow(REPOSITORY, path=".github/workflows/deploy.yml", head_sha=sha, conclusion=None)
    gate = await stage.sim.request_gate(REPOSITORY, run["id"], where)
    await stage.settle()
    return run["id"], gate["deployment_id"]


async def test_a_persons_own_deployment_is_written_down_and_shown_but_never_executed(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    before = len(stage.world.arm.effects)
    await stage.sim.someone_deploys(REPOSITORY, "olga", "production", pull["merge_commit_sha"], state="pending")
    await stage.settle()
    [row] = await rows(stage)
    assert row.body["login"] == "olga"
    assert not row.body["by_actions"]
    shown = await check(stage, "miso / production / out of band")
    assert shown["conclusion"] == "neutral"
    assert len(stage.world.arm.effects) == before


async def test_rule_32_a_success_in_production_without_our_decision_is_an_incident(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    before = len(stage.world.arm.effects)
    made = await stage.sim.someone_deploys(REPOSITORY, "olga", "production", pull["merge_commit_sha"])
    await stage.settle()
    # GitHub promises no order: the deployment may be heard of before its success or by it (rule 25).
    told = [row.body.get("reported", False) for row in await rows(stage)]
    assert told in ([False, True], [True])
    shown = await check(stage, "miso / production / out of band")
    assert shown["conclusion"] == "neutral"
    assert shown["title"].startswith("Production incident")
    assert "`olga`" in shown["summary"]
    await stage.sim.someone_reports(REPOSITORY, "olga", made["id"])
    await stage.settle()
    assert len(await rows(stage)) == len(told), "said once, however often it is reported"
    assert len(stage.world.arm.effects) == before


async def test_outside_of_production_it_is_told_without_an_alarm(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    await stage.sim.someone_deploys(REPOSITORY, "olga", "test", pull["merge_commit_sha"])
    await stage.settle()
    shown = await check(stage, "miso / test / out of band")
    assert "ncident" not in f"{shown['title']} {shown['summary']}"


async def test_rule_32_somebody_elses_success_on_our_own_deployment_is_seen_while_nothing_runs(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    await to_production(stage, pull["number"], approved=False)
    [ours] = [d for d in (await stage.state())["deployments"] if d["environment"] == "production"]
    await stage.sim.someone_reports(REPOSITORY, "olga", ours["id"])
    await stage.settle()
    [row] = await rows(stage)
    assert (row.body["deployment"], row.body["login"]) == (ours["id"], "olga")
    await stage.says("bob", "/approve", on=pull["number"])
    await stage.sim.someone_reports(REPOSITORY, "olga", ours["id"])
    await stage.settle()
    assert len(await rows(stage)) == 1, "now it does run, and we decided so"


async def test_the_deployment_of_a_job_that_waits_at_its_gate_raises_no_alarm(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    await waits(stage, pull["merge_commit_sha"])
    [row] = await rows(stage)
    assert row.body["by_actions"]
    assert await check(stage, "miso / production / out of band") is None


async def test_a_job_whose_gate_we_opened_may_report_its_success(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    await to_production(stage, pull["number"])
    _, deployment = await waits(stage, pull["merge_commit_sha"])
    stage.clock.pass_(6)
    await stage.settle()
    await to_production(stage, (await stage.ships("Add a till"))["number"])
    await stage.sim.someone_reports(REPOSITORY, ACTIONS, deployment)
    await stage.settle()
    assert [row.body.get("reported", False) for row in await rows(stage)] == [False]


async def test_rule_32_a_jobs_success_without_our_gate_is_seen(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    _, deployment = await waits(stage, pull["merge_commit_sha"])
    await stage.sim.someone_reports(REPOSITORY, ACTIONS, deployment)
    await stage.settle()
    [_, row] = await rows(stage)
    assert (row.body["reported"], row.body["by_actions"]) == (True, True)
    shown = await check(stage, "miso / production / out of band")
    assert "a workflow's job" in shown["summary"]


async def test_rule_32_an_administrator_who_opens_the_gate_is_seen(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    run, _ = await waits(stage, pull["merge_commit_sha"])
    await stage.sim.review_gate(REPOSITORY, run, "production", "olga", comment="now", bypass=True)
    await stage.settle()
    [row] = await rows(stage, Note.GATE_BYPASSED)
    assert (row.body["login"], row.body["run"], row.body["commit"]) == ("olga", run, pull["merge_commit_sha"])
    shown = await check(stage, "miso / production / gate")
    assert (shown["conclusion"], shown["head_sha"]) == ("neutral", pull["merge_commit_sha"])
    assert shown["title"].startswith("Production incident")


async def test_a_gate_that_is_opened_by_hand_after_our_decision_is_no_bypass(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    run, _ = await waits(stage, pull["merge_commit_sha"])
    await to_production(stage, pull["number"], approved=False)
    await stage.sim.drop_next(event="deployment_review")
    await stage.sim.review_gate(REPOSITORY, run, "production", "olga", bypass=True)
    await stage.says("bob", "/approve", on=pull["number"])
    late = next(d for d in await stage.sim.deliveries() if d["event"] == "deployment_review")
    await stage.sim.redeliver(late["id"])
    await stage.settle()
    assert await rows(stage, Note.GATE_BYPASSED) == []


async def test_a_reviewers_yes_is_for_their_own_rule_and_no_bypass(stage: Stage) -> None:
    pull = await stage.ships("Add a basket")
    await stage.sim.create_environment(REPOSITORY, "production", reviewers=["olga"], app_rule=True)
    run, _ = await waits(stage, pull["merge_commit_sha"])
    await stage.sim.review_gate(REPOSITORY, run, "production", "olga")
    await stage.settle()
    assert await rows(stage, Note.GATE_BYPASSED) == []


async def test_a_member_of_a_reviewing_team_is_a_reviewer_and_an_unreadable_team_makes_nobody_one(
    stage: Stage,
) -> None:
    pull = await stage.ships("Add a basket")
    org = REPOSITORY.partition("/")[0]
    team = (await stage.sim.create_team(org, "gatekeepers", members=["bob"]))["id"]
    [first, *_] = await stage.miso.store.promotions(limit=1)
    promotion = await journal.load(stage.miso, first.stream)
    [application] = await stage.miso.store.applications()
    assert promotion is not None
    origin = Origin(
        installation_id=promotion.request.installation_id, repository_id=promotion.request.release.repository_id
    )
    review = Review(
        run_id=1,
        attempt=1,
        commit=pull["merge_commit_sha"],
        environments=("production",),
        users=frozenset(),
        teams=frozenset({team}),
        owner_id=application.owner_id,
    )
    bob = Actor(kind=ActorKind.PERSON, id=stage.shop.people["bob"], login="bob")
    await bypasses.gate_passed(stage.miso, origin, bob, review)
    assert await rows(stage, Note.GATE_BYPASSED) == []
    await bypasses.gate_passed(stage.miso, origin, bob, replace(review, teams=frozenset({team + 1})))
    assert len(await rows(stage, Note.GATE_BYPASSED)) == 1
