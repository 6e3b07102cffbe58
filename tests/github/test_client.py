"""The window itself: which installation sees which repository, who we are, and that it fits into the hall."""

from __future__ import annotations

import pytest

from bot.context import GitHub, Repository
from bot.domain.permissions import READ_FACTS, REPORT
from bot.errors import Refused, Transient
from tests.github.conftest import Bench


async def test_it_is_what_the_hall_asks_for(bench: Bench) -> None:
    window: GitHub = bench.window
    door: Repository = window.at(bench.installation_id, bench.repository_id, READ_FACTS)
    assert (await door.identity()).id == bench.repository_id


async def test_the_app_tells_who_it_is(bench: Bench) -> None:
    app = await bench.window.app()
    assert (app["id"], app["slug"]) == (bench.world.addresses.app_id, "miso")
    assert app["permissions"]["metadata"] == "read"


async def test_rule_20_an_installation_covers_its_own_repositories_alone(bench: Bench) -> None:
    sim = bench.world.github
    foreign = sim.create_repository("other/secret")["id"]
    theirs = sim.install_app("other")["id"]

    assert await bench.window.covers(bench.installation_id, bench.repository_id)
    assert not await bench.window.covers(bench.installation_id, foreign)
    assert not await bench.window.covers(theirs, bench.repository_id)
    assert await bench.window.covers(theirs, foreign)
    assert not await bench.window.covers(bench.installation_id, 999_999)
    assert not await bench.window.covers(999_999, bench.repository_id)


async def test_rule_20_a_covered_repository_is_asked_about_once(bench: Bench) -> None:
    """The question is the token that the facts are read with: warm, it costs nothing."""
    await bench.facts.identity()
    before = len(bench.sent())
    assert await bench.window.covers(bench.installation_id, bench.repository_id)
    assert len(bench.sent()) == before


async def test_rule_20_a_door_to_a_repository_of_somebody_else_stays_shut(bench: Bench) -> None:
    foreign = bench.world.github.create_repository("other/secret")["id"]
    bench.world.github.install_app("other")
    with pytest.raises(Refused) as refused:
        await bench.at(READ_FACTS, foreign).identity()
    assert refused.value.code == "github_forbidden"
    assert "secret" not in str(refused.value)


async def test_an_installation_that_has_not_granted_everything_covers_all_the_same(bench: Bench) -> None:
    del bench.world.state.installations[bench.installation_id].permissions["environments"]
    assert await bench.window.covers(bench.installation_id, bench.repository_id)


async def test_a_suspended_installation_covers_nothing(bench: Bench) -> None:
    bench.world.github.suspend("acme")
    assert not await bench.window.covers(bench.installation_id, bench.repository_id)


async def test_a_failing_github_is_not_a_no(bench: Bench) -> None:
    bench.fault("POST .*/access_tokens", "status", status=500, times=None)
    with pytest.raises(Transient):
        await bench.window.covers(bench.installation_id, bench.repository_id)


async def test_rule_20_an_installation_is_found_by_ids(bench: Bench) -> None:
    sim, window = bench.world.github, bench.window
    foreign = sim.create_repository("other/secret")
    assert await window.installation_of(bench.repository_id, bench.owner_id) == bench.installation_id
    assert await window.installation_of(foreign["id"], foreign["owner_id"]) is None
    theirs = sim.install_app("other")["id"]
    assert await window.installation_of(foreign["id"], foreign["owner_id"]) == theirs
    assert await window.installation_of(foreign["id"], bench.owner_id) is None


async def test_a_new_installation_of_the_same_owner_is_found(bench: Bench) -> None:
    sim, window = bench.world.github, bench.window
    old = await window.installation_of(bench.repository_id, bench.owner_id)
    sim.uninstall("acme")
    await window.forget(bench.installation_id)
    assert await window.installation_of(bench.repository_id, bench.owner_id) is None
    new = sim.install_app("acme")["id"]
    assert new != old
    assert await window.installation_of(bench.repository_id, bench.owner_id) == new


async def test_two_repositories_never_share_a_token(bench: Bench) -> None:
    second = bench.world.github.create_repository("acme/other")["id"]
    await bench.at(REPORT).identity()
    await bench.at(REPORT, second).identity()
    scopes = [exchange.request_json()["repository_ids"] for exchange in bench.sent("POST", "/access_tokens")]
    assert scopes == [[bench.repository_id], [second]]
