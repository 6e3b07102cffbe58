"""What the policy of an environment asks of a release and its place, beyond what holds everywhere.

Called by `bot.domain.policy`, beside `conditions`; one small function a rule. Where the policy asks for nothing,
nothing has to be known. A rollback goes to a state that met the demands of its day and was seen healthy here, and an
emergency must not hang on a check that was added since: of these rules only the image's source still counts for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.codes import Code
from bot.domain.conditions import failed, no_release, passed, places_of, short, unknown, verified_in
from bot.domain.decision import Asked, Facts, Fixer, RuleResult
from bot.domain.model import CheckSeen, EnvironmentState, ProbeKind, Release, Stage
from bot.domain.rules import PUBLIC, PUBLIC_REGISTRIES, Policy

MINUTE_US = 60_000_000
_UNREAD = frozenset({Code.GITHUB_UNAVAILABLE, Code.GITHUB_THROTTLED})


def configuration_read(request: Asked, facts: Facts) -> RuleResult:
    """Rule 3: what the repository says about itself was read from its default branch, whole and without a fault."""
    if request.rollback or facts.config is None:
        return passed("config")
    if facts.config in _UNREAD:
        return unknown("config", facts.config)
    return failed("config", facts.config, Fixer.WRITER)


def source_allowed(request: Asked, policy: Policy) -> RuleResult:
    """The image comes from a registry that this environment takes images from."""
    if not policy.registries:
        return passed("source")
    if request.release is None:
        return no_release("source")
    host = request.release.image.partition("/")[0]
    if host in hosts_of(policy):
        return passed("source")
    return failed("source", Code.IMAGE_SOURCE_REFUSED, Fixer.OPERATOR, host=host, stage=request.environment.stage.value)


def hosts_of(policy: Policy) -> frozenset[str]:
    """The hosts that a policy names, `public` written out. Empty: it names none, so all of the operator's."""
    named = frozenset(policy.registries) - {PUBLIC}
    return named | PUBLIC_REGISTRIES if PUBLIC in policy.registries else named


# --- what was built --------------------------------------------------------------------------------------------------


def pull_request_allowed(request: Asked, policy: Policy) -> RuleResult:
    """Builds of open pull requests stay in dev, whoever asks and however urgent it is: nobody has merged them."""
    release = request.release
    if release is None:
        return no_release("pull_request")
    if not release.open_pull_request or (policy.open_pull_requests and request.environment.stage is Stage.DEV):
        return passed("pull_request")
    return _branch_refused("pull_request", request, release, release.branch)


def branch_allowed(request: Asked, facts: Facts, policy: Policy) -> RuleResult:
    """The branch that was built is one of those whose builds come here. An open pull request is judged as such."""
    release = request.release
    if release is None:
        return no_release("branch")
    if request.rollback or release.open_pull_request:
        return passed("branch")
    default = facts.default_branch or (facts.identity.default_branch if facts.identity is not None else "")
    if not policy.branches and not release.branch:
        return passed("branch")
    if not default and (not policy.branches or not release.branch):
        return unknown("branch", Code.GITHUB_UNAVAILABLE)
    branch = release.branch or default
    if takes_branch(policy, branch, default):
        return passed("branch")
    return _branch_refused("branch", request, release, branch)


def takes_branch(policy: Policy, branch: str, default: str) -> bool:
    """Whether builds of a branch may come; `release/*` is all below `release/`, anything else is one branch."""
    return any(
        branch == pattern or (pattern.endswith("/*") and branch.startswith(pattern[:-1]) and branch != pattern[:-1])
        for pattern in policy.branches or (default,)
    )


def _branch_refused(rule: str, request: Asked, release: Release, branch: str) -> RuleResult:
    values = {"stage": request.environment.stage.value, "commit": short(release.commit), "branch": branch}
    return failed(rule, Code.BRANCH_NOT_ALLOWED, Fixer.WRITER, **values)


def checks_succeeded(request: Asked, facts: Facts, policy: Policy) -> RuleResult:
    """Rule 33: each demanded check run of exactly this App ended with success on this commit. A name is anybody's."""
    if request.rollback or not policy.checks:
        return passed("checks")
    if request.release is None:
        return no_release("checks")
    commit, stage = short(request.release.commit), request.environment.stage.value
    if facts.checks is None:
        return unknown("checks", Code.CHECKS_UNKNOWN, commit=commit, stage=stage, check=policy.checks[0].name)
    unfinished: RuleResult | None = None
    found = by_name(facts.checks)
    for wanted in policy.checks:
        seen = found.get((wanted.name, wanted.app_id), ())
        values = {"commit": commit, "stage": stage, "check": wanted.name}
        if not seen:
            return failed("checks", Code.CHECK_MISSING, Fixer.WRITER, **values)
        if any(check.status == "completed" and check.conclusion != "success" for check in seen):
            return failed("checks", Code.CHECK_FAILED, Fixer.WRITER, **values)
        if any(check.status != "completed" for check in seen):
            # It may still succeed: asking again is all that is needed.
            unfinished = unfinished or unknown("checks", Code.CHECK_MISSING, **values)
    return unfinished or passed("checks")


def by_name(seen: Sequence[CheckSeen]) -> Mapping[tuple[str, int], Sequence[CheckSeen]]:
    """Check runs by what a demand means them by: name and App."""
    found: dict[tuple[str, int], list[CheckSeen]] = {}
    for check in seen:
        found.setdefault((check.name, check.app_id), []).append(check)
    return found


# --- the stage before ------------------------------------------------------------------------------------------------


def soaked(request: Asked, facts: Facts, policy: Policy, now_us: int) -> RuleResult:
    """The release has been healthy one stage earlier for long enough, and is what runs there to this moment.

    What was replaced, undone or changed by others there starts again: nobody watched it meanwhile.
    """
    stage, release = request.environment.stage.before, request.release
    if request.rollback or stage is None or policy.soak_minutes <= 0:
        return passed("soak")
    if release is None:
        return no_release("soak")
    if facts.environments is None or facts.verified is None or facts.states is None:
        return unknown("soak", Code.STATE_UNKNOWN)
    places = places_of(stage, request, facts)
    if not places <= facts.states.keys():
        return unknown("soak", Code.STATE_UNKNOWN)
    standing = {each.last_verified for each in map(facts.states.__getitem__, places) if _stands(each)}
    there = (row for row in facts.verified if row.stream in standing)
    since = [row.verified_us for row in verified_in(places, release, there) if row.verified_us]
    commit = short(release.commit)
    if not since:
        return _not_soaked(f"/promote {stage} @{commit}", stage, commit, policy.soak_minutes)
    # A clock that was set back shows a moment that is still to come; then nothing has passed yet.
    left_us = policy.soak_minutes * MINUTE_US - max(0, now_us - min(since))
    if left_us <= 0:
        return passed("soak")
    return _not_soaked(f"/promote {request.environment.stage} @{commit}", stage, commit, -(-left_us // MINUTE_US))


def _stands(state: EnvironmentState) -> bool:
    """Whether what was seen healthy there is what runs there, and nobody else changed it."""
    return bool(state.running) and state.running == state.last_verified and state.drift is None


def _not_soaked(command: str, stage: Stage, commit: str, minutes: int) -> RuleResult:
    values: dict[str, str | int] = {"stage": stage.value, "commit": commit, "minutes": minutes}
    return failed("soak", Code.SOAK_NOT_OVER, Fixer.WAIT, command, **values)


# --- the place -------------------------------------------------------------------------------------------------------


def available_enough(request: Asked, facts: Facts, policy: Policy) -> RuleResult:
    """There are as many instances and zones as the policy wants, by Azure's word of this moment."""
    if request.rollback or (policy.min_instances <= 1 and policy.min_zones <= 1):
        return passed("availability")
    stage, has = request.environment.stage.value, facts.capacity
    if has is None:
        return unknown("availability", Code.CAPACITY_UNKNOWN, stage=stage)
    if has.instances >= policy.min_instances and has.zones >= policy.min_zones:
        return passed("availability")
    wants = {"instances": policy.min_instances, "zones": policy.min_zones}
    return failed("availability", Code.CAPACITY_TOO_SMALL, Fixer.OPERATOR, stage=stage, **wants)


def probe_strong_enough(request: Asked, policy: Policy) -> RuleResult:
    """Health will be judged by evidence that the policy accepts: Azure's word alone is the weaker one."""
    if request.rollback or policy.probe is not ProbeKind.HTTP or request.environment.probe is ProbeKind.HTTP:
        return passed("probe")
    return failed("probe", Code.PROBE_TOO_WEAK, Fixer.OPERATOR, stage=request.environment.stage.value)
