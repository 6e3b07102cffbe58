"""Who the policy names: by team and by numeric id, for asking, approving and for a part of the quorum.

A team that cannot be read lets nobody pass, and whoever left it counts no more.
"""

from __future__ import annotations

import pytest

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.domain.rules import Group, Who
from bot.sim.scenarios import REPOSITORY
from tests.flows.between import goes_on, held_up, more_people, refused
from tests.flows.stage import Stage
from tests.flows.trouble import with_rules
from tests.flows.words import in_test, ruled, waiting

pytestmark = pytest.mark.full

TEAM = "Release managers"


async def team(stage: Stage, *members: str) -> int:
    return int((await stage.sim.create_team("contoso", TEAM, members=list(members)))["id"])


async def test_only_members_of_the_team_ask_and_a_name_changes_nothing(stage: Stage) -> None:
    managers = await team(stage, "bob")
    await ruled(stage, Where.TEST, request=Who(teams=(managers,)))
    pull = await stage.ships("For managers")
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert "not_in_team" in told["replies"][0]
    # Somebody takes the login of a member who was renamed: the account counts.
    await stage.sim.rename_user("bob", "robert")
    await more_people(stage, "bob")
    told = await stage.says("bob", "/promote test", on=pull["number"])
    assert "not_in_team" in told["replies"][0]
    await stage.says("robert", "/promote test", on=pull["number"])
    assert await stage.runs("test") == pull["digest"]


async def test_a_member_of_the_team_still_needs_the_role(stage: Stage) -> None:
    managers = await team(stage, "ann", "eve")
    await ruled(stage, Where.TEST, request=Who(role="maintain", teams=(managers,)))
    pull = await stage.ships("By role")
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert "permission_denied" in told["replies"][0]
    assert (await stage.says("eve", "/promote test", on=pull["number"]))["replies"] == []
    assert await stage.runs("test") == ""


@pytest.mark.parametrize("how", ["away", "deleted", "never there"])
async def test_rule_10_a_team_that_cannot_be_read_lets_nobody_pass(stage: Stage, how: str) -> None:
    managers = await team(stage, "ann", "bob")
    await ruled(stage, Where.TEST, request=Who(teams=(managers if how != "never there" else 999_999,)))
    pull = await stage.ships("Unread")
    if how == "away":
        await stage.sim.add_fault("^github GET .*/team", "status", status=500, times=None)
    if how == "deleted":
        await stage.sim.delete_team("contoso", TEAM)
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert "team_unknown" in told["replies"][0]
    assert await stage.runs("test") == ""


async def test_an_approver_is_named_by_number_whatever_the_login(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, approve=Who(users=(stage.shop.people["olga"],)))
    pull = await waiting(stage, "By number")
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "not_in_team" in told["replies"][0]
    await stage.sim.rename_user("olga", "helga")
    await stage.sim.rename_user("bob", "olga")
    told = await stage.says("olga", "/approve", on=pull["number"])
    assert "not_in_team" in told["replies"][0]
    await stage.says("helga", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_rule_05_whoever_left_the_team_before_the_effect_approved_nothing(stage: Stage) -> None:
    managers = await team(stage, "bob")
    await ruled(stage, Where.PRODUCTION, approve=Who(teams=(managers,)))
    pull = await waiting(stage, "Leaver")
    told = await stage.says("olga", "/approve", on=pull["number"])
    assert "not_in_team" in told["replies"][0]
    await held_up(stage, pull["number"], "bob", "/approve")
    await stage.sim.remove_team_member("contoso", TEAM, "bob")
    await goes_on(stage)
    await refused(stage, "needs_approval")


async def test_rule_10_a_team_that_goes_away_before_the_effect_is_waited_for(stage: Stage) -> None:
    managers = await team(stage, "bob")
    await ruled(stage, Where.PRODUCTION, approve=Who(teams=(managers,)))
    pull = await waiting(stage, "Silence")
    await held_up(stage, pull["number"], "bob", "/approve")
    await stage.sim.clear_faults()
    await stage.sim.add_fault("^github GET .*/team", "status", status=500, times=None)
    stage.clock.pass_(601)
    await stage.running.worker.settle()
    assert (await stage.latest("production")).status is Status.APPROVED
    assert stage.effects("swap") == []
    await goes_on(stage)
    assert await stage.runs("production") == pull["digest"]


async def test_a_place_in_the_quorum_is_kept_for_the_group_that_must_be_among_them(stage: Stage) -> None:
    await more_people(stage, "mia")
    security = Group(name="security", count=1, who=Who(users=(stage.shop.people["olga"],)))
    await ruled(stage, Where.PRODUCTION, approvals=2, groups=(security,))
    pull = await in_test(stage, "Quorum")
    told = await stage.says("ann", "/promote production", on=pull["number"])
    assert "`security`" in told["replies"][0]
    await stage.says("bob", "/approve", on=pull["number"])
    told = await stage.says("mia", "/approve", on=pull["number"])
    assert "quorum_missing" in told["replies"][0]
    assert "security" in told["replies"][0]
    assert len((await stage.latest("production")).approvals) == 1
    await stage.says("olga", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_a_group_that_lost_its_member_before_the_effect_is_missing(stage: Stage) -> None:
    group = Group(name="managers", count=1, who=Who(teams=(await team(stage, "bob"),)))
    await ruled(stage, Where.PRODUCTION, groups=(group,))
    pull = await waiting(stage, "Group leaves")
    await held_up(stage, pull["number"], "bob", "/approve")
    await stage.sim.remove_team_member("contoso", TEAM, "bob")
    await goes_on(stage)
    await refused(stage, "quorum_missing")


async def test_a_rollback_has_people_of_its_own(stage: Stage) -> None:
    await ruled(stage, Where.TEST, rollback=Who(users=(stage.shop.people["olga"],)))
    first = await in_test(stage, "First")
    stage.clock.pass_(60)
    second = await in_test(stage, "Second")
    told = await stage.says("bob", "/rollback test", on=second["number"])
    assert "not_in_team" in told["replies"][0]
    assert await stage.runs("test") == second["digest"]
    await stage.says("olga", "/rollback test", on=second["number"])
    assert await stage.runs("test") == first["digest"]


async def test_rule_06_an_app_that_may_ask_gets_nowhere_where_people_are_named(stage: Stage) -> None:
    with_rules(stage, bots_that_may_request=frozenset({777}))
    stage.world.state.foreign_apps["release-bot"] = 777
    await ruled(stage, Where.TEST, request=Who(users=(stage.shop.people["ann"],)))
    pull = await stage.ships("Robots")
    await stage.sim.comment(REPOSITORY, pull["number"], "ann", "/promote test", via_app="release-bot")
    await stage.settle()
    assert "bot_refused" in (await stage.comments(pull["number"]))[-1]["body"]
    assert await stage.runs("test") == ""
