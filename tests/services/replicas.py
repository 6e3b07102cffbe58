"""Policies that controllers are told, and what comes of it: for the policy's own story."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.context import Miso
from bot.domain import policy_story
from bot.domain.model import Actor, ActorKind, Stage
from bot.domain.rules import Policy, PolicySet
from bot.errors import Refused
from bot.services import policies

ANN = Actor(kind=ActorKind.PERSON, id=1001, login="ann")
BOB = Actor(kind=ActorKind.PERSON, id=1002, login="bob")
EVE = Actor(kind=ActorKind.PERSON, id=1003, login="eve")
FILE = "policy.yml"

STRICT = PolicySet(
    stages={
        Stage.DEV: Policy(),
        Stage.TEST: Policy(),
        Stage.PRODUCTION: Policy(approvals=2, approval_hours=24, unknown_author_needs=-1),
    },
    administrators=(ANN.id, BOB.id),
)


def with_production(policies: PolicySet, **changes: Any) -> PolicySet:
    production = replace(policies.stages[Stage.PRODUCTION], **changes)
    return replace(policies, stages={**policies.stages, Stage.PRODUCTION: production})


LOOSE = with_production(STRICT, approvals=1)
HASH = policy_story.hash_of(LOOSE)


async def in_force(miso: Miso) -> tuple[int, PolicySet]:
    now = await policies.accepted(miso)
    assert now is not None
    return now.version, now.policies


async def kinds(miso: Miso) -> list[str]:
    return [row.kind for row in await miso.store.stream(policy_story.STREAM)]


async def refused(doing: Any) -> str:
    with pytest.raises(Refused) as no:
        await doing
    return no.value.code
