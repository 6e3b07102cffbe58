"""What disturbs the journey: people who ask, agree and change their minds, and an outside that does not stand still."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from bot.domain.environment_story import EnvironmentKind
from bot.domain.model import Actor, Release, Stage, Status
from bot.domain.promotion import Kind
from tests.domain.journey.crossing import Crossing
from tests.domain.journey.ground import ANY, LATER, PERSON, RELEASES, RULES, STAGES
from tests.domain.journey.knowing import OPEN
from tests.domain.journey.working import Ending
from tests.domain.journey.world import BUILDS, DARK, HOUR, LEFT, MINUTE, PARENT, PEOPLE, RUN, TIP


class Unrest(Crossing):
    """People and the outside."""

    # --- people ------------------------------------------------------------------------------------------------------

    @rule(release=RELEASES)
    def a_build_arrives(self, release: Release) -> None:
        made = self.worker.ask(RUN, release, Stage.DEV)
        if made is not None:
            self.go(made.stream, Ending.HEALTHY, 20)

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
        made = self.pick(at, *OPEN)
        if made is not None:
            self.worker.approve(made, who)

    @rule(at=ANY)
    def everybody_agrees(self, at: int) -> None:
        made = self.pick(at, Status.REQUESTED)
        if made is not None:
            self.agree(made.stream)

    @rule(at=ANY, who=PERSON)
    def somebody_takes_it_back(self, at: int, who: Actor) -> None:
        made = self.pick(at, *OPEN)
        if made is not None:
            self.worker.revoke(made, who)

    @rule(at=ANY, who=PERSON)
    def somebody_edits_the_comment(self, at: int, who: Actor) -> None:
        made = self.pick(at, *OPEN)
        if made is not None and any(a.actor == who for a in made.approvals):
            self.world.edited.add((made.stream, who.id))

    @rule(at=ANY, who=PERSON, kind=st.sampled_from((Kind.REJECTED, Kind.CANCELLED)))
    def somebody_stops_it(self, at: int, who: Actor, kind: Kind) -> None:
        made = self.pick(at, *OPEN)
        if made is not None:
            self.worker.stop(made, kind, who)

    @rule(at=ANY, who=PERSON, also=st.sampled_from((*BUILDS, None, None, None, None)))
    def somebody_bans_it(self, at: int, who: Actor, also: Release | None) -> None:
        """What is on its way; now and then any other, or the same image under another name."""
        made = self.pick(at, *OPEN)
        if made is not None or also is not None:
            release = also or (made.request.release if made is not None else BUILDS[0])
            self.worker.ban(release, who)

    @rule(commit=st.sampled_from(tuple(PARENT)), who=PERSON)
    def somebody_clears_it(self, commit: str, who: Actor) -> None:
        self.worker.clear(commit, who)

    @rule(stage=STAGES, who=PERSON, hours=st.sampled_from((0, 2)))
    def somebody_locks(self, stage: Stage, who: Actor, hours: int) -> None:
        self.worker.lock(stage, who, hours)

    @rule(stage=STAGES, who=PERSON)
    def somebody_unlocks(self, stage: Stage, who: Actor) -> None:
        self.worker.unlock(stage, who)

    # --- the outside -------------------------------------------------------------------------------------------------

    @rule(us=st.sampled_from((MINUTE, 40 * MINUTE, 70 * MINUTE, 13 * HOUR, 25 * HOUR)))
    def time_passes(self, us: int) -> None:
        self.world.now_us += us

    @rule(stage=LATER, key=st.sampled_from(sorted(RULES)), data=st.data())
    def the_policy_changes(self, stage: Stage, key: str, data: st.DataObject) -> None:
        self.world.rules(stage, {key: data.draw(RULES[key])})

    @rule(what=st.sampled_from(DARK))
    def a_fact_is_lost(self, what: str) -> None:
        self.world.dark = {what}

    @rule(commit=st.sampled_from((LEFT, TIP)), conclusion=st.sampled_from(("success", "failure", "")))
    def a_check_runs_again(self, commit: str, conclusion: str) -> None:
        self.world.check(commit, conclusion)

    @rule(what=st.integers(0, 3), at=ANY, stage=STAGES, who=st.sampled_from(PEOPLE[:4]))
    def something_outside_changes(self, what: int, at: int, stage: Stage, who: Actor) -> None:
        match what:
            case 0:
                self.world.settings[stage] += 1
            case 1:
                made = self.pick(at, *OPEN)
                self.world.gone |= {made.request.release.digest} if made is not None else set()
            case 2:
                self.world.roles[who.id] = ("read", "write", "maintain")[at % 3]
            case _:
                self.drift(stage, (EnvironmentKind.DRIFT_SEEN, EnvironmentKind.DRIFT_ENDED)[at % 2])
