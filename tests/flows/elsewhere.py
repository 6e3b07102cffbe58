"""People who signed in elsewhere, as a session or a command line makes them, and what they say through it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.identity import Door, Principal
from bot.domain.model import Actor, ActorKind
from bot.domain.promotion import Promotion
from bot.errors import Refused
from bot.services import access, approvals, links, promotions
from bot.services.access import Origin
from bot.services.promotions import Ask, Outcome, Word
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage

DOORS = [Door.PORTAL, Door.API, Door.CLI]


def subject_of(login: str) -> str:
    return f"entra:tenant:{login}"


def signed_in(login: str, door: Door = Door.PORTAL, actor: Actor | None = None, **more: Any) -> Principal:
    """Somebody as a session makes them."""
    nobody = Actor(kind=ActorKind.PERSON, id=0)
    return Principal(actor=actor or nobody, door=door, subject=subject_of(login), **more)


async def linked(stage: Stage, login: str, door: Door = Door.PORTAL, **more: Any) -> Principal:
    """The same, linked to the GitHub account of that name by what its owner typed."""
    pull = await stage.sim.open_pull_request(REPOSITORY, "ann", f"For {login}", {f"{login}.txt": "1\n"})
    code = await links.begin(stage.miso, signed_in(login))
    told = await stage.says(login, f"/link {code}", on=pull["number"])
    assert "is linked" in told["replies"][0], told["replies"]
    found = await links.of(stage.miso, subject_of(login))
    assert found is not None
    return signed_in(login, door, found.actor, **{"roles_us": stage.clock.now_us(), **more})


async def approves(stage: Stage, who: Principal, where: str = "production") -> Outcome:
    promotion = await stage.latest(where)
    return await approvals.approve(stage.miso, promotion.stream, Word(principal=who, cause="x"), origin_of(promotion))


def origin_of(promotion: Promotion) -> Origin:
    request = promotion.request
    return Origin(installation_id=request.installation_id, repository_id=request.release.repository_id)


async def refused(attempt: Any) -> str:
    with pytest.raises(Refused) as no:
        await attempt
    return str(no.value.code)


async def asks(stage: Stage, who: Principal, *, before: str = "test", where: str = "production") -> Outcome:
    """Somebody asks for what was last asked for one stage before."""
    earlier = await stage.latest(before)
    application = await stage.miso.store.application(earlier.application_id)
    environment = await stage.miso.store.environment(stage.environments[where])
    assert application is not None
    assert environment is not None
    place = await access.bind(stage.miso, origin_of(earlier), environment.stage)
    ask = Ask(cause=f"api:{who.actor.id}", principal=who, origin=origin_of(earlier), release=earlier.request.release)
    return await promotions.request(stage.miso, ask, place, application, environment)
