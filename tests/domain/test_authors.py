"""Whose work it is, and so whose approval does not count (security rule 9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.decision import Verdict
from bot.domain.model import CommitRange
from bot.domain.policy import commits_to_look_up
from bot.domain.rules import Group, Policy, Who
from tests.domain import given
from tests.domain.asking import DEV_POLICY, back, deciding
from tests.domain.given import OLD, POLICY


def test_rule_9_everybody_between_what_runs_and_the_release_is_excluded() -> None:
    second = given.commit("d" * 40, author_id=21, committer_id=22, committer_is_web_flow=False)
    pulls = {
        given.NEW: (given.pull_request(),),
        "d" * 40: (given.pull_request("d" * 40, author_id=23, merged_by_id=24),),
    }
    decision = deciding(
        range=CommitRange(status="ahead", commits=(second, given.commit()), complete=True), pull_requests=pulls
    )
    assert decision.excluded == (11, 12, 13, 21, 22, 23, 24)


def test_rule_9_an_unmerged_pull_request_excludes_nobody() -> None:
    stranger = given.pull_request(merged=False, author_id=31)
    fork = given.pull_request(base_repository_id=77, author_id=32)
    decision = deciding(pull_requests={given.NEW: (given.pull_request(), stranger, fork)})
    assert decision.excluded == (11, 12, 13)


@pytest.mark.parametrize(
    "changes",
    [
        {"range": CommitRange(status="ahead", commits=(given.commit(),), complete=False)},
        {"range": CommitRange(status="ahead", commits=(given.commit(author_id=None),), complete=True)},
        {"range": CommitRange(status="ahead", commits=(given.commit(coauthors_unknown=True),), complete=True)},
        {"range": CommitRange(status="ahead", commits=(given.commit(committer_is_web_flow=False),), complete=True)},
        {"pull_requests": {}},
        {"pull_requests": {given.NEW: (given.pull_request(merged_by_id=None),)}},
        {"range": CommitRange(status="ahead", complete=True), "commit": None},
        {"range": CommitRange(status="ahead", complete=True), "commit": given.commit(OLD)},
    ],
)
def test_rule_9_an_author_who_cannot_be_told_costs_what_the_policy_says(changes: dict[str, Any]) -> None:
    assert deciding(**changes).code is Code.UNKNOWN_AUTHOR
    dearer = deciding(policy=replace(POLICY, unknown_author_needs=2), **changes)
    assert dearer.verdict is Verdict.NEEDS_APPROVAL
    assert dearer.approvals_needed == 3
    assert not deciding(given.asked(environment=given.DEV), DEV_POLICY, **changes).refused, "nobody approves there"


def test_rule_9_a_squash_merge_with_known_accounts_is_fine() -> None:
    direct = deciding(pull_requests={given.NEW: ()})
    assert direct.verdict is Verdict.NEEDS_APPROVAL
    assert direct.excluded == (11, 12)


def test_rule_9_the_open_pull_request_that_was_built_is_its_authors_and_pushers_work() -> None:
    asked = given.asked(environment=given.DEV, release=given.release(branch="faster", open_pull_request=5))
    policy = Policy(approvals=1, open_pull_requests=True, unknown_author_needs=-1)
    own = given.pull_request(merged=False, open=True, merged_by_id=None, author_id=31)
    known = {"pull_requests": {given.NEW: (own,)}, "pushers": {5: (32,)}}
    assert deciding(asked, policy, **known).excluded == (11, 12, 31, 32)
    unlisted = {**known, "pull_requests": {given.NEW: (replace(own, number=6),)}}
    assert deciding(asked, policy, **unlisted).code is Code.UNKNOWN_AUTHOR
    assert deciding(asked, policy, **{**known, "pushers": None}).code is Code.UNKNOWN_AUTHOR


def test_rule_36_whoever_goes_past_rules_is_told_apart_from_the_authors_too() -> None:
    glass = given.asked(environment=given.DEV, break_glass="the shop is down")
    known = given.facts(given.DEV, range=CommitRange(status="ahead", commits=(given.commit("d" * 40),), complete=True))
    assert commits_to_look_up(glass, known, DEV_POLICY) == ("d" * 40, given.NEW)
    assert deciding(glass, DEV_POLICY).excluded == (11, 12, 13)


def test_where_a_group_must_approve_the_work_is_looked_up() -> None:
    group = Group(name="security", count=1, who=Who(teams=(4,)))
    assert commits_to_look_up(given.asked(), given.facts(), Policy(groups=(group,))) == (given.NEW,)


def test_what_must_be_looked_up_is_said() -> None:
    known = given.facts(range=CommitRange(status="ahead", commits=(given.commit("d" * 40),), complete=True))
    assert commits_to_look_up(given.asked(), known) == ("d" * 40, given.NEW)
    assert commits_to_look_up(given.asked(), known, DEV_POLICY) == ()
    assert commits_to_look_up(back(), known) == ()
