"""Whoever signed in: what the sign-in service said of them last, and the principal that this makes of them now.

Called by `sessions`, `devices` and `signing_in`. Groups are kept for a person, not for a session: signing in again
in a browser is news for the command line too. Which roles they give is asked of the policy in force each time, and
which GitHub account somebody is of the links; neither is remembered here.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from bot.context import Miso
from bot.domain.authorization import roles_of
from bot.domain.identity import Door, Principal, Role, SignedIn
from bot.domain.model import Actor, ActorKind, Keep, Kept
from bot.services import links, policies
from bot.services.bearer import key_of

KIND = "person"
MOST_NAME = 200


class Told(BaseModel):
    """What the sign-in service said, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    name: str
    """Somebody else's text."""
    groups: tuple[str, ...]
    at_us: int


@dataclass(frozen=True, kw_only=True)
class Person:
    """The same, as it is kept. Version 0: not yet."""

    told: Told
    version: int


async def read(miso: Miso, subject: str) -> Person | None:
    """What is known of somebody; None once it was too long ago."""
    kept = await miso.store.kept(KIND, key_of(subject))
    return Person(told=Told.model_validate(kept.body), version=kept.version) if kept is not None else None


def news(miso: Miso, signed: SignedIn, before: Person | None) -> Keep:
    """The change that puts down what was just told."""
    now = miso.clock.now_us()
    told = Told(subject=signed.subject, name=signed.name[:MOST_NAME], groups=tuple(sorted(signed.groups)), at_us=now)
    # As long as anybody's session or command line can live by it.
    longest = max(miso.rules.session_hours, miso.rules.refresh_days * 24)
    return Keep(
        kind=KIND,
        key=key_of(signed.subject),
        owner=signed.subject,
        body=told.model_dump(mode="json"),
        version=before.version if before is not None else 0,
        until_us=now + int(longest * 3600e6),
    )


async def roles(miso: Miso, groups: frozenset[str]) -> frozenset[Role]:
    """What the policy in force makes of these groups."""
    accepted = await policies.accepted(miso)
    return roles_of(accepted.policies if accepted is not None else None, groups)


async def principal(miso: Miso, told: Told, *, door: Door, session: str, device: bool = False) -> Principal:
    """Somebody at a door, as of now."""
    return Principal(
        actor=await account(miso, told.subject),
        door=door,
        subject=told.subject,
        roles=await roles(miso, frozenset(told.groups)),
        roles_us=told.at_us,
        device=device,
        session=session,
    )


async def account(miso: Miso, subject: str) -> Actor:
    """The GitHub account that this identity was proven to be; a person with number 0 where it was not."""
    linked = await links.of(miso, subject)
    return linked.actor if linked is not None else Actor(kind=ActorKind.PERSON, id=0)


def stale(miso: Miso, principal: Principal) -> bool:
    """Whether somebody's groups must be asked for again before anything happens in their name."""
    return miso.clock.now_us() - principal.roles_us > miso.rules.roles_minutes * 60e6


def relinked(before: int, now: int) -> bool:
    """Whether somebody became another person since, or nobody: what they began as the old one is over."""
    return before not in (0, now)


def without(kept: Kept) -> Keep:
    """The change that takes this away, as it was seen."""
    return Keep(kind=kept.kind, key=kept.key, version=kept.version)
