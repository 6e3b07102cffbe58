"""Where a commit stands in an environment: what carries it there, whether that goes on, what keeps it back.

Asked by `gates` and `leave`, which must not tell it differently. It reads the store and never writes.
"""

from __future__ import annotations

from bot.context import Miso
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Environment, Status
from bot.domain.promotion import Promotion
from bot.errors import Refused
from bot.services import choosing, holds, journal

UNDER_WAY = frozenset({Status.DEPLOYING, Status.DEPLOYED})
"""The decision before the first effect let it through. One that is only approved may still be refused there."""


async def newest(miso: Miso, environment: Environment, commit: str) -> Promotion | None:
    """The newest promotion of exactly this commit into exactly this environment."""
    rows = await miso.store.promotions(environment_id=environment.id, commit_prefix=commit, limit=1)
    return await journal.load(miso, rows[0].stream) if rows else None


async def goes(miso: Miso, promotion: Promotion) -> bool:
    """Whether it is being deployed, or is what runs there: having been live once opens no gate today."""
    if promotion.status in UNDER_WAY:
        return True
    state = await miso.store.environment_state(promotion.environment_id)
    return promotion.status is Status.LIVE and state.running == promotion.stream


async def held(miso: Miso, bound: Bound, commit: str) -> Refused | None:
    """Why this commit must wait for a person: it was taken back or rejected, as in `conditions.not_held`."""
    release = await choosing.find_release(miso, bound.application, commit, bound.environment.stage)
    digest = release.digest if release is not None else ""
    if release is not None and await holds.bans(miso, bound.application.id, release):
        return refusal(Code.RELEASE_REJECTED, commit=commit[:12], stage=bound.environment.stage)
    for environment in await miso.store.environments(bound.application.id):
        state = await miso.store.environment_state(environment.id)
        if any(commit == hold.commit or digest == hold.digest for hold in state.held):
            return refusal(Code.RELEASE_HELD, commit=commit[:12], stage=environment.stage)
    return None
