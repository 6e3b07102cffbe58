"""Approvals that carry over to a newer commit with the very same content, where the policy lets them.

Called by `promotions.request` for the request that takes another's place. It reads, and answers with rows; what it
cannot establish carries nothing over.
"""

from __future__ import annotations

from dataclasses import replace

from bot.context import Miso
from bot.domain import plan
from bot.domain.decision import Asked, Decision
from bot.domain.model import Environment, NewRow, Status
from bot.domain.promotion import Approval, Kind, Request
from bot.services import journal
from bot.services.knowledge import Known

OPEN = (Status.REQUESTED, Status.APPROVED)


async def over(miso: Miso, asked: Asked, known: Known, decision: Decision, row: NewRow) -> list[NewRow]:
    """Approvals that carry over from the request that this one takes the place of, where the policy lets them.

    Only between two commits with the very same tree whose plans differ in nothing but the image, and never the word of
    somebody whose work is in the newer one.
    """
    demanded, release, environment = known.policy, asked.release, asked.environment
    if demanded is None or not demanded.keep_on_identical or decision.approvals_needed < 1 or release is None:
        return []
    if asked.break_glass:
        # Rule 36: whoever agrees to rules being gone past must have been shown which.
        return []
    tree = known.facts.commit.tree if known.facts.commit is not None else ""
    for older in await miso.store.open_promotions(environment_id=environment.id):
        before = await journal.load(miso, older.stream) if older.status in OPEN else None
        if before is None or not tree or before.request.tree != tree:
            continue
        if before.request.policy_hash != row.body["policy"] or not _same_but_image(miso, before.request, asked, known):
            continue
        return [
            _approved(approval, environment, row, older.stream)
            for approval in before.approvals
            if approval.actor.id not in decision.excluded
        ]
    return []


def _same_but_image(miso: Miso, before: Request, asked: Asked, known: Known) -> bool:
    """Whether the plans differ in nothing but the image, and the older one still is what would be written."""
    release, here, controller = asked.release, asked.environment, miso.rules.controller
    if release is None or before.rollback or before.break_glass:
        return False
    image = replace(before.release, image=release.image, digest=release.digest, commit=release.commit, tag=release.tag)
    now = plan.build(here, before.release, controller=controller)
    return now == before.plan and plan.build(here, image, controller=controller) == known.facts.plan


def _approved(approval: Approval, environment: Environment, row: NewRow, stream: str) -> NewRow:
    body = {
        "evidence": row.body["evidence"],
        "login": approval.actor.login,
        "cause": approval.cause,
        "comment": approval.comment_id,
        "comment_hash": approval.comment_hash,
        "subject": approval.subject,
        "kept_from": stream,
        "at_us": approval.at_us,
    }
    return NewRow(
        kind=Kind.APPROVED,
        actor=approval.actor,
        application_id=environment.application_id,
        environment_id=environment.id,
        body=body,
    )
