"""A unit of work is written whole or not at all, and what refuses it is an answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.context import Store
from bot.domain.model import (
    Actor,
    ActorKind,
    Append,
    Conflict,
    Drift,
    EnvironmentState,
    Hold,
    Lock,
    NewRow,
    Operation,
    Untrusted,
    Written,
)
from tests.store.builders import ALICE, APP, ENV, SECOND, Clock, append, claim, fence, promotion, row
from tests.store.conftest import OpenStore


async def written(store: Store, *appends: Append) -> Written:
    answer = await store.append(appends)
    assert isinstance(answer, Written)
    return answer


async def test_rows_come_back_as_they_were_written(store: Store, clock: Clock) -> None:
    answer = await written(store, append("p1", 1, row("a", n=1), row("b", text="å\U0001f35c")))
    assert answer == Written(epochs={}, heads={"p1": 2})
    first, second = await store.stream("p1")
    assert (first.seq, first.kind, first.body, first.at_us) == (1, "a", {"n": 1}, clock.now_us)
    assert (first.actor_kind, first.actor_id, first.application_id, first.environment_id) == ("person", 7, APP, ENV)
    assert second.body == {"text": "å\U0001f35c"}
    assert (first.prev, second.prev) == ("", first.hash)
    assert len({first.hash, second.hash, ""}) == 3


async def test_the_body_has_one_spelling_whatever_the_order_of_its_keys(store: Store, clock: Clock) -> None:
    for stream, body in (("p1", {"b": [1, 2.5], "a": {"y": None, "x": True}}), ("p2", {"a": {"x": True, "y": None}})):
        await written(store, append(stream, 1, NewRow(kind="k", actor=ALICE, body=body)))
    (one,) = await store.stream("p1")
    assert list(one.body) == ["a", "b"]
    assert list(one.body["a"]) == ["x", "y"]


async def test_what_no_engine_can_keep_as_text_is_removed(store: Store) -> None:
    await written(store, append("p1", 1, row("k", nul="a\0b", half="x\ud83dy", pair="\ud83c\udf5c", slash="\\u0000")))
    (kept,) = await store.stream("p1")
    assert kept.body == {"nul": "ab", "half": "x\ufffdy", "pair": "\U0001f35c", "slash": "\\u0000"}
    assert await store.verify() == []


@pytest.mark.parametrize("body", [{"n": float("nan")}, {"n": float("inf")}])
async def test_what_json_cannot_say_is_the_callers_fault_and_writes_nothing(
    store: Store, body: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        await store.append([append("p1", 1, NewRow(kind="k", actor=ALICE, body=body))])
    assert await store.stream("p1") == []


@pytest.mark.parametrize("seq", [1, 3])
async def test_conflict_seq_when_it_is_not_the_next_one(store: Store, seq: int) -> None:
    await written(store, append("p1", 1))
    assert await store.append([append("p1", seq)]) is Conflict.SEQ
    assert len(await store.stream("p1")) == 1


async def test_the_loser_of_a_seq_reads_again_and_then_gets_it(open_store: OpenStore) -> None:
    stores = [await open_store(), await open_store()]
    answers = await asyncio.gather(*(each.append([append("p1", 1)]) for each in stores * 5))
    assert [answer for answer in answers if answer is not Conflict.SEQ] == [Written(epochs={}, heads={"p1": 1})]
    await written(stores[1], append("p1", 2))


async def test_conflict_lease_while_somebody_else_holds_it(store: Store, clock: Clock) -> None:
    assert (await written(store, append("p1", 1, claim=claim("w1")))).epochs == {"p1": 1}
    assert await store.append([append("p2", 1, claim=claim("w2"))]) is Conflict.LEASE
    assert await store.append([append("p2", 1, claim=claim("w1"))]) is Conflict.LEASE
    assert await store.append([append("p1", 2, claim=claim("w2"))]) is Conflict.LEASE
    clock.pass_(10)
    assert (await written(store, append("p2", 1, claim=claim("w2")))).epochs == {"p2": 2}


async def test_the_same_holder_may_take_its_streams_lease_again_under_a_new_epoch(store: Store) -> None:
    await written(store, append("p1", 1, claim=claim("w1")))
    assert (await written(store, append("p1", 2, claim=claim("w1")))).epochs == {"p1": 2}
    assert await store.append([append("p1", 3, fence=fence(1))]) is Conflict.FENCE


async def test_of_many_claims_at_once_one_wins(open_store: OpenStore) -> None:
    stores = [await open_store(), await open_store()]
    answers = await asyncio.gather(
        *(each.append([append(f"p{at}", 1, claim=claim(f"w{at}"))]) for at, each in enumerate(stores * 4))
    )
    assert [type(answer) for answer in answers].count(Written) == 1
    assert answers.count(Conflict.LEASE) == 7


async def test_conflict_fence_for_a_stale_epoch(store: Store, clock: Clock) -> None:
    await written(store, append("p1", 1, claim=claim("w1")))
    clock.pass_(11)
    await written(store, append("p2", 1, claim=claim("w2")))
    assert await store.append([append("p1", 2, fence=fence(1))]) is Conflict.FENCE
    await written(store, append("p2", 2, fence=fence(2)))


async def test_conflict_fence_when_the_lease_ran_out_though_nobody_took_it(store: Store, clock: Clock) -> None:
    await written(store, append("p1", 1, claim=claim(seconds=10)))
    clock.pass_(9.999999)
    await written(store, append("p1", 2, fence=fence(1)))
    clock.pass_(0.000001)
    assert await store.append([append("p1", 3, fence=fence(1))]) is Conflict.FENCE


async def test_conflict_fence_for_a_lease_that_never_was(store: Store) -> None:
    assert await store.append([append("p1", 1, fence=fence(1))]) is Conflict.FENCE


async def test_rows_carry_the_epoch_of_their_claim_or_fence(store: Store) -> None:
    await written(store, append("p1", 1, row("a"), row("b"), claim=claim()))
    await written(store, append("p1", 3, row("c"), fence=fence(1)))
    await written(store, append("p1", 4, NewRow(kind="d", actor=ALICE, epoch=5)))
    assert [kept.epoch for kept in await store.stream("p1")] == [1, 1, 1, 5]
    assert await store.verify() == []


async def test_a_lease_given_back_is_free_at_once_and_its_epoch_still_rises(store: Store) -> None:
    await written(store, append("p1", 1, claim=claim("w1")))
    await written(store, append("p1", 2, fence=fence(1), free=True))
    assert await store.leases() == {}
    assert await store.append([append("p1", 3, fence=fence(1))]) is Conflict.FENCE
    assert (await written(store, append("p2", 1, claim=claim("w2")))).epochs == {"p2": 2}


async def test_conflict_environment_unless_the_version_is_the_next_one(store: Store) -> None:
    state = EnvironmentState(
        environment_id=ENV, version=1, running="p1", held=(Hold(commit="c", digest="d", stream="p0", since_us=3),)
    )
    assert await store.append([append(environment=replace(state, version=2))]) is Conflict.ENVIRONMENT
    await written(store, append(environment=state))
    assert await store.environment_state(ENV) == state
    for version in (1, 3):
        stale = replace(state, version=version, running="wrong")
        assert await store.append([append(seq=2, environment=stale)]) is Conflict.ENVIRONMENT
    assert await store.environment_state(ENV) == state
    await written(store, append(seq=2, environment=replace(state, version=2, held=())))
    assert (await store.environment_state(ENV)).version == 2


async def test_a_lock_and_what_was_found_come_back_as_they_were_written_and_go_again(store: Store) -> None:
    owner = Actor(kind=ActorKind.PERSON, id=7, login="alice")
    lock = Lock(owner=owner, reason=Untrusted('fair\0 "now"'), since_us=1, until_us=9)
    drift = Drift(expected="sha256:a", found="", since_us=2)
    await written(store, append(environment=EnvironmentState(environment_id=ENV, version=1, lock=lock, drift=drift)))
    kept = await store.environment_state(ENV)
    assert kept.lock is not None
    assert kept.lock == replace(lock, reason=Untrusted('fair "now"'))
    assert kept.lock.owner.login == "alice"
    assert kept.drift == drift
    await written(store, append(seq=2, environment=EnvironmentState(environment_id=ENV, version=2)))
    assert await store.environment_state(ENV) == EnvironmentState(environment_id=ENV, version=2)


async def test_the_newest_row_of_a_kind_is_found_in_its_own_stream(store: Store) -> None:
    await written(store, append("p1", 1, row("drift.seen", n=1), row("drift.seen", n=2), row("environment.locked")))
    await written(store, append("p2", 1, row("drift.seen", n=3)))
    found = await store.newest("p1", "drift.seen")
    assert found is not None
    assert (found.seq, found.body) == (2, {"n": 2})
    assert await store.newest("p1", "drift.ended") is None
    assert await store.newest("p3", "drift.seen") is None


async def test_an_environment_that_was_never_written_has_version_0(store: Store) -> None:
    assert await store.environment_state(ENV) == EnvironmentState(environment_id=ENV)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (append("p2", 5), Conflict.SEQ),
        (append("p2", 1, claim=claim("thief", resource="app/other")), Conflict.LEASE),
        (append("p2", 1, fence=fence(9)), Conflict.FENCE),
        (append("p2", 1, environment=EnvironmentState(environment_id=ENV, version=7)), Conflict.ENVIRONMENT),
    ],
)
async def test_a_conflict_leaves_nothing_of_the_whole_unit(store: Store, refused: Append, why: Conflict) -> None:
    await written(store, append("p0", 1, claim=claim("owner")))
    await written(store, append("p9", 1, claim=claim("owner", resource="app/other")))
    await store.save_operation(Operation(stream="p0", step="swap", epoch=1, continuation="token", started_us=1))
    fitting = append(
        "p0",
        2,
        promotion=promotion("p0", 2),
        environment=EnvironmentState(environment_id="other", version=1),
        fence=fence(1),
        free=True,
        forget=("swap",),
    )
    before = await store.leases()
    # Alone in its group or among neighbours, the unit is undone and the neighbours stay.
    answer, neighbour = await asyncio.gather(store.append([fitting, refused]), store.append([append("n", 1)]))
    assert answer is why
    assert isinstance(neighbour, Written)
    assert len(await store.stream("p0")) == 1
    assert await store.promotion("p0") is None
    assert (await store.environment_state("other")).version == 0
    assert await store.leases() == before
    assert await store.operation("p0", "swap") is not None
    assert await store.verify() == []


async def test_several_streams_and_several_appends_to_one_are_one_unit(store: Store) -> None:
    answer = await written(store, append("p1", 1), append("p2", 1, claim=claim()), append("p1", 2))
    assert answer == Written(epochs={"p2": 1}, heads={"p1": 2, "p2": 1})


@pytest.mark.parametrize(
    "wrong",
    [
        Append(stream="p1", seq=1, rows=()),
        append("p1", 1, promotion=promotion("p1", 2)),
        append("p1", 1, promotion=promotion("other", 1)),
        append("p1", 1, free=True),
    ],
)
async def test_an_append_that_contradicts_itself_is_a_fault_of_its_caller(store: Store, wrong: Append) -> None:
    with pytest.raises(ValueError, match="p1"):
        await store.append([wrong])


async def test_a_fault_in_one_unit_leaves_its_neighbours_alone(store: Store) -> None:
    huge = append("p1", 1, NewRow(kind="k", actor=ALICE, epoch=2**70))
    answers = await asyncio.gather(
        store.append([append("p0", 1)]), store.append([huge]), store.append([append("p2", 1)]), return_exceptions=True
    )
    assert isinstance(answers[1], OverflowError)
    assert isinstance(answers[0], Written)
    assert isinstance(answers[2], Written)
    assert await store.stream("p1") == []


async def test_the_ledger_is_read_page_by_page_and_by_what_it_tells(store: Store) -> None:
    for at in range(1, 7):
        kind, where = ("a", ENV) if at % 2 else ("b", "elsewhere")
        await written(store, append("p1", at, row(kind, environment_id=where, at=at)))
    seen: list[int] = []
    after = 0
    while page := await store.ledger(after=after, limit=4):
        seen += [kept.seq for kept in page]
        after = page[-1].position
    assert seen == [1, 2, 3, 4, 5, 6]
    assert [kept.seq for kept in await store.ledger(kinds=["a"])] == [1, 3, 5]
    assert [kept.seq for kept in await store.ledger(kinds=["a", "b"], limit=2)] == [1, 2]
    assert [kept.seq for kept in await store.ledger(environment_id="elsewhere")] == [2, 4, 6]
    assert await store.ledger(kinds=["a"], environment_id="elsewhere") == []


async def test_rows_may_bring_their_time_and_leases_never_do(store: Store, clock: Clock) -> None:
    await written(store, replace(append("p1", 1, claim=claim(seconds=10)), at_us=5))
    assert [kept.at_us for kept in await store.stream("p1")] == [5]
    assert (await store.leases())["app/env"][3] == clock.now_us + 10 * SECOND
    assert await store.verify() == []


async def test_rule_15_what_an_account_did_lately_is_counted(store: Store, clock: Clock) -> None:
    began = clock.now_us
    for at in range(1, 4):
        await written(store, append("p1", at, row("a"), row("b")) if at == 1 else append("p1", at + 1, row("a")))
        clock.pass_(1)
    assert await store.count("a", began, actor_id=ALICE.id) == 3
    assert await store.count("a", began + SECOND, actor_id=ALICE.id) == 2
    assert await store.count("b", 0, actor_id=ALICE.id) == 1
    assert await store.count("a", 0, actor_id=ALICE.id + 1) == 0
