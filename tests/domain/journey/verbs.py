"""What the services do, without their windows: they ask the real decisions and write the very rows that those would.

Each function plays one of `bot.services`: asking and carrying over, approving, waiting, admitting. What stops a release
is `stopping`'s, and what a worker does once a deployment has begun is `working`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain import evidence, policy
from bot.domain.decision import Asked, Decision, Facts, RuleState
from bot.domain.model import SYSTEM, Actor, Release, Stage, Status
from bot.domain.promotion import (
    VERSION,
    Approval,
    Kind,
    Promotion,
    Request,
    next_look_us,
    request_as_body,
    rules_as_body,
)
from bot.domain.rules import Policy
from tests.domain.given import APPLICATION
from tests.domain.journey.knowing import OPEN, stage_of
from tests.domain.journey.stopping import Stopping
from tests.domain.journey.world import QUEUED, RULES


class Verbs(Stopping):
    """The services over one world and one journal."""

    # --- asking ------------------------------------------------------------------------------------------------------

    def ask(
        self, actor: Actor, release: Release, stage: Stage, *, rollback: bool = False, break_glass: str = ""
    ) -> Promotion | None:
        """The promotion; None when it was refused."""
        self.told += 1
        stream = f"promotion-{self.told:03}"
        environment = self.world.environment(stage)
        asked = Asked(
            requester=actor,
            application=APPLICATION,
            environment=environment,
            release=release,
            rollback=rollback,
            break_glass=break_glass,
            stream=stream,
        )
        facts, demanded, world = self.facts(asked), self.policy(stage), self.world
        decision = policy.decide(asked, facts, demanded, RULES, world.now_us, world.policies)
        if decision.refused or demanded is None or facts.plan is None:
            return None
        skipped = tuple(sorted(rule.rule for rule in decision.skipped))
        parts = policy.evidence_of(asked, facts, demanded, RULES, skipped)
        if parts is None:
            return None
        body = request_as_body(self._request(asked, facts, demanded, decision, parts, skipped))
        kept = self._kept(asked, facts, demanded, decision, body)
        self.ledger.write(stream, Kind.REQUESTED, actor, world.now_us, body, place=environment.id, v=VERSION)
        for approval, said in kept:
            self.ledger.write(stream, Kind.APPROVED, approval.actor, world.now_us, said, place=environment.id)
        newest = self.ledger.promotions[stream]
        self._make_way(newest)
        return newest

    def _request(
        self, asked: Asked, facts: Facts, demanded: Policy, decision: Decision, parts: Any, skipped: tuple[str, ...]
    ) -> Request:
        assert asked.release is not None
        assert facts.plan is not None
        last = self.ledger.promotions.get(self.ledger.state(asked.environment.id).last_verified)
        minutes = self.world.policies.break_glass_minutes if asked.break_glass else demanded.wait_hours * 60
        return Request(
            cause=f"comment:{self.told}",
            rollback=asked.rollback,
            release=asked.release,
            previous=last.request.release if last else None,
            previous_plan=last.request.plan if last else None,
            plan=facts.plan,
            policy_hash=policy.policy_hash(demanded, RULES),
            evidence_hash=evidence.hash_of(parts),
            evidence=parts,
            approvals_needed=decision.approvals_needed,
            excluded=decision.excluded,
            requester=asked.requester,
            installation_id=1,
            pull_request=5,
            comment_id=self.told,
            policy=demanded,
            policy_version=1,
            tree=facts.commit.tree if facts.commit is not None else "",
            break_glass=asked.break_glass,
            skipped=skipped,
            rules=decision.rules,
            deadline_us=self.world.now_us + minutes * 60_000_000,
        )

    def _kept(
        self, asked: Asked, facts: Facts, demanded: Policy, decision: Decision, body: Mapping[str, Any]
    ) -> list[tuple[Approval, dict[str, Any]]]:
        """As `carrying.over`: only for the same content, the same policy, and plans that differ in the image alone."""
        if not demanded.keep_on_identical or decision.approvals_needed < 1 or asked.break_glass:
            return []
        for row in self.ledger.open(asked.environment.id):
            before = self.ledger.promotions[row.stream]
            old = before.request
            if before.status not in OPEN or not body["tree"] or old.tree != body["tree"] or old.rollback:
                continue
            same = old.plan == self.world.plan(asked.environment.stage, old.release) and not old.break_glass
            if not same or old.policy_hash != body["policy"]:
                continue
            said = {"evidence": body["evidence"], "kept_from": row.stream}
            own = decision.excluded
            return [(a, {**said, "at_us": a.at_us}) for a in before.approvals if a.actor.id not in own]
        return []

    def _make_way(self, newest: Promotion) -> None:
        if newest.request.policy.concurrency is QUEUED and not newest.request.rollback:
            return
        for row in self.ledger.open(newest.environment_id):
            older = self.ledger.promotions[row.stream]
            if older.stream == newest.stream or older.status not in OPEN or older.requested_us > newest.requested_us:
                continue
            self.write(older, Kind.SUPERSEDED, newest.request.requester, {"by": newest.stream})

    # --- saying yes and no -------------------------------------------------------------------------------------------

    def approve(self, promotion: Promotion, actor: Actor) -> bool:
        """Whether the yes counts."""
        if promotion.status not in OPEN:
            return False
        asked, demanded = self.asked(promotion), self.policy(stage_of(promotion))
        facts = self.facts(asked)
        decision = policy.decide_approval(
            promotion,
            actor,
            self.standing(actor.id),
            request=asked,
            facts=facts,
            policy=demanded,
            rules=RULES,
            now_us=self.world.now_us,
            standings={a.actor.id: self.standing(a.actor.id) for a in promotion.approvals},
            policies=self.world.policies,
        )
        if decision.allowed:
            return self.write(promotion, Kind.APPROVED, actor, {"evidence": promotion.request.evidence_hash})
        self._changed(promotion, decision, asked, facts, demanded)
        return False

    def _changed(
        self, promotion: Promotion, decision: Decision, asked: Asked, facts: Facts, demanded: Policy | None
    ) -> bool:
        stale = [r for r in decision.rules if r.rule in ("policy", "evidence") and r.state is RuleState.FAIL]
        skipped = promotion.request.skipped
        parts = policy.evidence_of(asked, facts, demanded, RULES, skipped) if demanded is not None else None
        if not stale or parts is None:
            return False
        differing = [dict(change) for change in evidence.changes(promotion.request.evidence, parts)]
        body = {
            "code": stale[0].code,
            "changes": differing or [{"part": "plan", "was": "", "now": ""}],
            "rules": rules_as_body(decision.rules),
        }
        return self.write(promotion, Kind.REFUSED, SYSTEM, body)

    def revoke(self, promotion: Promotion, actor: Actor) -> None:
        if promotion.status in OPEN and any(a.actor == actor for a in promotion.approvals):
            self.write(promotion, Kind.REVOKED, actor, {})

    def look(self, promotion: Promotion) -> None:
        """A reminder, or the end of a request that nobody decided."""
        now_us = self.world.now_us
        if promotion.status is not Status.REQUESTED or now_us < next_look_us(promotion):
            return
        if now_us >= promotion.request.deadline_us:
            self.write(promotion, Kind.REFUSED, SYSTEM, {"code": "wait_expired"})
        else:
            self.write(promotion, Kind.REMINDED, SYSTEM, {})

    # --- admitting ---------------------------------------------------------------------------------------------------

    def admit(self, promotion: Promotion) -> bool:
        """Whether it may begin now; otherwise the row that says why not is written."""
        for approval in promotion.approvals:
            if (promotion.stream, approval.actor.id) in self.world.edited:
                self.write(promotion, Kind.VOIDED, SYSTEM, {"approver": approval.actor.id, "code": "edited_comment"})
                return False
        asked, demanded = self.asked(promotion), self.policy(stage_of(promotion))
        facts, now_us = self.facts(asked), self.world.now_us
        decision = policy.decide_effect(
            promotion,
            asked,
            facts,
            demanded,
            RULES,
            now_us,
            standings={a.actor.id: self.standing(a.actor.id) for a in promotion.approvals},
            policies=self.world.policies,
        )
        if decision.allowed:
            return True
        if decision.obstacles and all(rule.state is RuleState.UNKNOWN for rule in decision.obstacles):
            self.write(promotion, Kind.PAUSED, SYSTEM, {"code": decision.code, "until_us": now_us + 1})
        elif not self._changed(promotion, decision, asked, facts, demanded):
            self.write(promotion, Kind.REFUSED, SYSTEM, {"code": decision.code})
        return False
