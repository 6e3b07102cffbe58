"""The worker of the journey: it begins what may begin, goes on with what was begun, and may die behind any row.

It plays `bot.services.deploying` over an Azure that does what the machine says. A worker that died leaves its lease
behind; whoever comes after that has run out goes on from the rows alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from bot.domain.model import SYSTEM, Status
from bot.domain.promotion import Action, Kind, Promotion, next_action, previous_as_body
from tests.domain.journey.knowing import OPEN
from tests.domain.journey.verbs import Verbs

STARTS = {
    Action.DEPLOY: Kind.DEPLOY_STARTED,
    Action.PROBE: Kind.PROBE_STARTED,
    Action.ROLL_BACK: Kind.ROLLBACK_STARTED,
}


class Ending(StrEnum):
    """What the outside makes of a deployment."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    BREAKS = "breaks"
    REFUSED = "refused"
    STUCK = "stuck"
    PAUSES = "pauses"


class Worker(Verbs):
    """The verbs, and the loop that moves promotions on."""

    def begin(self, seen: Promotion) -> int:
        """The epoch under which somebody has it from now on; 0 when nothing may be done, or not now.

        `seen` is the promotion as it was read, which may be old news by now.
        """
        place, now_us = seen.environment_id, self.world.now_us
        action = next_action(seen, lease_over=self.ledger.lease(place, now_us) is None)
        if action is None:
            return 0
        body: dict[str, Any] = {}
        if seen.status in OPEN:
            if not self.admit(seen):
                return 0
            last = self.ledger.promotions.get(self.ledger.state(place).last_verified)
            body = previous_as_body(last.request.release if last else None, last.request.plan if last else None)
        now = self.ledger.promotions[seen.stream]
        busy = self.ledger.state(place).busy
        if now.head_seq != seen.head_seq or (action is Action.DEPLOY and busy not in ("", seen.stream)):
            return 0
        epoch = self.ledger.claim(place, seen.stream, now_us)
        if epoch:
            self._row(now, STARTS[action], epoch, body)
        return epoch

    def work(self, stream: str, epoch: int, ending: Ending, rows: int) -> None:
        """So many rows at most under one lease; a worker that has not come to an end by then is dead."""
        for _ in range(rows):
            now = self.ledger.promotions[stream]
            after = self._next(now, ending)
            if after is None:
                return
            kind, body = after
            if not self._row(now, kind, epoch, body):
                return
            now = self.ledger.promotions[stream]
            over = kind in (
                Kind.PAUSED,
                Kind.DEPLOY_FAILED,
                Kind.PROBE_PASSED,
                Kind.ROLLBACK_DONE,
                Kind.ROLLBACK_FAILED,
            )
            if over or (kind is Kind.PROBE_FAILED and now.request.previous is None):
                self.ledger.free(now.environment_id)
                return

    def _next(self, now: Promotion, ending: Ending) -> tuple[Kind, dict[str, Any]] | None:
        """The next row of a deployment, as the outside has it."""
        begun = next((step for step in reversed(now.steps) if not step.done_us), None)
        match now.status:
            case Status.DEPLOYING if ending is Ending.PAUSES:
                return Kind.PAUSED, {"code": "azure_throttled", "until_us": self.world.now_us}
            case Status.DEPLOYING if ending is Ending.REFUSED or (ending is Ending.BREAKS and now.steps):
                return Kind.DEPLOY_FAILED, {"code": "azure_refused"}
            case Status.DEPLOYING | Status.ROLLING_BACK if begun is not None:
                return Kind.STEP_DONE, {"step": begun.step, "after": {}}
            case Status.DEPLOYING | Status.ROLLING_BACK if not now.steps:
                return Kind.STEP_BEGUN, {"step": "slot.put", "before": {}}
            case Status.DEPLOYING:
                return Kind.DEPLOY_DONE, {"host": "shop.example", "digest": now.request.release.digest}
            case Status.DEPLOYED if ending is Ending.HEALTHY:
                return Kind.PROBE_PASSED, {"evidence": "http"}
            case Status.DEPLOYED:
                return Kind.PROBE_FAILED, {"code": "probe_unhealthy"}
            case Status.UNHEALTHY if now.request.previous is not None:
                return Kind.ROLLBACK_STARTED, {"attempt": 1}
            case Status.ROLLING_BACK:
                return (Kind.ROLLBACK_FAILED if ending is Ending.STUCK else Kind.ROLLBACK_DONE), {}
            case _:
                return None

    def _row(self, now: Promotion, kind: Kind, epoch: int, body: dict[str, Any]) -> bool:
        return self.ledger.write(
            now.stream,
            kind,
            SYSTEM,
            self.world.now_us,
            body,
            place=now.environment_id,
            epoch=epoch,
            after=now.head_seq,
        )
