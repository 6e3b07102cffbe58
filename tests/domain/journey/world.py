"""The outside of the journey: commits, builds, people, check runs, the registry, the policy in force, the clock.

It is what GitHub, registries and the operator would answer. Verbs ask it for facts; the books ask it for the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.domain import plan as plans
from bot.domain.model import (
    Actor,
    ActorKind,
    CheckSeen,
    Commit,
    CommitRange,
    Environment,
    Permission,
    Plan,
    PullRequest,
    Release,
    Stage,
)
from bot.domain.rules import Concurrency, Freeze, Policy, PolicySet, RequiredCheck, Rules
from tests.domain import given

HOUR, MINUTE = given.HOUR, 60_000_000
# A Tuesday at noon, so that a night has to fall before anything freezes.
NOON = given.NOW - given.NOW % (24 * HOUR) + 12 * HOUR

ADA, BOB, CYD, DEE, EVE, FAY = (
    Actor(kind=ActorKind.PERSON, id=at, login=name)
    for at, name in enumerate(("ada", "bob", "cyd", "dee", "eve", "fay"), start=11)
)
PEOPLE = (ADA, BOB, CYD, DEE, EVE, FAY)
ROLES = {ADA.id: "write", BOB.id: "write", CYD.id: "maintain", DEE.id: "maintain", EVE.id: "read", FAY.id: "write"}
RUN = Actor(kind=ActorKind.WORKFLOW, id=900, login="build")

ROOT, LEFT, TIP, ASIDE = (letter * 40 for letter in "abcd")
PARENT = {ROOT: "", LEFT: ROOT, TIP: LEFT, ASIDE: ROOT}
WRITER = {ROOT: ADA.id, LEFT: ADA.id, TIP: BOB.id, ASIDE: ADA.id}
MERGER = {TIP: CYD.id}
TREES = {ROOT: "1" * 40, LEFT: "2" * 40, TIP: "2" * 40, ASIDE: "3" * 40}


def _built(commit: str, number: int) -> Release:
    return given.release(commit, f"sha256:{str(number) * 64}", run_id=number)


BUILDS = (
    _built(ROOT, 1),
    _built(LEFT, 2),
    _built(LEFT, 3),  # the same commit, built again
    _built(TIP, 4),
    replace(_built(TIP, 2), run_id=5),  # another commit, the same image
    _built(ASIDE, 6),
)
CHECK = RequiredCheck(name="scan", app_id=7)
NIGHT = Freeze(name="nights", starts="2023-01-01T00:00", minutes=360, repeats="FREQ=DAILY", reason="nobody is awake")
PLACES = {Stage.DEV: given.DEV, Stage.TEST: given.TEST, Stage.PRODUCTION: given.PRODUCTION}
RULES: Rules = given.RULES
DARK = (
    *("identity", "binding", "permission", "config", "image_exists", "tag_digest", "environments", "states"),
    *("running", "verified", "open", "range", "commit", "pull_requests", "checks", "bans", "standings", "policy"),
)
"""What may be unknown for a while. All but the last two are fields of `Facts`."""


def lineage(commit: str) -> tuple[str, ...]:
    """The commit and all before it."""
    return (commit, *lineage(PARENT[commit])) if commit else ()


def between(old: str, new: str) -> tuple[str, ...]:
    """Commits that the newer one brings, the oldest first."""
    return tuple(reversed([sha for sha in lineage(new) if sha not in lineage(old)]))


def policy_of(stage: Stage, **changes: object) -> Policy:
    made = Policy(approval_hours=24, wait_hours=48, remind_hours=12, unknown_author_needs=1)
    if stage is Stage.PRODUCTION:
        made = replace(made, approvals=1, freezes=(NIGHT,))
    return replace(made, **changes)  # type: ignore[arg-type]  # names and values are drawn by the machine


@dataclass
class World:
    """Everything outside the journal, as it is now."""

    now_us: int = NOON
    policies: PolicySet = field(default_factory=lambda: PolicySet(stages={s: policy_of(s) for s in Stage}))
    roles: dict[int, str] = field(default_factory=lambda: dict(ROLES))
    checks: dict[str, CheckSeen] = field(default_factory=dict)
    settings: dict[Stage, int] = field(default_factory=lambda: dict.fromkeys(Stage, 0))
    dark: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    """Digests that the registry no longer has."""
    edited: set[tuple[str, int]] = field(default_factory=set)
    """Stream and account of each approval whose comment was changed afterwards."""

    def __post_init__(self) -> None:
        for number, commit in enumerate(PARENT, start=1):
            self.check(commit, "success", number)

    def check(self, commit: str, conclusion: str, number: int = 0) -> None:
        """A check run of this name on this commit has come to this; empty: it has not ended."""
        number = number or self.checks[commit].id + 10
        status = "completed" if conclusion else "in_progress"
        self.checks[commit] = CheckSeen(id=number, name="scan", app_id=7, status=status, conclusion=conclusion)

    def environment(self, stage: Stage) -> Environment:
        setting = (("MODE", str(self.settings[stage])),) if self.settings[stage] else ()
        return replace(PLACES[stage], settings=setting)

    def plan(self, stage: Stage, release: Release) -> Plan:
        return plans.build(self.environment(stage), release, controller=RULES.controller)

    def policy(self, stage: Stage) -> Policy:
        found = self.policies.of(self.environment(stage))
        assert found is not None
        return found

    def rules(self, stage: Stage, changes: dict[str, object]) -> None:
        """Another policy counts in one stage from now on."""
        now = self.policies.stages[stage]
        changed = replace(now, **changes)  # type: ignore[arg-type]  # names and values are drawn by the machine
        self.policies = replace(self.policies, stages={**self.policies.stages, stage: changed})

    def permission(self, person: int) -> Permission:
        role = self.roles[person]
        base = {"maintain": "write"}.get(role, role)
        return Permission(user_id=person, role_name=role, permission=base)

    def writes(self, who: int) -> bool:
        """Whether it may ask and agree; a build asks for the first stage by itself."""
        return who == RUN.id or self.roles[who] in ("write", "maintain")

    def night(self) -> bool:
        return self.now_us % (24 * HOUR) < 6 * HOUR


def commit_of(sha: str) -> Commit:
    return given.commit(sha, author_id=WRITER[sha], tree=TREES[sha])


def pulls_of(sha: str) -> tuple[PullRequest, ...]:
    if sha not in MERGER:
        return ()
    return (given.pull_request(sha, author_id=WRITER[sha], merged_by_id=MERGER[sha]),)


def range_of(old: str, new: str) -> CommitRange:
    brought = tuple(commit_of(sha) for sha in between(old, new))
    if old == new:
        return CommitRange(status="identical", complete=True)
    if old in lineage(new):
        return CommitRange(status="ahead", commits=brought, complete=True)
    return CommitRange(status="behind" if new in lineage(old) else "diverged", commits=brought, complete=True)


QUEUED = Concurrency.QUEUE
