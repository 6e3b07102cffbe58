"""The errors that Miso speaks of. Every layer may raise them; nothing here imports anything of Miso.

`Refused` is told to the person with a hint. `Transient` is retried by whoever holds the work. Anything else is a fault
of ours: logged with the delivery id, answered with one calm apology, by the single broad `except` in `bot.worker`.
"""

from __future__ import annotations

from collections.abc import Sequence


class MisoError(Exception):
    """The root, so that one `except` can tell our own errors from everybody else's."""


class Refused(MisoError):
    """Something that must not happen, said to a person.

    `code` is stable and documented (`bot.domain.codes.Code`), `sentence` says what was refused and why, `hint` what to
    do next. Neither sentence nor hint ever holds text of another tenant, of a provider or of a pull request.
    """

    def __init__(self, code: str, sentence: str, hint: str = "") -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.hint = hint


class Transient(MisoError):
    """The outside world did not answer as it should; the same request may succeed later.

    `code` is a stable reason code; `retry_after` is the seconds that the other side asked for, when it did.
    `outcome_unknown` is True when a write may have happened: the caller must look before it repeats.
    """

    def __init__(
        self, code: str, sentence: str, *, retry_after: float | None = None, outcome_unknown: bool = False
    ) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown


class ConfigError(MisoError):
    """The controller refuses to start. All faults at once, one sentence each, so that one restart mends them all."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
