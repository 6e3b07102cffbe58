"""What an approver reads about a change: names of settings, never their values."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.difference import difference
from tests.domain import given
from tests.domain.test_plan import GROUP, SITE, build


def test_a_difference_is_told_by_names_and_never_by_values_of_settings() -> None:
    old = build(GROUP, given.release(given.OLD, given.OLD_DIGEST, health_path="/healthz", port=3000))
    new = build(replace(GROUP, cpu=2.0, settings=(("AREA", "us"), ("LEVEL", "9"))))
    assert difference(old, new) == (
        "image sha256:111111111111 → sha256:222222222222",
        "setting AREA changed",
        "setting LEVEL added",
        "setting MODE removed",
        "containers[0].resources.requests.cpu 1.0 → 2.0",
        "the container group is deleted and created again",
    )


def test_what_a_change_does_to_what_runs() -> None:
    old = given.release(given.OLD, given.OLD_DIGEST, health_path="/healthz", port=3000)
    assert difference(build(GROUP, old), build(GROUP))[-1] == "all containers restart"
    assert difference(build(SITE, old), build(SITE))[-1] == "enters the slot, then swaps with production"
    assert difference(build(SITE), build(SITE)) == ()
    assert difference(None, build(SITE)) == ("image sha256:222222222222", "first deployment here")
    assert difference(build(GROUP, old), build(SITE))[-1] == "moves from container-instance to web-app"
