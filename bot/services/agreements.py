"""What administrators say about a proposed policy: two of them must agree before it is in force.

Called by the doors of `/policy`. Who is an administrator is asked of the policy in force, by number, once at the door
of the verb and once over the very rows that the word is written behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot import telemetry
from bot.context import Miso
from bot.domain import policy_story
from bot.domain.authorization import numbered
from bot.domain.codes import Code
from bot.domain.identity import Deed, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import Account, Actor, Row
from bot.domain.policy_story import PEOPLE, STREAM, Accepted, Proposal, Story
from bot.domain.rules import set_as_body
from bot.errors import Transient
from bot.services import authorization, journal, notes, policies
from bot.services.notes import Note

log = telemetry.logger("policies")


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What came of an agreement: the proposal with everybody who agreed, and the policy once it is in force."""

    proposal: Proposal
    accepted: Accepted | None = None

    @property
    def needed(self) -> int:
        """How many more administrators must agree."""
        return 0 if self.accepted else max(PEOPLE - len(self.proposal.agreed), 0)


async def agree(miso: Miso, principal: Principal, hash_prefix: str, cause: str) -> Agreed:
    """Count one administrator's yes; with the second one the proposal is in force, in the same row.

    Raises Refused: not_administrator, policy_not_proposed, already_approved.
    """
    await authorization.authorize(miso, principal, Deed.DECIDE_POLICY, Resource(stream=STREAM))
    actor = principal.actor
    for _ in range(journal.RACES):
        rows = await miso.store.stream(STREAM)
        said = _said(rows, actor, cause, (Note.POLICY_AGREED, Note.POLICY_ACCEPTED))
        if said:
            return _agreed(rows, said)
        now, proposal = _proposed(policy_story.fold(rows), actor, hash_prefix)
        if any(account.id == actor.id for account in proposal.agreed):
            raise refusal(Code.ALREADY_APPROVED)
        by = (*proposal.agreed, Account(id=actor.id, login=actor.login))
        kind, body = Note.POLICY_AGREED, {"hash": proposal.hash, "login": actor.login, "cause": cause}
        if len(by) >= PEOPLE:
            kind, body = Note.POLICY_ACCEPTED, _in_force(now, proposal, by, cause)
        if await notes.write(miso, STREAM, rows, kind, actor, body, show=False):
            log.info(
                "an administrator agreed to a policy",
                hash=proposal.hash[: policies.SHORTEST],
                account=actor.id,
                row=kind,
            )
            rows = await miso.store.stream(STREAM)
            return _agreed(rows, _said(rows, actor, cause, (kind,)))
    raise Transient("store_unavailable", "Too many writers wanted the same place in the journal.")


async def reject(miso: Miso, principal: Principal, hash_prefix: str, cause: str) -> Proposal:
    """One administrator's no ends a proposal. The same file does not bring it up again.

    Raises Refused: not_administrator, policy_not_proposed.
    """
    await authorization.authorize(miso, principal, Deed.DECIDE_POLICY, Resource(stream=STREAM))
    actor = principal.actor
    for _ in range(journal.RACES):
        rows = await miso.store.stream(STREAM)
        said = _said(rows, actor, cause, (Note.POLICY_REJECTED,))
        if said:
            before = policy_story.fold(rows[: said - 1]).proposal
            if before is not None:
                return before
        _, proposal = _proposed(policy_story.fold(rows), actor, hash_prefix)
        body = {"hash": proposal.hash, "login": actor.login, "cause": cause}
        if await notes.write(miso, STREAM, rows, Note.POLICY_REJECTED, actor, body, show=False):
            log.info("an administrator rejected a policy", hash=proposal.hash[: policies.SHORTEST], account=actor.id)
            return proposal
    raise Transient("store_unavailable", "Too many writers wanted the same place in the journal.")


def _proposed(now: Story, actor: Actor, hash_prefix: str) -> tuple[Story, Proposal]:
    """The open proposal, for an administrator of the policy in force who names it. By number: names can be taken."""
    if not numbered(actor, now.accepted.policies if now.accepted and not now.newer else None):
        raise refusal(Code.NOT_ADMINISTRATOR)
    if (
        now.proposal is None
        or len(hash_prefix) < policies.SHORTEST
        or not now.proposal.hash.startswith(hash_prefix.lower())
    ):
        raise refusal(Code.POLICY_NOT_PROPOSED)
    return now, now.proposal


def _in_force(now: Story, proposal: Proposal, by: tuple[Account, ...], cause: str) -> dict[str, Any]:
    return {
        "version": policies.next_version(now),
        "hash": proposal.hash,
        "document": set_as_body(proposal.policies),
        "difference": list(proposal.difference),
        "loosens": list(proposal.loosens),
        "by": [{"id": account.id, "login": account.login} for account in by],
        "origin": proposal.origin,
        "login": by[-1].login,
        "cause": cause,
    }


def _said(rows: Sequence[Row], actor: Actor, cause: str, kinds: tuple[Note, ...]) -> int:
    """Number of the row in which this very word of this person was written down; 0: it was not yet."""
    found = [row for row in rows if row.kind in kinds and row.body.get("cause") == cause]
    return next((row.seq for row in found if (row.actor_kind, row.actor_id) == (actor.kind, actor.id)), 0)


def _agreed(rows: Sequence[Row], seq: int) -> Agreed:
    """What an agreement came to when it was written down, whatever happened since."""
    before, after = policy_story.fold(rows[: seq - 1]), policy_story.fold(rows[:seq])
    if after.proposal is not None:
        return Agreed(proposal=after.proposal)
    assert before.proposal is not None  # a person's row follows a proposal
    return Agreed(proposal=before.proposal, accepted=after.accepted)
