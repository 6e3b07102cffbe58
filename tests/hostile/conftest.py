"""A pretend GitHub Actions with two listed issuers, and the judgement of a token: the reader's, then the rules'."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest_asyncio

from bot.domain import trust_file
from bot.domain.codes import Code
from bot.domain.model import Application, Environment, Stage, TargetKind
from bot.domain.trust import Mismatch
from bot.errors import Refused
from bot.oidc.jwks import IssuerKeys
from bot.oidc.verify import SubjectReader
from bot.sim.world import Options, World
from tests.hostile.forge import Forge
from tests.hostile.subjects import HERE

REPOSITORY = "acme/shop"
NOW_S = 1_795_000_000
RULES = """
issuer: {issuer}
profile: github
rules:
  - {{name: default branch, environments: [dev, test, production]}}
  - {{name: anything goes, environments: [dev], events: [push, schedule], runner: any}}
"""

Judge = Callable[[str], Awaitable[Code | None]]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def forge() -> AsyncIterator[Forge]:
    """In a world whose time stands still."""
    async with World.running(Options(clock=lambda: float(NOW_S))) as world:
        world.github.create_repository(REPOSITORY, collaborators={"ann": "admin"}, files={"x": "1"})
        yield Forge.at(world, REPOSITORY, audience=HERE, environment="production")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def judge(forge: Forge) -> AsyncIterator[Judge]:
    """What a token is refused with; None for one that is let through."""
    issuers = {"a.yml": forge.issuer, "b.yml": forge.enterprise}
    book, faults = trust_file.read({name: RULES.format(issuer=url) for name, url in issuers.items()})
    assert faults == ()
    application, environment = registered(forge)
    async with aiohttp.ClientSession() as session:
        reader = SubjectReader(IssuerKeys(session, lambda: NOW_S * 1_000_000), book, lambda: NOW_S * 1_000_000)

        async def judged(token: str) -> Code | None:
            try:
                subject = await reader.read(token, audience=HERE)
            except Refused as refused:
                return Code(refused.code)
            found = book.match(subject, application, environment, "main")
            return found.code if isinstance(found, Mismatch) else None

        yield judged


def registered(forge: Forge) -> tuple[Application, Environment]:
    """The rows of the registry that the honest token is for."""
    application = Application(
        id="6f2b7a52-3d0f-4d0e-9a53-0a7d3c1f2b10",
        name="shop",
        repository_id=int(forge.claims["repository_id"]),
        owner_id=int(forge.claims["repository_owner_id"]),
    )
    environment = Environment(
        id="0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10",
        application_id=application.id,
        github_name="production",
        stage=Stage.PRODUCTION,
        tenant_id="11111111-2222-4333-8444-555555555555",
        client_id="22222222-3333-4444-8555-666666666666",
        subscription_id="33333333-4444-4555-8666-777777777777",
        resource_group="shop",
        location="westeurope",
        target=TargetKind.CONTAINER_INSTANCE,
        name="shop",
    )
    return application, environment
