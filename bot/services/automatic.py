"""Automatic promotion: once a release is healthy, soaked and validated one stage earlier, Miso asks for it itself.

Called by the advance loop every `tend_seconds` for each environment whose policy wants it. It is level-triggered: it
looks at what runs one stage earlier now, whatever events were missed, and asks through `promotions.request` as anybody
does. It asks once for each release; what a person rejected, cancelled or took back is not asked for again.
"""

from __future__ import annotations

from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.decision import Decision
from bot.domain.identity import INSIDE
from bot.domain.model import Application, Environment, EnvironmentState
from bot.domain.promotion import Promotion
from bot.errors import MisoError
from bot.services import access, choosing, journal, policies, promotions
from bot.services.access import Origin
from bot.services.promotions import Ask

PATIENT = frozenset({Code.SOAK_NOT_OVER, Code.CHECK_MISSING, Code.CHECKS_UNKNOWN})
"""Reasons that pass by themselves; any other is worth another look only every now and then."""
MINUTE_US = 60_000_000


async def tend(miso: Miso, environment: Environment) -> int:
    """Ask for what is ready. Answers when to look again, in microseconds UTC; 0: at the next round."""
    accepted = await policies.accepted(miso)
    demanded = accepted.policies.of(environment) if accepted is not None else None
    application = await miso.store.application(environment.application_id)
    if demanded is None or not demanded.auto_promote or application is None:
        return 0
    candidate = await _candidate(miso, application, environment)
    if candidate is None:
        return 0
    since = candidate.verified_us + demanded.soak_minutes * MINUTE_US
    if miso.clock.now_us() < since:
        return since
    decision = await _ask(miso, application, environment, candidate)
    if decision is None or not decision.refused:
        return 0
    patient = all(rule.code in PATIENT for rule in decision.obstacles)
    return miso.clock.now_us() + (MINUTE_US if patient else 10 * MINUTE_US)


async def _candidate(miso: Miso, application: Application, environment: Environment) -> Promotion | None:
    """What runs healthy one stage earlier and was never asked for here."""
    earlier = [e for e in await miso.store.environments(application.id) if e.stage is environment.stage.before]
    for place in earlier:
        state: EnvironmentState = await miso.store.environment_state(place.id)
        if not state.running or state.running != state.last_verified or state.busy:
            continue
        promotion = await journal.load(miso, state.running)
        if promotion is None or promotion.request.rollback:
            continue
        release = promotion.request.release
        known = await miso.store.promotions(
            environment_id=environment.id, application_id=application.id, commit_prefix=release.commit, limit=1
        )
        if not known:
            return promotion
    return None


async def _ask(miso: Miso, application: Application, environment: Environment, candidate: Promotion) -> Decision | None:
    """The request, in Miso's own name. None when it could not be asked now: the next look is soon enough."""
    request = candidate.request
    release = await choosing.find_release(miso, application, request.release.commit, environment.stage)
    origin = Origin(installation_id=request.installation_id, repository_id=application.repository_id)
    ask = Ask(
        cause=f"automatic:{environment.id}:{request.release.commit}:{request.release.digest}",
        principal=INSIDE,
        origin=origin,
        release=release,
        pull_request=request.pull_request,
    )
    try:
        place = await access.bind(miso, origin, environment.stage)
        decision = await promotions.explain(miso, ask, place, application, environment)
        if decision.refused:
            # Told nowhere yet: what waits by itself is shown on the pull request's card, what does not in `/why`.
            return decision
        return (await promotions.request(miso, ask, place, application, environment)).decision
    except MisoError:
        return None
