"""What a decision was taken over is kept whole enough to take it again, and without what is nobody's business."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from bot.context import Miso
from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision, Facts, Verdict
from bot.domain.model import Ban, Capacity, CheckSeen, Drift, Lock, Stage, Untrusted
from bot.domain.policy_keys import Override
from bot.domain.repository_config import RepositoryConfig
from bot.domain.rules import Policy, PolicySet, RequiredCheck, Who
from bot.services import history
from bot.services.history import Replayed
from bot.services.notes import Note
from bot.services.policies import Effective
from tests.domain.given import (
    ASKER,
    NOW,
    POLICY,
    PRODUCTION,
    RULES,
    asked,
    commit,
    facts,
    promoted,
    pull_request,
    release,
)
from tests.services.indoors import indoors

POLICIES = PolicySet(stages={Stage.PRODUCTION: POLICY})
SECRET = "a value that nobody else should read"


@pytest.fixture
async def miso(tmp_path: Path) -> AsyncIterator[Miso]:
    async with indoors(tmp_path) as ready:
        ready.clock.at_us = NOW
        yield replace(ready.miso, rules=RULES)


def effective(policy: Policy | None = POLICY, text: str = "", override: Override | None = None) -> Effective:
    settings = None
    if override is not None:
        settings = RepositoryConfig(
            image="registry.example/shop",
            build=".github/workflows/build.yml",
            policy={Stage.PRODUCTION: override},
        )
    return Effective(
        policy=policy, policies=POLICIES, version=1, config=None, config_commit="c" * 40, settings=settings, text=text
    )


def decided(request: Asked, known: Facts, demanded: Policy | None = POLICY) -> Decision:
    return policy.decide(request, known, demanded, RULES, NOW, POLICIES)


async def remembered(
    miso: Miso, request: Asked | None = None, known: Facts | None = None, counts: Effective | None = None
) -> Decision:
    request, known, counts = request or asked(), known or facts(), counts or effective()
    decision = decided(request, known, counts.policy)
    await history.remember(miso, request, known, decision, counts, NOW)
    return decision


async def again(miso: Miso, policies: PolicySet = POLICIES, **how: Any) -> list[Replayed]:
    return [each async for each in history.replay(miso, policies, **how)]


def with_production(**changes: Any) -> PolicySet:
    return PolicySet(stages={Stage.PRODUCTION: replace(POLICY, **changes)})


REFUSED = [
    pytest.param({"image_exists": None}, id="unknown"),
    pytest.param({"image_exists": False}, id="gone"),
    pytest.param({"binding": Code.GUID_NOT_BOUND}, id="not bound"),
    pytest.param({"verified": ()}, id="not verified before"),
    pytest.param({"config": Code.CONFIG_INVALID}, id="configuration"),
    pytest.param({"range": None}, id="commits unknown"),
    pytest.param({"states": None}, id="state unknown"),
    pytest.param({"running": None, "running_plan": None}, id="running unknown"),
]


@pytest.mark.parametrize("changes", [{}, *REFUSED])
async def test_the_same_policy_decides_the_same_again(miso: Miso, changes: dict[str, Any]) -> None:
    decision = await remembered(miso, known=facts(**changes))
    [replayed] = await again(miso)
    assert replayed.then == replayed.now
    assert not replayed.differs
    assert replayed.now.verdict is decision.verdict
    assert replayed.untold == ()


async def test_what_nobody_wrote_a_policy_for_is_refused_again(miso: Miso) -> None:
    await remembered(miso, counts=replace(effective(None), policies=None))
    [replayed] = await again(miso, PolicySet())
    assert replayed.then.codes == (Code.NO_RULES,)
    assert not replayed.differs


async def test_another_policy_is_told_apart_by_what_it_asks_for(miso: Miso) -> None:
    await remembered(miso)
    [more] = await again(miso, with_production(approvals=2))
    assert (more.then.approvals_needed, more.now.approvals_needed) == (1, 2)
    assert more.differs
    [none] = await again(miso, with_production(request=Who(role="admin")))
    assert (none.now.verdict, none.now.codes) == (Verdict.REFUSE, (Code.PERMISSION_DENIED,))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"checks": (RequiredCheck(name="trivy", app_id=1),)}, Code.CHECKS_UNKNOWN),
        ({"request": Who(role="write", teams=(7,))}, Code.TEAM_UNKNOWN),
        ({"min_instances": 2}, Code.CAPACITY_UNKNOWN),
    ],
)
async def test_what_was_never_asked_cannot_be_told_and_never_passes(
    miso: Miso, changes: dict[str, Any], code: Code
) -> None:
    await remembered(miso, known=facts(checks=(), teams=frozenset()))
    [replayed] = await again(miso, with_production(**changes))
    assert replayed.now.verdict is Verdict.REFUSE
    assert replayed.untold == (code,)


async def test_what_the_repository_tightened_that_day_counts_again(miso: Miso) -> None:
    text = (
        "image: registry.example/shop\nbuild: .github/workflows/build.yml\npolicy:\n  production:\n    approvals: 3\n"
    )
    counts = effective(replace(POLICY, approvals=3), text, Override(approvals=3))
    await remembered(miso, counts=counts)
    [replayed] = await again(miso)
    assert (replayed.then.approvals_needed, replayed.now.approvals_needed) == (3, 3)


async def test_every_fact_that_a_decision_knows_is_kept(miso: Miso) -> None:
    """All but texts, values and whole plans: what is given back is equal, whatever kind of value it is."""
    ban = Ban(commit=release().commit, digest="", reason=Untrusted(""), by=ASKER, since_us=1)
    lock = Lock(owner=ASKER, reason=Untrusted("the party"), since_us=1, until_us=2)
    drift = Drift(expected="sha256:" + "1" * 64, found="", since_us=3)
    known = facts(
        bans=(ban,),
        checks=(CheckSeen(id=1, name="trivy", app_id=2, status="completed", conclusion="success"),),
        capacity=Capacity(instances=2, zones=3),
        teams=frozenset({4, 5}),
        pushers={5: (11, 12)},
        open=(promoted(PRODUCTION, verified=False),),
        pull_requests={release().commit: (pull_request(title=Untrusted("")),)},
    )
    assert known.states is not None
    state = replace(known.states[PRODUCTION.id], lock=lock, drift=drift)
    known = replace(known, states={**known.states, PRODUCTION.id: state})
    await remembered(miso, known=known)
    [row] = await miso.store.ledger(kinds=[Note.DECISION_TAKEN])
    kept = TypeAdapter(Facts).validate_python(row.body["facts"])
    assert known.plan is not None
    assert known.running_plan is not None
    assert kept == replace(known, plan=replace(known.plan, body={}), running_plan=replace(known.running_plan, body={}))


async def test_a_request_that_is_delivered_twice_is_one(miso: Miso) -> None:
    for _ in range(2):
        await remembered(miso)
    await remembered(miso, asked(stream="promotion-other"))
    assert len(await again(miso)) == 2
    assert len(await again(miso, limit=1)) == 1
    assert await again(miso, since_us=NOW + 1) == []


async def test_neither_texts_of_people_nor_values_of_settings_are_kept(miso: Miso) -> None:
    secret = Untrusted(SECRET)
    place = replace(PRODUCTION, settings=(("GREETING", SECRET),))
    known = facts(place)
    assert known.range is not None
    known = replace(
        known,
        range=replace(known.range, commits=(replace(commit(), message=secret),)),
        commit=replace(commit(), message=secret),
        pull_requests={release().commit: (replace(pull_request(), title=secret),)},
    )
    await remembered(miso, asked(environment=place), known)
    [row] = await miso.store.ledger(kinds=[Note.DECISION_TAKEN])
    assert SECRET not in json.dumps(row.body)
    [replayed] = await again(miso)
    assert not replayed.differs
