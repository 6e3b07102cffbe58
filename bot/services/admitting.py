"""May it begin now? The decision before the first effect: facts read anew, every word counted against today.

Called by `bot.services.deploying` when a promotion is about to touch Azure for the first time, and never again for it:
what has begun is finished or undone. It answers with the row that says why not; it writes nothing itself.
"""

from __future__ import annotations

import asyncio

from bot.context import Miso, Repository
from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision, RuleState
from bot.domain.messages import refusal, refusal_of
from bot.domain.model import Environment, NewRow
from bot.domain.promotion import Approval, Kind, Promotion, rules_as_body
from bot.errors import Refused, Transient
from bot.services import access, approvals, knowledge, links, promotions
from bot.services.access import Origin
from bot.services.knowledge import Known

MOST_PAUSES = 60
"""So often the facts are asked for again before what cannot be established is a refusal: about nine hours."""


async def admit(miso: Miso, promotion: Promotion, environment: Environment) -> NewRow | None:
    """None when it may begin. Otherwise the row that says why not: refused for good, or paused because something
    could not be established, which is never taken for a yes; or an approval that counts no longer."""
    try:
        asked = await promotions.asked_again(miso, promotion, environment)
        void = await _taken_back(miso, promotion, environment)
        if void is not None:
            return void
        decision, known = await _decide(miso, promotion, environment, asked)
    except Transient as later:
        if promotion.pauses >= MOST_PAUSES:
            return _refused(promotion, environment, refusal(Code(later.code)))
        return _later(miso, promotion, environment, later.code, later.sentence, later.retry_after)
    except Refused as no:
        return _refused(promotion, environment, no)
    if decision.allowed:
        return None
    reason = refusal_of(decision)
    unknown = decision.obstacles and all(rule.state is RuleState.UNKNOWN for rule in decision.obstacles)
    if unknown and promotion.pauses < MOST_PAUSES:
        return _later(miso, promotion, environment, reason.code, reason.sentence, None)
    stale = approvals.changed(miso, promotion, environment, decision, asked, known)
    return stale or _refused(promotion, environment, reason, rules=rules_as_body(decision.rules))


async def judged(miso: Miso, promotion: Promotion, environment: Environment) -> Decision:
    """The decision that `admit` takes, asked by whoever must know whether it would be let through now. Writes nothing.

    Raises Refused where a word that it rests on counts no longer, Transient where GitHub does not answer.
    """
    asked = await promotions.asked_again(miso, promotion, environment)
    void = await _taken_back(miso, promotion, environment)
    if void is not None:
        raise refusal(Code(str(void.body["code"])))
    decision, _ = await _decide(miso, promotion, environment, asked)
    return decision


async def _decide(miso: Miso, promotion: Promotion, environment: Environment, asked: Asked) -> tuple[Decision, Known]:
    request = promotion.request
    origin = Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)
    repository = access.facts_of(miso, origin)
    # One question, asked once, whose answer three others need.
    placing = asyncio.ensure_future(access.bind(miso, origin, environment.stage))
    known, standings, _ = await asyncio.gather(
        knowledge.gather(miso, asked, repository, placing),
        approvals.standings_of(miso, promotion, placing),
        _still_as_typed(promotion, repository),
    )
    decision = policy.decide_effect(
        promotion,
        asked,
        known.facts,
        known.policy,
        miso.rules,
        miso.clock.now_us(),
        standings=standings,
        policies=known.policies,
    )
    return decision, known


async def _still_as_typed(promotion: Promotion, repository: Repository) -> None:
    """Raises Refused when the comment that asked for this is gone or says something else now (rule 4)."""
    request = promotion.request
    if request.comment_hash:
        comment = await repository.comment(request.comment_id)
        if comment is None or promotions.text_hash(comment.body) != request.comment_hash:
            raise refusal(Code.EDITED_COMMENT)


async def _taken_back(miso: Miso, promotion: Promotion, environment: Environment) -> NewRow | None:
    """The row for an approval that no longer counts: its comment was edited or deleted since (rule 4), or whoever gave
    it is not taken for that account any more (rule 9)."""
    request = promotion.request
    origin = Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)
    repository = access.facts_of(miso, origin)
    typed = [approval for approval in promotion.approvals if approval.comment_hash]
    said = await asyncio.gather(*(_says_so(repository, approval) for approval in typed))
    for approval, still in zip(typed, said, strict=True):
        if not still:
            return _void(promotion, environment, approval, Code.EDITED_COMMENT)
    for approval in promotion.approvals:
        linked = await links.of(miso, approval.subject) if approval.subject else None
        if approval.subject and (linked is None or linked.actor.id != approval.actor.id):
            return _void(promotion, environment, approval, Code.NOT_LINKED)
    return None


def _void(promotion: Promotion, environment: Environment, approval: Approval, code: Code) -> NewRow:
    body: dict[str, object] = {"approver": approval.actor.id, "login": approval.actor.login, "code": code}
    return _row(Kind.VOIDED, promotion, environment, body)


async def _says_so(repository: Repository, approval: Approval) -> bool:
    comment = await repository.comment(approval.comment_id)
    return comment is not None and promotions.text_hash(comment.body) == approval.comment_hash


def _refused(promotion: Promotion, environment: Environment, no: Refused, **more: object) -> NewRow:
    body: dict[str, object] = {"code": no.code, "sentence": no.sentence, "hint": no.hint, **more}
    return _row(Kind.REFUSED, promotion, environment, body)


def _later(
    miso: Miso, promotion: Promotion, environment: Environment, code: str, sentence: str, wait: float | None
) -> NewRow:
    seconds = wait if wait is not None else min(600.0, miso.rules.retry_seconds * 2 ** min(promotion.pauses, 10))
    until = miso.clock.now_us() + int(seconds * 1e6)
    return _row(Kind.PAUSED, promotion, environment, {"code": code, "sentence": sentence, "until_us": until})


def _row(kind: Kind, promotion: Promotion, environment: Environment, body: dict[str, object]) -> NewRow:
    return NewRow(
        kind=kind,
        actor=promotion.request.requester,
        application_id=environment.application_id,
        environment_id=environment.id,
        body=body,
    )
