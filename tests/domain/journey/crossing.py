"""The crossing: what may happen between the last yes and the first write, tried out one after the other.

A machine of its own, because this is the moment for which most rules were made; `machine` adds everything else.
"""

from __future__ import annotations

from enum import Enum, auto

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from bot.domain.environment_story import EnvironmentKind
from bot.domain.model import Release, Stage
from bot.domain.rules import Concurrency
from tests.domain.journey.ground import ANY, LATER, RULES, Ground
from tests.domain.journey.ledger import TTL_US
from tests.domain.journey.working import Ending
from tests.domain.journey.world import BOB, BUILDS, CHECK, CYD, DARK, DEE, HOUR, LEFT, NIGHT, RUN


class Disturbance(Enum):
    """What may happen to one promotion between the last yes and the first write."""

    NOTHING = auto()
    FACT_IS_LOST = auto()
    NIGHT_FALLS = auto()
    A_DAY_PASSES = auto()
    LOCKED = auto()
    CHECK_FAILS = auto()
    CHECK_SUCCEEDS_AGAIN = auto()
    POLICY_CHANGES = auto()
    REGISTRATION_CHANGES = auto()
    IMAGE_IS_DELETED = auto()
    RIGHT_IS_LOST = auto()
    REQUESTER_LEAVES = auto()
    TAKEN_BACK = auto()
    COMMENT_EDITED = auto()
    BANNED = auto()
    HEALTHY_AGAIN_BEFORE = auto()
    SOMETHING_ELSE_BEFORE = auto()


class After(Enum):
    """What is asked for behind a disturbance."""

    NOTHING = auto()
    THE_SAME = auto()
    BACK = auto()
    TWO_STAND_IN_LINE = auto()
    TWO_OPERATORS_A_DAY_APART = auto()
    A_WORKER_DIES = auto()


class Crossing(Ground):
    """One application over three stages, and one disturbance at a time."""

    @initialize(changes=st.fixed_dictionaries(RULES), far=st.integers(0, 3))
    def begins(self, changes: dict[str, object], far: int) -> None:
        """The first release is everywhere, the next one as far as drawn."""
        for release, stages in ((BUILDS[0], list(Stage)), (BUILDS[1], list(Stage)[:far])):
            for stage in stages:
                self.agreed(release, stage, RUN if stage is Stage.DEV else DEE)
                self.well()
        self.world.rules(Stage.PRODUCTION, changes)

    @rule(
        order=st.permutations(list(Disturbance)),
        stage=LATER,
        at=ANY,
        hard=st.booleans(),
        urgent=st.booleans(),
        after=st.sampled_from(After),
    )
    def all_that_may_happen_between_the_yes_and_the_effect(
        self, order: list[Disturbance], stage: Stage, at: int, hard: bool, urgent: bool, after: After
    ) -> None:
        """Each disturbance once, in any order. `hard`: the policy asks for everything that it can ask for."""
        demanded = {"checks": (CHECK,), "freezes": (NIGHT,), "soak_minutes": 30} if hard else {"soak_minutes": 0}
        for number, what in enumerate(order, start=at):
            self.world.rules(stage, {"approvals": 1, "concurrency": Concurrency.SUPERSEDE, **demanded})
            newer = self.newer(stage)
            release = newer[number % len(newer)] if newer else BUILDS[number % len(BUILDS)]
            if not urgent:
                self._ready(release, stage)
            self.tidy()
            made = self.worker.ask(BOB, release, stage, break_glass="now" * urgent)
            if made is None:
                continue
            self.agree(made.stream)
            self.disturb(what, made.stream, number)
            self.go(made.stream, Ending.HEALTHY, 20)
            if after in (After.THE_SAME, After.BACK):
                release = BUILDS[number % len(BUILDS)] if after is After.BACK else release
                self.agreed(release, stage, BOB, rollback=after is After.BACK)
                self.well()
        if after is After.TWO_STAND_IN_LINE:
            self._two_stand_in_line(stage)
        elif after is After.TWO_OPERATORS_A_DAY_APART:
            self._two_operators_agree_a_day_apart()
        elif after is After.A_WORKER_DIES:
            self._a_worker_dies(stage)

    def _two_stand_in_line(self, stage: Stage) -> None:
        """The older one is agreed to last and goes first: then the newer one brings less than was shown."""
        self._from_the_beginning(stage)
        self.world.rules(stage, {"concurrency": Concurrency.QUEUE})
        made = [self.worker.ask(DEE, release, stage) for release in (BUILDS[1], BUILDS[3])]
        for each in reversed(made):
            if each is not None:
                self.agree(each.stream)
        for each in made:
            if each is not None:
                self.go(each.stream, Ending.HEALTHY, 20)

    def _a_worker_dies(self, stage: Stage) -> None:
        """Halfway. Nobody begins beside it, and whoever comes next ends it."""
        self._from_the_beginning(stage)
        first = self.worker.ask(DEE, BUILDS[1], stage)
        if first is None:
            return
        self.agree(first.stream)
        self.go(first.stream, Ending.HEALTHY, 2)
        self.world.now_us += TTL_US
        self.agreed(BUILDS[3], stage, DEE)
        self.well()
        self.go(first.stream, Ending.HEALTHY, 20)

    def _from_the_beginning(self, stage: Stage) -> None:
        """The first release runs again, and two others were healthy in every stage before."""
        self.tidy()
        self.world.rules(stage, {"approvals": 1, "soak_minutes": 0})
        self.agreed(BUILDS[0], stage, BOB, rollback=True)
        self.well()
        for release in (BUILDS[1], BUILDS[3]):
            self._ready(release, stage)
        self.tidy()

    def _ready(self, release: Release, stage: Stage) -> None:
        """It was healthy in every stage before."""
        self.tidy()
        for earlier in list(Stage)[: list(Stage).index(stage)]:
            if not self.books.was_healthy(earlier, release):
                self.agreed(release, earlier, RUN if earlier is Stage.DEV else DEE)
                self.well()

    def _two_operators_agree_a_day_apart(self) -> None:
        self.worker.ban(BUILDS[1], CYD)
        self.worker.clear(LEFT, CYD)
        self.world.now_us += 25 * HOUR
        self.worker.clear(LEFT, DEE)

    # --- disturbances ------------------------------------------------------------------------------------------------

    def disturb(self, what: Disturbance, stream: str, at: int) -> None:
        world, now = self.world, self.ledger.promotions[stream]
        release, stage = now.request.release, self.books.stories[stream].stage
        match what:
            case Disturbance.FACT_IS_LOST:
                world.dark = {DARK[at % len(DARK)]}
            case Disturbance.NIGHT_FALLS:
                world.now_us += 24 * HOUR - world.now_us % (24 * HOUR)
            case Disturbance.A_DAY_PASSES:
                world.now_us += 25 * HOUR
            case Disturbance.LOCKED:
                self.worker.lock(stage, CYD, 0)
            case Disturbance.CHECK_FAILS | Disturbance.CHECK_SUCCEEDS_AGAIN:
                world.check(release.commit, "failure" if what is Disturbance.CHECK_FAILS else "success")
            case Disturbance.POLICY_CHANGES:
                world.rules(stage, {"wait_hours": world.policies.stages[stage].wait_hours + 1})
            case Disturbance.REGISTRATION_CHANGES:
                world.settings[stage] += 1
            case Disturbance.IMAGE_IS_DELETED:
                world.gone.add(release.digest)
            case _:
                self._disturb_people(what, stream)

    def _disturb_people(self, what: Disturbance, stream: str) -> None:
        now, stage = self.ledger.promotions[stream], self.books.stories[stream].stage
        givers, release = [approval.actor for approval in now.approvals], now.request.release
        match what:
            case Disturbance.RIGHT_IS_LOST:
                self.world.roles.update({giver.id: "read" for giver in givers})
            case Disturbance.REQUESTER_LEAVES:
                self.world.roles[BOB.id] = "read"
            case Disturbance.TAKEN_BACK:
                for giver in givers:
                    self.worker.revoke(self.ledger.promotions[stream], giver)
            case Disturbance.COMMENT_EDITED:
                self.world.edited |= {(stream, giver.id) for giver in givers}
            case Disturbance.BANNED:
                self.worker.ban(release, CYD)
            case Disturbance.HEALTHY_AGAIN_BEFORE | Disturbance.SOMETHING_ELSE_BEFORE if stage.before is not None:
                # What somebody else put there is put right again by asking for the same once more.
                self.drift(stage.before, EnvironmentKind.DRIFT_SEEN)
                made = self.worker.ask(DEE, release, stage.before)
                if made is not None and what is Disturbance.HEALTHY_AGAIN_BEFORE:
                    self.agree(made.stream)
                    self.go(made.stream, Ending.HEALTHY, 20)
