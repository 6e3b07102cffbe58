"""Signing in by a browser: away to the sign-in service with a state that only this browser can bring back, and home.

Called by `bot.web.sign_in`. A state is good once, for ten minutes, in the browser that began. Each sign-in makes a new
session and ends the browser's old one; where somebody's roles have changed it ends all their others.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from bot.context import Miso, SignIn
from bot.domain.codes import Code
from bot.domain.identity import SignedIn
from bot.domain.messages import plain, refusal
from bot.domain.model import ANY_VERSION, Keep, Kept
from bot.errors import Refused, Transient
from bot.services import journal, notes, people, refusing, sessions
from bot.services.bearer import fresh, key_of, well_formed
from bot.services.notes import Note
from bot.services.sessions import Session

KIND = "signin"
MINUTES = 10
CALLBACK = "/sign-in/callback"
ASK_THEM = frozenset({"login_required", "interaction_required", "consent_required", "account_selection_required"})
"""What a sign-in service says that was told to ask nobody.
https://openid.net/specs/openid-connect-core-1_0.html#AuthError"""


class Awaited(BaseModel):
    """A sign-in that was begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: str
    """What the sign-in window wants to have back."""
    to: str
    browser: str
    """SHA-256 of what the browser that began was given."""
    silent: bool


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Send the browser to `address`; it keeps `browser` until it comes back."""

    address: str
    browser: str


@dataclass(frozen=True, kw_only=True)
class Entered:
    """Signed in: what the session cookie holds, and where the person wanted to go."""

    cookie: str
    to: str
    subject: str


async def begin(miso: Miso, *, to: str, silent: bool = False) -> Begun:
    """Begin a sign-in that leads to the page `to`. `silent`: ask nobody anything, as long as that is possible."""
    state, browser = fresh(), fresh()
    address, flow = await _service(miso).begin(state=state, redirect=_redirect(miso), silent=silent)
    awaited = Awaited(flow=flow, to=to, browser=key_of(browser), silent=silent)
    kept = Keep(
        kind=KIND,
        key=key_of(state),
        body=awaited.model_dump(mode="json"),
        until_us=miso.clock.now_us() + int(MINUTES * 60e6),
        sealed=True,
    )
    if not await miso.store.keep(kept):
        raise Transient(Code.STORE_UNAVAILABLE, "The sign-in could not be written down.")
    return Begun(address=address, browser=browser)


async def finish(miso: Miso, answer: Mapping[str, str], *, browser: str, cookie: str, agent: str) -> Entered | Begun:
    """What came back in the address of the callback. `cookie` is the browser's present session, if any.

    Gives Begun where the service wants to ask the person after all. Raises Refused, with a row in the ledger.
    """
    try:
        awaited = await _awaited(miso, answer.get("state", ""), browser)
        if awaited.silent and answer.get("error") in ASK_THEM:
            return await begin(miso, to=awaited.to)
        signed = await _service(miso).finish(awaited.flow, answer, redirect=_redirect(miso))
    except Refused as fault:
        await refusing.note(miso, fault.code, door="sign-in")
        raise
    return await _enter(miso, signed, awaited.to, cookie, agent)


async def _awaited(miso: Miso, state: str, browser: str) -> Awaited:
    """The sign-in of this state, which is used up by asking."""
    kept = await miso.store.kept(KIND, key_of(state)) if well_formed(state) else None
    # Taken away whoever brings it: a state that turns up in another browser has been seen by somebody else.
    if kept is None or not await miso.store.keep(people.without(kept)):
        raise refusal(Code.SIGN_IN_STATE)
    awaited = Awaited.model_validate(kept.body)
    if not hmac.compare_digest(awaited.browser, key_of(browser)):
        raise refusal(Code.SIGN_IN_STATE)
    return awaited


async def _enter(miso: Miso, signed: SignedIn, to: str, cookie: str, agent: str) -> Entered:
    """A session for somebody who was proven to be who they are."""
    account = await people.account(miso, signed.subject)
    for _ in range(journal.RACES):
        secret, now = fresh(), miso.clock.now_us()
        key = key_of(secret)
        before = await people.read(miso, signed.subject)
        ended = await _ended(miso, signed, before, cookie)
        session = Session(
            subject=signed.subject,
            account=account.id,
            agent=plain(agent, 120),
            began_us=now,
            seen_us=now,
            ends_us=now + int(miso.rules.session_hours * 3600e6),
        )
        changes = [
            people.news(miso, signed, before),
            sessions.keep(miso, key, session),
            *(Keep(kind=kept.kind, key=kept.key, version=ANY_VERSION) for kept in ended),
        ]
        body = {"subject": signed.subject, "session": key, "ended": [kept.key for kept in ended]}
        stream = sessions.stream_of(key)
        if await notes.write(miso, stream, (), Note.PERSON_SIGNED_IN, account, body, keep=changes, show=False):
            return Entered(cookie=secret, to=to, subject=signed.subject)
    raise Transient(Code.STORE_UNAVAILABLE, "Too many sign-ins of one person at once.")


async def _ended(miso: Miso, signed: SignedIn, before: people.Person | None, cookie: str) -> list[Kept]:
    """Sessions that this sign-in ends: the browser's own before it, those of other roles, the oldest of too many."""
    own = await miso.store.kept(sessions.KIND, key_of(cookie)) if well_formed(cookie) else None
    theirs = list(await sessions.of_person(miso, signed.subject))
    changed = before is not None and (
        await people.roles(miso, frozenset(before.told.groups)) != await people.roles(miso, signed.groups)
    )
    ended = {kept.key: kept for kept in [own] if kept is not None}
    browsers = sorted((kept for kept in theirs if kept.kind == sessions.KIND), key=lambda kept: kept.created_us)
    too_many = browsers[: max(0, len(browsers) - sessions.MOST + 1)]
    ended |= {kept.key: kept for kept in (theirs if changed else too_many)}
    return list(ended.values())


def _service(miso: Miso) -> SignIn:
    if miso.sign_in is None:
        raise refusal(Code.SIGN_IN_OFF)
    return miso.sign_in


def _redirect(miso: Miso) -> str:
    return miso.rules.public_url + CALLBACK
