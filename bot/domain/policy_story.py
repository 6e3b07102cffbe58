"""The life of the policy itself: which version is in force, what is proposed, and who agreed to it.

One stream holds it, called `STREAM`; `fold` says what its rows mean. `bot.services.policies` writes them and is the
only caller. A row that a newer version of Miso wrote is never half understood: then nothing is read out of it, and
nothing is decided (`Story.newer`).

| kind             | body                                                                                   |
|------------------|----------------------------------------------------------------------------------------|
| policy.accepted  | version, hash, document, difference, loosens, by (empty: nobody had to agree), origin, cause |
| policy.proposed  | hash, document, difference, loosens, origin: it waits for two administrators           |
| policy.agreed    | hash, login, cause: the first of the two; the second one's yes is the accepted row     |
| policy.rejected  | hash, login, cause                                                                     |
| policy.withdrawn | hash, origin: the file went back to what is in force                                   |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.canonical import digest_of
from bot.domain.model import Account, Row
from bot.domain.rules import PolicySet, set_as_body, set_from_body

STREAM = "policy"
VERSION = 1
PEOPLE = 2
"""So many administrators must agree before production is loosened."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A policy that is or was in force."""

    version: int
    hash: str
    policies: PolicySet
    at_us: int
    difference: tuple[str, ...] = ()
    """What it changed, in plain phrases."""
    loosens: tuple[str, ...] = ()
    """In what it made production looser; those who agreed agreed to this."""
    by: tuple[Account, ...] = ()
    """The administrators who agreed; empty: it loosened nothing, so nobody had to."""
    origin: str = ""
    """Where it was read."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A policy that would make production looser than the one in force."""

    hash: str
    policies: PolicySet
    at_us: int
    difference: tuple[str, ...] = ()
    loosens: tuple[str, ...] = ()
    origin: str = ""
    agreed: tuple[Account, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Story:
    """Where the policy stands after its rows."""

    accepted: Accepted | None = None
    proposal: Proposal | None = None
    """What waits for agreement."""
    rejected: str = ""
    """Hash of the proposal that was said no to last; the same file does not bring it up again."""
    versions: tuple[Accepted, ...] = ()
    """Every policy that was ever in force, the oldest first."""
    newer: bool = False
    """A newer version of Miso wrote here what this one does not understand."""


def fold(rows: Sequence[Row]) -> Story:
    """The state after these rows, in order; without any, nothing is in force."""
    story = Story()
    for row in rows:
        story = _apply(story, row)
        if story.newer:
            break
    return story


def _apply(story: Story, row: Row) -> Story:
    if row.v > VERSION:
        return replace(story, newer=True)
    match row.kind:
        case "policy.accepted":
            accepted = accepted_of(row)
            if accepted is None:
                return replace(story, newer=True)
            return Story(accepted=accepted, versions=(*story.versions, accepted))
        case "policy.proposed":
            proposal = _proposal(row)
            return replace(story, proposal=proposal, rejected="", newer=proposal is None)
        case "policy.agreed" if story.proposal is not None:
            account = Account(id=row.actor_id, login=str(row.body["login"]))
            return replace(story, proposal=replace(story.proposal, agreed=(*story.proposal.agreed, account)))
        case "policy.rejected":
            return replace(story, proposal=None, rejected=str(row.body["hash"]))
        case "policy.withdrawn":
            return replace(story, proposal=None, rejected="")
        case "policy.agreed":
            return story
    return replace(story, newer=True)


def accepted_of(row: Row) -> Accepted | None:
    """What a row `policy.accepted` put in force; None when this version of Miso cannot read all of it."""
    policies = _policies(row)
    if policies is None:
        return None
    body = row.body
    return Accepted(
        version=int(body["version"]),
        hash=str(body["hash"]),
        policies=policies,
        at_us=row.at_us,
        difference=tuple(body.get("difference", ())),
        loosens=tuple(body.get("loosens", ())),
        by=tuple(Account(id=int(each["id"]), login=str(each["login"])) for each in body.get("by", ())),
        origin=str(body.get("origin", "")),
    )


def _proposal(row: Row) -> Proposal | None:
    policies = _policies(row)
    if policies is None:
        return None
    return Proposal(
        hash=str(row.body["hash"]),
        policies=policies,
        at_us=row.at_us,
        difference=tuple(row.body.get("difference", ())),
        loosens=tuple(row.body.get("loosens", ())),
        origin=str(row.body.get("origin", "")),
    )


def _policies(row: Row) -> PolicySet | None:
    """The document of a row, when all that it says is understood and it is the one that its hash names.

    A demand that a newer version knows and this one does not would be dropped without a word otherwise.
    """
    document = row.body.get("document")
    if row.v > VERSION or not isinstance(document, Mapping) or digest_of(document) != row.body.get("hash"):
        return None
    try:
        policies = set_from_body(document)
    except ValueError:
        return None
    return policies if _holds(set_as_body(policies), document) else None


def _holds(whole: Any, part: Any) -> bool:
    """Whether `part` is in `whole` with each of its keys; `whole` may say more, where a key has a default."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(key in whole and _holds(whole[key], part[key]) for key in part)
    if isinstance(part, list | tuple):
        same = isinstance(whole, list | tuple) and len(whole) == len(part)
        return same and all(_holds(here, there) for here, there in zip(whole, part, strict=True))
    return bool(whole == part)


def hash_of(policies: PolicySet) -> str:
    """64 hex digits that name a whole policy."""
    return digest_of(set_as_body(policies))
