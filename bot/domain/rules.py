"""What the operator decided: the policy of each environment, and the limits of the whole controller.

A `Policy` is what decisions are made by. It comes from the newest accepted policy in the ledger
(`bot.services.policies`) and from the tightening part of `.github/miso.yml`; `bot.domain.policy_keys` has the words for
both. `Rules` is read once from the environment and is part of `bot.context.Miso`. All are frozen values that compare by
what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from bot.domain.identity import Role
from bot.domain.model import Environment, ProbeKind, Stage


@dataclass(frozen=True, kw_only=True)
class Who:
    """A set of people. The role is a floor for all; teams and users, where given, are the only ones beside it."""

    role: str = "write"
    """Least repository role (PERMISSION_RANK)."""
    teams: tuple[int, ...] = ()
    """Numeric ids of GitHub teams of the repository's owner. Empty together with `users`: whoever has the role."""
    users: tuple[int, ...] = ()
    """Numeric ids of GitHub accounts."""

    @property
    def named(self) -> bool:
        """Whether the role alone is not enough."""
        return bool(self.teams or self.users)


@dataclass(frozen=True, kw_only=True)
class Group:
    """A part of the quorum: so many of the approvers must be of this group."""

    name: str
    count: int
    who: Who


@dataclass(frozen=True, kw_only=True)
class RequiredCheck:
    """A check run that must have succeeded on the release's commit. A name alone could be anybody's (rule 33)."""

    name: str
    app_id: int


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A time in which nothing is promoted. Kept as text: `bot.domain.freezes` reads it."""

    name: str
    starts: str
    """Wall clock in `zone`, `YYYY-MM-DDTHH:MM`: begin of the first occurrence."""
    minutes: int
    """How long each occurrence lasts."""
    zone: str = "UTC"
    """IANA name, e.g. `Europe/Berlin`."""
    repeats: str = ""
    """RFC 5545 recurrence rule, e.g. `FREQ=WEEKLY;BYDAY=FR`; empty: once."""
    exceptions: tuple[str, ...] = ()
    """Days (`YYYY-MM-DD` in `zone`) whose occurrence does not take place."""
    reason: str = ""


class Concurrency(StrEnum):
    """What happens to a request that has not begun when a newer one comes for the same environment."""

    SUPERSEDE = "supersede"
    """The newest one counts; older ones end and are told so."""
    QUEUE = "queue"
    """Each waits its turn, the oldest first."""


PUBLIC = "public"
"""In `Policy.registries`: every host of `PUBLIC_REGISTRIES`."""
PUBLIC_REGISTRIES = frozenset(
    {"docker.io", "ghcr.io", "gcr.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io", "registry.k8s.io"}
)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What must hold in one environment. An unknown fact never satisfies any of it."""

    approvals: int = 0
    """How many different people must approve, none of them counted by rule 9."""
    groups: tuple[Group, ...] = ()
    """Of whom some must be members of these; one person may count for several groups, but once for `approvals`."""
    request: Who = Who()
    approve: Who = Who()
    rollback: Who = Who()
    """Who may go back without a second person."""
    approval_hours: int = 168
    """An approval older than this does not count."""
    unknown_author_needs: int = 1
    """How many more approvers an unresolvable author costs; with -1 such a release is refused."""
    registries: tuple[str, ...] = ()
    """Hosts that images may come from, or `public`; empty: any host of the operator's list."""
    checks: tuple[RequiredCheck, ...] = ()
    soak_minutes: int = 0
    """How long the release must have been healthy one stage earlier."""
    branches: tuple[str, ...] = ()
    """Branches whose builds may come here, `release/*` for all below; empty: the default branch only."""
    open_pull_requests: bool = False
    """Whether builds of open pull requests may come here. Dev only."""
    freezes: tuple[Freeze, ...] = ()
    concurrency: Concurrency = Concurrency.SUPERSEDE
    wait_hours: int = 72
    """A request that nobody decided ends after this."""
    remind_hours: int = 24
    """So often whoever can act is reminded meanwhile."""
    min_instances: int = 1
    min_zones: int = 1
    auto_promote: bool = False
    """Whether Miso asks by itself once the stage before is healthy, soaked and validated. Test only."""
    probe: ProbeKind = ProbeKind.PLATFORM
    """The weakest evidence of health that is accepted."""
    keep_on_identical: bool = False
    """Whether an approval carries over to a newer commit with the very same tree."""
    break_glass: bool = True
    """Whether two people may go past the rules of `bot.domain.policy.SKIPPABLE`."""
    device_approvals: bool = False
    """Whether somebody who signed in by a code typed elsewhere may approve here. Asked in production only."""


@dataclass(frozen=True, kw_only=True)
class Members:
    """Whom the policy gives a role, beside whoever has it by GitHub's word. All by ids: names can be taken over."""

    teams: tuple[int, ...] = ()
    """GitHub teams of the repository's owner."""
    users: tuple[int, ...] = ()
    """GitHub accounts."""
    groups: tuple[str, ...] = ()
    """Groups of the sign-in service, by object id."""
    app_roles: tuple[str, ...] = ()
    """App roles of the sign-in service, by value."""


@dataclass(frozen=True, kw_only=True)
class PolicySet:
    """A whole policy, as the ledger keeps it: one for each stage, and for single environments by GUID."""

    stages: Mapping[Stage, Policy] = field(default_factory=dict)
    environments: Mapping[str, Policy] = field(default_factory=dict)
    """Whole policies, already merged with their stage's."""
    environment_stages: Mapping[str, Stage] = field(default_factory=dict)
    """Stage that the operator wrote for each of `environments`. It must be the registry's: else a policy for dev, given
    to an environment that turns out to be production, would go past whoever must agree to loosen that."""
    administrators: tuple[int, ...] = ()
    """Numeric GitHub ids: two of them must agree before production is loosened."""
    operators: Who = Who(role="maintain")
    """Who may lift holds and bans, take others' locks off and cancel others' requests."""
    clear_people: int = 2
    """How many operators must agree to lift a hold or ban."""
    break_glass_minutes: int = 60
    """A break-glass request that is not approved within this ends."""
    roles: Mapping[Role, Members] = field(default_factory=dict)
    """Who has a role beside those whom GitHub gives it (`bot.domain.authorization`)."""

    def of(self, environment: Environment) -> Policy | None:
        """None where the operator wrote none: then nothing is allowed."""
        return self.at(environment.id, environment.stage)

    def at(self, environment_id: str, stage: Stage) -> Policy | None:
        """The same, for an environment known by its GUID and stage."""
        own = self.environments.get(environment_id)
        if own is None:
            return self.stages.get(stage)
        return own if self.environment_stages.get(environment_id, stage) is stage else None


_POLICY = TypeAdapter(Policy)
_SET = TypeAdapter(PolicySet)


def policy_as_body(policy: Policy) -> dict[str, Any]:
    """Canonical form for the journal; the same policy always gives the same."""
    return dict(_POLICY.dump_python(policy, mode="json"))


def policy_from_body(body: Mapping[str, Any]) -> Policy:
    return _POLICY.validate_python(body)


def set_as_body(policies: PolicySet) -> dict[str, Any]:
    return dict(_SET.dump_python(policies, mode="json"))


def set_from_body(body: Mapping[str, Any]) -> PolicySet:
    return _SET.validate_python(body)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The operator's decisions. Durations in seconds unless the name says otherwise."""

    controller: str
    """Name of this installation: value of the tag `miso-owner`. Installations never touch one another's resources."""
    app_id: int
    app_slug: str = "miso"
    public_url: str = "http://127.0.0.1:8080"
    web_url: str = "https://github.com"
    api_url: str = "https://api.github.com"
    registries: tuple[str, ...] = ()
    """Hosts that images may come from."""
    bots_that_may_request: frozenset[int] = frozenset()
    """App ids whose comments may ask for a promotion (rule 6). They may never approve."""
    allow_local_hosts: bool = False
    """Loopback hosts for probes and registries: the demo and tests only."""

    lease_ttl: float = 10.0
    delivery_attempts: int = 12
    step_deadline: float = 900.0
    """Longest that one Azure step may take, polling included."""
    write_deadline: float = 8.0
    """Longest that one request to the outside may take; shorter than what is left of the lease."""
    settle_seconds: float = 60.0
    """How long a request that was cut off may still arrive at Azure; only then is it judged not to have happened."""
    step_attempts: int = 5
    """So many tries of a deployment or rollback before it is given up to a person."""
    retry_seconds: float = 2.0
    """First pause after trouble outside; it doubles up to a minute."""
    observe_deadline: float = 30.0
    """Longest that one reading of Azure may take."""
    gate_hours: float = 24.0
    """A GitHub environment gate that nobody decided is rejected after this."""
    stop_at: str = ""
    """Tests only: `<step>:before|taken|after`, where the process kills itself."""
    probe_attempts: int = 10
    probe_interval: float = 3.0
    probe_successes: int = 2
    """So many healthy answers in a row."""
    commands_per_hour: int = 60
    """Per person and repository; past it commands are ignored with one ledger row (rule 15)."""
    pull_request_commands_per_hour: int = 240
    """On one pull request, by all people together."""
    tend_seconds: float = 30.0
    """How often environments are looked after: automatic promotions, changes that went around Miso."""
    drift_minutes: float = 10.0
    """How often Azure is asked whether an environment still runs what it was given; 0: never."""
    token_audience: str = "http://127.0.0.1:8080"  # noqa: S105 - an address
    """What ID tokens of workflows must be meant for, and what deploy tokens are issued for."""
    token_minutes: int = 10
    """How long a deploy token lives."""
    workflow_assertions: bool = False
    """Whether a deploy token may be changed into an Azure assertion of a subject of its own. Never for production."""
    session_idle_minutes: float = 60.0
    session_hours: float = 12.0
    roles_minutes: float = 10.0
    """How old the groups and roles of a sign-in may be at any effect."""
    device_sign_in: bool = True
    access_minutes: float = 15.0
    refresh_days: float = 14.0
    inbox_days: float = 7.0
    """How long a webhook's body is kept that could not be processed."""
