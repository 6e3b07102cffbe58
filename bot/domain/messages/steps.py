"""What was written to Azure so far, step by step, as a table of a promotion's card."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.messages.entry import moment
from bot.domain.messages.escape import quote
from bot.domain.messages.words import duration
from bot.domain.model import Step
from bot.domain.promotion import Promotion, StepState

_STEPS: Mapping[str, str] = {
    Step.GROUP_DELETE: "Remove the old container group",
    Step.GROUP_PUT: "Create the container group",
    Step.SITE_PUT: "Prepare the web app",
    Step.SLOT_PUT: "Deploy to the slot",
    "slot.probed": "Ask the slot for its health",
    Step.SWAP: "Swap the slot into place",
    "swapped_back": "Swap the slot back",
}


def steps_table(promotion: Promotion) -> str:
    """The newest steps; empty before the first."""
    if not promotion.steps:
        return ""
    lines = "\n".join(f"| {_step(step)} | {_took(step)} |" for step in promotion.steps[-20:])
    return f"| Step | Took |\n|---|---|\n{lines}"


def _step(step: StepState) -> str:
    return _STEPS.get(step.step) or quote(step.step, 60)


def _took(step: StepState) -> str:
    return duration(step.begun_us, step.done_us) if step.done_us else f"since {moment(step.begun_us)}"
