"""Over three stages, with any people, faults and deaths in any order: nothing is deployed that should not be."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.domain.journey.crossing import Crossing
from tests.domain.journey.machine import Journey
from tests.domain.journey.planted import PLANTED


def play(machine: type[RuleBasedStateMachine], examples: int, steps: int, *phases: Phase) -> None:
    """The same orders every time: whoever breaks something sees the same story as the next one."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=phases or (Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_rules_01_to_13_nothing_is_deployed_that_should_not_be() -> None:
    play(Journey, 50, 40)


def test_rule_10_no_approval_survives_what_happens_between_the_yes_and_the_effect() -> None:
    play(Crossing, 40, 4)


@pytest.mark.full
@pytest.mark.parametrize(("machine", "examples", "steps"), [(Journey, 300, 50), (Crossing, 300, 4)])
def test_rules_01_to_13_nothing_is_deployed_that_should_not_be_at_length(
    machine: type[RuleBasedStateMachine], examples: int, steps: int
) -> None:
    play(machine, examples, steps)


SLOW = ("break-glass has no end", "break-glass goes past everything", "what was gone back from is not held")
FAULTS = [pytest.param(fault, marks=[pytest.mark.full] * (fault in SLOW)) for fault in PLANTED]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine did not find here, it would not find in the rules either."""
    PLANTED[fault](monkeypatch)
    with pytest.raises(AssertionError):
        play(Crossing, 150, 4, Phase.generate)
