"""What is said when something was changed without Miso: read as a person would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from bot.domain.environment_story import Episode
from bot.domain.messages.bypass import gate_check, reported_check
from bot.domain.messages.drift import drift_check
from bot.domain.model import Actor, ActorKind, CheckRun
from tests.domain import given
from tests.domain.pages import Page

OLGA = Actor(kind=ActorKind.PERSON, id=7, login="olga")
MEAN = Actor(kind=ActorKind.PERSON, id=7, login="@ann <img src=x> #1")
FOUND = {"expected": given.NEW_DIGEST, "found": given.OLD_DIGEST, "commit": given.NEW}
SEEN = replace(given.row("drift.seen", 2), body=FOUND)
EPISODE = Episode(seen=SEEN, number=2, since_us=given.NOW)
OVER = replace(EPISODE, ended=given.row("drift.ended", 3, at_us=given.NOW + given.HOUR))
GONE = replace(EPISODE, seen=replace(SEEN, body={**FOUND, "found": ""}))

CHECKS = {
    "drift": drift_check(given.PRODUCTION, EPISODE, external_id="x"),
    "drift, nothing there, test": drift_check(given.TEST, GONE, external_id="x"),
    "drift, over": drift_check(given.PRODUCTION, OVER, external_id="x"),
    "reported": reported_check(given.PRODUCTION, commit=given.NEW, actor=OLGA, by_actions=False, external_id="x"),
    "reported by a job, test": reported_check(
        given.TEST, commit=given.NEW, actor=OLGA, by_actions=True, external_id="x"
    ),
    "gate": gate_check(given.PRODUCTION, commit=given.NEW, actor=OLGA, external_id="x"),
}


def shown(check: CheckRun) -> str:
    return f"{check.name}: {check.conclusion}\n# {check.title}\n{check.summary}\n"


@pytest.mark.parametrize("name", CHECKS)
def test_what_went_around_miso(name: str, snapshot: SnapshotAssertion) -> None:
    assert shown(CHECKS[name]) == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", CHECKS)
def test_it_hangs_on_the_commit_and_is_over_as_a_run(name: str) -> None:
    assert (CHECKS[name].head_sha, CHECKS[name].status) == (given.NEW, "completed")


def test_rule_14_a_login_of_a_stranger_does_nothing() -> None:
    for check in (
        reported_check(given.TEST, commit=given.NEW, actor=MEAN, by_actions=False, external_id="x"),
        gate_check(given.TEST, commit=given.NEW, actor=MEAN, external_id="x"),
    ):
        assert "<img" not in check.summary
        assert "@ann" not in check.summary
