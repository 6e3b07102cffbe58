"""An observer of the journey, who believes nobody: what was said, what runs, what failed, in words of its own.

It reads each row as an auditor would, and looks at the world with its own eyes; it never asks the code that it watches.
`saw` raises `Broken` for a row that must not have been written. What may begin is in `judgement`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.environment_story import EnvironmentKind
from bot.domain.model import Release, Row, Stage
from bot.domain.promotion import Kind
from bot.domain.release_story import ReleaseKind
from tests.domain.journey.world import BUILDS, HOUR, MERGER, PLACES, TREES, WRITER, World, between


class Broken(AssertionError):
    """Something happened that must not."""


def must(holds: object, what: str) -> None:
    if not holds:
        raise Broken(what)


@dataclass
class Word:
    """One person's yes, with what there was to be seen when it was said."""

    at_us: int
    shown: tuple[Any, ...]


@dataclass
class Story:
    """What was asked for, and how far it has come."""

    stream: str
    release: Release
    stage: Stage
    requester: int
    rollback: bool
    glass: bool
    skipped: frozenset[str]
    asked_us: int
    plan: str
    shown: tuple[Any, ...] = ()
    words: dict[int, Word] = field(default_factory=dict)
    over: bool = False
    begun: bool = False
    touched: bool = False
    failed: bool = False
    previous: Release | None = None


@dataclass
class Books:
    """Everything that was seen."""

    world: World
    stories: dict[str, Story] = field(default_factory=dict)
    runs: dict[Stage, str] = field(default_factory=dict)
    healthy: dict[Stage, str] = field(default_factory=dict)
    busy: dict[Stage, str] = field(default_factory=dict)
    proved: list[tuple[int, str]] = field(default_factory=list)
    """When each stream was seen healthy."""
    holds: dict[str, Release] = field(default_factory=dict)
    bans: set[str] = field(default_factory=set)
    """Commits and digests."""
    clearing: dict[str, dict[int, int]] = field(default_factory=dict)
    locks: dict[Stage, tuple[int, int]] = field(default_factory=dict)
    drifted: set[Stage] = field(default_factory=set)
    starts: int = 0

    def saw(self, row: Row) -> None:
        stage = next((stage for stage, place in PLACES.items() if place.id == row.environment_id), Stage.DEV)
        if row.stream.startswith("release-"):
            self._of_release(row, row.stream.removeprefix("release-"))
        elif row.stream.startswith("place-"):
            self._of_place(row, stage)
        elif row.kind == Kind.REQUESTED:
            self._asked(row, stage)
        else:
            self._went_on(row, self.stories[row.stream])

    # --- what there is to be seen ------------------------------------------------------------------------------------

    def running(self, stage: Stage) -> Release | None:
        return self.stories[self.runs[stage]].release if self.runs.get(stage) else None

    def was_healthy(self, stage: Stage, release: Release) -> list[tuple[int, str]]:
        """When and after which promotions this very build was seen healthy there."""
        same = (release.commit, release.digest)
        found = ((at_us, self.stories[stream]) for at_us, stream in self.proved)
        return [
            (at_us, story.stream)
            for at_us, story in found
            if story.stage is stage and (story.release.commit, story.release.digest) == same
        ]

    def brought(self, story: Story) -> tuple[str, ...]:
        """Commits that come with it."""
        running = self.running(story.stage)
        return between(running.commit, story.release.commit) if running else (story.release.commit,)

    def work_of(self, story: Story) -> set[int]:
        """Everybody who has a part in it."""
        commits = {*self.brought(story), story.release.commit} if not story.rollback else set()
        return {story.requester} | {WRITER[sha] for sha in commits} | {MERGER[sha] for sha in commits if sha in MERGER}

    def shows(self, story: Story) -> tuple[Any, ...]:
        """What somebody who approves would be shown now. Equal means that nothing of it has changed."""
        world, stage, running = self.world, story.stage, self.running(story.stage)
        demanded, check = world.policies.stages[stage], world.checks[story.release.commit]
        checks = (check.id, check.conclusion) if demanded.checks and "checks" not in story.skipped else ()
        soaked: Any = ()
        if stage.before is not None and not story.skipped & {"soak", "order"}:
            soaked = max(self.was_healthy(stage.before, story.release), default=())
        return (
            (story.release.commit, story.release.digest, story.plan, world.settings[stage]),
            demanded,
            checks,
            soaked,
            (running.commit if running else "", self.brought(story)),
        )

    # --- rows of promotions ------------------------------------------------------------------------------------------

    def _asked(self, row: Row, stage: Stage) -> None:
        body, of = row.body, row.body["release"]
        must(row.stream not in self.stories, "one stream is one request")
        story = Story(
            stream=row.stream,
            release=next(each for each in BUILDS if (each.commit, each.digest) == (of["commit"], of["digest"])),
            stage=stage,
            requester=row.actor_id,
            rollback=body["rollback"],
            glass=bool(body["break_glass"]),
            skipped=frozenset(body["skipped"]),
            asked_us=row.at_us,
            plan=str(body["plan"]["body"]),
        )
        must(not story.skipped or story.glass, "rules were gone past without anybody having asked for it")
        story.shown = self.shows(story)
        self.stories[row.stream] = story

    def _went_on(self, row: Row, story: Story) -> None:
        waiting = not story.begun and not story.over
        match row.kind:
            case Kind.APPROVED:
                must(waiting, "a yes to what does not wait")
                self._approved(row, story)
            case Kind.REVOKED:
                story.words.pop(row.actor_id, None)
            case Kind.VOIDED:
                story.words.pop(row.body["approver"], None)
            case Kind.REJECTED | Kind.CANCELLED | Kind.SUPERSEDED | Kind.REFUSED:
                must(waiting, "what has begun is not stopped by a word")
                story.over = True
            case Kind.PAUSED | Kind.REMINDED:
                must(not story.over, "nothing more is said of what is over")
            case Kind.HOLD_CLEARED:
                self._agreed(self.holds.pop(row.stream).commit, row.at_us)
            case _:
                self._deployed(row, story)

    def _approved(self, row: Row, story: Story) -> None:
        now, kept = self.shows(story), row.body.get("kept_from")
        must(row.actor_id not in self.work_of(story), "a yes to one's own work or request")
        must(row.actor_id not in story.words, "one person counts once")
        must(now == story.shown, "approved is not what was shown")
        must(all(word.shown == now for word in story.words.values()), "an approval survived a change of its evidence")
        if not kept:
            must(self.world.writes(row.actor_id), "a yes of somebody without the right")
            story.words[row.actor_id] = Word(row.at_us, now)
            return
        source, demanded = self.stories[kept], self.world.policies.stages[story.stage]
        must(demanded.keep_on_identical, "a yes was carried over where the policy does not say so")
        must(TREES[source.release.commit] == TREES[story.release.commit], "a yes was carried over to other content")
        must(not story.glass and not source.glass, "a yes was carried over past rules")
        must(row.actor_id in source.words, "a yes was carried over that nobody gave")
        story.words[row.actor_id] = Word(source.words[row.actor_id].at_us, now)

    def _deployed(self, row: Row, story: Story) -> None:
        stage = story.stage
        must(not story.over, "what is over goes on")
        if row.kind == Kind.DEPLOY_STARTED:
            self._started(row, story)
            return
        must(self.busy.get(stage) == story.stream, "somebody works where another one does")
        match row.kind:
            case Kind.STEP_BEGUN:
                story.touched = True
            case Kind.DEPLOY_DONE:
                self.runs[stage] = story.stream
                self.drifted.discard(stage)
            case Kind.DEPLOY_FAILED:
                story.failed = True
                self._failed(story, undone=story.touched)
            case Kind.PROBE_PASSED:
                self._proved(row, story)
            case Kind.PROBE_FAILED:
                story.failed = True
                self._failed(story, undone=True)
            case Kind.ROLLBACK_STARTED:
                must(
                    story.failed and story.previous is not None, "it went back from what had not failed, or to nothing"
                )
            case Kind.ROLLBACK_DONE | Kind.ROLLBACK_FAILED:
                back = row.kind == Kind.ROLLBACK_DONE
                self.runs[stage] = self.healthy[stage] if back else story.stream
                self.drifted -= {stage} if back else set()
                self._over(story)

    def _started(self, row: Row, story: Story) -> None:
        # Here, because the two know each other.
        from tests.domain.journey.judgement import may_begin

        if story.begun:
            must(self.busy.get(story.stage) == story.stream, "it begins again where another one works")
            return
        may_begin(self, story, row.at_us)
        before = self.healthy.get(story.stage, "")
        story.previous = self.stories[before].release if before else None
        told = row.body["previous"]
        must((told or {}).get("digest") == (story.previous.digest if story.previous else None), "another way back")
        story.begun = True
        self.busy[story.stage] = story.stream
        self.starts += 1

    def _proved(self, row: Row, story: Story) -> None:
        must(self.runs[story.stage] == story.stream, "what was proved healthy does not run")
        self.healthy[story.stage] = story.stream
        self.proved.append((row.at_us, story.stream))
        self.holds.pop(story.stream, None)
        left = story.previous if story.rollback else None
        if left is not None and left.digest != story.release.digest:
            self.holds[story.stream] = left
        self._over(story)

    def _failed(self, story: Story, *, undone: bool) -> None:
        if undone:
            self.holds[story.stream] = story.release
        if not undone or story.previous is None:
            self._over(story)

    def _over(self, story: Story) -> None:
        story.over = True
        self.busy[story.stage] = ""

    # --- rows of releases and places ---------------------------------------------------------------------------------

    def _of_release(self, row: Row, which: str) -> None:
        body: Mapping[str, Any] = row.body
        match row.kind:
            case ReleaseKind.REJECTED:
                self.bans.add(which)
                self.clearing.pop(which, None)
            case ReleaseKind.CLEAR_ASKED:
                must(self.world.roles[row.actor_id] == "maintain", "somebody who is no operator lifts a hold")
                self.clearing.setdefault(which, {})[row.actor_id] = row.at_us
            case ReleaseKind.CLEARED:
                self._agreed(body["commit"], row.at_us)
                self.bans.discard(which)
                if which == body["commit"]:
                    self.clearing.pop(which, None)

    def _agreed(self, commit: str, now_us: int) -> None:
        fresh = [person for person, at_us in self.clearing.get(commit, {}).items() if now_us <= at_us + 24 * HOUR]
        must(len(fresh) >= self.world.policies.clear_people, "a hold or ban was lifted by too few")

    def _of_place(self, row: Row, stage: Stage) -> None:
        match row.kind:
            case EnvironmentKind.LOCKED:
                self.locks[stage] = (row.actor_id, row.body["until_us"])
            case EnvironmentKind.UNLOCKED:
                self.locks.pop(stage, None)
            case EnvironmentKind.DRIFT_SEEN:
                self.drifted.add(stage)
            case EnvironmentKind.DRIFT_ENDED:
                self.drifted.discard(stage)
