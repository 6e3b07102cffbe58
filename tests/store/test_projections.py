"""Lists are read from projections; each says exactly what folding its stream again would say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.context import Store
from bot.domain.model import (
    ActorKind,
    NewRow,
    Plan,
    PromotionRow,
    Release,
    Row,
    Status,
    TargetKind,
    Written,
)
from bot.domain.promotion import Kind, Request, fold, project, request_as_body
from tests.store.builders import ALICE, APP, ENV, Clock, append, promotion


async def add(store: Store, *rows: PromotionRow) -> None:
    answer = await store.append([append(each.stream, promotion=each) for each in rows])
    assert isinstance(answer, Written)


async def streams(store: Store, **filters: Any) -> list[str]:
    return [found.stream for found in await store.promotions(**filters)]


async def test_a_promotion_comes_back_as_it_was_projected(store: Store, clock: Clock) -> None:
    row = promotion(status=Status.LIVE, is_open=False, verified=True, pull_request=5, wake_at_us=9, verified_us=8)
    await add(store, row)
    kept = await store.promotion("p1")
    assert kept is not None
    assert kept.requested_us == clock.now_us
    assert kept == PromotionRow(**{**{name: getattr(row, name) for name in vars(row)}, "requested_us": clock.now_us})
    assert await store.promotion("p2") is None


async def test_the_time_of_the_request_is_that_of_the_first_row_for_ever(store: Store, clock: Clock) -> None:
    began = clock.now_us
    await store.append([append("p1", 1)])
    clock.pass_(60)
    await store.append([append("p1", 2, promotion=promotion("p1", 2))])
    clock.pass_(60)
    await store.append([append("p1", 3, promotion=promotion("p1", 3))])
    kept = await store.promotion("p1")
    assert kept is not None
    assert (kept.requested_us, kept.head_seq) == (began, 3)


async def test_open_ones_by_wake(store: Store) -> None:
    await add(
        store,
        promotion("later", wake_at_us=20),
        promotion("soon", wake_at_us=10, environment_id="other"),
        promotion("now", wake_at_us=0),
        promotion("ended", is_open=False),
    )
    assert [found.stream for found in await store.open_promotions()] == ["now", "soon", "later"]
    assert [found.stream for found in await store.open_promotions(limit=1)] == ["now"]
    assert [found.stream for found in await store.open_promotions(environment_id="other")] == ["soon"]


async def test_filters_narrow_each_by_itself_and_together(store: Store, clock: Clock) -> None:
    await add(store, promotion("p1", commit="abc1" + "0" * 36, verified=True))
    clock.pass_(1)
    await add(store, promotion("p2", commit="abc2" + "f" * 36, pull_request=3, application_id="other-app"))
    clock.pass_(1)
    await add(store, promotion("p3", commit="abd0" + "0" * 36, repository_id=43, environment_id="other-env"))
    assert await streams(store) == ["p3", "p2", "p1"]
    assert await streams(store, limit=1) == ["p3"]
    assert await streams(store, application_id=APP) == ["p3", "p1"]
    assert await streams(store, environment_id=ENV) == ["p2", "p1"]
    assert await streams(store, repository_id=43) == ["p3"]
    assert await streams(store, pull_request=3) == ["p2"]
    assert await streams(store, verified=True) == ["p1"]
    assert await streams(store, verified=False) == ["p3", "p2"]
    assert await streams(store, environment_id=ENV, verified=False, repository_id=42) == ["p2"]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("abc", ["p2", "p1"]),
        ("ABC", ["p2", "p1"]),
        ("abc2", ["p2"]),
        ("abc2" + "f" * 36, ["p2"]),
        ("abe", []),
        ("%", []),
        ("' OR 1=1 --", []),
    ],
)
async def test_a_commit_is_found_by_its_beginning(store: Store, prefix: str, found: list[str]) -> None:
    await add(store, promotion("p1", commit="abc1" + "0" * 36), promotion("p2", commit="abc2" + "f" * 36))
    assert await streams(store, commit_prefix=prefix) == found


def request() -> Request:
    release = Release(
        application_id=APP,
        repository_id=42,
        commit="a" * 40,
        image="registry.example/shop",
        digest="sha256:" + "d" * 64,
        run_id=1,
    )
    plan = Plan(target=TargetKind.WEB_APP, body={"site": {"b": 1, "a": None}}, hash="h")
    return Request(
        cause="build:1:1",
        rollback=False,
        release=release,
        previous=release,
        previous_plan=plan,
        plan=plan,
        policy_hash="p",
        evidence_hash="e",
        approvals_needed=1,
        excluded=(8,),
        requester=ALICE,
        installation_id=3,
        pull_request=5,
        comment_id=0,
    )


STORIES: dict[str, list[tuple[Kind, dict[str, Any]]]] = {
    "live": [
        (Kind.APPROVED, {"evidence": "e"}),
        (Kind.DEPLOY_STARTED, {"attempt": 1}),
        (Kind.STEP_BEGUN, {"step": "swap", "before": {"main": "x"}}),
        (Kind.STEP_DONE, {"step": "swap", "after": {}}),
        (Kind.DEPLOY_DONE, {"host": "shop.example", "digest": "sha256:d", "evidence": "http"}),
        (Kind.PROBE_PASSED, {"evidence": "http"}),
    ],
    "rolled back": [
        (Kind.APPROVED, {"evidence": "e"}),
        (Kind.DEPLOY_STARTED, {"attempt": 1}),
        (Kind.DEPLOY_FAILED, {"code": "azure_refused", "sentence": "No.", "hint": "", "step": "swap"}),
        (Kind.ROLLBACK_STARTED, {"attempt": 1}),
        (Kind.ROLLBACK_DONE, {"running": "p0", "how": "swap"}),
        (Kind.HOLD_CLEARED, {"reason": "mended", "login": "alice"}),
    ],
    "rejected": [(Kind.REJECTED, {"reason": "not today"})],
}


@pytest.mark.parametrize("story", STORIES)
async def test_promotions_rebuilt_from_the_journal_are_the_ones_that_stand_there(
    store: Store, clock: Clock, story: str
) -> None:
    rows: list[Row] = []
    for kind, body in [(Kind.REQUESTED, request_as_body(request())), *STORIES[story]]:
        clock.pass_(1)
        rows.append(as_row(len(rows) + 1, kind, body, clock.now_us))
        new = NewRow(kind=kind, actor=ALICE, application_id=APP, environment_id=ENV, body=body)
        # The verb sums up before the store writes, and names the time by which it did.
        unit = append("p1", len(rows), new, promotion=project(fold(rows)))
        await store.append([replace(unit, at_us=clock.now_us)])
        stored = await store.stream("p1")
        assert await store.promotion("p1") == project(fold(stored))


def as_row(seq: int, kind: str, body: dict[str, Any], at_us: int) -> Row:
    return Row(
        position=0,
        stream="p1",
        seq=seq,
        kind=kind,
        v=1,
        at_us=at_us,
        actor_kind=ActorKind.PERSON,
        actor_id=7,
        application_id=APP,
        environment_id=ENV,
        epoch=0,
        body=body,
        prev="",
        hash="",
    )
