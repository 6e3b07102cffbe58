"""Who is at the door, and what they want: principals, roles, deeds and what a deed is done to.

Made by the doors (`bot.web.auth`, `bot.services.commands`, `buttons`, `tokens`), judged by `bot.domain.authorization`.
Nothing here decides. A person is a numeric GitHub id: whoever signed in elsewhere is nobody's second pair of eyes until
that identity is linked to one (security rule 9).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.model import SYSTEM, Actor, ActorKind, Stage


class Role(StrEnum):
    """What somebody is here. Roles add up; none includes another but by `bot.domain.authorization.ALLOWS`."""

    VIEWER = "viewer"
    """Sees what runs where."""
    DEVELOPER = "developer"
    """Asks for promotions to dev."""
    DEPLOYER = "deployer"
    """Asks for promotions anywhere, cancels their own, locks environments."""
    APPROVER = "approver"
    """Approves, rejects, goes back."""
    OPERATOR = "operator"
    """Clears holds, takes others' locks off, ends others' requests, revokes tokens."""
    AUDITOR = "auditor"
    """Sees everything, the ledger too, and changes nothing."""
    ADMINISTRATOR = "administrator"
    """Agrees to policies, links people."""


class Door(StrEnum):
    """Where a word came in."""

    COMMENT = "comment"
    BUTTON = "button"
    GATE = "gate"
    PORTAL = "portal"
    API = "api"
    CLI = "cli"
    INSIDE = "inside"
    """Miso itself: a build that finished, an automatic promotion, a deadline."""


class Deed(StrEnum):
    """Everything that a principal may do. A deed that is not in `bot.domain.authorization.ALLOWS` is refused."""

    LOOK = "look"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    APPROVE = "approve"
    REVOKE = "revoke"
    REJECT = "reject"
    CANCEL = "cancel"
    CANCEL_OTHERS = "cancel_others"
    """Withdraw what somebody else asked for."""
    BAN = "ban"
    CLEAR = "clear"
    LOCK = "lock"
    UNLOCK = "unlock"
    TAKE_LOCK = "take_lock"
    """Take off somebody else's lock."""
    DECIDE_POLICY = "decide_policy"
    LINK = "link"
    """Prove that an identity from elsewhere is this GitHub account: one's own."""
    LINK_OTHERS = "link_others"
    EXCHANGE = "exchange"
    """Get a deploy token."""
    REVOKE_TOKENS = "revoke_tokens"
    READ_TOKENS = "read_tokens"
    READ_LEDGER = "read_ledger"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """All that a workflow's deploy token opens."""

    token_hash: str
    """SHA-256 of the token, hex. The token itself is nowhere."""
    application_id: str
    environment_id: str
    repository_id: int
    commit: str
    run_id: int
    run_attempt: int
    expires_us: int
    at_github: bool = True
    """Whether the run is GitHub's, which then is asked about it at each use."""
    started_by: int = 0
    """Numeric account that started the run: nobody approves what they started."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Whoever stands at a door, as far as it was proven there."""

    actor: Actor
    """Kind and numeric GitHub id. A person with id 0 signed in elsewhere and is not linked."""
    door: Door
    subject: str = ""
    """Identity elsewhere, as `entra:<tenant id>:<object id>` or `oidc:<issuer>#<sub>`; empty for GitHub's own word."""
    roles: frozenset[Role] = frozenset()
    """From the sign-in's groups and app roles, at `roles_us`. What GitHub says is asked anew at each deed."""
    roles_us: int = 0
    device: bool = False
    """Signed in by a code typed elsewhere (RFC 8628)."""
    session: str = ""
    """SHA-256 of the session id, for ending it; empty where there is none."""
    grant: Grant | None = None
    """A workflow's: it may do nothing beyond."""

    @property
    def linked(self) -> bool:
        """Whether this is somebody whom four eyes can tell from others."""
        return self.actor.kind is not ActorKind.PERSON or self.actor.id > 0


INSIDE = Principal(actor=SYSTEM, door=Door.INSIDE)
"""Miso itself."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What a deed is done to. Empty fields: the installation as a whole."""

    application_id: str = ""
    environment_id: str = ""
    stage: Stage | None = None
    repository_id: int = 0
    commit: str = ""
    """40 hex digits: a workflow's token is for one commit."""
    stream: str = ""


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Who came back from the sign-in service, verified: signature, issuer, audience, nonce, tenant, times."""

    subject: str
    """`entra:<tenant id>:<object id>` or `oidc:<issuer>#<sub>`."""
    name: str
    """For showing only; somebody else's text."""
    groups: frozenset[str]
    """Group ids and app roles, as `group:<id>` and `role:<value>`."""


@dataclass(frozen=True, kw_only=True)
class LinkedPerson:
    """An identity from elsewhere that was proven to be a GitHub account."""

    subject: str
    actor: Actor
    since_us: int
    by: Actor = field(default=SYSTEM)
    """Whoever proved it: the account itself, or an administrator."""
