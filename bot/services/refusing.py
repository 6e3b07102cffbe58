"""The ledger's row for whoever was turned away before they were anybody: at the sign-in, at a form, at a token.

Called by the doors and verbs about identities; rates are limited before. It holds the code, and of the request only
what was proven or is a hash: no name, no address, nothing that a stranger wrote.
"""

from __future__ import annotations

from bot import telemetry
from bot.context import Miso
from bot.domain.model import Actor, ActorKind
from bot.services import journal, notes
from bot.services.bearer import fresh
from bot.services.notes import Note

MOST = 600
"""So many rows a minute; beyond it only the log tells. A ledger keeps what strangers do for ever."""
_MINUTE_US = 60_000_000
_log = telemetry.logger("doors")

NOBODY = Actor(kind=ActorKind.PERSON, id=0)


async def note(
    miso: Miso, code: str, *, door: str, subject: str = "", session: str = "", actor: Actor = NOBODY
) -> None:
    """Write down that `code` was answered at `door`."""
    now = miso.clock.now_us()
    if await miso.store.count(Note.DOOR_REFUSED, now - _MINUTE_US) >= MOST:
        _log.warning("refused, and more than the ledger takes", code=code, door=door)
        return
    body = {"code": code, "door": door, "subject": subject, "session": session}
    stream = journal.stream_id("refused", fresh())
    await notes.write(miso, stream, (), Note.DOOR_REFUSED, actor, body, show=False)
