"""Device codes: the request of a program to act as somebody, until somebody says yes or no on the device page.

Called by the device authorization and token routes and by the device page. https://www.rfc-editor.org/rfc/rfc8628: the
page never knows the code beforehand, so whoever says yes has seen it in a terminal, and sees who asks before they say
it. Wrong codes are counted for each person, looks at a code for each code. What a yes gives is made by `devices`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal
from bot.domain.model import Keep, Kept
from bot.errors import Transient
from bot.services import journal, notes, people
from bot.services.bearer import LETTERS, fresh, key_of, typed
from bot.services.notes import Note

ASKING: Final = "device"
TRIES: Final = "device_tries"
CLIENT: Final = "miso-cli"
SCOPE: Final = "deploy"
LIFE_S: Final = 600
INTERVAL_S: Final = 5
MOST_TRIES: Final = 5
"""Wrong codes of one person in ten minutes, and looks at one code."""


class State(StrEnum):
    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"


class Asking(BaseModel):
    """A program that asks to act as whoever says yes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str
    scope: str
    address: str
    """Where it asked from."""
    began_us: int
    interval: int = INTERVAL_S
    """Seconds that it must wait between two questions."""
    polled_us: int = 0
    looks: int = 0
    state: State = State.PENDING
    subject: str = ""
    """Whoever said yes."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """https://www.rfc-editor.org/rfc/rfc8628#section-3.2"""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    verification_uri: str
    expires_in: int = LIFE_S
    interval: int = INTERVAL_S


async def begin(miso: Miso, client: str, scope: str, address: str) -> Begun:
    """A new code for a program to show. Raises Refused for programs and scopes that nobody knows."""
    if miso.sign_in is None or not miso.rules.device_sign_in:
        raise refusal(Code.SIGN_IN_OFF)
    if client != CLIENT:
        raise refusal(Code.REQUEST_MALFORMED, word="client_id")
    if (scope or SCOPE) != SCOPE:
        raise refusal(Code.REQUEST_MALFORMED, word="scope")
    now = miso.clock.now_us()
    device_code, user_code = fresh(), typed()
    asking = Asking(client=client, scope=SCOPE, address=address, began_us=now)
    kept = Keep(
        kind=ASKING,
        key=key_of(device_code),
        owner=key_of(spelled(user_code)),
        body=asking.model_dump(mode="json"),
        until_us=now + LIFE_S * 1_000_000,
    )
    if await miso.store.kept_by(ASKING, owner=kept.owner) or not await miso.store.keep(kept):
        raise Transient(Code.STORE_UNAVAILABLE, "No code was free.")
    return Begun(device_code=device_code, user_code=user_code, verification_uri=f"{miso.rules.public_url}/device")


async def look(miso: Miso, principal: Principal, code: str) -> Asking:
    """Who asks, before anybody says yes. Raises Refused for a wrong code, and for any after too many wrong ones."""
    kept, asking = await _found(miso, principal, code)
    if asking.looks >= MOST_TRIES:
        await miso.store.keep(Keep(kind=ASKING, key=kept.key, version=kept.version))
        raise refusal(Code.DEVICE_CODE)
    seen = asking.model_copy(update={"looks": asking.looks + 1})
    if not await miso.store.keep(changed(kept, seen)):
        raise Transient(Code.STORE_UNAVAILABLE, "Somebody else looked at the same code at the same time.")
    return seen


async def decide(miso: Miso, principal: Principal, code: str, *, allow: bool) -> None:
    """Yes or no, by somebody in a browser whose groups were asked for lately."""
    if principal.door is not Door.PORTAL or principal.device or not principal.subject:
        raise refusal(Code.DOOR_REFUSED)
    if allow and people.stale(miso, principal):
        raise refusal(Code.ROLES_TOO_OLD)
    kept, asking = await _found(miso, principal, code)
    state = State.GRANTED if allow else State.DENIED
    done = asking.model_copy(update={"state": state, "subject": principal.subject if allow else ""})
    note = Note.DEVICE_GRANTED if allow else Note.DEVICE_DENIED
    body = {"subject": principal.subject, "device": kept.key, "client": asking.client, "scope": asking.scope}
    stream = journal.stream_id("device", kept.key)
    written = await notes.write(miso, stream, (), note, principal.actor, body, keep=[changed(kept, done)], show=False)
    if not written:
        raise refusal(Code.DEVICE_CODE)


def changed(kept: Kept, asking: Asking) -> Keep:
    """The change from what was read to `asking`; its time stays."""
    return Keep(
        kind=ASKING,
        key=kept.key,
        owner=kept.owner,
        body=asking.model_dump(mode="json"),
        version=kept.version,
        until_us=kept.until_us,
    )


def spelled(code: str) -> str:
    """The letters of a code, however somebody typed them."""
    return "".join(code.upper().replace("-", "").split())


async def _found(miso: Miso, principal: Principal, code: str) -> tuple[Kept, Asking]:
    """The request that waits under this code; a wrong one is counted."""
    key = key_of(principal.subject)
    tries = await miso.store.kept(TRIES, key)
    wrong = int(tries.body["wrong"]) if tries is not None else 0
    if wrong >= MOST_TRIES:
        raise refusal(Code.TOO_MANY_REQUESTS)
    letters = spelled(code)
    kept = []
    if len(letters) == 8 and set(letters) <= set(LETTERS):
        kept = list(await miso.store.kept_by(ASKING, owner=key_of(letters)))
    asking = Asking.model_validate(kept[0].body) if len(kept) == 1 else None
    if asking is not None and asking.state is State.PENDING:
        return kept[0], asking
    counted = Keep(
        kind=TRIES,
        key=key,
        owner=principal.subject,
        body={"wrong": wrong + 1},
        version=tries.version if tries is not None else 0,
        until_us=miso.clock.now_us() + LIFE_S * 1_000_000,
    )
    if not await miso.store.keep(counted):
        # Two wrong ones at once: neither is told anything, so neither is a try that was not counted.
        raise refusal(Code.TOO_MANY_REQUESTS)
    raise refusal(Code.DEVICE_CODE)
