"""What keys are for, and the life of one: made and published, signing later, retired but still published, removed.

Judged by `bot.oidc.rings` at every look, shown by `miso keys list`. Everything follows from three moments that are
written down with the key, so that every process says the same of it at the same time, whoever made it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class Use(StrEnum):
    """What the keys of a ring are for. The value names their files, and their keys in a vault."""

    ASSERTION = "assertion"
    """By which Miso speaks for itself to Entra."""
    TOKEN = "token"  # noqa: S105 - the name of a use
    """Deploy tokens, for Miso's own doors."""
    CLIENT = "client"
    """By which Miso is known to another sign-in service (`private_key_jwt`)."""
    SEAL = "seal"
    """Makes unreadable what the store must forget. Symmetric."""
    COOKIE = "cookie"
    """Stamps of forms and cookies. Symmetric."""


class State(StrEnum):
    """Where a key is in its life."""

    PUBLISHED = "published"
    """Others may learn it; it does not sign yet."""
    SIGNING = "signing"
    RETIRED = "retired"
    """Signs no more, and is still published for what it signed."""
    REMOVED = "removed"
    """Nothing that it signed is valid any more."""
    WITHDRAWN = "withdrawn"
    """Taken out of its life by a person: nothing that it signed is believed. Told of for a while, then removed."""


@dataclass(frozen=True, kw_only=True)
class KeyLife:
    """What is written down about one key of a ring."""

    name: str
    """Its number or version: unique in its ring."""
    made_us: int
    """Published from then on."""
    signs_us: int
    """Signs from then on, until another one does."""
    withdrawn_us: int = 0


@dataclass(frozen=True, kw_only=True)
class Spans:
    """How long each part of a life lasts."""

    life_us: int = 90 * DAY_US
    """A key signs for so long; then its successor does."""
    publish_us: int = DAY_US
    """A successor is published for so long before it signs."""
    keep_us: int = 2 * DAY_US
    """A retired key is published for so long. Longer than anything that it signs is valid."""


def in_order(lives: Sequence[KeyLife]) -> Sequence[KeyLife]:
    """By when they sign. Two that were made for the same moment have an order too, the same everywhere."""
    return sorted(lives, key=lambda life: (life.signs_us, life.made_us, life.name))


def signing(lives: Sequence[KeyLife], now_us: int) -> KeyLife | None:
    """The one that signs: the last whose time has come. None where there is none that may.

    A clock that was set back before the first one's time still gets the first one.
    """
    able = [life for life in in_order(lives) if not life.withdrawn_us]
    begun = [life for life in able if life.signs_us <= now_us]
    return begun[-1] if begun else next(iter(able), None)


def retired_us(life: KeyLife, lives: Sequence[KeyLife]) -> int | None:
    """When another one signs in its place; None where that is not settled."""
    able = [each for each in in_order(lives) if not each.withdrawn_us or each.name == life.name]
    after = able[[each.name for each in able].index(life.name) + 1 :]
    return after[0].signs_us if after else None


def state(life: KeyLife, lives: Sequence[KeyLife], now_us: int, spans: Spans) -> State:
    """Where `life`, which is one of `lives`, is now."""
    if life.withdrawn_us:
        return State.WITHDRAWN if now_us < life.withdrawn_us + spans.keep_us else State.REMOVED
    present = signing(lives, now_us)
    if present is None or present.name == life.name:
        return State.SIGNING
    if life.signs_us > now_us:
        return State.PUBLISHED
    ended = retired_us(life, lives)
    return State.RETIRED if ended is None or now_us < ended + spans.keep_us else State.REMOVED


def published(lives: Sequence[KeyLife], now_us: int, spans: Spans) -> Sequence[KeyLife]:
    """Those whose public part others must know, in order."""
    shown = {State.PUBLISHED, State.SIGNING, State.RETIRED}
    return [life for life in in_order(lives) if state(life, lives, now_us, spans) in shown]


def waiting(lives: Sequence[KeyLife], now_us: int) -> KeyLife | None:
    """The successor that is published and will sign next."""
    present = signing(lives, now_us)
    able = (life for life in in_order(lives) if not life.withdrawn_us and life.signs_us > now_us)
    return next((life for life in able if present is not None and life.name != present.name), None)


def successor_due(lives: Sequence[KeyLife], now_us: int, spans: Spans) -> bool:
    """Whether a successor must be made now, so that it has been published long enough when it signs."""
    present = signing(lives, now_us)
    if present is None:
        return True
    return waiting(lives, now_us) is None and now_us >= present.signs_us + spans.life_us - spans.publish_us


def born(name: str, lives: Sequence[KeyLife], now_us: int, spans: Spans, *, at_once: bool = False) -> KeyLife:
    """The life of a key that is made now. The first of a ring signs at once: nobody could have learnt another.

    `at_once`: an emergency; whoever keeps a copy of the published keys refuses what it signs until they look again.
    """
    first = signing(lives, now_us) is None
    return KeyLife(name=name, made_us=now_us, signs_us=now_us if first or at_once else now_us + spans.publish_us)


def next_change_us(life: KeyLife, lives: Sequence[KeyLife], now_us: int, spans: Spans) -> int | None:
    """When its state changes next, by what is known now; None where nothing more will happen to it."""
    match state(life, lives, now_us, spans):
        case State.PUBLISHED:
            return life.signs_us
        case State.SIGNING:
            successor = waiting(lives, now_us)
            planned = max(life.signs_us + spans.life_us, now_us + spans.publish_us)
            return successor.signs_us if successor is not None else planned
        case State.RETIRED:
            ended = retired_us(life, lives)
            return None if ended is None else ended + spans.keep_us
        case State.WITHDRAWN:
            return life.withdrawn_us + spans.keep_us
        case State.REMOVED:
            return None
