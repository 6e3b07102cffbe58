"""No path leads to a deployment that should not be: promotions as a state machine, against books of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from bot.domain import closures, conditions, consent, demands, policy
from bot.domain.conditions import passed
from bot.domain.model import Status
from bot.domain.promotion import Kind, fold, next_action
from tests.domain.books import ASIDE, LINE, PEOPLE, UNKNOWABLE
from tests.domain.given import HOUR
from tests.domain.machine import World

COMMITS = st.sampled_from((*LINE, ASIDE))
PERSON = st.sampled_from([person.id for person in PEOPLE])


def _set(name: str, value: Any) -> Callable[[World, str], None]:
    return lambda world, _: setattr(world, name, value)


def _again(conclusion: str) -> Callable[[World, str], None]:
    return lambda world, _: setattr(world, "check", (world.check[0] + 1, conclusion))


CHANGE: dict[str, Callable[[World, str], Any]] = {
    "a freeze begins": _set("frozen", True),
    "somebody locks it": _set("locked_by", PEOPLE[1].id),
    "another setting is registered": lambda world, _: setattr(world, "cpu", 3.0 - world.cpu),
    "a check runs again": _again("success"),
    "a check fails": _again("failure"),
    "it is banned": lambda world, commit: world.banned.add(commit),
    "the requester leaves": lambda world, _: world.without_right.add(PEOPLE[0].id),
    "the approvers leave": lambda world, _: world.without_right.update(p.id for p in PEOPLE[1:]),
    "a day passes": lambda world, _: setattr(world, "now_us", world.now_us + 25 * HOUR),
    "the policy wants two": _set("approvals", 2),
    "the range cannot be read": _set("unknown", "range"),
    "states cannot be read": _set("unknown", "states"),
    "it was never healthy before": lambda world, commit: world.verified_before.pop(commit, None),
    "nothing": lambda *_: None,
}
CHANGES = tuple(CHANGE)


class Promotions(RuleBasedStateMachine):
    """What people, time and the outside may do, in any order."""

    streams = Bundle("streams")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(target=streams, commit=COMMITS, who=PERSON, rollback=st.booleans(), glass=st.booleans())
    def asks(self, commit: str, who: int, rollback: bool, glass: bool) -> Any:
        stream = self.world.ask(commit, who, rollback=rollback, break_glass=glass and not rollback)
        return stream or multiple()

    @rule(target=streams, at=st.integers(1, 3), who=PERSON)
    def asks_for_a_newer_one(self, at: int, who: int) -> Any:
        return self.world.ask(LINE[at], who) or multiple()

    @rule(stream=streams, who=PERSON)
    def approves(self, stream: str, who: int) -> None:
        self.world.approve(stream, who)

    @rule(stream=streams, who=PERSON)
    def revokes(self, stream: str, who: int) -> None:
        self.world.revoke(stream, who)

    @rule(stream=streams, kind=st.sampled_from((Kind.REJECTED, Kind.CANCELLED, Kind.SUPERSEDED)))
    def stops(self, stream: str, kind: Kind) -> None:
        self.world.stop(stream, kind)

    @rule(stream=streams, healthy=st.booleans())
    def begins(self, stream: str, healthy: bool) -> None:
        if self.world.begin(stream):
            self.world.end(stream, healthy)

    @rule(stream=streams, who=PERSON)
    def approves_and_begins(self, stream: str, who: int) -> None:
        if self.world.approve(stream, who) and self.world.begin(stream):
            self.world.end(stream, healthy=True)

    @rule()
    def calm_returns(self) -> None:
        """Trouble passes, so that stories get far enough to be worth a fault."""
        self.world.frozen, self.world.locked_by, self.world.unknown = False, 0, ""
        self.world.without_right.clear()
        self.world.check = (self.world.check[0], "success")

    @rule(target=streams, at=st.integers(1, 3), change=st.sampled_from(CHANGES), late=st.booleans())
    def goes_well_until(self, at: int, change: str, late: bool) -> Any:
        """Asked for and agreed to by everybody else; then, or just before, one thing changes."""
        self.calm_returns()
        if not late:
            CHANGE[change](self.world, LINE[at])
        stream = self.world.ask(LINE[at], PEOPLE[0].id)
        for person in PEOPLE[1:] if stream else ():
            self.world.approve(stream, person.id)
        if late:
            CHANGE[change](self.world, LINE[at])
        if stream and self.world.begin(stream):
            self.world.end(stream, healthy=True)
        return stream or multiple()

    @rule(commit=COMMITS)
    def bans_or_lifts(self, commit: str) -> None:
        self.world.banned ^= {commit}

    @rule(hours=st.sampled_from((1, 23, 25)))
    def time_passes(self, hours: int) -> None:
        self.world.now_us += hours * HOUR

    @rule(frozen=st.booleans())
    def freezes(self, frozen: bool) -> None:
        self.world.frozen = frozen

    @rule(who=st.sampled_from((0, *(person.id for person in PEOPLE))))
    def locks(self, who: int) -> None:
        self.world.locked_by = who

    @rule(approvals=st.integers(0, 2))
    def the_policy_changes(self, approvals: int) -> None:
        self.world.approvals = approvals

    @rule(conclusion=st.sampled_from(("success", "success", "failure")))
    def a_check_runs_again(self, conclusion: str) -> None:
        self.world.check = (self.world.check[0] + 1, conclusion)

    @rule(cpu=st.sampled_from((1.0, 2.0)))
    def the_registration_changes(self, cpu: float) -> None:
        self.world.cpu = cpu

    @rule(what=st.sampled_from(("", "", *UNKNOWABLE)))
    def something_cannot_be_known(self, what: str) -> None:
        self.world.unknown = what

    @rule(who=PERSON)
    def a_right_comes_or_goes(self, who: int) -> None:
        self.world.without_right ^= {who}

    @rule(commit=COMMITS)
    def it_was_healthy_before_or_not(self, commit: str) -> None:
        if self.world.verified_before.pop(commit, None) is None:
            self.world.verified_before[commit] = self.world.now_us - 2 * HOUR

    @invariant()
    def every_prefix_resumes(self) -> None:
        """Whoever takes a story up at any row knows what to do, and never begins what has begun."""
        for rows in self.world.streams.values():
            for length in range(1, len(rows) + 1):
                now = fold(rows[:length])
                action = next_action(now, lease_over=True)
                begun = any(row.kind == Kind.DEPLOY_STARTED for row in rows[:length])
                assert not (begun and now.status in (Status.REQUESTED, Status.APPROVED))
                ended = (Status.REJECTED, Status.CANCELLED, Status.SUPERSEDED, Status.LIVE, Status.ROLLED_BACK)
                assert action is None or now.status not in ended

    @invariant()
    def what_is_held_is_what_the_books_say(self) -> None:
        assert {hold.commit for hold in self.world.state.held} == self.world.held


def play(examples: int, steps: int, *, shrinks: bool = True) -> None:
    phases = (Phase.explicit, Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    run_state_machine_as_test(
        Promotions,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_rules_09_to_12_no_path_begins_what_should_not_begin() -> None:
    play(60, 40)


@pytest.mark.full
def test_rules_09_to_12_no_path_begins_what_should_not_begin_at_length() -> None:
    play(1500, 60)


def _blind(module: Any, name: str, rule_name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, name, lambda *_, **__: passed(rule_name))

    return plant


def _one_is_enough(patch: pytest.MonkeyPatch) -> None:
    real = policy.needed
    patch.setattr(policy, "needed", lambda *given: min(real(*given), 0))
    patch.setattr(consent, "approvals_hold", lambda *_, **__: passed("approvals"))


def _unknown_is_fine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "unknown", lambda rule, *_, **__: passed(rule))
    patch.setattr(closures, "unknown", lambda rule, *_, **__: passed(rule))


def _any_stage(patch: pytest.MonkeyPatch) -> None:
    """Soak looks for the same proof, so both have to be blind."""
    _blind(conditions, "verified_before", "order")(patch)
    _blind(demands, "soaked", "soak")(patch)


PLANTED = {
    "holds and bans are not looked at": _blind(closures, "not_held", "holds"),
    "older commits pass": _blind(conditions, "not_older", "fence"),
    "a freeze is not looked at": _blind(closures, "not_frozen", "freeze"),
    "a lock is not looked at": _blind(closures, "not_locked", "lock"),
    "any stage may be skipped": _any_stage,
    "approvals are not counted": _one_is_enough,
    "what is not known passes": _unknown_is_fine,
    "whoever asked may have lost the right": _blind(conditions, "requester_may", "requester"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_machine_finds_a_fault_that_is_planted(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[fault](monkeypatch)
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        play(200, 25, shrinks=False)


def test_an_approval_outlives_no_change_of_its_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rules about evidence and policy the machine finds one that does."""
    monkeypatch.setattr(consent, "evidence_unchanged", lambda *_, **__: passed("evidence"))
    monkeypatch.setattr(consent, "policy_unchanged", lambda *_, **__: passed("policy"))
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        play(200, 25, shrinks=False)
