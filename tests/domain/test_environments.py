"""What runs where, what was seen healthy and what is held follow from the journal alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain import environment_story
from bot.domain import promotion as promotions
from bot.domain.environments import apply, rebuild
from bot.domain.model import EnvironmentState, Hold, Release, Row
from bot.domain.promotion import VERSION, Kind
from tests.domain import given

PLACE = given.PRODUCTION.id
EMPTY = EnvironmentState(environment_id=PLACE)


def story(*kinds: str, stream: str = "one", release: Release | None = None, at_us: int = given.NOW) -> list[Row]:
    first = given.requested(given.request(release=release or given.release(), approvals_needed=0))
    bodies: dict[str, Any] = {"step.begun": {"step": "swap"}, "step.done": {"step": "swap"}}
    rows = [first, *(given.row(kind, n, **bodies.get(kind, {})) for n, kind in enumerate(kinds, start=2))]
    return [replace(row, stream=stream, at_us=at_us + row.seq) for row in rows]


GOOD = ("deploy.started", "step.begun", "step.done", "deploy.done", "probe.passed")
BAD = ("deploy.started", "deploy.done", "probe.failed", "rollback.started", "rollback.done")


def after(*stories: list[Row]) -> EnvironmentState:
    return rebuild(row for rows in stories for row in rows).get(PLACE, EMPTY)


def hold(stream: str, seq: int) -> Hold:
    return Hold(commit=given.NEW, digest=given.NEW_DIGEST, stream=stream, since_us=given.NOW + seq)


def test_a_request_changes_nothing() -> None:
    assert after(story()) == EMPTY
    begun = after(story("deploy.started", "step.begun", "step.done"))
    assert begun == replace(EMPTY, version=1, busy="one")


def test_what_was_deployed_runs_and_what_was_proved_is_where_a_rollback_goes() -> None:
    deployed = after(story(*GOOD[:-1]))
    assert (deployed.running, deployed.last_verified, deployed.version) == ("one", "", 2)
    assert deployed.busy == "one"
    proved = after(story(*GOOD))
    assert (proved.running, proved.last_verified, proved.version) == ("one", "one", 3)
    assert proved.busy == ""


def test_what_fails_is_held_and_the_last_good_one_runs_again() -> None:
    failing = after(story(*GOOD), story(*BAD[:3], stream="two"))
    assert (failing.running, failing.last_verified) == ("two", "one")
    assert failing.held == (hold("two", 4),)
    back = after(story(*GOOD), story(*BAD, stream="two"))
    assert (back.running, back.last_verified) == ("one", "one")
    assert back.held == failing.held


def test_a_write_that_failed_leaves_what_is_known_to_run() -> None:
    failed = after(story(*GOOD), story("deploy.started", "step.begun", "deploy.failed", stream="two"))
    assert (failed.running, failed.held) == ("one", (hold("two", 4),))
    untouched = after(story(*GOOD), story("deploy.started", "deploy.failed", stream="two"))
    assert untouched.held == ()


def test_a_first_release_that_fails_leaves_nothing_verified() -> None:
    failed = after(story("deploy.started", "deploy.done", "probe.failed"))
    assert (failed.running, failed.last_verified) == ("one", "")
    assert len(failed.held) == 1


def test_clearing_lifts_that_hold_only() -> None:
    bad = [story(*BAD, stream="two"), story(*BAD, stream="three")]
    assert [h.stream for h in after(*bad).held] == ["two", "three"]
    cleared = after(*bad[:1], story(*BAD, "hold.cleared", stream="three"))
    assert [h.stream for h in cleared.held] == ["two"]


def test_a_failure_is_held_once() -> None:
    twice = after(story("deploy.started", "deploy.failed", "probe.failed"))
    assert len(twice.held) == 1


def test_rows_of_a_newer_miso_change_nothing() -> None:
    newer = story("deploy.started", "deploy.teleported", "deploy.done", "probe.passed")
    assert after(newer) == replace(EMPTY, version=1, busy="one"), "a newer Miso still has it under way"
    versioned = [replace(row, v=VERSION + 1) if row.kind == "deploy.done" else row for row in story(*GOOD)]
    assert after(versioned) == replace(EMPTY, version=1, busy="one")


def test_rows_of_other_streams_are_passed_over() -> None:
    assert rebuild([given.row("application.registered", 1), given.row("deploy.done", 2)]) == {}


def seen(found: str, seq: int = 1, stream: str = "place") -> Row:
    row = given.row("drift.seen", seq, expected=given.NEW_DIGEST, found=found, running="one")
    return replace(row, stream=stream)


def test_a_deployment_or_a_way_back_puts_right_what_somebody_else_had_put_there() -> None:
    changed = after(story(*GOOD), [seen("sha256:x")])
    assert changed.drift is not None
    assert after(story(*GOOD), [seen("sha256:x")], story(*GOOD[:3], stream="two")).drift == changed.drift
    assert after(story(*GOOD), [seen("sha256:x")], story(*GOOD[:4], stream="two")).drift is None
    assert after(story(*GOOD), story(*BAD[:4], stream="two"), [seen("")], story(*BAD, stream="two")[-1:]).drift is None


KINDS = [kind.value for kind in Kind if kind is not Kind.REQUESTED]


BODIES: dict[str, dict[str, Any]] = {
    "environment.locked": {"reason": "fair", "login": "bob", "until_us": 0, "cause": "c"},
    "environment.unlocked": {"reason": "", "login": "bob", "cause": "c"},
    "drift.seen": {"expected": given.NEW_DIGEST, "found": ""},
    "drift.ended": {},
}
BESIDE = st.tuples(st.sampled_from(sorted(BODIES)), st.integers(0, 30))


@given_that(
    st.lists(st.lists(st.sampled_from(KINDS), max_size=12), min_size=1, max_size=3), st.lists(BESIDE, max_size=6)
)
def test_any_journal_projects_one_version_for_each_change(many: list[list[str]], beside: list[tuple[str, int]]) -> None:
    state, version = EMPTY, 0
    rows = [row for n, kinds in enumerate(many) for row in story(*kinds, stream=f"s{n}")]
    for n, (kind, at) in enumerate(beside, start=1):
        rows.insert(min(at, len(rows)), replace(given.row(kind, n, **BODIES[kind]), stream="place"))
    streams: dict[str, promotions.Promotion] = {}
    for row in rows:
        if row.stream == "place":
            changed = environment_story.apply(state, row)
        else:
            before = streams.get(row.stream)
            streams[row.stream] = promotions.fold([row]) if before is None else promotions.apply(before, row)
            changed = apply(state, row, streams[row.stream])
        if changed is not None:
            assert replace(changed, version=state.version) != state, "a version is a change"
            state, version = changed, version + 1
    assert state.version == version
    assert rebuild(rows).get(PLACE, EMPTY) == state
    assert len({h.stream for h in state.held}) == len(state.held)
