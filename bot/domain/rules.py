"""What the operator decided for the whole controller, as far as verbs need it: limits, hosts, policies.

`bot.settings` reads it from the environment and `config/`; it is part of `bot.context.Miso`. Frozen for a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.model import Stage


@dataclass(frozen=True, kw_only=True)
class StagePolicy:
    """Who may do what in environments of one stage. An unknown fact never satisfies any of it."""

    approvals: int = 0
    """How many different people must approve, none of them counted by rule 9."""
    request_permission: str = "write"
    """Least repository role for asking (PERMISSION_RANK)."""
    approve_permission: str = "write"
    """Least repository role for approving."""
    approval_hours: int = 168
    """An approval older than this does not count."""
    unknown_author_needs: int = 1
    """How many more approvers an unresolvable author costs; with -1 such a release is refused."""


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
    policies: Mapping[Stage, StagePolicy] = field(
        default_factory=lambda: {
            Stage.DEV: StagePolicy(),
            Stage.TEST: StagePolicy(),
            Stage.PRODUCTION: StagePolicy(approvals=1, approval_hours=24, unknown_author_needs=-1),
        }
    )
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
