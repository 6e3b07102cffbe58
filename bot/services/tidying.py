"""What a controller does for itself now and then: keys are looked after, and what ran out is removed.

Called by the worker beside the environments that it tends. Nothing here is about a promotion.
"""

from __future__ import annotations

from bot import telemetry
from bot.context import Miso
from bot.errors import MisoError

log = telemetry.logger("tidying")


async def tidy(miso: Miso) -> None:
    """Both, whatever becomes of the other: a vault that is away must not keep bodies in the database."""
    try:
        gone = await miso.store.purge()
        if gone:
            log.info("removed what had run out", things=gone)
    except MisoError as fault:
        log.warning("could not remove what had run out", code=getattr(fault, "code", ""))
    await miso.oidc.tend()
