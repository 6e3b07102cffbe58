"""What closes an environment or a release for a while: freezes, locks, holds, bans; and the way past some of it.

Called by `bot.domain.policy`. The clock is handed in. Break-glass goes past times and places that are closed, never
past a release that failed or was rejected: those are lifted by people, with a reason, before anything else.
"""

from __future__ import annotations

from bot.domain import freezes
from bot.domain.codes import Code
from bot.domain.conditions import failed, no_release, passed, short, unknown
from bot.domain.decision import Asked, Facts, Fixer, RuleResult
from bot.domain.model import ActorKind, PromotionRow, Status
from bot.domain.promotion import Promotion
from bot.domain.rules import Concurrency, Policy

_MINUTE_US = 60_000_000


def not_frozen(request: Asked, policy: Policy, now_us: int) -> RuleResult:
    """No freeze of the policy lasts at this moment. Going back to what worked is what a freeze must not prevent."""
    if request.rollback or not policy.freezes:
        return passed("freeze")
    frozen = freezes.active(policy.freezes, now_us)
    if frozen is None:
        return passed("freeze")
    return failed(
        "freeze",
        Code.FROZEN,
        Fixer.WAIT,
        stage=request.environment.stage.value,
        until=frozen.until_us,
        reason=frozen.freeze.reason or frozen.freeze.name,
    )


def not_locked(request: Asked, facts: Facts, now_us: int) -> RuleResult:
    """Nobody else keeps the environment as it is. Its owner may change it, for that is often why it was locked."""
    state = (facts.states or {}).get(request.environment.id)
    if state is None:
        return unknown("lock", Code.STATE_UNKNOWN)
    lock, stage = state.lock, request.environment.stage.value
    if lock is None or not lock.holds(now_us) or lock.owner == request.requester:
        return passed("lock")
    values: dict[str, str | int] = {"stage": stage, "who": lock.owner.login, "reason": lock.reason}
    if lock.until_us:
        values["until"] = lock.until_us
    return failed("lock", Code.LOCKED, Fixer.WRITER, f"/unlock {stage}", **values)


def not_held(request: Asked, facts: Facts) -> RuleResult:
    """Nobody rejected this commit or digest for good, and no environment of the application was rolled back from it
    without being cleared since."""
    release = request.release
    if release is None:
        return no_release("holds")
    if facts.environments is None or facts.states is None or facts.bans is None:
        return unknown("holds", Code.STATE_UNKNOWN)
    places = {e.id: e.stage for e in (*facts.environments, request.environment)}
    if not places.keys() <= facts.states.keys():
        return unknown("holds", Code.STATE_UNKNOWN)
    commit = short(release.commit)
    for ban in facts.bans:
        if ban.digest == release.digest or ban.commit == release.commit:
            said: dict[str, str | int] = {"commit": commit, "who": ban.by.login, "reason": ban.reason}
            return failed("holds", Code.RELEASE_REJECTED, Fixer.OPERATOR, _clear(ban.commit), **said)
    for place, stage in places.items():
        for hold in facts.states[place].held:
            if hold.digest == release.digest or hold.commit == release.commit:
                values = {"stage": stage.value, "commit": commit}
                return failed("holds", Code.RELEASE_HELD, Fixer.OPERATOR, _clear(hold.commit), **values)
    return passed("holds")


def _clear(commit: str) -> str:
    """The commit that was held or rejected: where the same image was built from another one, not that other."""
    return f"/clear @{short(commit)} <reason>"


def its_turn(promotion: Promotion, request: Asked, facts: Facts, policy: Policy) -> RuleResult:
    """Where requests queue, an older one that may begin goes first; this one waits, and is not refused for it."""
    if request.rollback or policy.concurrency is not Concurrency.QUEUE:
        return passed("turn")
    if facts.open is None:
        return unknown("turn", Code.STATE_UNKNOWN)

    def is_older(row: PromotionRow) -> bool:
        return (row.requested_us, row.stream) < (promotion.requested_us, promotion.stream)

    here = (row for row in facts.open if row.open and row.environment_id == request.environment.id)
    if any(row.status is Status.APPROVED and is_older(row) for row in here):
        return unknown("turn", Code.NOT_YOUR_TURN, stage=request.environment.stage.value)
    return passed("turn")


# --- break-glass -----------------------------------------------------------------------------------------------------


def glass_may_break(request: Asked, policy: Policy) -> RuleResult:
    """Rule 36: where the policy knows a way past its rules, and a person says why. The second person is `consent`'s."""
    if not request.break_glass:
        return passed("break_glass")
    stage = request.environment.stage.value
    if not policy.break_glass:
        return failed("break_glass", Code.BREAK_GLASS_OFF, Fixer.OPERATOR, stage=stage)
    if request.requester.kind is not ActorKind.PERSON:
        return failed("break_glass", Code.BOT_REFUSED, Fixer.WRITER, stage=stage)
    return passed("break_glass")


def glass_in_time(
    promotion: Promotion, request: Asked, policy: Policy, minutes: int, now_us: int, again: str, *, begins: bool
) -> RuleResult:
    """Rule 36: time-boxed. Agreed to within so many minutes of being asked for, and begun within as many of the last
    yes. `begins`: now is the moment of the effect; otherwise that of one more yes."""
    result = glass_may_break(request, policy)
    if not request.break_glass or not result.passed:
        return result
    asked = promotion.requested_us
    agreed = max((approval.at_us for approval in promotion.approvals), default=asked)
    limit = minutes * _MINUTE_US
    if agreed <= asked + limit and now_us <= (agreed if begins else asked) + limit:
        return result
    stage = request.environment.stage.value
    return failed("break_glass", Code.BREAK_GLASS_EXPIRED, Fixer.WRITER, again, stage=stage, minutes=minutes)


def nothing_more_is_skipped(promotion: Promotion, skipped: tuple[str, ...], again: str) -> RuleResult:
    """Two people agreed to go past these rules and no others; one that fails only now was not among them."""
    agreed = promotion.request.skipped
    if set(skipped) <= set(agreed):
        return passed("break_glass")
    was, now = ", ".join(agreed) or "none", ", ".join(sorted({*agreed, *skipped}))
    return failed("break_glass", Code.SKIPPED_CHANGED, Fixer.WRITER, again, part="skipped", was=was, now=now)
