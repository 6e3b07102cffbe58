"""Tricks that people try: each is named here, those that have their story elsewhere by where it stands.

| trick                                          | story                                                              |
|------------------------------------------------|--------------------------------------------------------------------|
| a forged `GIT_AUTHOR_DATE`                     | here                                                               |
| a force-push between comment and effect        | here                                                               |
| a second role of the author                    | here                                                               |
| a bot as the second person, by button or gate  | here                                                               |
| a commit of the approver in a merge            | here; one below in `test_rules_people` (rule 9, earlier authors)   |
| a squash merge by the approver                 | `test_rules_people` (rule 9, author, merger and requester)         |
| a push to the pull request in another's name   | `test_rules_people` (rule 9, whoever pushed)                       |
| an edited or deleted comment                   | `test_rules_people` (rule 4), `test_evidence` (rule 4)             |
| a renamed user, a login that was taken over    | `test_rules_people` (rules 5 and 9), `test_policies_people`        |
| a bot that approves, an App on the list        | `test_rules_people` (rule 6)                                       |
| an approval put under another release          | `test_rules_release` (rule 1), `test_evidence` (rule 1)            |
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.domain.rules import Who
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import approved_but_waiting, goes_on, more_people
from tests.flows.stage import Stage
from tests.flows.trouble import quick
from tests.flows.words import in_test, live, ruled, waiting

pytestmark = pytest.mark.full

LONG_AGO, TO_COME = "2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


async def told(stage: Stage, who: str, text: str, *, on: int) -> str:
    return str((await stage.says(who, text, on=on))["replies"][0])


async def pushed_and_built(stage: Stage, author: str, text: str, **how: Any) -> tuple[str, str]:
    """A commit on the default branch and its image. Gives commit and digest."""
    stage.clock.pass_(60)
    sha = (await stage.sim.push(REPOSITORY, author, {"app.py": text}, **how))["sha"]
    digest = await scenarios.build(stage.sim, sha)
    await stage.settle()
    return sha, digest


@pytest.mark.parametrize("date", quick([LONG_AGO, TO_COME], LONG_AGO))
async def test_rule_09_a_forged_date_takes_no_commit_out_of_the_release(stage: Stage, date: str) -> None:
    """Bob writes a commit that claims to be older, or younger, than what runs: it is his work all the same."""
    await live(stage, "Runs")
    await pushed_and_built(stage, "bob", "his own", author_date=date, committer_date=date)
    pull = await waiting(stage, "On top")
    assert "author_is_approver" in await told(stage, "bob", "/approve", on=pull["number"])
    await stage.says("olga", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_rule_25_a_forged_date_makes_no_older_commit_newer(stage: Stage) -> None:
    """Order is that of the commits' parents, never of what their writer says about the time."""
    old, _ = await pushed_and_built(stage, "ann", "old", author_date=TO_COME, committer_date=TO_COME)
    pull = await in_test(stage, "New")
    for where in ("dev", "test"):
        assert "older_commit" in await told(stage, "ann", f"/promote {where} @{old}", on=pull["number"]), where
        assert await stage.runs(where) == pull["digest"]


async def test_rule_01_a_force_push_of_the_default_branch_changes_nothing_of_what_was_approved(stage: Stage) -> None:
    """The approved commit is gone from its branch: what was approved goes, and what took its place goes nowhere."""
    await approved_but_waiting(stage, "Approved")
    approved = (await stage.latest("production")).request.release
    forged = await stage.sim.force_push(REPOSITORY, "ann", "main", files={"app.py": "evil"})
    evil = await scenarios.build(stage.sim, forged["sha"])
    await goes_on(stage)
    assert await stage.runs("production") == approved.digest
    assert await stage.runs("dev") == approved.digest != evil


async def test_rule_01_a_force_push_of_a_pull_request_swaps_nothing_into_what_was_named(stage: Stage) -> None:
    await stage.ships("Before")
    await ruled(stage, Where.DEV, open_pull_requests=True)
    pull = await stage.sim.open_pull_request(REPOSITORY, "ann", "Try it", {"new.py": "1"}, branch="topic")
    number = pull["number"]
    honest = await scenarios.build(stage.sim, pull["head_sha"], pull_request=number)
    await stage.settle()
    forged = await stage.sim.force_push(REPOSITORY, "ann", "topic", files={"new.py": "evil"})
    evil = await scenarios.build(stage.sim, forged["sha"], pull_request=number)
    await stage.settle()
    await stage.says("ann", f"/promote dev @{pull['head_sha'][:12]}", on=number)
    assert await stage.runs("dev") == honest != evil


async def test_rule_09_a_second_role_does_not_make_an_author_somebody_else(stage: Stage) -> None:
    """Ann is administrator of the repository, operator, named by the policy, and not the one who asked."""
    await stage.sim.set_collaborator(REPOSITORY, "ann", "admin")
    team = await stage.sim.create_team("contoso", "Release managers", members=["ann", "bob"])
    me = Who(teams=(team["id"],), users=(stage.shop.people["ann"],))
    await ruled(stage, Where.PRODUCTION, approve=me)
    await ruled(stage, operators=me, administrators=(stage.shop.people["ann"], stage.shop.people["olga"]))
    pull = await in_test(stage, "Mine")
    await stage.says("olga", "/promote production", on=pull["number"])
    assert "author_is_approver" in await told(stage, "ann", "/approve", on=pull["number"])
    # Nor does a review of her own pull request, or being its merger.
    await stage.sim.review_pull(REPOSITORY, pull["number"], "ann")
    await stage.settle()
    assert (await stage.latest("production")).approvals == ()
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_rule_09_whoever_asks_for_anothers_work_is_no_second_person(stage: Stage) -> None:
    pull = await in_test(stage, "Ann's")
    await stage.says("bob", "/promote production", on=pull["number"])
    assert "author_is_approver" in await told(stage, "bob", "/approve", on=pull["number"])
    assert "author_is_approver" in await told(stage, "ann", "/approve", on=pull["number"])
    await stage.says("olga", "/approve", on=pull["number"])
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_09_a_commit_of_the_approver_inside_a_merge_is_the_approvers_work(stage: Stage) -> None:
    """The merge commit names Ann alone; one of the commits that it brings is Bob's."""
    await live(stage, "Runs")
    pull = await stage.sim.open_pull_request(REPOSITORY, "ann", "Together", {"a.py": "1"})
    await stage.sim.push_to_pull(REPOSITORY, pull["number"], "bob", {"b.py": "1"}, pusher="ann")
    merged = await stage.sim.merge_pull(REPOSITORY, pull["number"], "ann", method="merge")
    await scenarios.build(stage.sim, str(merged["merge_commit_sha"]))
    await stage.settle()
    await stage.says("ann", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    assert "author_is_approver" in await told(stage, "bob", "/approve", on=pull["number"])
    await stage.says("olga", "/approve", on=pull["number"])
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_09_a_commit_that_comes_between_by_another_way_is_counted_too(stage: Stage) -> None:
    """Bob's change went to test by itself and stopped there; the next release carries it to production."""
    await live(stage, "Runs")
    stopped = await in_test(stage, "Bob's own", author="bob")
    stage.clock.pass_(60)
    pull = await waiting(stage, "Carries it")
    shown = (await stage.latest("production")).request
    assert stage.shop.people["bob"] in shown.excluded
    assert stopped["merge_commit_sha"] in shown.evidence["commits"]["commits"]
    assert "author_is_approver" in await told(stage, "bob", "/approve", on=pull["number"])


@pytest.mark.parametrize("door", ["button", "comment"])
async def test_rule_06_a_bot_is_no_second_person_whatever_its_role(stage: Stage, door: str) -> None:
    await stage.sim.create_user("dep[bot]", kind="Bot")
    await stage.sim.set_collaborator(REPOSITORY, "dep[bot]", "admin")
    await ruled(stage, Where.PRODUCTION, approve=Who(users=((await stage.sim.people(REPOSITORY))["dep[bot]"],)))
    pull = await waiting(stage, "By machine")
    if door == "comment":
        await stage.sim.comment(REPOSITORY, pull["number"], "dep[bot]", "/approve")
    else:
        stream = (await stage.latest("production")).stream
        [check] = [c for c in (await stage.state())["checks"] if c["external_id"] == stream]
        button = next(a["identifier"] for a in check["actions"] if a["identifier"].startswith("approve"))
        await stage.sim.click(REPOSITORY, check["id"], button, "dep[bot]")
    await stage.settle()
    latest = await stage.latest("production")
    assert (latest.status, latest.approvals) == (Status.REQUESTED, ())


async def test_rule_09_two_names_of_one_account_are_one_person(stage: Stage) -> None:
    await more_people(stage, "mia")
    await ruled(stage, Where.PRODUCTION, approvals=2)
    pull = await in_test(stage, "Twice")
    await stage.says("ann", "/promote production", on=pull["number"])
    await stage.says("mia", "/approve", on=pull["number"])
    await stage.sim.rename_user("mia", "maria")
    assert "already_approved" in await told(stage, "maria", "/approve", on=pull["number"])
    assert len((await stage.latest("production")).approvals) == 1
