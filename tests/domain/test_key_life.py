"""The life of keys, looked at in any order: one signs, none surprises anybody, no valid signature is orphaned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.key_life import (
    DAY_US,
    HOUR_US,
    KeyLife,
    Spans,
    State,
    born,
    in_order,
    next_change_us,
    published,
    retired_us,
    signing,
    state,
    successor_due,
    waiting,
)

START = 1_790_000_000_000_000
SPANS = Spans(life_us=10 * DAY_US, publish_us=DAY_US, keep_us=2 * DAY_US)
LONGEST_US = HOUR_US
"""What a signature is valid for, at most."""


@dataclass
class World:
    """A ring that is tended by somebody now and then, and its books."""

    spans: Spans = SPANS
    now: int = START
    lives: list[KeyLife] = field(default_factory=list)
    emergencies: set[str] = field(default_factory=set)
    signed: list[tuple[int, str]] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)

    def tend(self) -> None:
        if successor_due(self.lives, self.now, self.spans):
            self.lives.append(born(f"{len(self.lives):04}", self.lives, self.now, self.spans))

    def rotate_now(self) -> None:
        successor = waiting(self.lives, self.now)
        if successor is not None:
            self.lives[self.lives.index(successor)] = replace(successor, signs_us=self.now)
            self.emergencies.add(successor.name)
        else:
            made = born(f"{len(self.lives):04}", self.lives, self.now, self.spans, at_once=True)
            self.lives.append(made)
            self.emergencies.add(made.name)

    def sign(self) -> None:
        present = signing(self.lives, self.now)
        assert present is not None
        self.signed.append((self.now, present.name))

    def check(self) -> None:
        states = {life.name: state(life, self.lives, self.now, self.spans) for life in self.lives}
        assert list(states.values()).count(State.SIGNING) == 1
        shown = {life.name for life in published(self.lives, self.now, self.spans)}
        present = signing(self.lives, self.now)
        assert present is not None
        assert present.name in shown
        for at, name in self.signed:
            assert self.now >= at + LONGEST_US or name in shown, "a valid signature whose key nobody can find"
        first = self.lives[0].name
        for life in self.lives:
            if states[life.name] is State.SIGNING and life.name != first and life.name not in self.emergencies:
                assert self.now - life.made_us >= self.spans.publish_us, "nobody had time to learn it"
        gone = {name for name, is_now in states.items() if is_now is State.REMOVED}
        assert self.removed <= gone, "a removed key came back"
        self.removed = gone


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["tend", "tend", "tend", "sign", "sign", "rotate_now"]),
        st.integers(min_value=0, max_value=3 * DAY_US),
    ),
    max_size=60,
)


@given(steps=STEPS, publish_hours=st.integers(0, 300), life_hours=st.integers(1, 400))
@settings(max_examples=150, deadline=None)
def test_at_every_moment_one_key_signs_and_every_valid_signature_has_its_key(
    steps: list[tuple[str, int]], publish_hours: int, life_hours: int
) -> None:
    spans = replace(SPANS, publish_us=publish_hours * HOUR_US, life_us=life_hours * HOUR_US)
    world = World(spans=spans)
    world.tend()
    for act, later in steps:
        getattr(world, act)()
        world.check()
        world.now += later
        world.check()


@given(order=st.permutations(range(6)), now=st.integers(0, 80))
@settings(deadline=None)
def test_what_is_said_does_not_depend_on_the_order_of_the_files(order: list[int], now: int) -> None:
    lives = [KeyLife(name=f"{n:04}", made_us=n * 5, signs_us=n // 2 * 20) for n in range(6)]
    mixed = [lives[n] for n in order]
    spans = Spans(life_us=20, publish_us=5, keep_us=10)
    assert signing(mixed, now) == signing(lives, now)
    assert published(mixed, now, spans) == published(lives, now, spans)


def test_a_tended_ring_changes_its_key_at_the_set_time_and_not_a_moment_later() -> None:
    """Tended each minute: the successor is made one publication before, and signs exactly when the old one is due."""
    world = World()
    world.tend()
    [first] = world.lives
    assert first.signs_us == first.made_us == START, "the first key signs at once"
    world.now = START + SPANS.life_us - SPANS.publish_us - 1
    world.tend()
    assert len(world.lives) == 1
    world.now += 1
    world.tend()
    world.tend()
    assert [life.signs_us for life in world.lives] == [START, START + SPANS.life_us]
    second = world.lives[1]
    world.now = second.signs_us - 1
    assert signing(world.lives, world.now) == first
    assert state(second, world.lives, world.now, SPANS) is State.PUBLISHED
    world.now += 1
    assert signing(world.lives, world.now) == second
    assert state(first, world.lives, world.now, SPANS) is State.RETIRED
    world.now = second.signs_us + SPANS.keep_us - 1
    assert first in published(world.lives, world.now, SPANS)
    world.now += 1
    assert state(first, world.lives, world.now, SPANS) is State.REMOVED
    assert published(world.lives, world.now, SPANS) == [second]


def test_who_was_away_for_long_still_publishes_before_signing() -> None:
    world = World()
    world.tend()
    world.now += 3 * SPANS.life_us
    world.tend()
    first, second = world.lives
    assert signing(world.lives, world.now) == first
    assert second.signs_us == world.now + SPANS.publish_us


def test_a_clock_that_was_set_back_still_has_a_key() -> None:
    lives = [KeyLife(name="1", made_us=START, signs_us=START), KeyLife(name="2", made_us=START, signs_us=START + 9)]
    assert signing(lives, START - DAY_US) == lives[0]
    assert {state(life, lives, START - DAY_US, SPANS) for life in lives} == {State.SIGNING, State.PUBLISHED}


def test_a_withdrawn_key_is_out_of_everything() -> None:
    lives = [
        KeyLife(name="1", made_us=0, signs_us=0),
        KeyLife(name="2", made_us=5, signs_us=10, withdrawn_us=15),
        KeyLife(name="3", made_us=12, signs_us=12),
    ]
    spans = Spans(life_us=100, publish_us=5, keep_us=50)
    assert [state(life, lives, 20, spans) for life in lives] == [State.RETIRED, State.WITHDRAWN, State.SIGNING]
    assert [life.name for life in published(lives, 20, spans)] == ["1", "3"]
    assert retired_us(lives[0], lives) == 12, "counted from the one that really followed"
    assert signing([lives[1]], 20) is None
    assert successor_due([lives[1]], 20, spans), "a ring without a key gets one"
    assert born("4", [lives[1]], 20, spans).signs_us == 20


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        (START, [START + 10 * DAY_US]),
        (START + 30 * DAY_US, [START + 31 * DAY_US]),
    ],
)
def test_the_next_change_of_the_only_key(now: int, changes: list[int]) -> None:
    lives = [KeyLife(name="1", made_us=START, signs_us=START)]
    assert [next_change_us(life, lives, now, SPANS) for life in lives] == changes


def test_the_next_change_of_each() -> None:
    lives = [
        KeyLife(name="1", made_us=0, signs_us=0),
        KeyLife(name="2", made_us=5, signs_us=10),
        KeyLife(name="3", made_us=15, signs_us=20),
        KeyLife(name="4", made_us=15, signs_us=15, withdrawn_us=16),
    ]
    spans = Spans(life_us=10, publish_us=5, keep_us=7)
    assert [next_change_us(life, lives, 16, spans) for life in lives] == [17, 20, 20, 23]
    assert state(lives[3], lives, 23, spans) is State.REMOVED
    assert next_change_us(lives[0], lives, 17, spans) is None
    assert [life.name for life in in_order(lives)] == ["1", "2", "4", "3"]
