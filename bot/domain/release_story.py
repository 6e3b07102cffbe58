"""What people said about a release as such, wherever it may go: that it is rejected for good, and that it is not.

A release has a stream for its commit and one for its digest, so that neither brings the other back.
`bot.services.holds` writes the rows and reads them through `fold`.

| kind                | body                                                    |
|---------------------|---------------------------------------------------------|
| release.rejected    | commit, digest, reason, login, cause                    |
| release.clear_asked | commit, reason, login, cause: one of those who must agree |
| release.cleared     | commit, reason, login, cause, by                        |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.model import Actor, ActorKind, Ban, Row, Untrusted

CLEAR_HOURS = 24
"""An operator who asks for a clearance waits so long for the next; then the word is too old to count."""


class ReleaseKind(StrEnum):
    """Kinds of rows in a release's streams."""

    REJECTED = "release.rejected"
    CLEAR_ASKED = "release.clear_asked"
    CLEARED = "release.cleared"


@dataclass(frozen=True, kw_only=True)
class ClearAsked:
    """One operator's word that a release may try again."""

    actor: Actor
    reason: Untrusted
    at_us: int
    cause: str


@dataclass(frozen=True, kw_only=True)
class ReleaseStory:
    """What counts now."""

    ban: Ban | None = None
    asked: tuple[ClearAsked, ...] = ()
    """Who asked to clear it since it was last banned or cleared."""
    causes: frozenset[str] = frozenset()
    """Of every row, so that a delivery that comes twice writes once."""

    def fresh(self, now_us: int) -> tuple[ClearAsked, ...]:
        """Those words that are young enough to count."""
        return tuple(a for a in self.asked if now_us <= a.at_us + CLEAR_HOURS * 3_600_000_000)


def fold(rows: Sequence[Row]) -> ReleaseStory:
    """The state after these rows of one stream."""
    story = ReleaseStory()
    for row in rows:
        body, actor = row.body, _actor(row)
        reason = Untrusted(str(body.get("reason", "")))
        cause = str(body.get("cause", ""))
        story = replace(story, causes=story.causes | {cause})
        if row.kind == ReleaseKind.REJECTED:
            ban = Ban(
                commit=str(body["commit"]), digest=str(body["digest"]), reason=reason, by=actor, since_us=row.at_us
            )
            story = replace(story, ban=story.ban or ban, asked=())
        elif row.kind == ReleaseKind.CLEAR_ASKED:
            word = ClearAsked(actor=actor, reason=reason, at_us=row.at_us, cause=cause)
            story = replace(story, asked=(*(a for a in story.asked if a.actor != actor), word))
        elif row.kind == ReleaseKind.CLEARED:
            story = replace(story, ban=None, asked=())
    return story


def _actor(row: Row) -> Actor:
    return Actor(kind=ActorKind(row.actor_kind), id=row.actor_id, login=str(row.body.get("login", "")))
