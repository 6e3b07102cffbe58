"""People, time, faults and workers in any order: the state machine over the journey, for `test_journey`.

Rules draw from the small world only. Whatever happens goes through `Worker`, and the books look at every row.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain.environment_story import EnvironmentKind
from bot.domain.model import SYSTEM, Actor, Release, Stage, Status
from bot.domain.promotion import ENDED, Kind, Promotion, fold, is_open, next_action
from bot.domain.rules import Concurrency
from tests.domain.journey.books import Books
from tests.domain.journey.knowing import OPEN
from tests.domain.journey.ledger import TTL_US, Ledger
from tests.domain.journey.working import Ending, Worker
from tests.domain.journey.world import (
    ASIDE,
    BUILDS,
    CHECK,
    CYD,
    DARK,
    DEE,
    HOUR,
    LEFT,
    MINUTE,
    NIGHT,
    PARENT,
    PEOPLE,
    PLACES,
    QUEUED,
    RUN,
    TIP,
    World,
)

STAGES, LATER = st.sampled_from(Stage), st.sampled_from((Stage.TEST, Stage.PRODUCTION))
RELEASES, PERSON, ANY = st.sampled_from(BUILDS), st.sampled_from(PEOPLE), st.integers(0, 30)
PAUSES = st.sampled_from((MINUTE, 40 * MINUTE, 70 * MINUTE, 13 * HOUR, 25 * HOUR))
RULES: dict[str, st.SearchStrategy[object]] = {
    "approvals": st.integers(0, 2),
    "checks": st.sampled_from(((), (CHECK,))),
    "soak_minutes": st.sampled_from((0, 30)),
    "freezes": st.sampled_from(((), (NIGHT,))),
    "keep_on_identical": st.booleans(),
    "concurrency": st.sampled_from((Concurrency.SUPERSEDE, QUEUED)),
    "unknown_author_needs": st.sampled_from((-1, 1)),
}
CHANGES = st.fixed_dictionaries(RULES)


class Journey(RuleBasedStateMachine):
    """One application on its way over three stages."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.books = Books(self.world)
        self.ledger = Ledger(watch=self.books.saw)
        self.worker = Worker(self.world, self.ledger)
        self.seen: list[Promotion] = []

    @initialize(changes=CHANGES, far=st.integers(0, 3), nights=st.booleans())
    def begins(self, changes: dict[str, object], far: int, nights: bool) -> None:
        """The first release is everywhere, the next one as far as drawn."""
        for stage in Stage:
            self._carry(BUILDS[0], stage)
        for stage in list(Stage)[:far]:
            self._carry(BUILDS[1], stage)
        self.world.rules(Stage.PRODUCTION, changes)
        if nights:
            self.world.now_us += 5 * HOUR

    def _carry(self, release: Release, stage: Stage) -> Promotion | None:
        made = self.worker.ask(RUN if stage is Stage.DEV else DEE, release, stage)
        if made is not None:
            self._agree(made.stream)
            self._go(made.stream, Ending.HEALTHY, 20)
        return made

    def _agree(self, stream: str) -> None:
        for person in PEOPLE:
            self.worker.approve(self.ledger.promotions[stream], person)

    def _go(self, stream: str, ending: Ending, rows: int) -> None:
        epoch = self.worker.begin(self.ledger.promotions[stream])
        if epoch:
            self.worker.work(stream, epoch, ending, rows)

    def _pick(self, at: int, *statuses: Status) -> Promotion | None:
        """One of the newest promotions that stand there, if any."""
        found = [each for each in self.ledger.promotions.values() if not statuses or each.status in statuses]
        return found[-1 - at % len(found)] if found else None

    # --- people ------------------------------------------------------------------------------------------------------

    @rule(release=RELEASES)
    def a_build_arrives(self, release: Release) -> None:
        made = self.worker.ask(RUN, release, Stage.DEV)
        if made is not None:
            self._go(made.stream, Ending.HEALTHY, 20)

    @rule(release=RELEASES, stage=STAGES, who=PERSON)
    def somebody_asks(self, release: Release, stage: Stage, who: Actor) -> None:
        self.worker.ask(who, release, stage)

    @rule(release=RELEASES, stage=LATER, who=PERSON)
    def somebody_breaks_the_glass(self, release: Release, stage: Stage, who: Actor) -> None:
        self.worker.ask(who, release, stage, break_glass="it burns")

    @rule(release=RELEASES, stage=STAGES, who=PERSON)
    def somebody_goes_back(self, release: Release, stage: Stage, who: Actor) -> None:
        self.worker.ask(who, release, stage, rollback=True)

    @rule(at=ANY, who=PERSON)
    def somebody_agrees(self, at: int, who: Actor) -> None:
        made = self._pick(at, *OPEN)
        if made is not None:
            self.worker.approve(made, who)

    @rule(at=ANY)
    def everybody_agrees(self, at: int) -> None:
        made = self._pick(at, Status.REQUESTED)
        if made is not None:
            self._agree(made.stream)

    @rule(at=ANY, who=PERSON)
    def somebody_takes_it_back(self, at: int, who: Actor) -> None:
        made = self._pick(at, *OPEN)
        if made is not None:
            self.worker.revoke(made, who)

    @rule(at=ANY, who=PERSON)
    def somebody_edits_the_comment(self, at: int, who: Actor) -> None:
        made = self._pick(at, *OPEN)
        if made is not None and any(a.actor == who for a in made.approvals):
            self.world.edited.add((made.stream, who.id))

    @rule(at=ANY, who=PERSON, kind=st.sampled_from((Kind.REJECTED, Kind.CANCELLED)))
    def somebody_stops_it(self, at: int, who: Actor, kind: Kind) -> None:
        made = self._pick(at, *OPEN)
        if made is not None:
            self.worker.stop(made, kind, who)

    @rule(release=RELEASES, who=PERSON)
    def somebody_bans_it(self, release: Release, who: Actor) -> None:
        self.worker.ban(release, who)

    @rule(commit=st.sampled_from(tuple(PARENT)), who=PERSON)
    def somebody_clears_it(self, commit: str, who: Actor) -> None:
        self.worker.clear(commit, who)

    @rule(commit=st.sampled_from((LEFT, TIP, ASIDE)))
    def two_operators_clear_it(self, commit: str) -> None:
        for who in (CYD, DEE):
            self.worker.clear(commit, who)
        if all(self.world.roles[who.id] == "maintain" for who in (CYD, DEE)):
            assert not [stage for stage in Stage for held in self._holds(stage) if held == commit], "it is cleared"
            assert self.ledger.release_story(commit).ban is None

    def _holds(self, stage: Stage) -> list[str]:
        return [hold.commit for hold in self.ledger.state(PLACES[stage].id).held]

    @rule(stage=STAGES, who=PERSON, hours=st.sampled_from((0, 2)))
    def somebody_locks(self, stage: Stage, who: Actor, hours: int) -> None:
        self.worker.lock(stage, who, hours)

    @rule(stage=STAGES, who=PERSON)
    def somebody_unlocks(self, stage: Stage, who: Actor) -> None:
        self.worker.unlock(stage, who)

    # --- the outside -------------------------------------------------------------------------------------------------

    @rule(us=PAUSES)
    def time_passes(self, us: int) -> None:
        self.world.now_us += us

    @rule(commit=st.sampled_from((LEFT, TIP)), conclusion=st.sampled_from(("success", "failure", "")))
    def a_check_runs_again(self, commit: str, conclusion: str) -> None:
        self.world.check(commit, conclusion)

    @rule(stage=LATER, key=st.sampled_from(sorted(RULES)), data=st.data())
    def the_policy_changes(self, stage: Stage, key: str, data: st.DataObject) -> None:
        self.world.rules(stage, {key: data.draw(RULES[key])})

    @rule(stage=STAGES)
    def the_registration_changes(self, stage: Stage) -> None:
        self.world.settings[stage] += 1

    @rule(what=st.sampled_from(DARK))
    def a_fact_is_lost(self, what: str) -> None:
        self.world.dark = {what}

    @rule()
    def all_is_known_again(self) -> None:
        self.world.dark = set()

    @rule(who=st.sampled_from(PEOPLE[:4]), role=st.sampled_from(("read", "write", "maintain")))
    def a_role_changes(self, who: Actor, role: str) -> None:
        self.world.roles[who.id] = role

    @rule(release=RELEASES)
    def an_image_is_deleted_or_pushed_again(self, release: Release) -> None:
        self.world.gone ^= {release.digest}

    @rule(stage=STAGES, kind=st.sampled_from((EnvironmentKind.DRIFT_SEEN, EnvironmentKind.DRIFT_ENDED)))
    def something_else_runs_there(self, stage: Stage, kind: EnvironmentKind) -> None:
        body = {"expected": "sha256:e", "found": ""}
        self.ledger.write(f"place-{stage}", kind, SYSTEM, self.world.now_us, body, place=PLACES[stage].id)

    # --- workers -----------------------------------------------------------------------------------------------------

    @rule(at=ANY, ending=st.sampled_from(Ending), rows=st.sampled_from((0, 1, 2, 3, 4, 6, 20)))
    def it_goes_on(self, at: int, ending: Ending, rows: int) -> None:
        made = self._pick(at, *(status for status in Status if status not in {*ENDED, Status.REQUESTED}))
        if made is not None:
            self._go(made.stream, ending, rows)

    @rule(at=ANY)
    def it_goes_well(self, at: int) -> None:
        made = self._pick(at, Status.APPROVED)
        if made is not None:
            self._go(made.stream, Ending.HEALTHY, 20)

    @rule(at=ANY)
    def a_worker_falls_asleep_over_it(self, at: int) -> None:
        made = self._pick(at)
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
        made = self._pick(at, Status.REQUESTED)
        if made is not None:
            self.worker.look(made)

    # --- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def the_journal_says_what_the_books_say(self) -> None:
        for stage, place in PLACES.items():
            state = self.ledger.state(place.id)
            books = self.books
            assert state.running == books.runs.get(stage, "")
            assert state.last_verified == books.healthy.get(stage, "")
            assert state.busy == books.busy.get(stage, "")
            assert (state.drift is not None) == (stage in books.drifted)
        held = {hold.stream: (hold.commit, hold.digest) for place in PLACES.values()
                for hold in self.ledger.state(place.id).held}  # fmt: skip
        assert held == {stream: (release.commit, release.digest) for stream, release in self.books.holds.items()}

    @invariant()
    def every_story_is_told_alike(self) -> None:
        for stream, now in self.ledger.promotions.items():
            story = self.books.stories[stream]
            words = {approval.actor.id for approval in now.approvals}
            assert words == set(story.words) or story.begun or story.over, stream
            assert is_open(now) == (not story.over), (stream, now.status)
            assert now.touched <= story.touched

    def teardown(self) -> None:
        """Every prefix of the journal resumes: what follows from it is what stood beside it, and it has one way on."""
        rows = self.ledger.rows
        self.ledger.agrees([*range(0, len(rows), max(1, len(rows) // 4)), len(rows)])
        for told in self.ledger.streams.values():
            if told[0].kind != Kind.REQUESTED:
                continue
            begun = False
            for length, row in enumerate(told, start=1):
                now = fold(told[:length])
                begun = begun or row.kind == Kind.DEPLOY_STARTED
                action = next_action(now, lease_over=True)
                assert is_open(now) or action is None
                assert begun != (now.status in (*OPEN, Status.REJECTED, Status.CANCELLED, Status.REFUSED,
                                                Status.SUPERSEDED))  # fmt: skip
