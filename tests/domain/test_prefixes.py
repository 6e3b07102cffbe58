"""Whoever takes a story up at any row, however late, does what the whole of it allows and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.model import Row, Stage
from bot.domain.promotion import Kind, Promotion, fold, next_action
from tests.domain.journey.crossing import After, Crossing, Disturbance
from tests.domain.journey.ledger import TTL_US

ORDERS = st.permutations(list(Disturbance))
LATER = st.sampled_from((Stage.TEST, Stage.PRODUCTION))


def told(order: list[Disturbance], stage: Stage, after: After, *, hard: bool) -> Crossing:
    """A legal journal: all that may happen between yes and effect, once."""
    made = Crossing()
    made.begins({"approvals": 1}, 2)
    made.all_that_may_happen_between_the_yes_and_the_effect(order[:6], stage, 0, hard, False, after)
    made.world.now_us += TTL_US
    return made


def starts(made: Crossing) -> int:
    return sum(row.kind == Kind.DEPLOY_STARTED for row in made.ledger.rows)


@given(ORDERS, LATER, st.sampled_from(After), st.booleans())
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
def test_the_projections_follow_from_every_prefix(
    order: list[Disturbance], stage: Stage, after: After, hard: bool
) -> None:
    made = told(order, stage, after, hard=hard)
    made.ledger.agrees(range(len(made.ledger.rows) + 1))


@given(ORDERS, LATER, st.sampled_from(After), st.booleans())
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
def test_a_worker_who_read_a_prefix_begins_nothing_that_the_whole_does_not_allow(
    order: list[Disturbance], stage: Stage, after: After, hard: bool
) -> None:
    made = told(order, stage, after, hard=hard)
    made.tidy()
    before, late = starts(made), 0
    for rows in [rows for rows in made.ledger.streams.values() if rows[0].kind == Kind.REQUESTED]:
        for seen in prefixes(rows):
            late += next_action(seen, lease_over=True) is not None
            assert made.worker.begin(seen) == 0, (seen.stream, seen.head_seq)
    assert late, "some of them thought that there was something to do"
    assert starts(made) == before


def prefixes(rows: list[Row]) -> list[Promotion]:
    """The promotion as it stood after each row but the last."""
    return [fold(rows[:length]) for length in range(1, len(rows))]
