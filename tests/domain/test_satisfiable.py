"""What could never be allowed is found, and nothing else: held against the real decisions, on all small models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations_with_replacement, permutations, product
from typing import Any

import pytest

from bot.domain.authors import people_needed
from bot.domain.codes import Code
from bot.domain.conditions import registry_allowed
from bot.domain.decision import Asked, Facts, Standing, Verdict
from bot.domain.demands import branch_allowed, source_allowed
from bot.domain.messages import explain
from bot.domain.model import (
    Account,
    Actor,
    ActorKind,
    Collaborator,
    Environment,
    Permission,
    ProbeKind,
    Stage,
    TargetKind,
)
from bot.domain.policy import decide, decide_approval, decide_effect
from bot.domain.promotion import Approval, Promotion
from bot.domain.rules import Freeze, Group, Policy, PolicySet, Rules, Who
from bot.domain.satisfiable import Finding, findings
from tests.domain import given
from tests.domain.given import DEV, NOW, POLICY, PRODUCTION, RULES, TEST

TEAM = 42
PLACES = (DEV, TEST, PRODUCTION)
TWO_ADMINISTRATORS = PolicySet(administrators=(1, 2))


def person(number: int, role: str = "write") -> Collaborator:
    base = {"maintain": "write", "triage": "read"}.get(role, role)
    permission = Permission(user_id=number, role_name=role, permission=base)
    return Collaborator(account=Account(id=number, login=f"user-{number}"), permission=permission)


def found(policy: Policy = POLICY, **changes: Any) -> tuple[Finding, ...]:
    """Findings about production, where dev and test ask for nothing."""
    return tuple(finding for finding in all_of({PRODUCTION.id: policy}, **changes) if finding.environment_id != TEST.id)


def all_of(
    policies: Mapping[str, Policy],
    *,
    people: tuple[Collaborator, ...] | None = (person(1), person(2)),
    teams: Mapping[int, frozenset[int]] | None = None,
    environments: tuple[Environment, ...] = PLACES,
    registries: tuple[str, ...] = ("a.example",),
    whole: PolicySet = TWO_ADMINISTRATORS,
    **more: Any,
) -> tuple[Finding, ...]:
    every = {environment.id: policies.get(environment.id, Policy()) for environment in environments}
    return findings(environments, every, people, teams, registries, whole, **more)


def told(policy: Policy = POLICY, **changes: Any) -> list[tuple[str, Code]]:
    return [(finding.level, finding.code) for finding in found(policy, **changes)]


# --- people ----------------------------------------------------------------------------------------------------------


def test_where_all_is_well_nothing_is_found() -> None:
    assert found() == ()


def test_nobody_can_approve() -> None:
    assert told(people=()) == [("error", Code.NOBODY_CAN_REQUEST), ("error", Code.NOBODY_CAN_APPROVE)]
    assert told(replace(POLICY, approvals=3)) == [("error", Code.NOBODY_CAN_APPROVE)]
    assert told(replace(POLICY, approve=Who(role="admin"))) == [("error", Code.NOBODY_CAN_APPROVE)]
    empty = replace(POLICY, approve=Who(teams=(TEAM,)))
    assert told(empty, teams={TEAM: frozenset()}) == [("error", Code.NOBODY_CAN_APPROVE)]
    assert told(empty, teams={TEAM: frozenset({1, 2})}) == []
    assert told(replace(POLICY, approvals=0), people=(person(1),)) == []


def test_the_requester_is_the_only_approver() -> None:
    assert told(people=(person(1),)) == [("error", Code.ONLY_REQUESTER_APPROVES)]
    [warning] = found(replace(POLICY, approve=Who(role="maintain")), people=(person(1, "maintain"), person(2)))
    assert (warning.level, warning.code) == ("warning", Code.ONLY_REQUESTER_APPROVES)
    assert warning.values["who"] == "user-1"
    many = tuple(person(number) for number in range(1, 9))
    [all_of_them] = found(replace(POLICY, approvals=8), people=many)
    assert all_of_them.values["who"] == "user-1, user-2, user-3, user-4, user-5 and 3 more"


def test_nobody_can_ask_but_builds_and_miso_may() -> None:
    kings = Policy(request=Who(users=(99,)))
    assert told(kings) == [("error", Code.NOBODY_CAN_REQUEST)]
    assert all_of({DEV.id: kings}) == ()
    assert [finding.code for finding in all_of({TEST.id: kings})] == [Code.NOBODY_CAN_REQUEST]
    assert all_of({TEST.id: replace(kings, auto_promote=True)}) == ()
    alone = replace(kings, auto_promote=True, approvals=1, request=Who())
    [warning] = all_of({TEST.id: alone}, people=(person(1),))
    assert (warning.level, warning.code) == ("warning", Code.ONLY_REQUESTER_APPROVES), "Miso may still ask"


def test_what_could_not_be_read_is_not_fine() -> None:
    assert told(people=None) == [("warning", Code.PERMISSION_UNKNOWN)]
    named = replace(POLICY, approve=Who(teams=(TEAM,)))
    assert told(named, teams=None) == [("error", Code.TEAM_UNKNOWN)]
    assert told(named, teams={43: frozenset({1, 2})}) == [("error", Code.TEAM_UNKNOWN)]
    assert told(teams=None) == []


def allowed_to_somebody(policy: Policy, people: tuple[Collaborator, ...], teams: Mapping[int, frozenset[int]]) -> bool:
    """Whether the real decisions let some requester and some approvers through, for the work of somebody else."""
    pulls = {given.NEW: (given.pull_request(author_id=98, merged_by_id=99),)}
    commit = given.commit(author_id=98)
    waiting = given.promotion(first=given.requested(given.request(policy=policy, excluded=())))
    standings = {each.account.id: _standing(each, teams) for each in people}
    for requester in people:
        actor, standing = _actor(requester), standings[requester.account.id]
        facts = given.facts(permission=standing.permission, teams=standing.teams, commit=commit, pull_requests=pulls)
        facts = replace(facts, range=replace(facts.range, commits=(commit,)) if facts.range else None)
        asked = given.asked(requester=actor)
        decision = decide(asked, facts, policy, RULES, NOW)
        if decision.allowed:
            return True
        promotion = replace(waiting, request=replace(waiting.request, requester=actor, excluded=decision.excluded))
        if decision.verdict is Verdict.NEEDS_APPROVAL and any(
            _goes_through(promotion, order, asked, facts, policy, standings)
            for order in permutations(people, people_needed(policy))
        ):
            return True
    return False


def _goes_through(
    promotion: Promotion,
    order: tuple[Collaborator, ...],
    asked: Asked,
    facts: Facts,
    policy: Policy,
    standings: Mapping[int, Standing],
) -> bool:
    known: dict[str, Any] = {"request": asked, "facts": facts, "policy": policy, "rules": RULES, "now_us": NOW}
    for each in order:
        actor, standing = _actor(each), standings[each.account.id]
        if not decide_approval(promotion, actor, standing, standings=standings, **known).allowed:
            return False
        approval = Approval(actor=actor, at_us=NOW, evidence_hash=promotion.request.evidence_hash)
        promotion = replace(promotion, approvals=(*promotion.approvals, approval))
    return decide_effect(promotion, asked, facts, policy, RULES, NOW, standings=standings).allowed


def _actor(each: Collaborator) -> Actor:
    return Actor(kind=ActorKind.PERSON, id=each.account.id)


def _standing(each: Collaborator, teams: Mapping[int, frozenset[int]]) -> Standing:
    member_of = frozenset(team for team, members in teams.items() if each.account.id in members)
    return Standing(permission=each.permission, teams=member_of)


KINDS = tuple(product(("read", "write", "maintain"), (False, True)))
MEMBERS, FIRST = Who(teams=(TEAM,)), Who(users=(1,))
CREW = Group(name="crew", count=1, who=MEMBERS)
POLICIES = tuple(
    Policy(approvals=approvals, groups=groups, approve=approve, request=request)
    for approvals, groups, approve, request in product(
        (0, 1, 2),
        (
            (),
            (Group(name="g", count=1, who=MEMBERS),),
            (Group(name="g", count=1, who=MEMBERS), Group(name="f", count=1, who=FIRST)),
        ),
        (Who(), Who(role="maintain")),
        (Who(), MEMBERS),
    )
)


@pytest.mark.parametrize("number", [0, 1, 2, pytest.param(3, marks=pytest.mark.full)])
def test_an_error_is_found_exactly_where_the_decisions_let_nobody_through(number: int) -> None:
    for kinds, policy in product(combinations_with_replacement(KINDS, number), POLICIES):
        people = tuple(person(at, role) for at, (role, _) in enumerate(kinds, start=1))
        teams = {TEAM: frozenset(at for at, (_, member) in enumerate(kinds, start=1) if member)}
        errors = [f.code for f in found(policy, people=people, teams=teams) if f.level == "error"]
        assert bool(errors) is not allowed_to_somebody(policy, people, teams), (kinds, policy, errors)


# --- the way there ---------------------------------------------------------------------------------------------------


def reasons(policies: Mapping[str, Policy], **changes: Any) -> dict[str, str]:
    some = all_of(policies, **changes)
    return {f.environment_id: str(f.values["reason"]) for f in some if f.code is Code.STAGE_UNREACHABLE}


def test_a_stage_without_the_one_before_it_is_never_reached() -> None:
    assert reasons({}, environments=(DEV, PRODUCTION)).keys() == {PRODUCTION.id}
    foreign = replace(TEST, application_id="10000000-0000-4000-8000-000000000009")
    assert PRODUCTION.id in reasons({}, environments=(DEV, foreign, PRODUCTION))


def test_what_the_target_cannot_give_is_not_demanded() -> None:
    group = given.environment(Stage.PRODUCTION, TargetKind.CONTAINER_INSTANCE)
    for policy in (replace(POLICY, min_instances=2), replace(POLICY, min_zones=2)):
        assert reasons({PRODUCTION.id: policy}, environments=(DEV, TEST, group)).keys() == {PRODUCTION.id}
        assert not reasons({PRODUCTION.id: policy})
    weak = replace(PRODUCTION, probe=ProbeKind.PLATFORM)
    strict = {PRODUCTION.id: replace(POLICY, probe=ProbeKind.HTTP)}
    assert reasons(strict, environments=(DEV, TEST, weak)).keys() == {PRODUCTION.id}
    assert not reasons(strict)


HOSTS = ("a.example", "ghcr.io")


def test_images_come_all_the_way_exactly_where_nothing_is_found() -> None:
    demands = ((), ("a.example",), ("public",), ("c.example",))
    rules = replace(RULES, registries=HOSTS)
    for wanted, own in product(product(demands, repeat=3), product(("", "ghcr.io"), repeat=3)):
        policies = {e.id: replace(POLICY, registries=hosts) for e, hosts in zip(PLACES, wanted, strict=True)}
        places = tuple(replace(e, registry=host) for e, host in zip(PLACES, own, strict=True))
        closed = reasons(policies, environments=places, registries=HOSTS)
        assert bool(closed) is not any(_comes(host, places, policies, rules) for host in HOSTS), (wanted, own)


def _comes(host: str, places: tuple[Environment, ...], policies: Mapping[str, Policy], rules: Rules) -> bool:
    release = given.release(image=f"{host}/shop")
    asked = [given.asked(environment=place, release=release) for place in places]
    return all(
        registry_allowed(a, rules).passed and source_allowed(a, policies[a.environment.id]).passed for a in asked
    )


BRANCHES = ((), ("main",), ("release/*",), ("release/1", "hotfix"), ("release/1/*",))
BUILT = ("main", "hotfix", "other", "release/1", "release/2", "release/1/2", "release/2/1")


def _built(policies: Mapping[str, Policy], default: str) -> Iterator[bool]:
    facts = given.facts(default_branch=default)
    for branch in (*BUILT, default):
        asked = [given.asked(environment=place, release=given.release(branch=branch)) for place in PLACES]
        yield all(branch_allowed(a, facts, policies[a.environment.id]).passed for a in asked)


def test_branches_come_all_the_way_exactly_where_nothing_is_found() -> None:
    for wanted in product(BRANCHES, repeat=3):
        policies = {e.id: replace(POLICY, branches=names) for e, names in zip(PLACES, wanted, strict=True)}
        for default in ("main", "trunk"):
            closed = reasons(policies, default_branch=default)
            assert bool(closed) is not any(_built(policies, default)), (wanted, default)
        if reasons(policies):
            assert not any(_built(policies, "main")), "where its name is not known, only what is wrong for any is told"
            assert not any(_built(policies, "trunk"))


# --- the policy itself -----------------------------------------------------------------------------------------------


def test_a_freeze_without_end_is_found() -> None:
    daily = Freeze(name="always", starts="2023-01-01T00:00", minutes=1440, repeats="FREQ=DAILY")
    assert told(replace(POLICY, freezes=(daily,)), now_us=NOW) == [("error", Code.ALWAYS_FROZEN)]
    assert told(replace(POLICY, freezes=(replace(daily, minutes=1439),)), now_us=NOW) == []


def test_an_environment_without_a_policy_allows_nothing() -> None:
    some = findings(PLACES, {DEV.id: Policy(), TEST.id: Policy()}, (person(1),), {}, HOSTS, TWO_ADMINISTRATORS)
    assert [(f.code, f.environment_id) for f in some] == [(Code.NO_RULES, PRODUCTION.id)]


@pytest.mark.parametrize("administrators", [(), (1,), (1, 1)])
def test_with_fewer_than_two_administrators_nothing_can_be_loosened(administrators: tuple[int, ...]) -> None:
    assert told(whole=PolicySet(administrators=administrators)) == [("warning", Code.NO_ADMINISTRATORS)]


def test_every_finding_has_words() -> None:
    group = given.environment(Stage.PRODUCTION, TargetKind.CONTAINER_INSTANCE)
    strict = Policy(approvals=9, min_zones=2, request=Who(users=(99,)), registries=("c.example",))
    some = all_of({PRODUCTION.id: strict}, environments=(DEV, TEST, group), whole=PolicySet())
    assert len(some) == 5
    for finding in some:
        assert "production" in explain(finding.code, **finding.values).sentence
