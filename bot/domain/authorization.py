"""Who may do what, at whichever door: one table, and one judgement over it. What stands in neither is refused.

Asked by `bot.services.authorization`, which every verb begins with; it fetches what is judged here. What a policy
demands beyond a role, of whom and in which environment, is for the decision (`bot.domain.policy`), which comes after.

Four eyes count GitHub accounts, so whatever concerns a repository's releases (`AT_GITHUB`) needs write access to it by
GitHub's word of this moment, through every door alike: a role from elsewhere is never instead of it (rules 5, 9, 16).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bot.domain.codes import Code
from bot.domain.conditions import person_may, rank
from bot.domain.decision import Standing
from bot.domain.identity import Deed, Door, Grant, Principal, Resource, Role
from bot.domain.model import PERMISSION_RANK, SYSTEM, Actor, ActorKind, Permission, Stage
from bot.domain.rules import Policy, PolicySet

_WRITERS = frozenset({Role.DEVELOPER, Role.DEPLOYER, Role.APPROVER})

ALLOWS: Mapping[Deed, frozenset[Role]] = {
    Deed.LOOK: frozenset(Role),
    Deed.PROMOTE: frozenset({Role.DEVELOPER, Role.DEPLOYER}),
    Deed.ROLL_BACK: frozenset({Role.APPROVER}),
    Deed.APPROVE: frozenset({Role.APPROVER}),
    Deed.REVOKE: _WRITERS,
    Deed.REJECT: frozenset({Role.APPROVER}),
    Deed.CANCEL: _WRITERS,
    Deed.CANCEL_OTHERS: frozenset({Role.OPERATOR}),
    Deed.BAN: frozenset({Role.APPROVER}),
    Deed.CLEAR: frozenset({Role.OPERATOR}),
    Deed.LOCK: frozenset({Role.DEPLOYER}),
    Deed.UNLOCK: frozenset({Role.DEPLOYER}),
    Deed.TAKE_LOCK: frozenset({Role.OPERATOR}),
    Deed.DECIDE_POLICY: frozenset({Role.ADMINISTRATOR}),
    Deed.LINK: frozenset(Role),
    Deed.LINK_OTHERS: frozenset({Role.ADMINISTRATOR}),
    Deed.EXCHANGE: frozenset(),
    Deed.REVOKE_TOKENS: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Deed.READ_TOKENS: frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR}),
    Deed.READ_LEDGER: frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR}),
}
"""Any one of these roles is enough for a person. A developer asks for dev only; nobody needs a role to prove who they
are; an exchange is a workflow's alone."""

AT_GITHUB = frozenset(
    {
        Deed.PROMOTE,
        Deed.ROLL_BACK,
        Deed.APPROVE,
        Deed.REVOKE,
        Deed.REJECT,
        Deed.CANCEL,
        Deed.CANCEL_OTHERS,
        Deed.BAN,
        Deed.CLEAR,
        Deed.LOCK,
        Deed.UNLOCK,
        Deed.TAKE_LOCK,
    }
)
"""About a repository's releases: needs write access to it, asked for the numeric account."""
BY_NUMBER = frozenset({Deed.DECIDE_POLICY})
"""For those whom the policy in force names as its administrators, by number; no group makes anybody one."""

_REPOSITORY = frozenset(
    {
        Deed.LOOK,
        Deed.PROMOTE,
        Deed.ROLL_BACK,
        Deed.APPROVE,
        Deed.REVOKE,
        Deed.REJECT,
        Deed.CANCEL,
        Deed.CANCEL_OTHERS,
    }
)
_SIGNED_IN = _REPOSITORY | {Deed.LINK, Deed.LINK_OTHERS, Deed.REVOKE_TOKENS, Deed.READ_TOKENS, Deed.READ_LEDGER}

THROUGH: Mapping[Door, frozenset[Deed]] = {
    Door.COMMENT: _REPOSITORY
    | {Deed.BAN, Deed.CLEAR, Deed.LOCK, Deed.UNLOCK, Deed.TAKE_LOCK, Deed.DECIDE_POLICY, Deed.LINK},
    Door.BUTTON: frozenset({Deed.APPROVE, Deed.REJECT, Deed.ROLL_BACK}),
    Door.GATE: frozenset({Deed.LOOK}),
    Door.PORTAL: _SIGNED_IN,
    Door.API: _SIGNED_IN | {Deed.EXCHANGE},
    Door.CLI: _SIGNED_IN,
    Door.INSIDE: frozenset({Deed.LOOK, Deed.PROMOTE}),
}
"""What can be done through a door at all, by whoever it may be."""

FOR_APPS = frozenset({Deed.LOOK, Deed.PROMOTE})
"""Rule 6: an App on the operator's list may ask. It is nobody's second person."""
FOR_WORKFLOWS = frozenset({Deed.LOOK, Deed.PROMOTE, Deed.EXCHANGE})
"""What a deploy token opens, for what it was made and nothing else."""
UNLINKED = frozenset({Deed.LOOK, Deed.LINK})
"""What somebody may do who signed in elsewhere and was not proven to be a GitHub account."""


OF_CONSEQUENCE = frozenset({Deed.APPROVE, Deed.LINK_OTHERS})
"""What may release something to production: a yes, and the word on who somebody is, which makes another's yes."""


@dataclass(frozen=True, kw_only=True)
class Authorized:
    """Somebody may do this, as of now. Made by `judge` alone."""

    principal: Principal
    deed: Deed
    resource: Resource
    roles: frozenset[Role]
    permission: Permission | None = None
    """What GitHub said of the account, where it was asked: it need not be asked again for the same decision."""

    @property
    def actor(self) -> Actor:
        return self.principal.actor


def judge(
    principal: Principal,
    deed: Deed,
    resource: Resource,
    roles: frozenset[Role],
    *,
    now_us: int,
    permission: Permission | None = None,
    listed_apps: Collection[int] = (),
    by_number: bool = False,
    demanded: Policy | None = None,
) -> Authorized | Code:
    """The one judgement. `roles` are those that count now (`roles_at_github`, `roles_by_policy`, and the sign-in's
    while they are fresh); `permission` is GitHub's answer for the account, None where it was not asked; `by_number`:
    the policy in force names the account among its administrators; `demanded`: what it says of the environment."""
    no = barred(principal, deed, resource, now_us, listed_apps)
    if no is not None:
        return no
    if principal.device and deed in OF_CONSEQUENCE and not by_device(resource.stage, demanded):
        return Code.DEVICE_MAY_NOT_APPROVE
    found = Authorized(principal=principal, deed=deed, resource=resource, roles=roles, permission=permission)
    if principal.actor.kind is not ActorKind.PERSON or deed is Deed.LINK:
        return found
    if deed in AT_GITHUB:
        if permission is None:
            return Code.PERMISSION_UNKNOWN
        if permission.user_id != principal.actor.id or rank(permission) < PERMISSION_RANK["write"]:
            return Code.PERMISSION_DENIED
    if principal.subject:
        # Being signed in is enough to look, for as long as that lasts.
        roles |= {Role.VIEWER}
    if deed in BY_NUMBER:
        return found if by_number else Code.NOT_ADMINISTRATOR
    return found if roles & _needed(deed, resource) else Code.ROLE_MISSING


def barred(
    principal: Principal, deed: Deed, resource: Resource, now_us: int, listed_apps: Collection[int] = ()
) -> Code | None:
    """Why no role could help: another kind of principal, another door, a token for something else, not linked."""
    if deed not in ALLOWS or deed not in THROUGH.get(principal.door, ()):
        return _shut(principal)
    kind = principal.actor.kind
    if kind is ActorKind.PERSON:
        return _person(principal, deed)
    if kind is ActorKind.WORKFLOW:
        return _workflow(principal, deed, resource, now_us)
    if kind is ActorKind.APP:
        listed = principal.door is Door.COMMENT and principal.actor.id in listed_apps
        return None if listed and deed in FOR_APPS else Code.BOT_REFUSED
    itself = principal.actor == SYSTEM and principal.door in (Door.INSIDE, Door.GATE) and principal.grant is None
    return None if itself else Code.BOT_REFUSED


def _shut(principal: Principal) -> Code:
    return Code.DOOR_REFUSED if principal.actor.kind is ActorKind.PERSON else Code.BOT_REFUSED


def _person(principal: Principal, deed: Deed) -> Code | None:
    if principal.door is Door.INSIDE or principal.grant is not None:
        return Code.DOOR_REFUSED
    if principal.actor.id > 0:
        return None
    if not principal.subject:
        return Code.NOT_SIGNED_IN
    return None if deed in UNLINKED else Code.NOT_LINKED


def _workflow(principal: Principal, deed: Deed, resource: Resource, now_us: int) -> Code | None:
    if deed not in FOR_WORKFLOWS:
        return Code.BOT_REFUSED
    if principal.grant is None:
        # A build that has finished, or a workflow whose token is still to be made: it must say what for.
        built = principal.door is Door.INSIDE and deed is Deed.PROMOTE
        asks = deed is Deed.EXCHANGE and resource.environment_id and resource.application_id and resource.commit
        return None if built or asks else Code.BOT_REFUSED
    if principal.door is not Door.API:
        return Code.DOOR_REFUSED
    if now_us >= principal.grant.expires_us:
        return Code.TOKEN_EXPIRED
    return None if _within(resource, principal.grant, deed) else Code.TOKEN_SCOPE


def _within(resource: Resource, grant: Grant, deed: Deed) -> bool:
    """Exactly what the token is for. Only a look need not say at which commit."""
    here = resource.application_id == grant.application_id and resource.environment_id == grant.environment_id
    there = resource.repository_id in (0, grant.repository_id)
    commits = (grant.commit, "") if deed is Deed.LOOK else (grant.commit,)
    return here and there and resource.commit in commits


def by_device(stage: Stage | None, policy: Policy | None) -> bool:
    """Whether a sign-in by code may approve there. A code that somebody was talked into typing must not release
    anything, so production wants a sign-in of its own; a stage that is not known is taken for production."""
    return stage in (Stage.DEV, Stage.TEST) or (policy is not None and policy.device_approvals)


def _needed(deed: Deed, resource: Resource) -> frozenset[Role]:
    roles = ALLOWS[deed]
    return roles - {Role.DEVELOPER} if deed is Deed.PROMOTE and resource.stage is not Stage.DEV else roles


# --- who has which role ----------------------------------------------------------------------------------------------


def roles_at_github(actor: Actor, standing: Standing, policies: PolicySet | None) -> frozenset[Role]:
    """What somebody is in one repository: by their access to it, and as one of the policy's operators."""
    permission = standing.permission
    if permission is None or permission.user_id != actor.id:
        return frozenset()
    roles = {Role.VIEWER} if rank(permission) >= PERMISSION_RANK["read"] else set()
    if rank(permission) >= PERMISSION_RANK["write"]:
        roles |= {Role.DEVELOPER, Role.DEPLOYER, Role.APPROVER}
    if policies is not None and person_may("operator", actor, standing, policies.operators).passed:
        roles |= {Role.OPERATOR}
    return frozenset(roles)


def roles_by_policy(actor: Actor, policies: PolicySet | None, teams: Collection[int] = frozenset()) -> frozenset[Role]:
    """Roles that the policy gives an account: by number, or by the teams that it was found to be in."""
    if policies is None or actor.kind is not ActorKind.PERSON or actor.id <= 0:
        return frozenset()
    roles = {
        role for role, members in policies.roles.items() if actor.id in members.users or set(members.teams) & set(teams)
    }
    if numbered(actor, policies):
        roles.add(Role.ADMINISTRATOR)
    return frozenset(roles)


def numbered(actor: Actor, policies: PolicySet | None) -> bool:
    """Whether the policy in force names this account as one of its administrators."""
    return policies is not None and actor.kind is ActorKind.PERSON and actor.id in policies.administrators


def roles_of(policies: PolicySet | None, groups: Collection[str]) -> frozenset[Role]:
    """Roles that the policy gives to groups (`group:<id>`) and app roles (`role:<value>`) of a sign-in. Whoever signed
    in at all may look."""
    found = {Role.VIEWER}
    for role, members in policies.roles.items() if policies is not None else ():
        named = {f"group:{group}" for group in members.groups} | {f"role:{value}" for value in members.app_roles}
        if named & set(groups):
            found.add(role)
    return frozenset(found)


def teams_that_matter(deed: Deed, policies: PolicySet | None) -> Iterator[int]:
    """The teams whose members may have a role that this deed asks for, beyond what access to the repository gives."""
    if policies is None:
        return
    if Role.OPERATOR in ALLOWS[deed]:
        yield from policies.operators.teams
    for role, members in policies.roles.items():
        if role in ALLOWS[deed]:
            yield from members.teams
