"""The ledger's row for whoever was turned away: at the sign-in, at a form, with a token, or at the API as who they are.

Called by the doors and verbs about identities; rates are limited before. It holds the code, and of the request only
what was proven or is a hash: no name, no address, nothing that a stranger wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot import telemetry
from bot.context import Miso
from bot.domain.identity import Principal
from bot.domain.model import Actor, ActorKind
from bot.errors import Refused
from bot.services import journal, notes
from bot.services.bearer import fresh
from bot.services.notes import Note

MOST = 600
"""So many rows a minute of one account, strangers being one together; beyond it only the log tells. A ledger keeps what
strangers do for ever."""
_MINUTE_US = 60_000_000
_log = telemetry.logger("doors")

NOBODY = Actor(kind=ActorKind.PERSON, id=0)


async def note(
    miso: Miso,
    code: str,
    *,
    door: str,
    subject: str = "",
    session: str = "",
    actor: Actor = NOBODY,
    token: str = "",
) -> None:
    """Write down that `code` was answered at `door`. `token`: SHA-256 of the one that was sent."""
    now = miso.clock.now_us()
    if await miso.store.count(Note.DOOR_REFUSED, now - _MINUTE_US, actor_id=actor.id) >= MOST:
        _log.warning("refused, and more than the ledger takes", code=code, door=door)
        return
    body = {"code": code, "door": door, "subject": subject, "session": session, "token": token}
    stream = journal.stream_id("refused", fresh())
    await notes.write(miso, stream, (), Note.DOOR_REFUSED, actor, body, show=False)


@asynccontextmanager
async def noted(miso: Miso, *, door: str, principal: Principal | None = None, token: str = "") -> AsyncIterator[None]:
    """Whatever is refused inside is written down on its way out; as somebody's, where it is known whose."""
    try:
        yield
    except Refused as no:
        if principal is None:
            await note(miso, no.code, door=door, token=token)
        else:
            held = principal.grant.token_hash if principal.grant is not None else token
            who, subject, session = principal.actor, principal.subject, principal.session
            await note(miso, no.code, door=door, subject=subject, session=session, actor=who, token=held)
        raise
