"""What an approver is shown and signs, part by part, and what is different when it is no longer that (rule 10).

Called by `bot.domain.policy` and by the verbs that tell a change. The parts are plain JSON values, so that they are the
same after a way through the journal. A part that cannot be established now is None: unknown, which is neither the
same nor a change. What nobody is asked to sign, because no approval is wanted or because it was gone past, is bound as
just that.

| part    | what                                                                          |
|---------|-------------------------------------------------------------------------------|
| where   | application, environment, repository                                          |
| release | commit, image by digest                                                       |
| plan    | hash of what will be written                                                  |
| policy  | hash of the policy                                                            |
| checks  | name, App, number and conclusion of each demanded check run                   |
| soak    | which promotion was seen healthy one stage earlier, and since when            |
| commits | what runs, and every commit between that and the release                      |
| skipped | rules that were gone past                                                     |
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.domain.authors import is_signed, nothing_runs
from bot.domain.canonical import digest_of
from bot.domain.codes import Code
from bot.domain.conditions import places_of, short, verified_in
from bot.domain.decision import Asked, Facts
from bot.domain.model import Plan, Release
from bot.domain.rules import Policy

NOT_SIGNED = "not signed"
SKIPPED = "skipped"

CODES: Mapping[str, Code] = {
    "plan": Code.PLAN_CHANGED,
    "policy": Code.POLICY_CHANGED,
    "checks": Code.CHECKS_CHANGED,
    "commits": Code.COMMITS_CHANGED,
    "soak": Code.SOAK_CHANGED,
    "skipped": Code.SKIPPED_CHANGED,
}
"""Code of a change, by part; anything else is `plan_changed`."""

UNKNOWN: Mapping[str, Code] = {
    "checks": Code.CHECKS_UNKNOWN,
    "commits": Code.ANCESTRY_UNKNOWN,
    "soak": Code.STATE_UNKNOWN,
}
"""Code of a part that cannot be established, by part; anything else is `plan_changed`, which asks for a new look."""


def parts(
    request: Asked, facts: Facts, policy: Policy, policy_hash: str, skipped: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Every part as it is now. `skipped`: the rules that break-glass goes past in this request."""
    release, signed = request.release, is_signed(request, policy)
    return {
        "where": {
            "application": request.application.id,
            "environment": request.environment.id,
            "repository": request.application.repository_id,
        },
        "release": {"commit": release.commit, "image": release.reference} if release is not None else None,
        "plan": facts.plan.hash if facts.plan is not None else None,
        "policy": policy_hash,
        "checks": _checks(request, facts, policy, skipped) if signed else NOT_SIGNED,
        "soak": _soak(request, facts, skipped) if signed else NOT_SIGNED,
        "commits": _commits(request, facts) if signed else NOT_SIGNED,
        "skipped": sorted(skipped),
    }


def hash_of(found: Mapping[str, Any]) -> str:
    """64 hex digits over all parts: what an approval binds to."""
    return digest_of({"format": 2, "parts": dict(found)})


def hash_before_parts(release: Release, plan: Plan, policy_hash: str, environment_id: str) -> str:
    """What requests were bound to before they carried their evidence part by part; kept to judge those."""
    return digest_of(
        {
            "format": 1,
            "application": release.application_id,
            "environment": environment_id,
            "repository": release.repository_id,
            "commit": release.commit,
            "image": release.reference,
            "plan": plan.hash,
            "policy": policy_hash,
        }
    )


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """What differs: `part`, `was`, `now`, the last two short and for people. Parts unknown now are left out.

    In the order of the table above. Names of check runs are outside text: escape the values where they are shown. Of
    what was asked before parts were written nothing can be told.
    """
    if not was:
        return ()
    differing = (part for part in dict.fromkeys((*now, *was)) if _differs(part, was, now))
    return tuple({"part": part, **dict(zip(("was", "now"), _said(part, was, now), strict=True))} for part in differing)


def code_of(part: str) -> Code:
    """Why something is refused in which this part differs."""
    return CODES.get(part, Code.PLAN_CHANGED)


def unknown_code(found: Mapping[str, Any]) -> Code | None:
    """Why something waits of which a part could not be established; None when all are known."""
    part = next((part for part, value in found.items() if value is None), None)
    return UNKNOWN.get(part, Code.PLAN_CHANGED) if part is not None else None


def _differs(part: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if part in now and now[part] is None:
        return False
    return was.get(part) != now.get(part)


# --- the parts -------------------------------------------------------------------------------------------------------


def _checks(request: Asked, facts: Facts, policy: Policy, skipped: tuple[str, ...]) -> Any:
    if "checks" in skipped:
        return SKIPPED
    if request.rollback or not policy.checks:
        return []
    if facts.checks is None:
        return None
    wanted = {(check.name, check.app_id) for check in policy.checks}
    seen = {check for check in facts.checks if (check.name, check.app_id) in wanted}
    return sorted([check.name, check.app_id, check.id, check.conclusion or check.status] for check in seen)


def _soak(request: Asked, facts: Facts, skipped: tuple[str, ...]) -> Any:
    stage, release = request.environment.stage.before, request.release
    if {"soak", "order"} & set(skipped):
        return SKIPPED
    if request.rollback or stage is None:
        return []
    if facts.environments is None or facts.verified is None or release is None:
        return None
    rows = verified_in(places_of(stage, request, facts), release, facts.verified)
    return max(([row.verified_us, row.stream] for row in rows), default=[])


def _commits(request: Asked, facts: Facts) -> Any:
    release = request.release
    if request.rollback:
        return {"running": "", "commits": []}
    empty = nothing_runs(request, facts)
    if release is None or empty is None:
        return None
    if empty or facts.running is None:
        return {"running": "", "commits": [release.commit]}
    return _between(facts.running, facts)


def _between(running: Release, facts: Facts) -> Any:
    if facts.range is None or facts.range.status == "unknown":
        return None
    # Where not all could be read and the policy takes that at a price, what was shown is what is signed.
    found = {"running": running.commit, "commits": sorted(commit.sha for commit in facts.range.commits)}
    return found if facts.range.complete else {**found, "complete": False}


# --- in words --------------------------------------------------------------------------------------------------------


def _said(part: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    before, after = was.get(part), now.get(part)
    say = {"release": _release, "soak": _verified, "commits": _range, "skipped": _rules, "where": _where}.get(part)
    first, second = (say(value) if say is not None else _short(value) for value in (before, after))
    if part == "checks":
        first, second = _said_checks(before, after)
    # Equal words for different values would be no explanation; the value itself always differs.
    return (first, second) if first != second else (_hash(before), _hash(after))


def _said_checks(before: Any, after: Any) -> tuple[str, str]:
    """Only those check runs that are not the same in both."""
    if not isinstance(before, list) or not isinstance(after, list):
        return _listed(before), _listed(after)
    gone = [check for check in before if check not in after]
    come = [check for check in after if check not in before]
    return _listed(gone), _listed(come)


def _listed(value: Any) -> str:
    if not isinstance(value, list):
        return _short(value)
    return ", ".join(f"{name}: {conclusion} ({number})" for name, _, number, conclusion in value) or "none"


def _release(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _short(value)
    return f"{short(str(value['commit']))}, {str(value['image']).rpartition('@')[2][:19]}"


def _where(value: Any) -> str:
    return ", ".join(str(each) for each in value.values()) if isinstance(value, Mapping) else _short(value)


def _verified(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _short(value)
    moment = datetime.fromtimestamp(value[0] // 1_000_000, UTC)
    return f"healthy since {moment:%Y-%m-%d %H:%M:%S} UTC"


def _range(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _short(value)
    number, running = len(value["commits"]), short(str(value["running"]))
    many = f"{number} commit" if number == 1 else f"{number} commits"
    return f"{many} since {running}" if running else f"{many}, nothing runs there"


def _rules(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) and value else _short(value)


def _short(value: Any) -> str:
    return str(value)[:12] if value else "none"


def _hash(value: Any) -> str:
    return digest_of(value)[:12]
