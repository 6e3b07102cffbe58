"""Buttons on a check run, and how a click proves that it was made on the card as it stands now (security rule 21).

Called by the report to draw them and by the `check_run` door to read a click. An identifier carries a nonce that
derives from the promotion's state: any further row makes another one, so a button can be used once. The nonce is no
secret: GitHub signs the click and the person's access is asked afterwards.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from bot.domain.messages.words import waits_for_people
from bot.domain.model import CheckAction, Status
from bot.domain.promotion import Promotion


class Button(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    ROLLBACK = "rollback"


_NONCE = 11
"""Hexadecimal digits: `rollback:` and they are GitHub's 20 characters exactly."""
_IDENTIFIER = re.compile(r"(approve|reject|rollback):([0-9a-f]{11})")

_WORDS = {
    Button.APPROVE: ("Approve", "Let this release go on"),
    Button.REJECT: ("Reject", "Stop this release here"),
    Button.ROLLBACK: ("Roll back", "Go back to the release before"),
}


def button_identifier(button: Button, promotion: Promotion) -> str:
    """`<verb>:<nonce>`, at most 20 characters. Compare it with a click's to see whether the card was up to date."""
    state = f"{promotion.stream}\n{promotion.head_seq}\n{button}"
    return f"{button}:{hashlib.sha256(state.encode()).hexdigest()[:_NONCE]}"


def parse_button(identifier: str) -> Button | None:
    """Which button an identifier is of; None when it is none of ours. Says nothing about whether it is up to date."""
    match = _IDENTIFIER.fullmatch(identifier)
    return Button(match[1]) if match else None


def is_current(identifier: str, promotion: Promotion) -> bool:
    """Whether the click was made on the card of the promotion's present state; else `card_out_of_date`."""
    button = parse_button(identifier)
    return button in buttons_of(promotion) and identifier == button_identifier(button, promotion)


def buttons_of(promotion: Promotion) -> tuple[Button, ...]:
    """The buttons that make sense now."""
    if waits_for_people(promotion):
        return (Button.APPROVE, Button.REJECT)
    previous = promotion.request.previous
    if promotion.status is Status.LIVE and previous is not None and previous != promotion.request.release:
        return (Button.ROLLBACK,)
    return ()


def actions(promotion: Promotion) -> tuple[CheckAction, ...]:
    """The buttons as GitHub wants them: label at most 20 characters, description 40, identifier 20."""
    return tuple(
        CheckAction(label=_WORDS[button][0], description=_WORDS[button][1],
                    identifier=button_identifier(button, promotion))
        for button in buttons_of(promotion)
    )  # fmt: skip
