"""What the command line signs in by: a device code that somebody said yes to, and the tokens that this gives.

Called by the token routes and by `sessions`. Tokens are opaque and kept as hashes. All that came of one sign-in is a
family: it ends together, by its owner, by age, or because a refresh token was used twice and so may be in two hands.

Refreshing asks nobody for groups: those of the last browser sign-in count, and grow too old to act on. A new sign-in in
the browser is news for the command line too (`bot.services.people`).
https://www.rfc-editor.org/rfc/rfc8628 · https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal
from bot.domain.model import ANY_VERSION, Keep, Kept
from bot.errors import Transient
from bot.services import device_codes, journal, notes, people
from bot.services.bearer import fresh, key_of, well_formed
from bot.services.device_codes import ASKING, Asking, Begun, State, begin, decide, look
from bot.services.notes import Note

__all__ = ["FAMILY", "Begun", "Family", "PersonTokens", "begin", "decide", "look", "poll", "refresh", "revoke"]

FAMILY: Final = "family"
ACCESS: Final = "access"
REFRESH: Final = "refresh"
ACCESS_PREFIX: Final = "misoa_"
REFRESH_PREFIX: Final = "misor_"
EARLY_US: Final = 500_000
"""So much sooner than agreed is the network's doing."""


class Family(BaseModel):
    """One sign-in of the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    account: int
    """Number of the GitHub account that its owner was; 0: none yet."""
    client: str
    scope: str
    address: str
    began_us: int


class Handed(BaseModel):
    """An access or refresh token that was handed out. Its family is its owner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    used: bool = False
    """A refresh token's; it stays until its family ends, so that a second use shows."""


@dataclass(frozen=True, kw_only=True)
class PersonTokens:
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.1"""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    scope: str
    subject: str


async def poll(miso: Miso, device_code: str, client: str) -> PersonTokens:
    """The answer to a program that waits. Raises Refused: not yet, too fast, denied, or no such code any more."""
    kept = await miso.store.kept(ASKING, key_of(device_code)) if well_formed(device_code) else None
    asking = Asking.model_validate(kept.body) if kept is not None else None
    if kept is None or asking is None or asking.client != client:
        raise refusal(Code.DEVICE_CODE)
    now = miso.clock.now_us()
    early = asking.polled_us > 0 and now - asking.polled_us < asking.interval * 1_000_000 - EARLY_US
    if early or asking.state is State.PENDING:
        interval = asking.interval + (device_codes.INTERVAL_S if early else 0)
        later = asking.model_copy(update={"polled_us": now, "interval": interval})
        # Where it does not fit, somebody has just answered, or it was asked twice at once: the next poll tells.
        await miso.store.keep(device_codes.changed(kept, later))
        raise refusal(Code.SLOW_DOWN if early else Code.AUTHORIZATION_PENDING)
    if asking.state is State.DENIED:
        await miso.store.keep(people.without(kept))
        raise refusal(Code.DEVICE_DENIED)
    return await _begun(miso, kept, asking)


async def _begun(miso: Miso, kept: Kept, asking: Asking) -> PersonTokens:
    """A new family, for the one who asks first."""
    if await people.read(miso, asking.subject) is None:
        raise refusal(Code.DEVICE_CODE)
    account = await people.account(miso, asking.subject)
    now = miso.clock.now_us()
    key = key_of(fresh())
    family = Family(
        subject=asking.subject,
        account=account.id,
        client=asking.client,
        scope=asking.scope,
        address=asking.address,
        began_us=now,
    )
    until = now + int(miso.rules.refresh_days * 86_400e6)
    opened = Keep(kind=FAMILY, key=key, owner=asking.subject, body=family.model_dump(mode="json"), until_us=until)
    tokens, handed = _tokens(miso, key, family, until)
    body = {"subject": asking.subject, "session": key, "device": kept.key, "client": asking.client}
    changes = [people.without(kept), opened, *handed]
    stream = journal.stream_id("session", key)
    if not await notes.write(miso, stream, (), Note.PERSON_SIGNED_IN, account, body, keep=changes, show=False):
        raise refusal(Code.DEVICE_CODE)
    return tokens


async def refresh(miso: Miso, token: str, client: str) -> PersonTokens:
    """New tokens for an old refresh token, which is used up."""
    for _ in range(journal.RACES):
        kept = await miso.store.kept(REFRESH, key_of(token)) if well_formed(token, REFRESH_PREFIX) else None
        found = await _family(miso, kept.owner) if kept is not None else None
        if kept is None or found is None:
            raise refusal(Code.REFRESH_REFUSED)
        row, family = found
        if family.client != client or await people.read(miso, family.subject) is None:
            raise refusal(Code.REFRESH_REFUSED)
        if Handed.model_validate(kept.body).used:
            await _end(miso, row, family, Note.DEVICE_REUSED, {"token": kept.key})
            raise refusal(Code.REFRESH_REUSED)
        tokens, handed = _tokens(miso, row.key, family, row.until_us)
        spent = Keep(
            kind=REFRESH,
            key=kept.key,
            owner=kept.owner,
            body=Handed(used=True).model_dump(mode="json"),
            version=kept.version,
            until_us=kept.until_us,
        )
        if await miso.store.keep(spent, *handed):
            return tokens
    raise Transient(Code.STORE_UNAVAILABLE, "The refresh token could not be used.")


async def of_access(miso: Miso, token: str) -> Principal | None:
    """Who is behind an access token. None for any that is not, or no longer, one."""
    kept = await miso.store.kept(ACCESS, key_of(token)) if well_formed(token, ACCESS_PREFIX) else None
    found = await _family(miso, kept.owner) if kept is not None else None
    if found is None:
        return None
    row, family = found
    person = await people.read(miso, family.subject)
    if person is None:
        return None
    return await people.principal(miso, person.told, door=Door.CLI, session=row.key, device=True)


async def revoke(miso: Miso, token: str) -> bool:
    """Sign the command line out by any of its tokens, used or not. False where it is none of ours."""
    kind = REFRESH if token.startswith(REFRESH_PREFIX) else ACCESS
    prefix = REFRESH_PREFIX if kind == REFRESH else ACCESS_PREFIX
    kept = await miso.store.kept(kind, key_of(token)) if well_formed(token, prefix) else None
    found = await _family(miso, kept.owner) if kept is not None else None
    if found is None:
        return False
    await _end(miso, *found, Note.PERSON_SIGNED_OUT, {"why": "asked"})
    return True


async def _family(miso: Miso, key: str) -> tuple[Kept, Family] | None:
    """The sign-in that a token belongs to, while it lasts and while its owner is who they were."""
    kept = await miso.store.kept(FAMILY, key)
    if kept is None:
        return None
    family = Family.model_validate(kept.body)
    now = (await people.account(miso, family.subject)).id
    if people.relinked(family.account, now):
        await _end(miso, kept, family, Note.PERSON_SIGNED_OUT, {"why": "link"})
        return None
    if family.account != now:
        family = family.model_copy(update={"account": now})
        known = Keep(
            kind=FAMILY,
            key=key,
            owner=kept.owner,
            body=family.model_dump(mode="json"),
            version=kept.version,
            until_us=kept.until_us,
        )
        await miso.store.keep(known)
    return kept, family


async def _end(miso: Miso, row: Kept, family: Family, note: Note, about: dict[str, str]) -> None:
    """Take the family away, and with it all of its tokens."""
    stream = journal.stream_id("session", row.key)
    account = await people.account(miso, family.subject)
    body = {"subject": family.subject, "ended": [row.key], **about}
    gone = Keep(kind=FAMILY, key=row.key, version=ANY_VERSION)
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        if await notes.write(miso, stream, rows, note, account, body, keep=[gone], show=False):
            return
    raise Transient(Code.STORE_UNAVAILABLE, "The sign-in could not be ended.")


def _tokens(miso: Miso, family_key: str, family: Family, until_us: int) -> tuple[PersonTokens, list[Keep]]:
    """A pair of tokens, and what is kept of them."""
    access, again = fresh(ACCESS_PREFIX), fresh(REFRESH_PREFIX)
    now = miso.clock.now_us()
    ends = min(until_us, now + int(miso.rules.access_minutes * 60e6))
    body = Handed().model_dump(mode="json")
    tokens = PersonTokens(
        access_token=access,
        refresh_token=again,
        expires_in=(ends - now) // 1_000_000,
        scope=family.scope,
        subject=family.subject,
    )
    return tokens, [
        Keep(kind=ACCESS, key=key_of(access), owner=family_key, body=body, until_us=ends),
        Keep(kind=REFRESH, key=key_of(again), owner=family_key, body=body, until_us=until_us),
    ]
