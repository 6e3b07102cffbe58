"""The policy is itself a decision: proposed by a file, agreed to by two administrators in comments, seen everywhere.

A repository's own file on the default branch makes it tighter there, and a pull request's file makes nothing (rule 3).
"""

from __future__ import annotations

from dataclasses import replace

from bot.app import building
from bot.domain import policy_story
from bot.domain.codes import Code
from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.domain.rules import PolicySet
from bot.services import access, policies
from bot.services.access import Origin
from bot.services.policies import Effective
from bot.sim import scenarios
from bot.sim.scenarios import PLACES, REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import in_test, ruled

CONFIG = ".github/miso.yml"


async def proposed(stage: Stage) -> PolicySet:
    """Two approvals are wanted in production, and a controller starts whose file wants one. Gives that file."""
    people = stage.shop.people
    await ruled(stage, Where.PRODUCTION, approvals=2)
    await ruled(stage, administrators=(people["ann"], people["bob"]))
    now = await policies.accepted(stage.miso)
    assert now is not None
    stages = now.policies.stages
    looser = {**stages, Where.PRODUCTION: replace(stages[Where.PRODUCTION], approvals=1)}
    wanted = replace(now.policies, stages=looser)
    await policies.adopt(stage.miso, wanted, "policy.yml")
    return wanted


async def approvals_wanted(stage: Stage) -> int:
    now = await policies.accepted(stage.miso)
    assert now is not None
    return now.policies.stages[Where.PRODUCTION].approvals


# --- agreeing --------------------------------------------------------------------------------------------------------


async def test_loosening_production_takes_two_administrators_and_counts_on_every_replica(stage: Stage) -> None:
    pull = await in_test(stage, "Add a basket")
    number = pull["number"]
    hash_ = policy_story.hash_of(await proposed(stage))[:12]

    shown = await stage.says("ann", "/policy", on=number)
    assert hash_ in shown["replies"][0]
    assert "production.approvals" in shown["replies"][0]

    first = await stage.says("ann", f"/policy accept {hash_}", on=number)
    assert Code.POLICY_WAITS in first["replies"][0]
    again = await stage.says("ann", f"/policy accept {hash_}", on=number)
    assert Code.ALREADY_APPROVED in again["replies"][0]
    assert await approvals_wanted(stage) == 2
    await stage.says("ann", "/promote production", on=number)
    assert (await stage.latest("production")).request.approvals_needed == 2

    stranger = await stage.says("olga", f"/policy accept {hash_}", on=number)
    assert Code.NOT_ADMINISTRATOR in stranger["replies"][0]
    assert await approvals_wanted(stage) == 2

    async with building(stage.settings, clock=stage.clock, adopts=False) as other:
        assert (await policies.accepted(other.miso)) == (await policies.accepted(stage.miso))
        await stage.says("bob", f"/policy accept {hash_}", on=number)
        now = await policies.accepted(other.miso)
        assert now is not None
        assert {account.login for account in now.by} == {"ann", "bob"}
    assert await approvals_wanted(stage) == 1


async def test_rule_10_what_was_approved_under_another_policy_no_longer_counts(stage: Stage) -> None:
    pull = await in_test(stage, "Add a basket")
    number = pull["number"]
    hash_ = policy_story.hash_of(await proposed(stage))[:12]
    await stage.says("ann", "/promote production", on=number)
    await stage.says("bob", "/approve", on=number)
    for administrator in ("ann", "bob"):
        await stage.says(administrator, f"/policy accept {hash_}", on=number)
    # One approval would be enough now, but Bob gave his under the rules of before.
    told = await stage.says("olga", "/approve", on=number)
    assert Code.POLICY_CHANGED in told["replies"][0]
    assert (await stage.latest("production")).status is Status.REFUSED
    assert await stage.runs("production") == ""


async def test_one_administrator_is_enough_to_say_no(stage: Stage) -> None:
    pull = await in_test(stage, "Add a basket")
    wanted = await proposed(stage)
    hash_ = policy_story.hash_of(wanted)[:12]
    await stage.says("ann", f"/policy accept {hash_}", on=pull["number"])
    told = await stage.says("bob", f"/policy reject {hash_}", on=pull["number"])
    assert hash_ in told["replies"][0]
    await policies.adopt(stage.miso, wanted, "policy.yml")
    late = await stage.says("ann", f"/policy accept {hash_}", on=pull["number"])
    assert Code.POLICY_NOT_PROPOSED in late["replies"][0]
    assert await approvals_wanted(stage) == 2


async def test_rule_4_an_edited_comment_agrees_to_nothing(stage: Stage) -> None:
    pull = await in_test(stage, "Add a basket")
    hash_ = policy_story.hash_of(await proposed(stage))[:12]
    made = await stage.says("ann", "Nice.", on=pull["number"])
    await stage.sim.edit_comment(REPOSITORY, made["id"], f"/policy accept {hash_}")
    await stage.settle()
    waits = await policies.pending(stage.miso)
    assert waits is not None
    assert waits.agreed == ()


async def test_rule_6_an_app_agrees_to_nothing_even_with_the_number_of_an_administrator(stage: Stage) -> None:
    pull = await in_test(stage, "Add a basket")
    robot = await stage.sim.create_user("dep[bot]", kind="Bot")
    await stage.sim.set_collaborator(REPOSITORY, "dep[bot]", "admin")
    await ruled(stage, administrators=(robot["id"], stage.shop.people["bob"]))
    now = await policies.accepted(stage.miso)
    assert now is not None
    looser = replace(now.policies, clear_people=1)
    await policies.adopt(stage.miso, looser, "policy.yml")
    await stage.says("dep[bot]", f"/policy accept {policy_story.hash_of(looser)[:12]}", on=pull["number"])
    waits = await policies.pending(stage.miso)
    assert waits is not None
    assert waits.agreed == ()


# --- the repository's own file ---------------------------------------------------------------------------------------


async def effective(stage: Stage, which: Where = Where.PRODUCTION) -> Effective:
    place = next(each for each in PLACES if each.stage == which)
    environment = await stage.miso.store.environment(place.id)
    installation = await stage.miso.github.installation_of(stage.shop.repository_id, stage.shop.owner_id)
    assert environment is not None
    assert installation is not None
    repository = access.facts_of(
        stage.miso, Origin(installation_id=installation, repository_id=stage.shop.repository_id)
    )
    identity = await repository.identity()
    return await policies.effective(stage.miso, repository, environment, identity.default_branch)


def own_file(stage: Stage, policy: str = "") -> str:
    return scenarios.CONFIG.format(registry=stage.world.addresses.registry) + policy


async def test_a_repository_tightens_for_itself_on_its_default_branch(stage: Stage) -> None:
    before = await effective(stage)
    assert before.policy is not None
    assert (before.policy.approvals, before.config, before.version) == (1, None, 1)
    # Two is tighter and counts; that approvals last for so long is looser and does not.
    text = own_file(stage, "policy:\n  production:\n    approvals: 2\n    approval_hours: 8000\n")
    await stage.sim.write_file(REPOSITORY, CONFIG, text, author="ann")
    after = await effective(stage)
    assert after.policy is not None
    assert (after.policy.approvals, after.policy.approval_hours) == (2, before.policy.approval_hours)
    assert after.config_commit not in ("", before.config_commit)
    pull = await in_test(stage, "Add a basket")
    await stage.says("ann", "/promote production", on=pull["number"])
    assert (await stage.latest("production")).request.approvals_needed == 2


async def test_rule_3_the_file_of_a_pull_request_changes_nothing(stage: Stage) -> None:
    text = own_file(stage, "policy:\n  production:\n    approvals: 3\n")
    await stage.sim.open_pull_request(REPOSITORY, "ann", "Be stricter", {CONFIG: text})
    found = await effective(stage)
    assert found.policy is not None
    assert found.policy.approvals == 1


async def test_a_file_that_is_missing_faulty_or_unread_is_told_and_loosens_nothing(stage: Stage) -> None:
    strict = await effective(stage)
    pull = await stage.ships("Add a basket")
    await stage.sim.write_file(REPOSITORY, CONFIG, "image: [", author="ann")
    faulty = await effective(stage)
    assert (faulty.config, faulty.settings, faulty.policy) == (Code.CONFIG_INVALID, None, strict.policy)
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert Code.CONFIG_INVALID in told["replies"][0]
    environment = await stage.miso.store.environment(PLACES[2].id)
    assert environment is not None
    nowhere = stage.miso.github.at(1, stage.shop.repository_id, {"metadata": "read", "contents": "read"})
    unread = await policies.effective(stage.miso, nowhere, environment, "main")
    assert (unread.config, unread.policy) == (Code.GITHUB_UNAVAILABLE, strict.policy)
    unknown = await policies.effective(stage.miso, nowhere, environment, "")
    assert (unknown.config, unknown.config_commit) == (Code.GITHUB_UNAVAILABLE, "")
