"""What the state machine over the journey stands on: one world, one journal, one observer, and how to pick from it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from bot.domain.environment_story import EnvironmentKind
from bot.domain.model import SYSTEM, Actor, Release, Stage, Status
from bot.domain.promotion import Kind, Promotion, fold, is_open, next_action
from bot.domain.rules import Concurrency
from tests.domain.journey.books import Books
from tests.domain.journey.knowing import OPEN
from tests.domain.journey.ledger import TTL_US, Ledger
from tests.domain.journey.working import Ending, Worker
from tests.domain.journey.world import (
    BUILDS,
    CHECK,
    CYD,
    DEE,
    HOUR,
    MINUTE,
    NIGHT,
    PARENT,
    PEOPLE,
    PLACES,
    ROLES,
    World,
    lineage,
)

STAGES, LATER = st.sampled_from(Stage), st.sampled_from((Stage.TEST, Stage.PRODUCTION))
RELEASES, PERSON, ANY = st.sampled_from(BUILDS), st.sampled_from(PEOPLE), st.integers(0, 30)
RULES: dict[str, st.SearchStrategy[object]] = {
    "approvals": st.integers(0, 2),
    "checks": st.sampled_from(((), (CHECK,))),
    "soak_minutes": st.sampled_from((0, 30)),
    "freezes": st.sampled_from(((), (NIGHT,))),
    "keep_on_identical": st.booleans(),
    "concurrency": st.sampled_from((Concurrency.SUPERSEDE, Concurrency.QUEUE)),
    "unknown_author_needs": st.sampled_from((-1, 1)),
}


class Ground(RuleBasedStateMachine):
    """The world and everybody who acts in it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.books = Books(self.world)
        self.ledger = Ledger(watch=self.books.saw)
        self.worker = Worker(self.world, self.ledger)
        self.seen: list[Promotion] = []

    def pick(self, at: int, *statuses: Status) -> Promotion | None:
        """One of the newest promotions that stand there, if any."""
        found = [each for each in self.ledger.promotions.values() if not statuses or each.status in statuses]
        return found[-1 - at % len(found)] if found else None

    def agree(self, stream: str) -> None:
        """Everybody says yes, until enough have."""
        for person in PEOPLE:
            if self.ledger.promotions[stream].status is Status.REQUESTED:
                self.worker.approve(self.ledger.promotions[stream], person)

    def go(self, stream: str, ending: Ending, rows: int) -> None:
        epoch = self.worker.begin(self.ledger.promotions[stream])
        if epoch:
            self.worker.work(stream, epoch, ending, rows)

    def clear(self, commit: str) -> None:
        """Two operators let it try again, whatever keeps it."""
        for who in (CYD, DEE):
            self.worker.clear(commit, who)
        if all(self.world.roles[who.id] == "maintain" for who in (CYD, DEE)):
            held = [hold for place in PLACES.values() for hold in self.ledger.state(place.id).held]
            assert commit not in {hold.commit for hold in held}, "two operators agreed, and it is held"
            assert self.ledger.release_story(commit).ban is None, "two operators agreed, and it is banned"

    def tidy(self) -> None:
        """By day, everything is known, everybody has their role, nothing is closed, and all has soaked."""
        world = self.world
        world.dark, world.gone, world.roles = set(), set(), dict(ROLES)
        world.now_us += 40 * MINUTE
        if world.night():
            world.now_us += 6 * HOUR
        for stage in Stage:
            self.worker.unlock(stage, CYD)
        for commit in PARENT:
            self.clear(commit)
            if world.checks[commit].conclusion != "success":
                world.check(commit, "success")

    def newer(self, stage: Stage) -> list[Release]:
        """What could come there next; what was healthy one stage earlier before all others."""
        running, before = self.books.running(stage), stage.before
        found = [each for each in BUILDS if running is None or running.commit in lineage(each.commit)]
        found = [each for each in found if running is None or each.reference != running.reference]
        return [each for each in found if before is None or self.books.was_healthy(before, each)] or found

    def agreed(
        self, release: Release, stage: Stage, who: Actor, *, rollback: bool = False, break_glass: str = ""
    ) -> None:
        made = self.worker.ask(who, release, stage, rollback=rollback, break_glass=break_glass)
        if made is not None:
            self.agree(made.stream)

    def well(self) -> None:
        """What was agreed to last is deployed, and healthy."""
        made = self.pick(0, Status.APPROVED)
        if made is not None:
            self.go(made.stream, Ending.HEALTHY, 20)

    def drift(self, stage: Stage, kind: EnvironmentKind) -> None:
        body = {"expected": "sha256:e", "found": ""}
        self.ledger.write(f"place-{stage}", kind, SYSTEM, self.world.now_us, body, place=PLACES[stage].id)

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
        """Every prefix of the journal resumes: what follows from it is what stood beside it, and it has one way on.

        Where the whole of it stops, others take up what was begun and bring it to an end.
        """
        self.tidy()
        for _ in range(3):
            self.world.now_us += TTL_US
            for stream in list(self.ledger.promotions):
                self.go(stream, Ending.HEALTHY, 20)
        assert not any(self.ledger.state(place.id).busy for place in PLACES.values()), "something is half done"
        self.every_prefix_agrees()

    def every_prefix_agrees(self) -> None:
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
