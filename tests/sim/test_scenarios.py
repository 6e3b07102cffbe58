"""The small company that the demo and the stories play in: who is there, and what can be built."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.sim.client import SimClient
from bot.sim.github.scenario import Scenario
from bot.sim.github.scenario.ground import Ground
from bot.sim.scenarios import AUDITORS, REPOSITORY, SIGN_IN_CLIENT_ID, Shop, build, open_shop
from bot.sim.world import World


@pytest.fixture
async def sim(world: World) -> AsyncIterator[SimClient]:
    async with SimClient(world.addresses.control) as client:
        yield client


@pytest.fixture
async def shop(sim: SimClient, world: World) -> Shop:
    return await open_shop(sim, issuer="https://miso.test", registry=world.addresses.registry)


async def test_everybody_is_known_by_number(shop: Shop, world: World) -> None:
    assert set(shop.people) == {"ann", "bob", "eve", "olga"}
    assert shop.people["ann"] == world.github.person("ann").id


async def test_a_branch_and_an_open_pull_request_can_be_built(shop: Shop, sim: SimClient) -> None:
    pushed = await sim.push(REPOSITORY, "ann", {"app.py": "1"}, branch="release/1")
    pull = await sim.open_pull_request(REPOSITORY, "ann", "Basket", {"app.py": "2"})
    digests = {
        await build(sim, pushed["sha"], branch="release/1"),
        await build(sim, pull["head_sha"], pull_request=pull["number"]),
    }
    runs = (await sim.state(REPOSITORY))["runs"]
    assert len(digests) == 2
    assert [(run["event"], run["head_branch"], run["head_sha"]) for run in runs] == [
        ("push", "release/1", pushed["sha"]),
        ("pull_request", "change-1", pull["head_sha"]),
    ]


async def test_everybody_has_an_account_to_sign_in_with(shop: Shop, world: World) -> None:
    assert set(shop.accounts) == set(shop.people)
    assert len(set(shop.accounts.values())) == 4
    assert world.entra._people["eve"].groups == (AUDITORS,)
    mine = [each for each in world.entra.credentials if each.client_id == SIGN_IN_CLIENT_ID]
    assert [(each.issuer, each.subject) for each in mine] == [("https://miso.test", "miso:signin")]


def test_every_verb_can_be_called_from_another_process() -> None:
    verbs = {name for name in dir(Scenario) if not name.startswith("_")} - set(dir(Ground))
    assert verbs <= set(dir(SimClient))
