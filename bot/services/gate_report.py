"""What a GitHub environment gate is told: the report of the streams in which a run waits for our word.

Called by `reporting`. The words that count come from `gates.judge` alone; this sends them, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.context import Miso
from bot.domain import messages
from bot.domain.codes import Code
from bot.domain.model import SYSTEM, Row
from bot.domain.permissions import GATE
from bot.errors import Refused, Transient
from bot.services import gates, notes
from bot.services.gates import Answer
from bot.services.notes import Note

_LOOK_AGAIN_US = 5_000_000


async def show(miso: Miso, rows: Sequence[Row]) -> int:
    """Tell a gate what there is to tell. Returns when to look again, 0 when it has its last word.

    The words that count, "approved" and "rejected", come from `gates.judge` alone; an exception on the way leaves the
    gate as it is, to be asked again (security rule 26).
    """
    first: Row = rows[0]
    if notes.last(rows, Note.GATE_ANSWERED):
        return 0
    answer: Answer = await gates.judge(miso, first)
    body = first.body
    repository = miso.github.at(int(body["installation"]), int(body["repository"]), GATE)
    run, environment = int(body["run"]), str(body["environment"])
    told = notes.last(rows, Note.GATE_WAITING)
    said: dict[str, Any] = {"state": answer.state, "code": answer.code, "sentence": answer.sentence}
    if not answer.state and told is not None and told.body["code"] == answer.code:
        return miso.clock.now_us() + _LOOK_AGAIN_US
    rules = await gates.rules(miso, first) if not answer.state else ()
    comment = messages.gate_comment(answer.code, answer.sentence, answer.hint, rules=rules)
    try:
        await repository.answer_gate(run, environment, state=answer.state or None, comment=comment)
    except Refused as no:
        if no.code != Code.GITHUB_REFUSED:
            raise
        # GitHub understood and says no: nothing waits there any more. It heard an earlier answer of ours whose own
        # answer was lost, or somebody went past the gate. Asking again could only say the same.
        said["closed"] = True
    except Transient as later:
        if answer.state or not later.outcome_unknown:
            raise
        # A word while it waits is said at most once: GitHub takes ten of them, and two are kept for the end.
    kind = Note.GATE_ANSWERED if answer.state or "closed" in said else Note.GATE_WAITING
    await notes.write(miso, first.stream, rows, kind, SYSTEM, said, show=False)
    return 0 if kind is Note.GATE_ANSWERED else miso.clock.now_us() + _LOOK_AGAIN_US
