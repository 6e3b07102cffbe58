"""GitHub's environment gate (`deployment_protection_rule`): it mirrors our decision and never makes one.

A gate is approved only when a promotion of exactly this commit into exactly this environment has been let through by
the decision before its first effect; while that is still possible it says who can act; when it no longer is, or nobody
decided in time, it is rejected. Whatever fails on the way leaves it waiting: no path from an error leads to "approved"
(security rule 26).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.context import Miso
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import RuleResult
from bot.domain.identity import INSIDE, Deed, Door, Principal
from bot.domain.messages import refusal
from bot.domain.model import SYSTEM, Actor, Row, Status, WorkflowRun
from bot.errors import MisoError, Refused
from bot.services import access, authorization, choosing, journal, leave, notes, promotions, whereabouts
from bot.services.access import Origin, Place
from bot.services.leave import Running, Undecided
from bot.services.notes import Note
from bot.services.promotions import Ask

_RUN = re.compile(r"([1-9][0-9]{0,18})/deployment_protection_rule", re.ASCII)

MIRROR = Principal(actor=SYSTEM, door=Door.GATE)
"""Whoever asked at GitHub is nobody here: a gate shows what was decided for others, and moves nothing."""
OVER = frozenset({Status.REJECTED, Status.CANCELLED, Status.REFUSED, Status.ROLLED_BACK})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a gate is told: "approved", "rejected", or "" for a comment while it waits."""

    state: str
    code: Code
    sentence: str
    hint: str = ""


async def requested(
    miso: Miso,
    origin: Origin,
    actor: Actor,
    *,
    environment: str,
    commit: str,
    deployment_id: int,
    full_name: str,
    callback_url: str,
) -> None:
    """Record that a run waits at a gate. The URL is only compared and taken apart, never called (rule 27).

    Each attempt of a run makes a deployment of its own, so a re-run is judged anew (rule 31). Raises Refused
    (event_shape) for a URL that is not this repository's at our GitHub: the gate stays closed and a person looks.
    """
    start = f"{miso.rules.api_url}/repos/{full_name}/actions/runs/"
    found = _RUN.fullmatch(callback_url.removeprefix(start)) if callback_url.startswith(start) else None
    if found is None:
        raise refusal(Code.EVENT_SHAPE)
    run_id = int(found.group(1))
    stream = journal.stream_id("gate", origin.repository_id, run_id, deployment_id, environment, commit)
    rows = await miso.store.stream(stream)
    if rows:
        return
    body = {
        "installation": origin.installation_id,
        "repository": origin.repository_id,
        "run": run_id,
        "environment": environment,
        "commit": commit,
    }
    await notes.write(miso, stream, rows, Note.GATE_REQUESTED, actor, body, inbox_done=origin.delivery)


async def judge(miso: Miso, first: Row) -> Answer:
    """What the gate is to be told now. Raises when something could not be read: then nothing is told, until the
    deadline, after which silence is a no as well."""
    expired = miso.clock.now_us() - first.at_us > miso.rules.gate_hours * 3600e6
    try:
        answer = await _judge(miso, first)
    except MisoError:
        if expired:
            return _no(refusal(Code.GATE_EXPIRED))
        raise
    return _no(refusal(Code.GATE_EXPIRED)) if expired and not answer.state else answer


async def _judge(miso: Miso, first: Row) -> Answer:
    body = first.body
    origin = Origin(installation_id=body["installation"], repository_id=body["repository"])
    place = await access.bind(miso, origin, str(body["environment"]))
    if not isinstance(place.binding, Bound):
        return _no(refusal(place.binding))
    environment, commit = place.binding.environment, str(body["commit"])
    await authorization.authorize(miso, MIRROR, Deed.LOOK, authorization.about(environment), place=place)
    kept_back = await whereabouts.held(miso, place.binding, commit)
    if kept_back is not None:
        return _no(kept_back)
    promotion = await whereabouts.newest(miso, environment, commit)
    over = promotion is not None and promotion.status in OVER
    if over and promotion is not None and promotion.changed_us >= first.at_us:
        # What ended before the gate asked says nothing about today; a hold does, and was looked at above.
        return _no(refusal(Code.GATE_REJECTED))
    run = await _run(place, int(body["run"]), commit)
    going = promotion is not None and await whereabouts.goes(miso, promotion)
    if run is not None and (going or (promotion is None and await _deploys_itself(miso, place, run))):
        return Answer(state="approved", code=Code.GATE_APPROVED, sentence=refusal(Code.GATE_APPROVED).sentence)
    waiting = refusal(Code.GATE_NO_DECISION, stage=environment.stage)
    return Answer(state="", code=Code.GATE_NO_DECISION, sentence=waiting.sentence, hint=waiting.hint)


async def rules(miso: Miso, first: Row) -> tuple[RuleResult, ...]:
    """The decision that a waiting gate mirrors, rule by rule, as `/why` shows it. Asked once, when it is told."""
    body = first.body
    origin = Origin(installation_id=body["installation"], repository_id=body["repository"])
    place = await access.bind(miso, origin, str(body["environment"]))
    bound = place.binding
    if not isinstance(bound, Bound):
        return ()
    commit = str(body["commit"])
    promotion = await whereabouts.newest(miso, bound.environment, commit)
    if promotion is not None and promotion.status in promotions.OPEN:
        return promotion.rules
    release = await choosing.find_release(miso, bound.application, commit, bound.environment.stage)
    ask = Ask(cause="gate", principal=INSIDE, origin=origin, release=release)
    decision = await promotions.explain(miso, ask, place, bound.application, bound.environment)
    # Who may ask is a question about a person, and nobody has asked.
    return tuple(rule for rule in decision.rules if rule.rule != "requester")


async def _run(place: Place, run_id: int, commit: str) -> WorkflowRun | None:
    """The run, if it is of this repository and commit by GitHub's own word; the webhook was a hint (rule 21)."""
    run = await place.repository.workflow_run(run_id)
    ours = run is not None and run.repository_id == place.identity.id and run.head_sha == commit
    return run if ours else None


async def _deploys_itself(miso: Miso, place: Place, run: WorkflowRun) -> bool:
    """Whether the token exchange would let this very run deploy what it has built, into the first stage.

    A job that waits here for a promotion which only the job itself will ask for would wait for ever.
    """
    bound = place.binding
    if not isinstance(bound, Bound) or bound.environment.stage.before is not None or run.conclusion:
        return False
    if run.head_repository_id != run.repository_id:
        return False
    running = Running(
        commit=run.head_sha,
        run_id=run.id,
        run_attempt=run.attempt,
        actor=leave.starter(run.actor_id),
        seen=run,
    )
    try:
        await leave.to_deploy(miso, place, bound, running)
    except Undecided:
        return False
    return True


def _no(why: Refused) -> Answer:
    return Answer(state="rejected", code=Code(why.code), sentence=why.sentence, hint=why.hint)
