"""Moving a promotion on: deploy, prove health, roll back. Called by the advance loop of `bot.worker`, for one stream.

Whatever is done next follows from what Azure shows now, not from memory: `plan.steps` compares the plan with what is
there and names the writes that are missing. So the same lines serve a first attempt, a second one after a crash, and
a takeover by another replica. It decides nothing about permission; that is `bot.services.admitting`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bot.context import Miso
from bot.domain import health, plan
from bot.domain.codes import Code
from bot.domain.messages import explain, refusal
from bot.domain.model import Claim, Environment, Health, NewRow, Observed, Plan, Status, Step
from bot.domain.promotion import Action, Kind, Promotion, next_action
from bot.errors import Refused, Transient
from bot.services import admitting, choosing, journal
from bot.services.effects import Hold, Keep, LeaseLost, Saved, once, renewing, row, write

MOST_STEPS = 8
"""A deployment has at most four writes; more than this means that Azure and the plan never agree."""

MOST_DEATHS = 4
"""A deployment that was begun so many times more often than tries are allowed takes its worker down with it."""

SWAPPED_BACK = "swapped_back"
"""A rollback's swap has a name of its own: it is the same request with the opposite effect."""

STARTS = {
    Action.DEPLOY: Kind.DEPLOY_STARTED,
    Action.PROBE: Kind.PROBE_STARTED,
    Action.ROLL_BACK: Kind.ROLLBACK_STARTED,
}


async def advance(miso: Miso, promotion: Promotion, environment: Environment, holder: str) -> None:
    """Do what comes next for this promotion, if the environment's lease can be had. Returns when it waits or ended."""
    action = next_action(promotion, lease_over=environment.resource not in await miso.store.leases())
    if action is None:
        return
    body: dict[str, Any] = {}
    if promotion.status in (Status.REQUESTED, Status.APPROVED):
        no = await admitting.admit(miso, promotion, environment)
        if no is not None:
            await journal.record(miso, promotion.stream, _unless_moved(promotion, no))
            return
        body = await choosing.previous_now(miso, environment)
    hold = await _take(miso, promotion, environment, holder, action, body)
    if hold is None:
        return
    with suppress(LeaseLost):
        async with renewing(miso, hold):
            await _run(miso, hold, action)


async def _take(
    miso: Miso, promotion: Promotion, environment: Environment, holder: str, action: Action, body: dict[str, Any]
) -> Hold | None:
    """Take the lease in the transaction that says what begins. None when somebody else has it or was quicker."""
    claim = Claim(resource=environment.resource, holder=holder, ttl_us=int(miso.rules.lease_ttl * 1e6))
    unfenced = Hold(stream=promotion.stream, environment=environment, epoch=0)
    attempt = (promotion.rollback_attempt if action is Action.ROLL_BACK else promotion.attempt) + 1
    begin = row(unfenced, STARTS[action], attempt=attempt, **body)
    taken = await journal.record(miso, promotion.stream, _unless_moved(promotion, begin), claim=claim)
    if taken.conflict is not None or not taken.rows:
        return None
    return Hold(stream=promotion.stream, environment=environment, epoch=taken.epoch)


def _unless_moved(seen: Promotion, row: NewRow) -> Callable[[Promotion | None], Sequence[NewRow]]:
    """Write the row only where the story still ends as we read it: the decision was made over that."""
    return lambda now: [row] if now is not None and now.head_seq == seen.head_seq else []


async def _run(miso: Miso, hold: Hold, action: Action) -> None:
    """From where the promotion stands to where it waits for nobody or for a person, under one lease."""
    promotion = await _loaded(miso, hold)
    try:
        if _tries(promotion) > MOST_DEATHS * miso.rules.step_attempts:
            # Trouble outside is counted in `_pause`; here is one that ends our own process each time.
            raise refusal(Code.OUTCOME_UNKNOWN)
        if action is Action.DEPLOY:
            promotion = await _deploy(miso, hold, promotion)
            action = Action.PROBE
        if action is Action.PROBE:
            promotion = await _prove(miso, hold, promotion)
            if promotion.status is not Status.UNHEALTHY or promotion.request.previous is None:
                return
            promotion = await write(miso, hold, row(hold, Kind.ROLLBACK_STARTED, attempt=1))
        await _roll_back(miso, hold, promotion)
    except Refused as no:
        await _failed(miso, hold, no)
    except Transient as later:
        await _pause(miso, hold, later)


async def _deploy(miso: Miso, hold: Hold, promotion: Promotion) -> Promotion:
    wanted = promotion.request.plan
    await _finish(miso, hold, promotion, wanted)
    for _ in range(MOST_STEPS):
        observed = await _observe(miso, hold)
        steps = plan.steps(wanted, observed)
        if not steps:
            place = observed.main
            return await write(
                miso,
                hold,
                row(hold, Kind.DEPLOY_DONE, host=place.host, digest=place.pulled_digest or place.digest),
            )
        if steps[0] is Step.SWAP:
            await _prove_slot(miso, hold, promotion, observed)
        await _step(miso, hold, steps[0].value, steps[0], wanted, observed)
    raise refusal(Code.AZURE_REFUSED)


async def _prove_slot(miso: Miso, hold: Hold, promotion: Promotion, observed: Observed) -> None:
    """The release must be healthy in its slot before production is touched at all."""
    known = promotion.step("slot.probed")
    if known and known.done_us and observed.slot and observed.slot.digest == promotion.request.release.digest:
        return
    if known is None:
        await write(miso, hold, row(hold, Kind.STEP_BEGUN, step="slot.probed", before={}))
    found = await _judge(miso, hold, promotion.request.plan, slot=True)
    if found.health is not Health.HEALTHY:
        raise refusal(found.code, **found.values)
    await write(miso, hold, row(hold, Kind.STEP_DONE, step="slot.probed", after={"evidence": found.evidence}))


async def _finish(miso: Miso, hold: Hold, promotion: Promotion, wanted: Plan) -> None:
    """What was begun and not seen to end is followed to its end before anything else is judged.

    While a swap runs, app and slot are looked at one after the other and may show the same image: a picture that never
    was, from which the wrong write would follow.
    """
    names = {**{step.value: step for step in Step}, SWAPPED_BACK: Step.SWAP}
    begun = next((s for s in reversed(promotion.steps) if not s.done_us and s.step in names), None)
    if begun is not None:
        await _step(miso, hold, begun.step, names[begun.step], wanted, await _observe(miso, hold))


async def _step(miso: Miso, hold: Hold, name: str, step: Step, wanted: Plan, observed: Observed) -> None:
    async def read() -> Mapping[str, Any] | None:
        now = await _observe(miso, hold)
        return plan.shown(now) if plan.happened(step, wanted, observed=now) else None

    async def act(resume: str, saved: Saved, keep: Keep) -> None:
        await miso.azure.apply(
            hold.environment,
            step,
            wanted,
            stream=hold.stream,
            deadline=miso.rules.step_deadline,
            request_id=hold.stream,
            resume=resume,
            saved=saved,
            keep=keep,
        )

    await once(miso, hold, name, read=read, act=act, before=plan.shown(observed))


async def _prove(miso: Miso, hold: Hold, promotion: Promotion) -> Promotion:
    """Is what runs there now healthy, and is it what was approved?"""
    found = await _judge(miso, hold, promotion.request.plan, slot=False)
    if found.health is Health.HEALTHY:
        return await write(
            miso,
            hold,
            row(hold, Kind.PROBE_PASSED, evidence=found.evidence),
            free=True,
        )
    no = refusal(found.code, **found.values)
    rolls_back = promotion.request.previous is not None
    return await write(
        miso,
        hold,
        row(
            hold,
            Kind.PROBE_FAILED,
            code=no.code,
            sentence=no.sentence,
            hint=no.hint,
            evidence=found.evidence,
        ),
        free=not rolls_back,
    )


async def _judge(miso: Miso, hold: Hold, wanted: Plan, *, slot: bool) -> health.Finding:
    """Ask the platform and the host until they agree often enough, or until the attempts are used up."""
    finding = health.Finding(health=Health.UNKNOWN, code=Code.PROBE_UNKNOWN)
    in_a_row = 0
    for attempt in range(miso.rules.probe_attempts + miso.rules.probe_successes):
        if attempt:
            await miso.clock.sleep(miso.rules.probe_interval)
        observed = await _observe(miso, hold)
        place = observed.slot if slot else observed.main
        answer = None
        if place is not None and health.worth_asking(hold.environment, place):
            answer = await miso.probe.ask(
                place.host, plan.health_path(wanted), port=plan.port(wanted), tls=plan.tls(wanted)
            )
        finding = health.judge(hold.environment, wanted, place, answer)
        in_a_row = in_a_row + 1 if finding.health is Health.HEALTHY else 0
        if in_a_row >= miso.rules.probe_successes or finding.final:
            return finding
        if attempt + 1 >= miso.rules.probe_attempts and in_a_row == 0:
            return finding
    return finding


async def _roll_back(miso: Miso, hold: Hold, promotion: Promotion) -> None:
    previous = promotion.request.previous_plan
    if previous is None:
        raise refusal(Code.NOTHING_TO_ROLL_BACK_TO)
    await _finish(miso, hold, promotion, previous)
    for _ in range(MOST_STEPS):
        observed = await _observe(miso, hold)
        steps = plan.rollback_steps(previous, promotion.request.plan, observed)
        if not steps:
            break
        name = SWAPPED_BACK if steps[0] is Step.SWAP else steps[0].value
        await _step(miso, hold, name, steps[0], previous, observed)
    found = await _judge(miso, hold, previous, slot=False)
    if found.health is not Health.HEALTHY:
        raise refusal(found.code, **found.values)
    await write(miso, hold, row(hold, Kind.ROLLBACK_DONE, evidence=found.evidence), free=True)


async def _failed(miso: Miso, hold: Hold, no: Refused) -> None:
    """Azure or the probe said no for good: the deployment failed, or the rollback is stuck until a person helps."""
    promotion = await _loaded(miso, hold)
    kind = Kind.ROLLBACK_FAILED if promotion.status is Status.ROLLING_BACK else Kind.DEPLOY_FAILED
    await write(miso, hold, row(hold, kind, code=no.code, sentence=no.sentence, hint=no.hint), free=True)


async def _pause(miso: Miso, hold: Hold, later: Transient) -> None:
    """The outside said "later": give the lease back and come again, a bounded number of times."""
    tries = _tries(await _loaded(miso, hold))
    if tries >= miso.rules.step_attempts:
        await _failed(miso, hold, refusal(Code(later.code)))
        return
    wait = later.retry_after if later.retry_after is not None else min(60.0, miso.rules.retry_seconds * 2**tries)
    until = miso.clock.now_us() + int(wait * 1e6)
    await write(
        miso,
        hold,
        row(hold, Kind.PAUSED, code=later.code, sentence=later.sentence, until_us=until),
        free=True,
    )


def _tries(promotion: Promotion) -> int:
    """How often the present direction, there or back, was begun."""
    return promotion.rollback_attempt if promotion.status is Status.ROLLING_BACK else promotion.attempt


async def _observe(miso: Miso, hold: Hold) -> Observed:
    """What Azure shows. Refuses what is not ours before anything is concluded from it, asked of it or written to it."""
    try:
        async with asyncio.timeout(miso.rules.observe_deadline):
            seen = await miso.azure.observe(hold.environment, request_id=hold.stream)
    except TimeoutError:
        late = explain(Code.AZURE_TIMEOUT, step="observe")
        raise Transient(late.code, late.sentence) from None
    plan.must_be_ours(seen, hold.environment, miso.rules.controller)
    return seen


async def _loaded(miso: Miso, hold: Hold) -> Promotion:
    promotion = await journal.load(miso, hold.stream)
    if promotion is None:
        raise LeaseLost
    return promotion
