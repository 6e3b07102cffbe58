"""Approving and taking it back: one person's word on exactly what was shown (security rules 9 and 10).

Comment, button, and later portal, API and command line end in these functions. What was shown is established anew at
each word: an approval of something that has changed since is refused, and whatever was approved before it with it.
Nothing here touches Azure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bot.context import Miso
from bot.domain import evidence, policy
from bot.domain.authorization import by_device
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision, RuleState, Standing
from bot.domain.identity import Deed
from bot.domain.messages import refusal
from bot.domain.messages.preview import refused_difference
from bot.domain.messages.refusals import explain_rule
from bot.domain.model import SYSTEM, Environment, NewRow
from bot.domain.promotion import Kind, Promotion, rules_as_body
from bot.services import access, authorization, journal, knowledge
from bot.services.access import Origin, Place
from bot.services.knowledge import Known
from bot.services.promotions import OPEN, Outcome, Word, asked_again, row_of, waiting


async def approve(miso: Miso, stream: str, word: Word, origin: Origin, *, commit: str = "") -> Outcome:
    """Count one person's approval, if rule 9 lets it count. The same function for every door.

    What was shown is established anew: an approval of something that has changed since is refused, and so is what was
    approved before it, with the difference. `commit`: the release that the person named, if any (rule 1).
    """
    promotion, environment = await waiting(miso, stream)
    if promotion is None or environment is None:
        raise refusal(Code.NOTHING_TO_APPROVE)
    place = await access.bind(miso, origin, environment.stage, word.actor)
    resource = authorization.about(environment, promotion.request.release, stream=stream)
    await authorization.authorize(miso, word.principal, Deed.APPROVE, resource, place=place)
    if any(a.actor == word.actor and a.cause == word.cause for a in promotion.approvals):
        return Outcome(promotion=promotion)
    release = promotion.request.release
    if commit and not release.commit.startswith(commit):
        raise refusal(Code.OTHER_RELEASE_WAITS, commit=release.commit[:12], stage=environment.stage)
    judge, asked, known = await _judging(miso, promotion, environment, word, place)
    if word.principal.device and known.policy is not None and not by_device(environment.stage, known.policy):
        # The installation allows it; the repository's own file does not.
        raise refusal(Code.DEVICE_MAY_NOT_APPROVE, stage=environment.stage)
    decision = judge(promotion)
    body = {
        "evidence": promotion.request.evidence_hash,
        "login": word.actor.login,
        "cause": word.cause,
        "comment": word.comment_id,
        "comment_hash": word.comment_hash,
        "subject": word.principal.subject,
    }

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or now.status not in OPEN:
            return []
        judged = judge(now)
        if judged.allowed:
            return [row_of(Kind.APPROVED, word.actor, environment, body)]
        over = changed(miso, now, environment, judged, asked, known) or _hopeless(environment, judged)
        return [over] if over is not None else []

    done = await journal.record(miso, stream, decide)
    if not done.rows and done.promotion is not None:
        # Somebody else moved it on in between: what is told is the decision over what stands there now.
        decision = judge(done.promotion)
    return Outcome(promotion=done.promotion, decision=decision)


async def _judging(
    miso: Miso, promotion: Promotion, environment: Environment, word: Word, place: Place
) -> tuple[Callable[[Promotion], Decision], Asked, Known]:
    """The decision on this person's yes, over facts of now, for the promotion as it stands when the row is written."""
    asked = await asked_again(miso, promotion, environment)
    known, standing, standings = await asyncio.gather(
        knowledge.gather(miso, asked, place.repository, access.ready(place)),
        access.standing(miso, place, word.actor, policy.teams_named(promotion.request.policy)),
        standings_of(miso, promotion, access.ready(place)),
    )

    def judge(now: Promotion) -> Decision:
        return policy.decide_approval(
            now,
            word.actor,
            standing,
            request=asked,
            facts=known.facts,
            policy=known.policy,
            rules=miso.rules,
            now_us=miso.clock.now_us(),
            standings=standings,
            policies=known.policies,
        )

    return judge, asked, known


def changed(
    miso: Miso, promotion: Promotion, environment: Environment, judged: Decision, asked: Asked, known: Known
) -> NewRow | None:
    """What was shown to those who approve is no longer what would happen: the row that ends the request and says what
    is different. None where nothing has changed, or where it cannot be known."""
    stale = [rule for rule in judged.rules if rule.rule in ("policy", "evidence") and rule.state is RuleState.FAIL]
    if not stale or known.policy is None:
        return None
    parts = policy.evidence_of(asked, known.facts, known.policy, miso.rules, promotion.request.skipped)
    if parts is None:
        return None
    differing = evidence.changes(promotion.request.evidence, parts)
    no = explain_rule(stale[0])
    planned = known.facts.plan
    differs = planned is not None and planned.hash != promotion.request.plan.hash
    more = f" What differs: {refused_difference(promotion.request.plan, planned)}." if differs and planned else ""
    body = {
        "code": no.code,
        "sentence": f"{no.sentence}{more}",
        "hint": no.hint,
        "changes": [dict(change) for change in differing] or [{"part": "plan", "was": "", "now": ""}],
        "rules": rules_as_body(judged.rules),
    }
    return row_of(Kind.REFUSED, SYSTEM, environment, body)


OWN = frozenset({"open", "approver", "second_person", "approvals", "quorum"})
"""Rules about the yes itself and whoever gives it: they say nothing about the request."""
PASSING = frozenset({"freeze", "lock", "config", "checks", "soak", "availability", "probe", "authors"})
"""Rules that may hold again while the request waits."""


def _hopeless(environment: Environment, judged: Decision) -> NewRow | None:
    """The row that ends a request which nobody's yes can help any more, so that another one can be asked for.

    Only somebody whose own yes would count gets it there; before that it was not worth a look.
    """
    failed = [rule for rule in judged.rules if rule.state is RuleState.FAIL and not rule.skipped]
    final = [rule for rule in failed if rule.rule not in OWN | PASSING]
    if not final or any(rule.rule in OWN for rule in failed):
        return None
    no = explain_rule(final[0])
    body = {"code": no.code, "sentence": no.sentence, "hint": no.hint, "rules": rules_as_body(judged.rules)}
    return row_of(Kind.REFUSED, SYSTEM, environment, body)


async def revoke(miso: Miso, stream: str, word: Word) -> Outcome:
    """Take one's own approval back, as long as nothing has begun: it can only stop something."""
    promotion, environment = await waiting(miso, stream)
    if promotion is None or environment is None:
        raise refusal(Code.NOTHING_TO_REVOKE)
    request = promotion.request
    origin = Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)
    resource = authorization.about(environment, request.release, stream=stream)
    await authorization.authorize(miso, word.principal, Deed.REVOKE, resource, origin=origin)
    body = {"login": word.actor.login, "cause": word.cause}

    def decide(now: Promotion | None) -> Sequence[NewRow]:
        if now is None or now.status not in OPEN or all(a.actor != word.actor for a in now.approvals):
            return []
        return [row_of(Kind.REVOKED, word.actor, environment, body)]

    done = await journal.record(miso, stream, decide)
    if not done.rows:
        raise refusal(Code.NOTHING_TO_REVOKE)
    return Outcome(promotion=done.promotion)


async def standings_of(miso: Miso, promotion: Promotion, placing: Awaitable[Place]) -> dict[int, Standing]:
    """What everybody who approved may do now (rule 5): a right that is gone takes the approval with it."""
    if not promotion.approvals:
        return {}
    place, named = await placing, policy.teams_named(promotion.request.policy)
    people = [approval.actor for approval in promotion.approvals]
    found = await asyncio.gather(*(access.standing(miso, place, person, named) for person in people))
    return {person.id: standing for person, standing in zip(people, found, strict=True)}
