"""The state machine over the journey, for `test_journey`: what usually happens, what disturbs it, and the workers.

Rules draw from the small world only. Whatever happens goes through `Worker`, and the books look at every row.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bot.domain.model import Actor, Stage, Status
from bot.domain.promotion import ENDED
from tests.domain.journey.ground import ANY, LATER, PERSON, STAGES
from tests.domain.journey.ledger import TTL_US
from tests.domain.journey.unrest import Unrest
from tests.domain.journey.working import Ending
from tests.domain.journey.world import BUILDS

UNDER_WAY = tuple(status for status in Status if status not in {*ENDED, Status.REQUESTED})


class Journey(Unrest):
    """One application on its way over three stages."""

    # --- what usually happens ----------------------------------------------------------------------------------------

    @rule(stage=STAGES, at=ANY, who=PERSON, tidy=st.booleans(), through=st.booleans())
    def the_next_one_is_agreed_to(self, stage: Stage, at: int, who: Actor, tidy: bool, through: bool) -> None:
        if tidy:
            self.tidy()
        newer = self.newer(stage)
        if newer:
            self.agreed(newer[at % len(newer)], stage, who)
        if through:
            self.well()

    @rule(stage=LATER, at=ANY, who=PERSON, tidy=st.booleans())
    def an_urgent_one_is_agreed_to(self, stage: Stage, at: int, who: Actor, tidy: bool) -> None:
        if tidy:
            self.tidy()
        newer = self.newer(stage)
        if newer:
            self.agreed(newer[at % len(newer)], stage, who, break_glass="it burns")

    @rule(stage=STAGES, at=ANY, who=PERSON, tidy=st.booleans())
    def a_way_back_is_agreed_to(self, stage: Stage, at: int, who: Actor, tidy: bool) -> None:
        if tidy:
            self.tidy()
        good = [each for each in BUILDS if self.books.was_healthy(stage, each)]
        self.agreed(good[at % len(good)], stage, who, rollback=True)

    @rule()
    def order_returns(self) -> None:
        self.tidy()

    # --- workers -----------------------------------------------------------------------------------------------------

    @rule(at=ANY, ending=st.sampled_from(Ending), rows=st.sampled_from((0, 1, 2, 3, 4, 6, 20)))
    def it_goes_on(self, at: int, ending: Ending, rows: int) -> None:
        made = self.pick(at, *UNDER_WAY)
        if made is not None:
            self.go(made.stream, ending, rows)

    @rule(at=ANY)
    def it_goes_well(self, at: int) -> None:
        made = self.pick(at, Status.APPROVED)
        if made is not None:
            self.go(made.stream, Ending.HEALTHY, 20)

    @rule(at=ANY)
    def a_worker_falls_asleep_over_it(self, at: int) -> None:
        made = self.pick(at)
        if made is not None:
            self.seen.append(made)

    @precondition(lambda self: self.seen)
    @rule(at=ANY, ending=st.sampled_from(Ending))
    def it_wakes_up_and_goes_on_from_what_it_read(self, at: int, ending: Ending) -> None:
        made = self.seen[at % len(self.seen)]
        epoch = self.worker.begin(made)
        if epoch:
            self.worker.work(made.stream, epoch, ending, 20)

    @rule()
    def the_leases_of_the_dead_run_out(self) -> None:
        self.world.now_us += TTL_US

    @rule(at=ANY)
    def somebody_looks_at_what_waits(self, at: int) -> None:
        made = self.pick(at, Status.REQUESTED)
        if made is not None:
            self.worker.look(made)
