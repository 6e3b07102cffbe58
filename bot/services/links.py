"""Which GitHub account an identity from elsewhere is: proven by a code typed there, or set by an administrator.

Called by the account page (`begin`), the command `/link` (`prove`), administrators (`put`, `remove`) and everybody who
makes a principal of somebody who signed in (`of`). A link is what lets such a person act, as their GitHub account and
as nobody else (security rule 9). The code is shown once and kept as a hash; neither it nor whose it is stands in any
answer on GitHub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.identity import Deed, LinkedPerson, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import ANY_VERSION, Actor, ActorKind, Keep, Kept
from bot.errors import Transient
from bot.services import authorization, journal, notes
from bot.services.bearer import key_of, typed
from bot.services.notes import Note

LINK: Final = "link"
CODE: Final = "link_code"
TRIES: Final = "link_tries"
SIGN_INS: Final = ("session", "family")
"""Kinds of what somebody is signed in by, by browser and by command line (`sessions`, `devices`)."""
CODE_US: Final = 600_000_000
HOUR_US: Final = 3_600_000_000
MOST_TRIES: Final = 5
"""By one account in an hour, right or wrong."""
LETTERS: Final = 12
_PAGE: Final = 100


class Account(BaseModel):
    """A link as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    account: int
    login: str
    since_us: int
    by: int
    by_login: str
    cause: str


async def of(miso: Miso, subject: str) -> LinkedPerson | None:
    """The GitHub account that this identity was proven to be; None: it was not."""
    kept = await miso.store.kept(LINK, key_of(subject)) if subject else None
    return _person(kept) if kept is not None else None


async def begin(miso: Miso, principal: Principal) -> str:
    """A code for whoever is signed in, to be typed at GitHub within ten minutes. It ends any that they had before."""
    await authorization.authorize(miso, principal, Deed.LINK, Resource())
    if not principal.subject:
        raise refusal(Code.NOT_SIGNED_IN)
    code = typed(LETTERS)
    older = await miso.store.kept_by(CODE, owner=principal.subject, limit=_PAGE)
    fresh = Keep(kind=CODE, key=key_of(code), owner=principal.subject, body={}, until_us=miso.clock.now_us() + CODE_US)
    away = [Keep(kind=CODE, key=kept.key, version=ANY_VERSION) for kept in older]
    if not await miso.store.keep(fresh, *away):
        raise Transient(Code.STORE_UNAVAILABLE, "The code could not be kept.")
    return code


async def waits(miso: Miso, account: int, code: str) -> bool:
    """Whether somebody waits for this code: the only reason to listen to an account that may not write (rule 15)."""
    return await _may_try(miso, account) and await miso.store.kept(CODE, key_of(code)) is not None


async def prove(miso: Miso, principal: Principal, code: str, cause: str) -> LinkedPerson:
    """The account that typed this code is the person who was shown it. The same cause twice is one proof.

    Raises Refused: `link_code`, `link_taken`, `command_limit`, `door_refused`.
    """
    await authorization.authorize(miso, principal, Deed.LINK, Resource())
    actor = principal.actor
    if principal.subject or actor.id <= 0:
        # Only GitHub's own word on who typed it proves anything.
        raise refusal(Code.DOOR_REFUSED)
    for own in await miso.store.kept_by(LINK, owner=str(actor.id), limit=_PAGE):
        if own.body["cause"] == cause:
            return _person(own)
    if not await _may_try(miso, actor.id):
        raise refusal(Code.COMMAND_LIMIT, limit=MOST_TRIES)
    for _ in range(journal.RACES):
        asked = await miso.store.kept(CODE, key_of(code))
        if asked is None:
            raise refusal(Code.LINK_CODE)
        before = await miso.store.kept(LINK, key_of(asked.owner))
        if before is not None and before.body["account"] != actor.id:
            raise refusal(Code.LINK_TAKEN)
        spent = Keep(kind=CODE, key=asked.key, version=asked.version)
        found = await _put(miso, asked.owner, actor, actor, cause, before, spent)
        if found is not None:
            return found
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same link.")


async def put(miso: Miso, principal: Principal, subject: str, github: Actor, *, cause: str = "") -> LinkedPerson:
    """An administrator says which account an identity is; what it was signed in by ends where it was another's.

    Nobody says so of their own identity: that takes the account itself, by `/link`.
    """
    await _administrator(miso, principal, subject)
    if github.kind is not ActorKind.PERSON or github.id <= 0:
        raise refusal(Code.REQUEST_MALFORMED, word="account")
    for _ in range(journal.RACES):
        before = await miso.store.kept(LINK, key_of(subject))
        if before is not None and before.body["account"] == github.id and before.body["login"] == github.login:
            return _person(before)
        found = await _put(miso, subject, github, principal.actor, cause, before)
        if found is not None:
            return found
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same link.")


async def remove(miso: Miso, principal: Principal, subject: str) -> bool:
    """An administrator takes a link away, and with it all that the person is signed in by. False: there was none."""
    await _administrator(miso, principal, subject)
    for _ in range(journal.RACES):
        before = await miso.store.kept(LINK, key_of(subject))
        if before is None:
            return False
        away = [Keep(kind=LINK, key=before.key, version=before.version), *await _signed_in(miso, subject)]
        body = _told(subject, before, principal.actor)
        if await _write(miso, subject, Note.PERSON_UNLINKED, principal.actor, body, away):
            return True
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same link.")


def stream_of(subject: str) -> str:
    """The stream of an identity's links."""
    return journal.stream_id("link", subject)


async def _administrator(miso: Miso, principal: Principal, subject: str) -> None:
    await authorization.authorize(miso, principal, Deed.LINK_OTHERS, Resource())
    if not subject or subject == principal.subject:
        raise refusal(Code.DOOR_REFUSED)


async def _put(
    miso: Miso, subject: str, github: Actor, by: Actor, cause: str, before: Kept | None, *spent: Keep
) -> LinkedPerson | None:
    """The link with its row, in one piece; None where somebody else was quicker."""
    account = Account(
        subject=subject,
        account=github.id,
        login=github.login,
        since_us=miso.clock.now_us(),
        by=by.id,
        by_login=by.login,
        cause=cause,
    )
    link = Keep(
        kind=LINK,
        key=key_of(subject),
        owner=str(github.id),
        body=account.model_dump(mode="json"),
        version=before.version if before is not None else 0,
    )
    ended = [] if before is None or before.body["account"] == github.id else await _signed_in(miso, subject)
    body = {**_told(subject, before, by), "account": github.id, "account_login": github.login, "cause": cause}
    written = await _write(miso, subject, Note.PERSON_LINKED, by, body, [link, *spent, *ended])
    return await of(miso, subject) if written else None


def _told(subject: str, before: Kept | None, by: Actor) -> dict[str, Any]:
    return {"subject": subject, "was": before.body["account"] if before is not None else 0, "login": by.login}


async def _write(
    miso: Miso, subject: str, kind: Note, by: Actor, body: dict[str, Any], changes: Sequence[Keep]
) -> bool:
    stream = stream_of(subject)
    return await notes.write(miso, stream, await miso.store.stream(stream), kind, by, body, keep=changes, show=False)


async def _signed_in(miso: Miso, subject: str) -> list[Keep]:
    """What must go with a link that ends or changes: whoever they were, they are not any more."""
    found: list[Keep] = []
    for kind in SIGN_INS:
        after = ""
        while page := await miso.store.kept_by(kind, owner=subject, after=after, limit=_PAGE):
            found += [Keep(kind=kind, key=kept.key, version=ANY_VERSION) for kept in page]
            after = page[-1].key
    return found


async def _may_try(miso: Miso, account: int) -> bool:
    """Counts one try of this account; False once there were too many within the hour."""
    key = key_of(f"{TRIES}:{account}")
    for _ in range(journal.RACES):
        kept = await miso.store.kept(TRIES, key)
        count = int(kept.body["count"]) if kept is not None else 0
        if count >= MOST_TRIES:
            return False
        until = kept.until_us if kept is not None else miso.clock.now_us() + HOUR_US
        version = kept.version if kept is not None else 0
        body = {"count": count + 1}
        if await miso.store.keep(
            Keep(kind=TRIES, key=key, owner=str(account), body=body, version=version, until_us=until)
        ):
            return True
    raise Transient(Code.STORE_UNAVAILABLE, "Too many tries at once.")


def _person(kept: Kept) -> LinkedPerson:
    account = Account.model_validate(kept.body)
    return LinkedPerson(
        subject=account.subject,
        actor=Actor(kind=ActorKind.PERSON, id=account.account, login=account.login),
        since_us=account.since_us,
        by=Actor(kind=ActorKind.PERSON, id=account.by, login=account.by_login),
    )
