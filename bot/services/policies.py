"""The policy is itself a decision: which version is in force, and who agreed to it.

The ledger holds it, not a file: every replica decides by the newest accepted row, whatever its own `config/policy.yml`
says. The file of a starting controller is accepted at once when it makes production no looser; otherwise it is
proposed, and two administrators must agree (`/policy accept <hash>`). `effective` adds what the repository's own file
tightens, read from the default branch at a recorded commit (security rule 3), and only ever gives something tighter.

Called by `bot.app` at start and by the verbs before they decide; what administrators say of a proposal is in
`bot.services.agreements`. Nothing is kept in memory
but documents that were read already, by the hash of their row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from bot import telemetry
from bot.context import Miso, Repository
from bot.domain import policy_story, tightness
from bot.domain.codes import Code
from bot.domain.model import SYSTEM, Environment, Stage
from bot.domain.policy_keys import Override
from bot.domain.policy_story import STREAM, Accepted, Proposal, Story
from bot.domain.repository_config import RepositoryConfig
from bot.domain.rules import Policy, PolicySet, set_as_body
from bot.errors import Transient
from bot.services import journal, notes, own_file
from bot.services.notes import Note

__all__ = ["STREAM", "Accepted", "Effective", "Proposal", "Story"]

log = telemetry.logger("policies")

SHORTEST = 12
"""Hex digits of a hash that somebody must have read before agreeing to it."""

_read: LRUCache[str, Accepted | None] = LRUCache(maxsize=32)


@dataclass(frozen=True, kw_only=True)
class Effective:
    """What counts in one environment of one repository now."""

    policy: Policy | None
    """None: nothing is accepted, or the accepted policy says nothing of this environment. Then nothing is allowed."""
    policies: PolicySet | None
    version: int
    """Of the accepted policy; 0: there is none."""
    config: Code | None
    """Why the repository's own file does not count; None: it does."""
    config_commit: str
    """Commit of the default branch at which it was looked for; empty: that could not be established."""
    settings: RepositoryConfig | None
    text: str = ""
    """The file that says so, as it was read."""


async def accepted(miso: Miso) -> Accepted | None:
    """The policy in force. None when there is none, or a newer version of Miso wrote what this one cannot read."""
    row = await miso.store.newest(STREAM, Note.POLICY_ACCEPTED)
    if row is None:
        return None
    if row.hash not in _read:
        _read[row.hash] = policy_story.accepted_of(row)
    return _read[row.hash]


async def story(miso: Miso) -> Story:
    """Everything about the policy: what is in force, what waits, and every version there was."""
    return policy_story.fold(await miso.store.stream(STREAM))


async def pending(miso: Miso) -> Proposal | None:
    """The policy that waits for administrators."""
    return (await story(miso)).proposal


# --- at start --------------------------------------------------------------------------------------------------------


async def adopt(miso: Miso, policies: PolicySet, origin: str) -> Story:
    """Hold a controller's file against the policy in force: accept it, propose it, or leave all as it is.

    Any number of replicas may do so at once; the second one finds the first one's row and has nothing to add.
    """
    for _ in range(journal.RACES):
        rows = await miso.store.stream(STREAM)
        now = policy_story.fold(rows)
        if now.newer:
            log.warning("the policy in force was written by a newer version; this one decides nothing", origin=origin)
            return now
        row = _of_file(now, policies, origin)
        if row is None:
            return now
        kind, body = row
        if await notes.write(miso, STREAM, rows, kind, SYSTEM, body, show=False):
            _tell(kind, body)
            return await story(miso)
    raise Transient("store_unavailable", "Too many writers wanted the same place in the journal.")


def _of_file(now: Story, policies: PolicySet, origin: str) -> tuple[Note, dict[str, Any]] | None:
    """The row that this file asks for; None when nothing follows from it."""
    hash_ = policy_story.hash_of(policies)
    if now.accepted is not None and now.accepted.hash == hash_:
        # Whatever was proposed or rejected meanwhile is off the table; the file may bring it up again later.
        gone = now.proposal.hash if now.proposal else now.rejected
        return (Note.POLICY_WITHDRAWN, {"hash": gone, "origin": origin}) if gone else None
    if hash_ in (now.rejected, now.proposal.hash if now.proposal else ""):
        return None
    before = now.accepted.policies if now.accepted else None
    loosens = tightness.loosens_production(before, policies) if before is not None else ()
    body = {
        "hash": hash_,
        "document": set_as_body(policies),
        "difference": list(tightness.difference(before, policies)),
        "loosens": list(loosens),
        "origin": origin,
    }
    if loosens:
        return Note.POLICY_PROPOSED, body
    return Note.POLICY_ACCEPTED, {**body, "version": next_version(now), "by": [], "cause": "start"}


def next_version(now: Story) -> int:
    return now.accepted.version + 1 if now.accepted else 1


def _tell(kind: Note, body: dict[str, Any]) -> None:
    short = body["hash"][:SHORTEST]
    if kind is Note.POLICY_PROPOSED:
        log.warning(
            "the policy file makes production looser and is not in force until two administrators agree",
            loosens=body["loosens"],
            type=f"/policy accept {short}",
            origin=body["origin"],
        )
    elif kind is Note.POLICY_ACCEPTED:
        log.info("policy accepted", hash=short, version=body["version"], difference=body["difference"])
    else:
        log.info("policy proposal withdrawn", hash=short, origin=body["origin"])


# --- for one environment ---------------------------------------------------------------------------------------------


async def effective(miso: Miso, repository: Repository, environment: Environment, default_branch: str) -> Effective:
    """The accepted policy of an environment, tightened by the repository's own file on its default branch."""
    now, own = await asyncio.gather(accepted(miso), own_file.read(repository, default_branch))
    policies = now.policies if now else None
    return Effective(
        policy=tightened(policies, environment, own.overrides),
        policies=policies,
        version=now.version if now else 0,
        config=own.config,
        config_commit=own.commit,
        settings=own.settings,
        text=own.text if own.settings else "",
    )


def tightened(
    policies: PolicySet | None, environment: Environment, overrides: Mapping[Stage, Override]
) -> Policy | None:
    """What counts in an environment: the installation's policy, and the repository's own where that is tighter."""
    policy = policies.of(environment) if policies else None
    override = overrides.get(environment.stage)
    return tightness.tighten(policy, override) if policy is not None and override is not None else policy
