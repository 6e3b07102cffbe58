"""GitHub's environment gate (`deployment_protection_rule`): it mirrors our decision and never makes one.

A gate is approved only when a promotion of exactly this commit into exactly this environment has every approval it
needs; while that is still possible it says who can act; when it no longer is, or nobody decided in time, it is
rejected. Whatever fails on the way leaves it waiting: no path from an error leads to "approved" (security rule 26).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.context import Miso
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Actor, Environment, Row, Status
from bot.domain.promotion import Promotion
from bot.errors import Refused
from bot.services import access, journal, notes, promotions
from bot.services.access import Origin
from bot.services.notes import Note

_RUN = re.compile(r"/actions/runs/([1-9][0-9]{0,18})/deployment_protection_rule$")

GOES = frozenset({Status.APPROVED, Status.DEPLOYING, Status.DEPLOYED, Status.LIVE})
"""A promotion in one of these has every approval that its policy asks for."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a gate is told: "approved", "rejected", or "" for a comment while it waits."""

    state: str
    code: Code
    sentence: str
    hint: str = ""


async def requested(
    miso: Miso, origin: Origin, actor: Actor, *, environment: str, commit: str, callback_url: str
) -> None:
    """Record that a run waits at a gate. The URL is only compared and taken apart, never called (rule 27)."""
    found = _RUN.search(callback_url)
    if found is None or not callback_url.startswith(miso.rules.api_url + "/"):
        return
    run_id = int(found.group(1))
    stream = journal.stream_id("gate", origin.repository_id, run_id, environment, commit)
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
    """What the gate is to be told now. Raises Transient when something could not be read: then nothing is told."""
    body = first.body
    origin = Origin(installation_id=body["installation"], repository_id=body["repository"])
    place = await access.bind(miso, origin, str(body["environment"]))
    if not isinstance(place.binding, Bound):
        return _no(refusal(place.binding))
    environment = place.binding.environment
    promotion = await _promotion(miso, environment, str(body["commit"]))
    if promotion is not None and promotion.status in GOES and not promotion.held:
        return Answer(state="approved", code=Code.GATE_APPROVED, sentence=refusal(Code.GATE_APPROVED).sentence)
    if promotion is not None and promotion.status in (Status.REJECTED, Status.REFUSED, Status.ROLLED_BACK):
        return _no(refusal(Code.GATE_REJECTED))
    if miso.clock.now_us() - first.at_us > miso.rules.gate_hours * 3600e6:
        return _no(refusal(Code.GATE_EXPIRED))
    release = await promotions.find_release(miso, place.binding.application, str(body["commit"]), environment.stage)
    if release is not None:
        state = await miso.store.environment_state(environment.id)
        if any(hold.digest == release.digest for hold in state.held):
            return _no(refusal(Code.RELEASE_HELD, commit=release.commit[:12], stage=environment.stage))
    waiting = refusal(Code.GATE_NO_DECISION, stage=environment.stage)
    return Answer(state="", code=Code.GATE_NO_DECISION, sentence=waiting.sentence, hint=waiting.hint)


async def _promotion(miso: Miso, environment: Environment, commit: str) -> Promotion | None:
    """The newest promotion of exactly this commit into exactly this environment."""
    rows = await miso.store.promotions(environment_id=environment.id, commit_prefix=commit, limit=1)
    return await journal.load(miso, rows[0].stream) if rows else None


def _no(why: Refused) -> Answer:
    return Answer(state="rejected", code=Code(why.code), sentence=why.sentence, hint=why.hint)
