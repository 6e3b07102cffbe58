"""What people say about a place or a release as such: locks, bans and clearances, as `bot.services` writes them."""

from __future__ import annotations

from typing import Any

from bot.domain.environment_story import EnvironmentKind
from bot.domain.model import Actor, Release, Stage
from bot.domain.promotion import Kind, Promotion
from bot.domain.release_story import ReleaseKind
from tests.domain.journey.knowing import OPEN, Knowing
from tests.domain.journey.world import HOUR, PLACES


class Stopping(Knowing):
    """Everything that keeps a release or a place as it is, and what lifts it."""

    def stop(self, promotion: Promotion, kind: Kind, actor: Actor) -> None:
        """`/reject` and `/cancel`; who may say so is GitHub's to answer and asked elsewhere."""
        if promotion.status in OPEN:
            self.write(promotion, kind, actor, {"reason": "no"})

    def lock(self, stage: Stage, actor: Actor, hours: int) -> None:
        place, now_us = PLACES[stage].id, self.world.now_us
        held = self.ledger.state(place).lock
        if held is None or not held.holds(now_us) or held.owner == actor:
            body = {"reason": "a fair", "until_us": now_us + hours * HOUR if hours else 0}
            self.ledger.write(f"place-{stage}", EnvironmentKind.LOCKED, actor, now_us, body, place=place)

    def unlock(self, stage: Stage, actor: Actor) -> None:
        place, now_us = PLACES[stage].id, self.world.now_us
        held = self.ledger.state(place).lock
        if held is not None and held.holds(now_us):
            body = {"reason": "it is over"}
            self.ledger.write(f"place-{stage}", EnvironmentKind.UNLOCKED, actor, now_us, body, place=place)

    def ban(self, release: Release, actor: Actor) -> None:
        body = {"commit": release.commit, "digest": release.digest, "reason": "it leaks"}
        self._say(ReleaseKind.REJECTED, actor, body, release.commit, release.digest)
        for promotion in list(self.ledger.promotions.values()):
            if promotion.request.release.commit == release.commit:
                self.stop(promotion, Kind.REJECTED, actor)

    def clear(self, commit: str, actor: Actor) -> None:
        """One operator's word; the last one needed lifts every hold and ban of the commit."""
        if self.world.roles[actor.id] != "maintain":
            return
        holds = [hold for stage in Stage for hold in self.ledger.state(PLACES[stage].id).held if hold.commit == commit]
        digests = self._banned(commit)
        if not holds and not digests and self.ledger.release_story(commit).ban is None:
            return
        self._say(ReleaseKind.CLEAR_ASKED, actor, {"commit": commit, "reason": "fine"}, commit)
        words = self.ledger.release_story(commit).fresh(self.world.now_us)
        if len(words) < self.world.policies.clear_people:
            return
        for hold in holds:
            if self.ledger.promotions[hold.stream].held:
                self.write(self.ledger.promotions[hold.stream], Kind.HOLD_CLEARED, actor, {"reason": "fine"})
        self._say(ReleaseKind.CLEARED, actor, {"commit": commit, "reason": "fine"}, *digests, commit)

    def _banned(self, commit: str) -> list[str]:
        rows = (row for row in self.ledger.rows if row.kind == ReleaseKind.REJECTED and row.body["commit"] == commit)
        stories = {row.body["digest"]: self.ledger.release_story(row.body["digest"]).ban for row in rows}
        return [digest for digest, ban in stories.items() if ban is not None and ban.commit == commit]

    def _say(self, kind: ReleaseKind, actor: Actor, body: dict[str, Any], *streams: str) -> None:
        self.told += 1
        for which in streams:
            self.ledger.write(
                f"release-{which}", kind, actor, self.world.now_us, {**body, "cause": f"comment:{self.told}"}
            )
