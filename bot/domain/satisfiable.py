"""Could it ever be allowed? What policy, people and registry together make impossible, found before anybody needs it.

Called by the lint of the command line, by `miso doctor` and for the check on a pull request. It asks the very functions
that decide (`conditions.person_may`, `demands.takes_branch`), so that it cannot promise what they refuse. Without an
error, somebody may ask and others may approve, for work that is not all of theirs. What could not be read is told, and
never taken for fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.domain import freezes
from bot.domain.authors import people_needed
from bot.domain.codes import Code
from bot.domain.conditions import person_may
from bot.domain.decision import Standing
from bot.domain.demands import hosts_of, takes_branch
from bot.domain.model import Actor, ActorKind, Collaborator, Environment, ProbeKind, Stage, TargetKind
from bot.domain.policy import teams_named
from bot.domain.rules import Policy, PolicySet, Who

Level = Literal["error", "warning"]
Teams = Mapping[int, frozenset[int]]
_NAMED = 5
"""So many people are named; more are counted."""
_DEFAULT = ""
"""The default branch, where its name is not known."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong. `bot.domain.messages` has the sentence: `explain(code, **values)`."""

    level: Level
    """An error: it can never be allowed. A warning: it cannot for some, or not for everything."""
    code: Code
    environment_id: str = ""
    """Empty: it is about the policy as a whole."""
    values: Mapping[str, str | int] = field(default_factory=dict)


def findings(
    environments: Sequence[Environment],
    policies: Mapping[str, Policy],
    people: Sequence[Collaborator] | None,
    teams: Teams | None,
    registries: Sequence[str],
    policies_set: PolicySet,
    *,
    now_us: int = 0,
    default_branch: str = _DEFAULT,
) -> tuple[Finding, ...]:
    """Everything that is wrong for the environments of one application.

    `policies`: the effective ones by environment id. `people`: who has access to the repository; `teams`: the members
    of each team that a policy names. None of these: they could not be read. `registries`: the operator's hosts.
    `now_us`: from when on freezes are looked at; 0: they are not. `default_branch`: its name; empty when not known.
    """
    ways = _Ways(environments, policies, frozenset(registries), default_branch)
    found: list[Finding] = []
    for environment in environments:
        policy = policies.get(environment.id)
        if policy is None:
            found.append(_error(Code.NO_RULES, environment))
            continue
        found += (_error(Code.STAGE_UNREACHABLE, environment, reason=why) for why in ways.closed(environment, policy))
        if now_us and policy.freezes and freezes.always(policy.freezes, now_us):
            found.append(_error(Code.ALWAYS_FROZEN, environment))
        if people is not None:
            found += _about_people(environment, policy, people, teams)
    if people is None and environments:
        found.append(Finding(level="warning", code=Code.PERMISSION_UNKNOWN))
    if len(set(policies_set.administrators)) < 2 and any(e.stage is Stage.PRODUCTION for e in environments):
        found.append(Finding(level="warning", code=Code.NO_ADMINISTRATORS))
    return tuple(found)


def _error(code: Code, environment: Environment, **values: str | int) -> Finding:
    said = {"stage": environment.stage.value, **values}
    return Finding(level="error", code=code, environment_id=environment.id, values=said)


# --- people ----------------------------------------------------------------------------------------------------------


def _about_people(
    environment: Environment, policy: Policy, people: Sequence[Collaborator], teams: Teams | None
) -> Iterator[Finding]:
    named = set(teams_named(policy))
    if not named <= (teams or {}).keys():
        # Nobody counts as a member of a team that cannot be read, neither here nor in a decision.
        yield _error(Code.TEAM_UNKNOWN, environment)
        return
    members = teams or {}
    asking = [person for person in people if _is_one(person, policy.request, members)]
    approving = [person for person in people if _is_one(person, policy.approve, members)]
    by_itself = environment.stage.before is None or (policy.auto_promote and environment.stage is Stage.TEST)
    if not asking and not by_itself:
        yield _error(Code.NOBODY_CAN_REQUEST, environment)
    needs = people_needed(policy)
    if needs <= 0:
        return
    if not _enough(approving, policy, members):
        yield _error(Code.NOBODY_CAN_APPROVE, environment, needs=needs)
        return
    alone = [one for one in asking if not _enough([p for p in approving if p is not one], policy, members)]
    if alone:
        level: Level = "error" if len(alone) == len(asking) and not by_itself else "warning"
        said = {"stage": environment.stage.value, "needs": needs, "who": _listed(alone)}
        yield Finding(level=level, code=Code.ONLY_REQUESTER_APPROVES, environment_id=environment.id, values=said)


def _is_one(person: Collaborator, who: Who, teams: Teams) -> bool:
    account = person.account
    member_of = frozenset(team for team, members in teams.items() if account.id in members)
    actor = Actor(kind=ActorKind.PERSON, id=account.id, login=account.login)
    return person_may("approver", actor, Standing(permission=person.permission, teams=member_of), who).passed


def _enough(people: Sequence[Collaborator], policy: Policy, teams: Teams) -> bool:
    """Whether as many of these people as are needed can fill every group; one may stand for several of them."""
    needs = people_needed(policy)
    if len(people) < needs:
        return False
    # What is left to fill, after each choice that could have been made so far: places, and members of each group.
    open_ = {(needs, tuple(group.count for group in policy.groups))}
    kinds: dict[tuple[bool, ...], int] = {}
    for person in people:
        kind = tuple(_is_one(person, group.who, teams) for group in policy.groups)
        kinds[kind] = kinds.get(kind, 0) + 1
    for kind, number in kinds.items():
        for _ in range(min(number, needs)):
            open_ |= {
                (places - 1, tuple(max(count - stands, 0) for count, stands in zip(counts, kind, strict=True)))
                for places, counts in open_
                if places
            }
    return any(not any(counts) for _, counts in open_)


def _listed(people: Sequence[Collaborator]) -> str:
    names = [person.account.login for person in people[:_NAMED]]
    more = len(people) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


# --- the way there ---------------------------------------------------------------------------------------------------


class _Ways:
    """Which images and branches can come how far: each stage takes only what the one before has taken."""

    def __init__(
        self,
        environments: Sequence[Environment],
        policies: Mapping[str, Policy],
        registries: frozenset[str],
        default: str,
    ) -> None:
        self._environments = environments
        self._policies = policies
        self._registries = registries
        self._default = default
        patterns = {pattern for policy in policies.values() for pattern in policy.branches}
        # One branch for each pattern is enough: whatever fits that fits one of these as well.
        self._branches = frozenset({default, *(f"{p[:-1]}x" if p.endswith("/*") else p for p in patterns)})

    def closed(self, environment: Environment, policy: Policy) -> Iterator[str]:
        """Why nothing can ever come to this environment, in a few plain words each."""
        before = environment.stage.before
        if before is not None and not self._of(before, environment.application_id):
            yield f"no environment for {before} is registered, and each release must have been there first"
            return
        if not self._hosts(environment, policy):
            yield "it takes images from none of the registries that this installation takes images from"
        elif not self._hosts_so_far(environment):
            yield f"it takes images from none of the registries that {before} takes images from"
        if not self._branches_so_far(environment):
            yield "builds of the branches that it takes never come to the stages before it"
        if environment.target is TargetKind.CONTAINER_INSTANCE and max(policy.min_instances, policy.min_zones) > 1:
            yield "its policy wants several instances or zones, and a container instance is one in one zone"
        if policy.probe is ProbeKind.HTTP and environment.probe is not ProbeKind.HTTP:
            yield "its policy wants a probe over HTTP, and it is registered without one"

    def _of(self, stage: Stage, application_id: str) -> list[Environment]:
        return [e for e in self._environments if e.stage is stage and e.application_id == application_id]

    def _hosts(self, environment: Environment, policy: Policy) -> frozenset[str]:
        taken = self._registries & hosts_of(policy) if policy.registries else self._registries
        return taken & {environment.registry} if environment.registry else taken

    def _hosts_so_far(self, environment: Environment) -> frozenset[str]:
        policy = self._policies.get(environment.id)
        own = self._hosts(environment, policy) if policy is not None else frozenset()
        before = environment.stage.before
        if before is None or not own:
            return own
        return own & _all(self._hosts_so_far(each) for each in self._of(before, environment.application_id))

    def _branches_so_far(self, environment: Environment) -> frozenset[str]:
        policy = self._policies.get(environment.id)
        if policy is None:
            return frozenset()
        own = frozenset(branch for branch in self._branches if self._takes(policy, branch))
        before = environment.stage.before
        if before is None or not own:
            return own
        return own & _all(self._branches_so_far(each) for each in self._of(before, environment.application_id))

    def _takes(self, policy: Policy, branch: str) -> bool:
        if branch == _DEFAULT:
            # Any branch that is named may be the default one.
            return not policy.branches or any(not pattern.endswith("/*") for pattern in policy.branches)
        return takes_branch(policy, branch, self._default)


def _all(sets: Iterator[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
