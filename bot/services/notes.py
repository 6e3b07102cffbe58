"""Streams that are no promotions: a command and its answer, a build that was refused, a foreign deployment, a gate.

Each is a short story of its own, named after its cause and written row by row; the report loop shows it. Called by
the other verbs; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from bot.context import Miso
from bot.domain import environment_story
from bot.domain.model import Actor, Append, Conflict, EnvironmentState, Keep, NewRow, Row
from bot.services.journal import as_row


class Note(StrEnum):
    """Kinds of rows in streams that are no promotions."""

    COMMAND_SEEN = "command.seen"
    COMMAND_REFUSED = "command.refused"
    COMMAND_ANSWERED = "command.answered"
    BUILD_REFUSED = "build.refused"
    BUILD_RECORDED = "build.recorded"
    DEPLOYMENT_FOREIGN = "deployment.out_of_band"
    GATE_BYPASSED = "gate.bypassed"
    PULL_PUSHED = "pull.pushed"
    PULL_PREVIEWED = "pull.previewed"
    PULL_CONFIGURED = "pull.configured"
    REPOSITORY_RENAMED = "repository.renamed"
    REPOSITORY_TRANSFERRED = "repository.transferred"
    RELEASE_REJECTED = "release.rejected"
    RELEASE_CLEAR_ASKED = "release.clear_asked"
    RELEASE_CLEARED = "release.cleared"
    GATE_REQUESTED = "gate.requested"
    GATE_WAITING = "gate.waiting"
    GATE_ANSWERED = "gate.answered"
    POLICY_ACCEPTED = "policy.accepted"
    POLICY_PROPOSED = "policy.proposed"
    POLICY_AGREED = "policy.agreed"
    POLICY_REJECTED = "policy.rejected"
    POLICY_WITHDRAWN = "policy.withdrawn"
    DECISION_TAKEN = "decision.taken"
    ENVIRONMENT_LOCKED = "environment.locked"
    ENVIRONMENT_UNLOCKED = "environment.unlocked"
    DRIFT_SEEN = "drift.seen"
    DRIFT_ENDED = "drift.ended"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_LINKED = "person.linked"
    PERSON_UNLINKED = "person.unlinked"
    DEVICE_GRANTED = "device.granted"
    DEVICE_DENIED = "device.denied"
    DEVICE_REUSED = "device.reused"
    DOOR_REFUSED = "door.refused"
    EXCHANGE_REFUSED = "exchange.refused"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - the name of a kind
    TOKEN_USED = "token.used"  # noqa: S105 - the name of a kind
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of a kind
    ASSERTION_ISSUED = "assertion.issued"


async def write(
    miso: Miso,
    stream: str,
    after: Sequence[Row],
    kind: Note,
    actor: Actor,
    body: dict[str, Any],
    *,
    application_id: str = "",
    environment_id: str = "",
    state: EnvironmentState | None = None,
    inbox_done: str = "",
    keep: Sequence[Keep] = (),
    show: bool = True,
    head: int = 0,
) -> bool:
    """Append one row behind `after`, the rows read before. False when somebody else was quicker; then read again.

    `head`: the number of the last row, in place of `after`, where a story grows too long to be read for each row.

    `state` is the environment's as it was read before: what the row makes of it is written in the same transaction,
    unless it was changed meanwhile. `keep` is what expires, and stands or falls with the row.
    """
    row = NewRow(kind=kind, actor=actor, application_id=application_id, environment_id=environment_id, body=body)
    seq, now = (head or len(after)) + 1, miso.clock.now_us()
    changed = environment_story.apply(state, as_row(row, stream, seq, now)) if state is not None else None
    append = Append(stream=stream, seq=seq, rows=(row,), at_us=now, environment=changed, show=show)
    written = await (
        miso.store.append([append], inbox_done=inbox_done, keep=keep)
        if keep
        else miso.store.append([append], inbox_done=inbox_done)
    )
    return not isinstance(written, Conflict)


def last(rows: Sequence[Row], kind: Note) -> Row | None:
    """The newest row of a kind."""
    return next((row for row in reversed(rows) if row.kind == kind), None)
