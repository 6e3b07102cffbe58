"""Rings: the keys of one use with their lives, wherever they are kept; and all rings of this controller together.

`bot.oidc.issue` signs and verifies with them, `bot.app` opens them (`bot.oidc.opening`), the worker tends them. A ring
that cannot be looked at keeps what it knows: no request fails because a disk or a vault does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from bot import telemetry
from bot.domain.key_life import (
    KeyLife,
    Spans,
    State,
    born,
    in_order,
    next_change_us,
    published,
    retired_us,
    signing,
    state,
    successor_due,
    waiting,
)
from bot.errors import ConfigError, MisoError
from bot.oidc.keys import SecretKey, SigningKey, Use

log = telemetry.logger("keys")

LOOK_EVERY_US = 60_000_000
"""How soon a key is noticed that another process made."""


class Named(Protocol):
    @property
    def kid(self) -> str: ...


K = TypeVar("K", bound=Named)
Kept = TypeVar("Kept", bound=Named, covariant=True)


class Place(Protocol[Kept]):
    """Where the keys of one ring are kept. Methods raise ConfigError, Transient or Refused."""

    async def look(self) -> Mapping[str, tuple[KeyLife, Kept]]: ...
    def next_name(self, names: Mapping[str, object]) -> str:
        """A name for a key that is made now; the place may give it another."""
        ...

    async def make(self, life: KeyLife) -> None: ...
    async def change(self, life: KeyLife) -> None: ...
    async def retire(self, life: KeyLife, until_us: int) -> None:
        """It signs no more, and is published until then."""
        ...

    async def remove(self, name: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One line of `miso keys list`."""

    use: Use
    kid: str
    life: KeyLife
    state: State
    since_us: int
    next_change_us: int | None


class Ring(Generic[K]):
    """The keys of one use. `now_us` is the clock, microseconds UTC."""

    def __init__(self, use: Use, place: Place[K], spans: Spans, now_us: Callable[[], int]) -> None:
        self.use = use
        self._place = place
        self._spans = spans
        self._now_us = now_us
        self._lives: Sequence[KeyLife] = ()
        self._keys: Mapping[str, K] = {}
        self._looked_us: int | None = None

    async def open(self, *, make: bool = True) -> None:
        """Look for the first time; with `make`, a ring without a key gets one. Raises what the place raises."""
        await self.look()
        if make and signing(self._lives, self._now_us()) is None:
            await self._make()
            _ = self.current

    async def look(self) -> None:
        """See what is there now. Raises ConfigError, and keeps what it knows, where every key is gone."""
        found = await self._place.look()
        lives = in_order([life for life, _ in found.values()])
        if self._lives and signing(lives, self._now_us()) is None:
            raise ConfigError([f"the keys for '{self.use}' are gone: restore them before the next start"])
        self._lives = lives
        self._keys = {life.name: key for life, key in found.values()}
        self._looked_us = self._now_us()

    async def tend(self) -> None:
        """Once a minute: look, make a successor in time, put away what is over. Never raises for the outside."""
        now = self._now_us()
        if self._looked_us is not None and 0 <= now - self._looked_us < LOOK_EVERY_US:
            return
        try:
            await self.look()
            if successor_due(self._lives, now, self._spans):
                await self._make()
            await self._put_away(now)
        except (MisoError, OSError) as fault:
            self._looked_us = now
            log.warning("keys not looked after", use=self.use, code=getattr(fault, "code", type(fault).__name__))

    @property
    def current(self) -> K:
        """The key that signs at this moment."""
        present = signing(self._lives, self._now_us())
        if present is None:
            raise ConfigError([f"there is no key for '{self.use}'"])
        return self._keys[present.name]

    def published(self) -> Sequence[K]:
        """Every key that counts at this moment, in the order in which they sign."""
        return [self._keys[life.name] for life in published(self._lives, self._now_us(), self._spans)]

    def find(self, kid: str) -> K | None:
        """The key of this id, while it counts."""
        return next((key for key in self.published() if key.kid == kid), None)

    def standing(self) -> Sequence[Standing]:
        """Every key that is there, with where it is in its life."""
        now = self._now_us()
        return [self._stands(life, now) for life in self._lives]

    async def rotate(self, *, at_once: bool = False) -> Standing:
        """Make a successor, which signs when it has been published long enough; `at_once` for emergencies.

        One that is waiting already is taken: made to sign now, or left as it is. Gives the successor.
        """
        await self.look()
        now = self._now_us()
        successor = waiting(self._lives, now)
        if successor is None:
            await self._make(at_once=at_once)
        elif at_once:
            await self._place.change(replace(successor, signs_us=now))
            await self.look()
        now = self._now_us()
        present = waiting(self._lives, now) or signing(self._lives, now)
        if present is None:
            raise ConfigError([f"there is no key for '{self.use}'"])
        return self._stands(present, now)

    async def withdraw(self, kid: str) -> Standing:
        """Believe nothing more that this key signed. Raises ConfigError for the one that signs, or none of ours."""
        await self.look()
        now = self._now_us()
        found = next((life for life in self._lives if self._keys[life.name].kid == kid), None)
        if found is None:
            raise ConfigError([f"no key for '{self.use}' has the id '{kid}': `miso keys list` shows them"])
        if found == signing(self._lives, now):
            raise ConfigError([f"this key signs: `miso keys rotate {self.use} --now` first"])
        await self._place.change(replace(found, withdrawn_us=now))
        await self.look()
        return self._stands(next(life for life in self._lives if life.name == found.name), now)

    async def _make(self, *, at_once: bool = False) -> None:
        name = self._place.next_name(self._keys)
        life = born(name, self._lives, self._now_us(), self._spans, at_once=at_once)
        await self._place.make(life)
        await self.look()
        log.info("key made", use=self.use, name=name)

    async def _put_away(self, now: int) -> None:
        gone = [life for life in self._lives if state(life, self._lives, now, self._spans) is State.REMOVED]
        for life in self._lives:
            ended = retired_us(life, self._lives)
            if ended is not None and state(life, self._lives, now, self._spans) is State.RETIRED:
                await self._place.retire(life, ended + self._spans.keep_us)
        for life in gone:
            await self._place.remove(life.name)
            log.info("key removed", use=self.use, name=life.name)
        if gone:
            await self.look()

    def _stands(self, life: KeyLife, now: int) -> Standing:
        is_now = state(life, self._lives, now, self._spans)
        ended = retired_us(life, self._lives)
        since = {
            State.PUBLISHED: life.made_us,
            State.SIGNING: life.signs_us,
            State.RETIRED: ended,
            State.REMOVED: None if ended is None else ended + self._spans.keep_us,
            State.WITHDRAWN: life.withdrawn_us,
        }[is_now]
        return Standing(
            use=self.use,
            kid=self._keys[life.name].kid,
            life=life,
            state=is_now,
            since_us=since or 0,
            next_change_us=next_change_us(life, self._lives, now, self._spans),
        )


@dataclass(frozen=True, kw_only=True)
class Rings:
    """All rings of this controller."""

    assertion: Ring[SigningKey]
    token: Ring[SigningKey]
    client: Ring[SigningKey] | None
    """None where no sign-in service asks for it."""
    seal: Ring[SecretKey]
    cookie: Ring[SecretKey]

    @property
    def all(self) -> Sequence[Ring[Any]]:
        every: tuple[Ring[Any] | None, ...] = (self.assertion, self.token, self.client, self.seal, self.cookie)
        return [ring for ring in every if ring is not None]

    async def open(self, *, make: bool = True) -> None:
        """Look at each. Raises ConfigError, also where one key is found in two rings."""
        for ring in self.all:
            await ring.open(make=make)
        seen: dict[str, Use] = {}
        for ring in self.all:
            for line in ring.standing():
                if line.kid in seen:
                    fault = f"one key stands in for '{seen[line.kid]}' and '{ring.use}' ({line.kid}); remove the copy"
                    raise ConfigError([fault])
                seen[line.kid] = ring.use

    async def tend(self) -> None:
        """Cheap when nothing is due; call it as often as you like."""
        for ring in self.all:
            await ring.tend()

    def sealing(self) -> Sequence[tuple[str, bytes]]:
        """Names and keys for the store's seal: the one that seals now last, as `Seal.use` takes them."""
        now = self.seal.current
        others = [key for key in self.seal.published() if key.kid != now.kid]
        return [(key.kid, key.secret) for key in (*others, now)]

    def jwks(self) -> Mapping[str, Any]:
        """RFC 7517 key set of every public key that counts."""
        rings = (self.assertion, self.token, self.client)
        return {"keys": [dict(key.jwk) for ring in rings if ring is not None for key in ring.published()]}
