"""Over three stages, with any people, faults and deaths in any order: nothing is deployed that should not be."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.domain.journey.machine import Journey


def play(examples: int, steps: int, *phases: Phase) -> None:
    """The same orders every time: whoever breaks something sees the same story as the next one."""
    run_state_machine_as_test(
        Journey,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=phases or (Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_rules_01_to_13_nothing_is_deployed_that_should_not_be() -> None:
    play(60, 40)


@pytest.mark.full
def test_rules_01_to_13_nothing_is_deployed_that_should_not_be_at_length() -> None:
    play(200, 50)
