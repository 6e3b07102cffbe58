"""The life of a promotion: every journal folds, and what comes next follows from where it stands."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.model import Actor, ActorKind, Row, Status
from bot.domain.promotion import (
    ENDED,
    VERSION,
    Action,
    Kind,
    Promotion,
    apply,
    fold,
    is_open,
    next_action,
    project,
    release_as_body,
    request_as_body,
    request_from_body,
)
from tests.domain import given

ROLLED_BACK = (
    ("promotion.approved", Status.APPROVED),
    ("deploy.started", Status.DEPLOYING),
    ("step.begun", Status.DEPLOYING),
    ("deploy.paused", Status.DEPLOYING),
    ("deploy.started", Status.DEPLOYING),
    ("step.done", Status.DEPLOYING),
    ("deploy.done", Status.DEPLOYED),
    ("probe.started", Status.DEPLOYED),
    ("probe.failed", Status.UNHEALTHY),
    ("rollback.started", Status.ROLLING_BACK),
    ("step.begun", Status.ROLLING_BACK),
    ("step.done", Status.ROLLING_BACK),
    ("rollback.done", Status.ROLLED_BACK),
    ("hold.cleared", Status.ROLLED_BACK),
)
"""A long story, with the status after each row."""

BODIES: dict[str, dict[str, Any]] = {
    "promotion.approved": {"evidence": "e"},
    "step.begun": {"step": "swap", "before": {"main": {}}},
    "step.done": {"step": "swap", "after": {"main": {}}},
    "deploy.done": {"host": "shop.example", "digest": given.NEW_DIGEST},
    "deploy.paused": {"code": "azure_throttled", "sentence": "Later.", "until_us": 5},
    "promotion.superseded": {"by": "promotion-next"},
}


def told(*kinds: str, needs: int = 1, previous: bool = True) -> list[Row]:
    changes: dict[str, Any] = {} if previous else {"previous": None, "previous_plan": None}
    first = given.requested(given.request(approvals_needed=needs, **changes))
    return [first, *(given.row(kind, n, **BODIES.get(kind, {})) for n, kind in enumerate(kinds, start=2))]


def test_every_prefix_of_a_journal_folds() -> None:
    rows = told(*(kind for kind, _ in ROLLED_BACK))
    expected = [Status.REQUESTED, *(status for _, status in ROLLED_BACK)]
    assert [fold(rows[: n + 1]).status for n in range(len(rows))] == expected


KINDS = [kind.value for kind in Kind]


@given_that(st.lists(st.sampled_from(KINDS), max_size=20), st.integers(0, 2), st.booleans())
def test_any_rows_fold_and_lead_to_at_most_one_action(kinds: list[str], needs: int, previous: bool) -> None:
    rows = told(*kinds, needs=needs, previous=previous)
    state = fold(rows)
    assert state.head_seq == len(rows)
    assert state == apply(fold(rows[:-1]), rows[-1]) if len(rows) > 1 else True
    if next_action(state, lease_over=True) is not None:
        assert is_open(state), "whoever has something to do is found by the loop"
    if state.status in ENDED:
        assert next_action(state, lease_over=True) is None
    row = project(state)
    assert (row.status, row.open, row.head_seq) == (state.status, is_open(state), len(rows))
    assert row.verified == (state.status is Status.LIVE)


@given_that(st.lists(st.sampled_from(KINDS), max_size=12), st.integers(0, 12))
def test_unknown_kinds_and_versions_are_newer_and_left_alone(kinds: list[str], at: int) -> None:
    rows = told(*kinds)
    strange = given.row("deploy.teleported", 99)
    newer = [*rows[1:at], strange, *rows[at:]]
    assert fold([rows[0], *newer]).status is Status.NEWER
    versioned = [replace(row, v=VERSION + 1) if n == min(at, len(rows) - 1) else row for n, row in enumerate(rows)]
    state = fold(versioned)
    assert state.status is Status.NEWER
    assert next_action(state, lease_over=True) is None
    assert not is_open(state)


def test_a_stream_begins_with_a_request() -> None:
    for rows in ([], [given.row("deploy.started", 1)]):
        with pytest.raises(ValueError, match="begins with"):
            fold(rows)


ACTIONS: dict[Status, tuple[Action | None, Action | None, Action | None]] = {
    # status: lease over, lease held, nothing to go back to
    Status.REQUESTED: (None, None, None),
    Status.APPROVED: (Action.DEPLOY, Action.DEPLOY, Action.DEPLOY),
    Status.DEPLOYING: (Action.DEPLOY, None, Action.DEPLOY),
    Status.DEPLOYED: (Action.PROBE, None, Action.PROBE),
    Status.UNHEALTHY: (Action.ROLL_BACK, Action.ROLL_BACK, None),
    Status.FAILED: (Action.ROLL_BACK, Action.ROLL_BACK, None),
    Status.ROLLING_BACK: (Action.ROLL_BACK, None, Action.ROLL_BACK),
    Status.LIVE: (None, None, None),
    Status.ROLLED_BACK: (None, None, None),
    Status.STUCK: (None, None, None),
    Status.REJECTED: (None, None, None),
    Status.CANCELLED: (None, None, None),
    Status.REFUSED: (None, None, None),
    Status.SUPERSEDED: (None, None, None),
    Status.NEWER: (None, None, None),
}


@pytest.mark.parametrize("status", list(Status))
def test_what_comes_next(status: Status) -> None:
    state = replace(fold(told("deploy.started", "step.begun")), status=status, approvals=())
    alone = replace(fold(told("deploy.started", "step.begun", previous=False)), status=status, approvals=())
    over, held, nothing = ACTIONS[status]
    assert next_action(state, lease_over=True) is over
    assert next_action(state, lease_over=False) is held
    assert next_action(alone, lease_over=True) is nothing
    assert is_open(alone) == (status not in ENDED and status not in (Status.FAILED, Status.UNHEALTHY))


def test_a_request_that_needs_nobody_deploys_at_once() -> None:
    assert next_action(fold(told(needs=0)), lease_over=True) is Action.DEPLOY


def people(*ids: int) -> list[Row]:
    return [given.approved(Actor(kind=ActorKind.PERSON, id=n), seq) for seq, n in enumerate(ids, start=2)]


def test_rule_9_the_same_person_counts_once() -> None:
    first = told(needs=2)[0]
    assert fold([first, *people(1, 1)]).status is Status.REQUESTED
    assert fold([first, *people(1, 2)]).status is Status.APPROVED


def test_an_approval_after_the_end_changes_nothing() -> None:
    assert fold([*told("promotion.rejected"), *people(1)]).status is Status.REJECTED


@pytest.mark.parametrize("kind", ["promotion.rejected", "promotion.superseded"])
def test_what_has_begun_is_neither_rejected_nor_superseded(kind: str) -> None:
    assert fold(told("promotion.approved", "deploy.started", kind)).status is Status.DEPLOYING


def test_a_second_attempt_remembers_the_steps_of_the_first() -> None:
    state = fold(told("promotion.approved", "deploy.started", "step.begun", "deploy.started"))
    assert (state.attempt, len(state.steps)) == (2, 1)
    step = state.step("swap")
    assert step is not None
    assert not step.done_us
    rolling = fold(told("promotion.approved", "deploy.started", "step.begun", "probe.failed", "rollback.started"))
    assert rolling.steps == (), "the way back has steps of its own"


def test_what_failed_is_held_until_a_person_clears_it() -> None:
    for kind in ("deploy.failed", "probe.failed"):
        assert fold(told("deploy.started", "step.begun", kind)).held
        assert not fold(told("deploy.started", "step.begun", kind, "hold.cleared")).held


def test_a_refusal_before_the_first_write_undoes_nothing_and_holds_nothing() -> None:
    state = fold(told("deploy.started", "deploy.failed"))
    assert (state.status, state.held) == (Status.FAILED, False)
    assert next_action(state, lease_over=True) is None
    assert not is_open(state)


def test_a_pause_says_when_to_come_back() -> None:
    paused = fold(told("deploy.started", "deploy.paused"))
    assert (paused.status, project(paused).wake_at_us) == (Status.DEPLOYING, 5)
    assert project(fold(told("deploy.started", "deploy.paused", "deploy.started"))).wake_at_us == 0


def test_where_a_rollback_goes_is_known_when_the_deployment_begins() -> None:
    begun = given.row("deploy.started", 2, previous=release_as_body(given.release()), previous_plan=None)
    state = fold([told()[0], begun])
    assert state.request.previous == given.release()
    assert state.request.previous_plan is None
    assert fold([told()[0], given.row("deploy.started", 2)]).request == given.request()


def test_a_request_survives_the_journal() -> None:
    for request in (given.request(), given.request(previous=None, previous_plan=None, rollback=True)):
        assert request_from_body(json.loads(json.dumps(request_as_body(request)))) == request


def test_why_it_ended_is_kept() -> None:
    why: dict[str, Any] = {"code": "release_held", "sentence": "It is held.", "hint": "Clear it."}
    state: Promotion = fold([told()[0], given.row("promotion.refused", 2, **why)])
    assert (state.status, state.code, state.sentence, state.hint) == (Status.REFUSED, *why.values())
    superseded = fold(told("promotion.superseded"))
    assert superseded.superseded_by == "promotion-next"
