"""Which release is meant: by commit, by what ran before, by what was last seen healthy. It reads and never writes.

Called by the commands, the buttons, the gates and the verbs of `bot.services.promotions`. Never a guess: digits that
fit two commits are refused, and what must not run again is not offered as a way back.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Application, Environment, Plan, PromotionRow, Release, Stage
from bot.domain.promotion import previous_as_body
from bot.services import holds, journal, knowledge


async def last_verified(miso: Miso, stream: str) -> tuple[Release | None, Plan | None]:
    """Release and plan that were last seen healthy: where a rollback goes."""
    if not stream:
        return None, None
    promotion = await journal.load(miso, stream)
    return (promotion.request.release, promotion.request.plan) if promotion else (None, None)


async def previous_now(miso: Miso, environment: Environment) -> dict[str, object]:
    """What a rollback would go back to, as of the moment when the deployment begins."""
    state = await miso.store.environment_state(environment.id)
    return previous_as_body(*await last_verified(miso, state.last_verified))


async def find_release(miso: Miso, application: Application, commit: str, stage: Stage) -> Release | None:
    """The release of a commit (or of at least 12 digits of one), as it was built and recorded.

    Prefers what was verified in the stage before, because that is the digest that may go on. Refuses digits that fit
    more than one commit.
    """
    rows = await miso.store.promotions(application_id=application.id, commit_prefix=commit, limit=100)
    if len({row.commit for row in rows}) > 1:
        raise refusal(Code.SHA_AMBIGUOUS)
    if not rows:
        return None
    environments = {e.id: e for e in await miso.store.environments(application.id)}

    def rank(row: PromotionRow) -> tuple[bool, bool, int]:
        environment = environments.get(row.environment_id)
        before = environment is not None and environment.stage is stage.before
        return (before and row.verified, row.verified, row.requested_us)

    found = await journal.load(miso, max(rows, key=rank).stream)
    return found.request.release if found else None


async def rollback_target(miso: Miso, application: Application, environment: Environment, commit: str) -> Release:
    """What `/rollback` goes to: the named release, or the one verified here before what runs, and never a held one."""
    state = await miso.store.environment_state(environment.id)
    running, _ = await knowledge.runs(miso, state)
    rows = await miso.store.promotions(
        application_id=application.id, environment_id=environment.id, commit_prefix=commit, verified=True, limit=100
    )
    if commit and not rows:
        raise refusal(Code.ROLLBACK_TARGET_NOT_VERIFIED)
    if commit and len({row.commit for row in rows}) > 1:
        raise refusal(Code.SHA_AMBIGUOUS)
    held = {hold.digest for hold in state.held}
    if commit and all(row.digest in held for row in rows):
        raise refusal(Code.RELEASE_HELD, stage=environment.stage, commit=rows[0].commit[:12])
    banned: Release | None = None
    for row in rows if commit else _before(rows, running):
        if row.digest in held or (running is not None and row.digest == running.digest):
            continue
        found = await journal.load(miso, row.stream)
        if found is None:
            continue
        release = found.request.release
        if not await holds.bans(miso, application.id, release):
            return release
        banned = release
    if commit and banned is not None:
        raise refusal(Code.RELEASE_REJECTED, stage=environment.stage, commit=banned.commit[:12])
    raise refusal(Code.NOTHING_TO_ROLL_BACK_TO)


def _before(rows: Sequence[PromotionRow], running: Release | None) -> Sequence[PromotionRow]:
    """Those that were live here before what runs now first was: going back never goes forward."""
    own = [row.requested_us for row in rows if running is not None and row.digest == running.digest]
    return [row for row in rows if not own or row.requested_us < min(own)]
