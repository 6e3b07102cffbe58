"""What the services know when they decide: the facts of this moment, with what is dark left unknown.

It plays `bot.services.knowledge` for the verbs of the journey, and holds what all of them stand on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Asked, Facts, Standing
from bot.domain.model import Actor, ActorKind, Stage, Status
from bot.domain.promotion import Kind, Promotion
from bot.domain.rules import Policy
from tests.domain import given
from tests.domain.given import APPLICATION
from tests.domain.journey.ledger import Ledger
from tests.domain.journey.world import PARENT, PLACES, World, commit_of, pulls_of, range_of

OPEN = (Status.REQUESTED, Status.APPROVED)
_NAMES = frozenset(field.name for field in fields(Facts))


def stage_of(promotion: Promotion) -> Stage:
    return next(stage for stage, place in PLACES.items() if place.id == promotion.environment_id)


@dataclass
class Knowing:
    """One world and one journal, seen as a service sees them."""

    world: World
    ledger: Ledger
    told: int = 0

    def asked(self, promotion: Promotion) -> Asked:
        request = promotion.request
        return Asked(
            requester=request.requester,
            application=APPLICATION,
            environment=self.world.environment(stage_of(promotion)),
            release=request.release,
            rollback=request.rollback,
            break_glass=request.break_glass,
            stream=promotion.stream,
        )

    def facts(self, asked: Asked) -> Facts:
        world, ledger, release = self.world, self.ledger, asked.release
        assert release is not None
        place, stage = asked.environment.id, asked.environment.stage
        running = ledger.release_running(place)
        stories = (ledger.release_story(which) for which in (release.commit, release.digest))
        person = asked.requester.kind is ActorKind.PERSON
        made = Facts(
            identity=given.IDENTITY,
            binding=Bound(application=APPLICATION, environment=asked.environment),
            permission=world.permission(asked.requester.id) if person else None,
            config=None,
            default_branch="main",
            checks=(world.checks[release.commit],),
            bans=tuple(story.ban for story in stories if story.ban is not None),
            image_exists=release.digest not in world.gone,
            tag_digest=release.digest,
            environments=tuple(world.environment(each) for each in Stage),
            states={each.id: ledger.state(each.id) for each in PLACES.values()},
            running=running,
            running_plan=ledger.promotions[ledger.state(place).running].request.plan if running else None,
            verified=tuple(row for row in ledger.shown.values() if row.verified and row.commit == release.commit),
            open=ledger.open(place),
            plan=world.plan(stage, release),
            range=range_of(running.commit, release.commit) if running else None,
            commit=commit_of(release.commit),
            pull_requests={sha: pulls_of(sha) for sha in PARENT},
            pushers={},
        )
        unknown: dict[str, Any] = dict.fromkeys(world.dark & _NAMES)
        if "config" in unknown:
            unknown["config"] = Code.GITHUB_UNAVAILABLE
        return replace(made, **unknown)

    def policy(self, stage: Stage) -> Policy | None:
        return None if "policy" in self.world.dark else self.world.policy(stage)

    def standing(self, person: int) -> Standing:
        return Standing() if "standings" in self.world.dark else Standing(permission=self.world.permission(person))

    def write(self, promotion: Promotion, kind: Kind, actor: Actor, body: Mapping[str, Any]) -> bool:
        return self.ledger.write(
            promotion.stream,
            kind,
            actor,
            self.world.now_us,
            body,
            place=promotion.environment_id,
            after=promotion.head_seq,
        )
