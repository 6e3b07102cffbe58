"""A request that waits for people is never silent: it reminds, and it ends.

Called by the advance loop when a waiting promotion's alarm rings (`promotion.next_look_us`). A reminder is a row that
the report shows as a comment; the deadline ends the request with a reason. Nothing here decides about anybody's right.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import SYSTEM, Environment, NewRow, Status
from bot.domain.promotion import Kind, Promotion, next_look_us
from bot.services import journal


async def look(miso: Miso, promotion: Promotion, environment: Environment) -> None:
    """Remind whoever can act, or end what nobody decided in time."""

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or now.status is not Status.REQUESTED or miso.clock.now_us() < next_look_us(now):
            return []
        if miso.clock.now_us() >= now.request.deadline_us:
            return [_over(now, environment)]
        return [_row(Kind.REMINDED, environment, {})]

    await journal.record(miso, promotion.stream, decide)


def _over(promotion: Promotion, environment: Environment) -> NewRow:
    request = promotion.request
    again = f"/promote {environment.stage} @{request.release.commit[:12]}"
    if request.break_glass:
        minutes = (request.deadline_us - promotion.requested_us) // 60_000_000
        again = f"{again} --break-glass <reason>"
        no = refusal(Code.BREAK_GLASS_EXPIRED, stage=environment.stage, minutes=minutes, command=again)
    else:
        no = refusal(Code.WAIT_EXPIRED, stage=environment.stage, hours=request.policy.wait_hours, command=again)
    return _row(Kind.REFUSED, environment, {"code": no.code, "sentence": no.sentence, "hint": no.hint})


def _row(kind: Kind, environment: Environment, body: dict[str, object]) -> NewRow:
    return NewRow(
        kind=kind,
        actor=SYSTEM,
        application_id=environment.application_id,
        environment_id=environment.id,
        body=body,
    )
