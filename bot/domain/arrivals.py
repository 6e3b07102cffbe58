"""What runs there, or is on its way there, already: the rules of the policy about standing still.

Called by `bot.domain.policy`, beside `conditions`. Pure: what it was not told is unknown, and unknown never passes.
"""

from __future__ import annotations

from bot.domain.authors import nothing_runs
from bot.domain.codes import Code
from bot.domain.conditions import failed, no_release, passed, short, unknown
from bot.domain.decision import Asked, Facts, Fixer, RuleResult


def not_duplicate(request: Asked, facts: Facts) -> RuleResult:
    """The same release neither runs healthy there nor is on its way there."""
    release = request.release
    if release is None:
        return no_release("duplicate")
    empty = nothing_runs(request, facts)
    if empty is None or facts.open is None:
        return unknown("duplicate", Code.STATE_UNKNOWN)
    values = {"stage": request.environment.stage.value, "commit": short(release.commit)}
    running = facts.running
    # The commit counts too: two commits may build the same image, and each wants to be seen healthy on its own.
    same = running is not None and (running.digest, running.commit) == (release.digest, release.commit)
    if not empty and same and _seen_healthy(request, facts):
        return failed("duplicate", Code.ALREADY_RUNNING, Fixer.NOBODY, "/status", **values)
    if any(
        row.open and row.stream != request.stream and row.digest == release.digest and row.commit == release.commit
        for row in facts.open
        if row.environment_id == request.environment.id
    ):
        return failed("duplicate", Code.ALREADY_REQUESTED, Fixer.NOBODY, "/status", **values)
    return passed("duplicate")


def settings_reach_it(request: Asked, facts: Facts) -> RuleResult:
    """Azure shows which image runs, not with which settings: a plan that differs in nothing else would be called
    carried out without a single write. New settings travel with a new image."""
    release, running = request.release, facts.running
    if release is None:
        return no_release("settings")
    empty = nothing_runs(request, facts)
    if empty is None:
        return unknown("settings", Code.STATE_UNKNOWN)
    if empty or running is None or running.digest != release.digest or running.commit == release.commit:
        return passed("settings")
    if not _seen_healthy(request, facts):
        return passed("settings")
    if facts.plan is None or facts.running_plan is None:
        return unknown("settings", Code.STATE_UNKNOWN)
    if facts.plan.hash == facts.running_plan.hash:
        return passed("settings")
    stage, commit = request.environment.stage.value, short(release.commit)
    return failed("settings", Code.SAME_IMAGE_OTHER_PLAN, Fixer.WRITER, "", stage=stage, commit=commit)


def _seen_healthy(request: Asked, facts: Facts) -> bool:
    """Whether what was seen healthy is what runs there. What is stuck, unhealthy, or was changed by somebody else
    may be tried again: asking for it once more repairs it."""
    state = (facts.states or {}).get(request.environment.id)
    return state is not None and state.running == state.last_verified and state.drift is None
