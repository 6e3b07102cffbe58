"""The chokepoint: whoever wants something to change passes `authorize`, whichever door they came through (rule 16).

Called first by every verb that changes something, and by doors that show what not everybody may see. It fetches what
`bot.domain.authorization.judge` judges: GitHub's word on the account at this moment, the roles of the policy in force,
and those of a sign-in while they are fresh. It writes nothing, and it never decides about a release.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.context import Miso
from bot.domain import authorization as rules
from bot.domain.authorization import AT_GITHUB, Authorized
from bot.domain.codes import Code
from bot.domain.conditions import person_may
from bot.domain.decision import Standing
from bot.domain.identity import Deed, Principal, Resource, Role
from bot.domain.messages import refusal
from bot.domain.model import Environment, Permission, Release, Stage
from bot.domain.rules import Policy, PolicySet
from bot.errors import Refused
from bot.services import access, policies
from bot.services.access import Origin, Place

__all__ = ["Authorized", "about", "authorize", "may"]


async def authorize(
    miso: Miso,
    principal: Principal,
    deed: Deed,
    resource: Resource,
    *,
    place: Place | None = None,
    origin: Origin | None = None,
    permission: Permission | None = None,
) -> Authorized:
    """Whether this principal may do this to that, as of now. Raises Refused with the reason, Transient where GitHub
    could not be asked.

    GitHub is asked once for a decision and only where its word matters: `place`, bound for this very account, knows
    the permission already, and so does whoever hands it over as `permission`. Without a place the repository is that
    of `origin`, or else the resource's application.
    """
    listed = miso.rules.bots_that_may_request
    no = rules.barred(principal, deed, resource, miso.clock.now_us(), listed)
    if no is not None:
        raise _refused(no, resource)
    if deed not in rules.UNLINKED and _unconfirmed(miso, principal):
        raise _refused(Code.ROLES_TOO_OLD, resource)
    accepted = await policies.accepted(miso)
    case = _Case(miso, principal, deed, resource, accepted.policies if accepted is not None else None)
    actor = principal.actor
    standing = Standing(permission=permission or (place.seen(actor) if place is not None else None))
    found = case.judged(standing)
    if found in (Code.PERMISSION_UNKNOWN, Code.ROLE_MISSING) and standing.permission is None:
        origin = place.origin if place is not None else origin or await _origin(miso, resource)
        if origin is not None:
            asked = await access.permission(access.facts_of(miso, origin), actor.login, actor.id)
            standing = Standing(permission=asked)
            found = case.judged(standing)
    named = frozenset(rules.teams_that_matter(deed, case.known))
    if found is Code.ROLE_MISSING and named and standing.permission is not None:
        if place is None and origin is not None:
            place = await access.bind(miso, origin, resource.stage or Stage.DEV)
        if place is not None:
            member = await access.teams(miso, place.installation_id, place.identity.owner_id, actor.id, named)
            standing = Standing(permission=standing.permission, teams=member)
            found = case.judged(standing)
    if isinstance(found, Authorized):
        return found
    raise case.refusal(found, standing)


def about(environment: Environment, release: Release | None = None, *, stream: str = "") -> Resource:
    """What concerns one environment, and in it one release where that is known."""
    return Resource(
        application_id=environment.application_id,
        environment_id=environment.id,
        stage=environment.stage,
        repository_id=release.repository_id if release is not None else 0,
        commit=release.commit if release is not None else "",
        stream=stream,
    )


async def may(miso: Miso, principal: Principal, deed: Deed, resource: Resource, *, place: Place | None = None) -> bool:
    """The same as an answer, for what somebody may do beside what they came for."""
    try:
        await authorize(miso, principal, deed, resource, place=place)
    except Refused:
        return False
    return True


@dataclass(frozen=True)
class _Case:
    """One question, judged again as more is known."""

    miso: Miso
    principal: Principal
    deed: Deed
    resource: Resource
    known: PolicySet | None
    """The policy in force."""

    def judged(self, standing: Standing, *, stale: bool = False) -> Authorized | Code:
        now_us, resource, known = self.miso.clock.now_us(), self.resource, self.known
        demanded = known.at(resource.environment_id, resource.stage) if known and resource.stage else None
        if known and self.deed is Deed.LINK_OTHERS:
            demanded = _strictest(known)
        fresh = now_us - self.principal.roles_us <= self.miso.rules.roles_minutes * 60e6
        return rules.judge(
            self.principal,
            self.deed,
            resource,
            self._roles(standing) | (self.principal.roles if (fresh or stale) else frozenset()),
            now_us=now_us,
            permission=standing.permission,
            listed_apps=self.miso.rules.bots_that_may_request,
            by_number=rules.numbered(self.principal.actor, known),
            demanded=demanded,
        )

    def _roles(self, standing: Standing) -> frozenset[Role]:
        """All that count now, but for those of the sign-in."""
        actor = self.principal.actor
        by_policy = rules.roles_by_policy(actor, self.known, standing.teams or ())
        return by_policy | rules.roles_at_github(actor, standing, self.known)

    def refusal(self, code: Code, standing: Standing) -> Refused:
        if code is not Code.ROLE_MISSING:
            return _refused(code, self.resource)
        if isinstance(self.judged(standing, stale=True), Authorized):
            return _refused(Code.ROLES_TOO_OLD, self.resource)
        if self.deed is Deed.CANCEL_OTHERS:
            return _refused(Code.NOT_YOURS, self.resource)
        if self.deed in AT_GITHUB and Role.OPERATOR in rules.ALLOWS[self.deed] and self.known is not None:
            # What is missing is told as for any set of people that the policy names.
            no = person_may("operator", self.principal.actor, standing, self.known.operators)
            if no.code is not None:
                return refusal(no.code, **no.values)
        return _refused(code, self.resource)


def _strictest(known: PolicySet) -> Policy | None:
    """Of production's policies one that takes no approval from a sign-in by code, where there is any."""
    single = (
        each for guid, each in known.environments.items() if known.environment_stages.get(guid) is Stage.PRODUCTION
    )
    every = [each for each in (known.stages.get(Stage.PRODUCTION), *single) if each is not None]
    return min(every, key=lambda each: each.device_approvals, default=None)


def _unconfirmed(miso: Miso, principal: Principal) -> bool:
    """Whether the sign-in service has not spoken of this person for as long as a session may last: whoever has left the
    organisation keeps the command line's tokens and perhaps the GitHub account, and must not act by them."""
    age_us = miso.clock.now_us() - principal.roles_us
    return bool(principal.subject) and age_us > miso.rules.session_hours * 3600e6


def _refused(code: Code, resource: Resource) -> Refused:
    return refusal(code, stage=resource.stage.value) if resource.stage is not None else refusal(code)


async def _origin(miso: Miso, resource: Resource) -> Origin | None:
    """Where the resource's application lives at GitHub, by numeric ids. None: nothing there can be asked."""
    application = await miso.store.application(resource.application_id) if resource.application_id else None
    if application is None:
        return None
    installation = await miso.github.installation_of(application.repository_id, application.owner_id)
    if installation is None:
        return None
    return Origin(installation_id=installation, repository_id=application.repository_id)
