"""Sessions of browsers: who is behind a cookie, how long that lasts, and how it ends.

Called by `bot.web.auth` and by the account page; `signing_in` makes them. A cookie holds a random number, the store its
hash, and nothing about anybody is in the browser. Sessions end by idleness, by age, by their owner, and when who they
belong to has become another GitHub account; other roles end them at the next sign-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot.context import Miso
from bot.domain.identity import Door, Principal
from bot.domain.messages import plain
from bot.domain.model import ANY_VERSION, Keep, Kept
from bot.services import devices, journal, notes, people
from bot.services.bearer import key_of, well_formed
from bot.services.notes import Note

KIND = "session"
MOST = 20
"""Of one person; a new one ends the oldest."""
TOUCH_US = 60_000_000
"""A session's last use is written down at most so often."""
_PAGE = 100


class Session(BaseModel):
    """One browser's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    account: int
    """Number of the GitHub account that its owner was when it began; 0: none yet."""
    agent: str
    """What the browser calls itself."""
    began_us: int
    seen_us: int
    ends_us: int
    """Whatever happens."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One of somebody's sessions, as the account page tells of it."""

    key: str
    device: bool
    about: str
    began_us: int
    seen_us: int
    until_us: int


async def of_cookie(miso: Miso, cookie: str) -> Principal | None:
    """Who is behind a session cookie. None for any that is not, or no longer, a session's."""
    if not well_formed(cookie):
        return None
    kept = await miso.store.kept(KIND, key_of(cookie))
    if kept is None:
        return None
    session = Session.model_validate(kept.body)
    person = await people.read(miso, session.subject)
    if person is None:
        return None
    found = await people.principal(miso, person.told, door=Door.PORTAL, session=kept.key)
    if people.relinked(session.account, found.actor.id):
        await end(miso, found, kept.key, why="link")
        return None
    now = miso.clock.now_us()
    if now - session.seen_us >= TOUCH_US or session.account != found.actor.id:
        # Where somebody else was quicker it is the same news, or the end of the session.
        await miso.store.keep(keep(miso, kept.key, _seen(session, now, found.actor.id), version=kept.version))
    return found


async def of_access(miso: Miso, token: str) -> Principal | None:
    """Who is behind an access token of the command line."""
    return await devices.of_access(miso, token)


def keep(miso: Miso, key: str, session: Session, *, version: int = 0) -> Keep:
    """The change that writes a session down, with the time at which it ends unless it is used."""
    idle = session.seen_us + int(miso.rules.session_idle_minutes * 60e6)
    return Keep(
        kind=KIND,
        key=key,
        owner=session.subject,
        body=session.model_dump(mode="json"),
        version=version,
        until_us=min(idle, session.ends_us),
    )


async def of_person(miso: Miso, subject: str) -> Sequence[Kept]:
    """Everything that somebody is signed in by: browsers and command lines. Whoever never signed in has none."""
    found: list[Kept] = []
    if not subject:
        return found  # to the store an owner without a name is anybody
    for kind in (KIND, devices.FAMILY):
        after = ""
        while page := await miso.store.kept_by(kind, owner=subject, after=after, limit=_PAGE):
            found += page
            after = page[-1].key
    return found


async def listing(miso: Miso, subject: str) -> Sequence[Shown]:
    """The same to be shown, newest first."""
    shown = []
    for kept in await of_person(miso, subject):
        if kept.kind == devices.FAMILY:
            family = devices.Family.model_validate(kept.body)
            shown.append(_shown(kept, True, f"{family.client}, from {family.address}", family.began_us, 0))
        else:
            session = Session.model_validate(kept.body)
            shown.append(_shown(kept, False, session.agent, session.began_us, session.seen_us))
    return sorted(shown, key=lambda each: -each.began_us)


async def end(miso: Miso, principal: Principal, key: str, *, why: str = "asked") -> bool:
    """End one session of this person, a browser's or a command line's. False where they have no such one."""
    for kept in await of_person(miso, principal.subject):
        if kept.key == key:
            body = {"subject": principal.subject, "ended": [key], "why": why}
            away = Keep(kind=kept.kind, key=key, version=ANY_VERSION)
            return await _written(miso, principal, key, body, [away])
    return False


async def end_all(miso: Miso, principal: Principal) -> int:
    """End all of them. How many there were."""
    found = await of_person(miso, principal.subject)
    if found:
        body = {"subject": principal.subject, "ended": [kept.key for kept in found], "why": "all"}
        away = [Keep(kind=kept.kind, key=kept.key, version=ANY_VERSION) for kept in found]
        await _written(miso, principal, principal.session, body, away)
    return len(found)


def stream_of(key: str) -> str:
    """The stream of a session, from its begin to its end."""
    return journal.stream_id("session", key)


async def _written(miso: Miso, principal: Principal, key: str, body: dict[str, Any], away: Sequence[Keep]) -> bool:
    stream = stream_of(key)
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        written = await notes.write(
            miso, stream, rows, Note.PERSON_SIGNED_OUT, principal.actor, body, keep=away, show=False
        )
        if written:
            return True
    return False


def _seen(session: Session, now: int, account: int) -> Session:
    return session.model_copy(update={"seen_us": now, "account": account})


def _shown(kept: Kept, device: bool, about: str, began_us: int, seen_us: int) -> Shown:
    return Shown(
        key=kept.key,
        device=device,
        about=plain(about, 120),
        began_us=began_us,
        seen_us=seen_us,
        until_us=kept.until_us,
    )
