"""What the policy is asked, what it knows, and what it answers: the types around `bot.domain.policy`.

Services fill `Asked` and `Facts`; `bot.domain.messages` turns a `Decision` into words. A fact that could not be
established is None, and None never satisfies a rule. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.model import (
    Actor,
    Application,
    Ban,
    Capacity,
    CheckSeen,
    Commit,
    CommitRange,
    Environment,
    EnvironmentState,
    Permission,
    Plan,
    PromotionRow,
    PullRequest,
    Release,
    RepositoryFacts,
)


class Verdict(StrEnum):
    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    """Every rule passes; `Decision.approvals_needed` people must still say yes."""
    REFUSE = "refuse"


class RuleState(StrEnum):
    PASS = "pass"  # noqa: S105 - the outcome of a rule; bandit sees a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    """A fact is missing. Counts like FAIL; asking again may help."""


class Fixer(StrEnum):
    """Who can change the outcome of a rule."""

    NOBODY = "nobody"
    REQUESTER = "requester"
    APPROVER = "approver"
    WRITER = "writer"
    """Anybody with write access to the repository."""
    MAINTAINER = "maintainer"
    """Whoever administers the repository."""
    OPERATOR = "operator"
    """Whoever runs this installation of Miso."""
    WAIT = "wait"
    """An outside service did not say; ask again later."""


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """One rule, evaluated. `bot.domain.messages` has the sentence: `refusal(result.code, **result.values)`."""

    rule: str
    """Stable short name: requester, identity, release, image, tag, registry, order, target, holds, fence, settings,
    duplicate, authors, open, approver, second_person, request, policy, evidence, approvals, config, source, branch,
    pull_request, checks, soak, availability, probe, freeze, lock, break_glass, turn, quorum."""
    state: RuleState
    code: Code | None = None
    """None exactly when the state is PASS."""
    values: Mapping[str, str | int] = field(default_factory=dict)
    """What the sentence needs: `stage`, `commit`, `role`, `needs`, `hours`, `host`, `running`, `command`."""
    fixer: Fixer = Fixer.NOBODY
    command: str = ""
    """A line that whoever can fix it may type next; empty when there is none. Also in `values`, for the sentence."""

    skipped: bool = False
    """It does not pass, and two people went past it (`/promote … --break-glass`). Told for ever, never a pass."""

    @property
    def passed(self) -> bool:
        return self.state is RuleState.PASS


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Every rule with its outcome, and what follows from them together."""

    verdict: Verdict
    rules: tuple[RuleResult, ...]
    """In order of evaluation; every rule is there, passed or not. Empty only when no rule applied: then it refuses."""
    approvals_needed: int = 0
    excluded: tuple[int, ...] = ()
    """Sorted numeric ids of accounts whose approval does not count (rule 9), as far as they are known."""

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW

    @property
    def refused(self) -> bool:
        return self.verdict is Verdict.REFUSE

    @property
    def obstacles(self) -> tuple[RuleResult, ...]:
        """What stands in the way: failed rules first, then unknown ones."""
        standing = tuple(r for r in self.rules if not r.skipped)
        failed = tuple(r for r in standing if r.state is RuleState.FAIL)
        return failed + tuple(r for r in standing if r.state is RuleState.UNKNOWN)

    @property
    def skipped(self) -> tuple[RuleResult, ...]:
        """What does not pass and was gone past by break-glass."""
        return tuple(r for r in self.rules if r.skipped)

    @property
    def code(self) -> Code | None:
        """The one reason to lead with; None when it is allowed."""
        if self.obstacles:
            return self.obstacles[0].code
        if self.verdict is Verdict.REFUSE:
            return Code.NO_RULES
        return Code.NEEDS_APPROVAL if self.verdict is Verdict.NEEDS_APPROVAL else None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants: this release in this environment."""

    requester: Actor
    application: Application
    environment: Environment
    release: Release | None
    """None: no build of Miso's record matches what was named."""
    rollback: bool = False
    stream: str = ""
    """The promotion's own stream, once it has one; it is no duplicate of itself."""
    break_glass: str = ""
    """Why the rules that may be skipped shall be skipped; empty: they shall not."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What one account may do now, by GitHub's word. None: it could not be established."""

    permission: Permission | None = None
    teams: frozenset[int] | None = frozenset()
    """Of the teams that the policy names, those that the account is a member of. None: a team could not be read."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was established at this moment. None (or a missing key) means unknown, and unknown never passes."""

    identity: RepositoryFacts | None = None
    """The repository as GitHub knows it now, by its numeric id."""
    binding: Bound | Code | None = None
    """Answer of `catalog.select` for the repository's variables: the bound rows, or the code of the refusal."""
    permission: Permission | None = None
    """The requester's own role, asked now (rule 5). Not needed when the requester is no person."""
    teams: frozenset[int] | None = frozenset()
    """Of the teams that the policy names, the requester's. None: they could not be read."""
    config: Code | None = Code.GITHUB_UNAVAILABLE
    """Why the repository's own configuration cannot be used; None: it was read and is in order."""
    config_commit: str = ""
    """Commit of the default branch at which it was read."""
    default_branch: str = ""
    checks: tuple[CheckSeen, ...] | None = None
    """The newest check runs on the release's commit of the names that the policy demands."""
    bans: tuple[Ban, ...] | None = None
    """Of this commit or this digest."""
    capacity: Capacity | None = None
    """Of the environment; asked only where the policy demands more than one of anything."""
    image_exists: bool | None = None
    """Whether the registry still has `release.digest`."""
    tag_digest: str | None = None
    """Digest that `release.tag` points to now; "" when the tag is gone (the digest may still be there)."""
    environments: tuple[Environment, ...] | None = None
    """All environments of the application."""
    states: Mapping[str, EnvironmentState] | None = None
    """State by environment id, for every one of `environments`."""
    running: Release | None = None
    """Release of the stream in `states[environment.id].running`; None is "nothing" only where that is empty."""
    running_plan: Plan | None = None
    """The plan which that release runs with; for showing what would change (`preview.of`), not for deciding."""
    verified: tuple[PromotionRow, ...] | None = None
    """Verified promotions of this commit, all environments:
    `store.promotions(application_id=…, commit_prefix=release.commit, verified=True)`."""
    open: tuple[PromotionRow, ...] | None = None
    """Open promotions of this environment."""
    plan: Plan | None = None
    """What would be written now: `plan.build(environment, release)`."""
    range: CommitRange | None = None
    """`compare(running.commit, release.commit)`; unused when nothing runs and for rollbacks."""
    commit: Commit | None = None
    """The release's commit; needed when nothing runs or the range does not hold it."""
    pushers: Mapping[int, tuple[int, ...]] | None = None
    """By number of a pull request: accounts that were seen to push to it; empty when nobody was."""
    pull_requests: Mapping[str, tuple[PullRequest, ...]] | None = None
    """By commit: the pull requests that GitHub knows for it, empty when it was looked up and has none.
    `policy.commits_to_look_up` says for which commits; only stages that want approvals need it."""
