"""The three loops over a real store: what is taken, tried again, put off and parked; time is turned by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from gidgethub.routing import Router
from gidgethub.sansio import Event

from bot.context import Azure, GitHub, Images, Miso, Oidc, Probe
from bot.domain.codes import Code
from bot.domain.events import WorkflowRunEvent
from bot.domain.messages import refusal
from bot.domain.model import Delivery, DeliveryState, NewDelivery, Status, Surface, Written
from bot.domain.rules import Rules
from bot.errors import Transient
from bot.store.sqlite import SqliteStore
from bot.worker import PATIENCE, Worker
from tests.store.builders import Clock, append, promotion

GUID = "11111111-2222-4333-8444-555555555555"
Door = Callable[[Event, Miso], Awaitable[None]]


class Time:
    """The store's clock as the hall's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_us(self) -> int:
        return self._clock()

    async def sleep(self, seconds: float) -> None:
        self._clock.pass_(seconds)


@dataclass
class Desk:
    """One worker whose doors the test gives."""

    store: SqliteStore
    clock: Clock
    doors: Router = field(default_factory=Router)
    opened: list[str] = field(default_factory=list)

    def worker(self, holder: str = "here", **rules: Any) -> Worker:
        nothing: Any = None
        miso = Miso(
            rules=replace(Rules(controller="miso", app_id=4242), **rules),
            store=self.store,
            github=cast(GitHub, nothing),
            azure=cast(Azure, nothing),
            images=cast(Images, nothing),
            probe=cast(Probe, nothing),
            oidc=cast(Oidc, nothing),
            clock=Time(self.clock),
        )
        return Worker(miso, self.doors, lambda data, event, guid: Event(data, event=event, delivery_id=guid), holder)

    def door(self, event: str, then: Callable[[Event], Awaitable[None]] | None = None, **match: Any) -> None:
        @self.doors.register(event, **match)
        async def opened(event: Event, miso: Miso) -> None:
            self.opened.append(str(event.delivery_id))
            if then is not None:
                await then(event)

    async def came(
        self, body: bytes | dict[str, Any], event: str = "star", *, guid: str = GUID, target: str = ""
    ) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.store.receive(
            NewDelivery(guid=guid, event=event, body=raw, received_us=self.clock(), hook_target_id=target)
        )

    async def kept(self, guid: str = GUID) -> Delivery:
        found = await self.store.delivery(guid)
        assert found is not None
        return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = Clock()
    store = await SqliteStore.open(tmp_path / "miso.sqlite", clock_us=clock)
    yield Desk(store=store, clock=clock)
    await store.close()


# --- what a delivery may not be ---

PARKED: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{oops", "body_not_json"),
    "not UTF-8": (b'{"a":"\xff\xfe"}', "body_not_json"),
    "cut short": (b'{"action":"comple', "body_not_json"),
    "a number that is an attack": (b'{"a":' + b"9" * 5000 + b"}", "body_not_json"),
    "deep objects": (b'{"a":' * 40 + b"1" + b"}" * 40, "body_too_deep"),
    "deep lists": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body_too_deep"),
    "the same key twice": (b'{"action":"created","action":"deleted"}', "body_duplicate_keys"),
    "the same key twice, inside": (b'{"comment":{"id":1,"id":2}}', "body_duplicate_keys"),
}


@pytest.mark.parametrize("what", PARKED)
async def test_rule_23_what_cannot_be_read_is_parked_with_its_code(desk: Desk, what: str) -> None:
    body, code = PARKED[what]
    desk.door("star")
    await desk.came(body)
    await desk.worker().settle()
    kept = await desk.kept()
    assert (kept.state, kept.code, kept.body) == (DeliveryState.PARKED, code, body)
    assert desk.opened == []
    listed = await desk.store.deliveries(state=DeliveryState.PARKED, limit=10)
    assert [each.guid for each in listed] == [GUID]


async def test_brackets_in_text_are_not_depth(desk: Desk) -> None:
    await desk.came({"comment": {"body": "[" * 500 + '"' + "{" * 500 + "\\"}})
    await desk.worker().settle()
    assert (await desk.kept()).state is DeliveryState.DONE


async def test_rule_21_a_body_without_the_shape_of_its_event_is_parked_and_says_where(desk: Desk) -> None:
    async def read(event: Event) -> None:
        WorkflowRunEvent.model_validate(event.data)

    desk.door("workflow_run", read)
    await desk.came({"action": "completed", "workflow_run": {"id": "7"}}, "workflow_run")
    await desk.worker().settle()
    kept = await desk.kept()
    assert (kept.state, kept.code) == (DeliveryState.PARKED, "event_shape")
    assert "workflow_run.id" in kept.note
    assert "repository" in kept.note


async def test_rule_23_a_delivery_for_another_app_is_parked(desk: Desk) -> None:
    desk.door("star")
    await desk.came({}, target="4243")
    await desk.worker().settle()
    kept = await desk.kept()
    assert (kept.state, kept.code) == (DeliveryState.PARKED, "app_mismatch")
    assert desk.opened == []


@pytest.mark.parametrize("action", ["created", "surprise", 7, None, ["created"], {"created": 1}])
async def test_what_no_door_waits_for_is_done(desk: Desk, action: Any) -> None:
    desk.door("issue_comment", action="deleted")
    await desk.came({"action": action}, "issue_comment")
    await desk.came({"action": action}, "novelty", guid=GUID.replace("1", "2"))
    await desk.worker().settle()
    assert (await desk.kept()).state is DeliveryState.DONE
    assert (await desk.kept(GUID.replace("1", "2"))).state is DeliveryState.DONE
    assert desk.opened == []


# --- trying again ---


async def later(desk: Desk, worker: Worker, seconds: float = 400) -> None:
    desk.clock.pass_(seconds)
    await worker.settle()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (KeyError("a secret value"), "handler_failed"),
        (Transient(Code.GITHUB_UNAVAILABLE, "GitHub answered 502"), "github_unavailable"),
    ],
)
async def test_a_door_that_fails_is_tried_a_bounded_number_of_times_then_parked(
    desk: Desk, fault: Exception, code: str
) -> None:
    async def fail(event: Event) -> None:
        raise fault

    desk.door("star", fail)
    await desk.came({})
    worker = desk.worker(delivery_attempts=4)
    await worker.settle()
    assert (await desk.kept()).state is DeliveryState.WAITING
    for _ in range(10):
        await later(desk, worker)
    kept = await desk.kept()
    assert (kept.state, kept.code, kept.attempts) == (DeliveryState.PARKED, code, 4)
    assert len(desk.opened) == 4
    assert "secret" not in kept.note


async def test_a_refusal_is_parked_at_once(desk: Desk) -> None:
    async def refuse(event: Event) -> None:
        raise refusal(Code.INSTALLATION_MISMATCH)

    desk.door("star", refuse)
    await desk.came({})
    await desk.worker().settle()
    assert ((await desk.kept()).code, len(desk.opened)) == ("installation_mismatch", 1)


async def test_a_door_that_succeeds_at_last_ends_the_delivery(desk: Desk) -> None:
    async def twice(event: Event) -> None:
        if len(desk.opened) < 3:
            raise Transient(Code.GITHUB_THROTTLED, "later", retry_after=3000)

    desk.door("star", twice)
    await desk.came({})
    worker = desk.worker()
    await worker.settle()
    await later(desk, worker, 2999)
    assert len(desk.opened) == 1  # GitHub said when
    await later(desk, worker, 2)
    await later(desk, worker, 3001)
    assert ((await desk.kept()).state, len(desk.opened)) == (DeliveryState.DONE, 3)


async def test_one_delivery_that_fails_holds_up_no_other(desk: Desk) -> None:
    async def fail(event: Event) -> None:
        if event.delivery_id == GUID:
            raise RuntimeError

    desk.door("star", fail)
    await desk.came({})
    for at in range(40):
        await desk.came({"at": at}, guid=f"{at:08x}-0000-4000-8000-000000000000")
    await desk.worker().settle()
    assert len(await desk.store.deliveries(state=DeliveryState.DONE, limit=100)) == 40


async def test_what_a_dead_process_had_taken_is_taken_up_after_its_lease(desk: Desk) -> None:
    await desk.came({})
    desk.door("star")
    assert await desk.store.take_deliveries("dead", 10, int(10e6))
    worker = desk.worker(lease_ttl=10.0)
    await worker.settle()
    assert desk.opened == []
    await later(desk, worker, 11)
    assert desk.opened == [GUID]


async def test_a_door_that_takes_long_is_not_opened_twice(desk: Desk) -> None:
    """What is under way here is taken again by us when its time is over, which only prolongs it."""
    open_ = asyncio.Event()

    async def wait(event: Event) -> None:
        await open_.wait()

    desk.door("star", wait)
    await desk.came({})
    worker = desk.worker(lease_ttl=10.0)
    assert await worker.drain() == 1
    await asyncio.sleep(0)
    desk.clock.pass_(60)
    assert await worker.drain() == 0
    other = desk.worker("elsewhere")
    await other.settle()
    assert desk.opened == [GUID]
    open_.set()
    await worker.settle()
    assert (await desk.kept()).state is DeliveryState.DONE


# --- the other loops ---


async def test_a_report_that_meets_a_fault_of_ours_is_put_off_and_logged(desk: Desk) -> None:
    """A stream that cannot be shown (here: GitHub's window is not there) does not spin, and stops no other."""
    rows = json.loads('{"installation":1,"repository":1,"comment":1,"pull_request":1,"login":"ann","verb":"help"}')
    row = append("command-1").rows[0]
    broken = replace(append("command-1"), rows=(replace(row, kind="command.seen", body=rows),), show=True)
    await desk.store.append([broken])
    await desk.store.append([replace(append("something-else"), show=True)])
    worker = desk.worker()
    await worker.settle()
    assert await desk.store.unreported(10) == []
    desk.clock.pass_(400)
    assert await desk.store.unreported(10) == [("command-1", 1)]


async def test_the_loops_end_when_they_are_cancelled_and_leave_the_work_in_the_store(desk: Desk) -> None:
    started = asyncio.Event()

    async def never(event: Event) -> None:
        started.set()
        await asyncio.Event().wait()

    desk.door("star", never)
    await desk.came({})
    running = asyncio.create_task(desk.worker().run())
    await asyncio.wait_for(started.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await desk.kept()).state is DeliveryState.WAITING


async def shown(desk: Desk, stream: str, seq: int, status: Status) -> None:
    """One more row of a promotion that GitHub shows already."""
    summed = promotion(stream, seq, status=status, is_open=status is not Status.LIVE)
    written = await desk.store.append([replace(append(stream, seq, promotion=summed), show=True)])
    assert isinstance(written, Written)
    await desk.store.save_surface(Surface(stream=stream, surface="deployment", remote_id=1, shown_seq=0, body_hash=""))


async def test_a_state_that_passes_at_once_is_not_worth_a_write(desk: Desk) -> None:
    worker = desk.worker()
    await shown(desk, "promotion-1", 1, Status.DEPLOYING)
    assert await worker.report(patience=PATIENCE) == 0
    desk.clock.pass_(PATIENCE / 2)
    await shown(desk, "promotion-1", 2, Status.DEPLOYED)
    assert await worker.report(patience=PATIENCE) == 0
    desk.clock.pass_(PATIENCE / 2)
    assert await worker.report(patience=PATIENCE) == 1, "what goes on changing is shown as well, once it is time"


@pytest.mark.parametrize("status", [Status.REQUESTED, Status.UNHEALTHY, Status.ROLLING_BACK, Status.LIVE])
async def test_what_people_wait_for_is_shown_at_once(desk: Desk, status: Status) -> None:
    await shown(desk, "promotion-1", 1, status)
    assert await desk.worker().report(patience=PATIENCE) == 1


async def test_the_first_state_is_shown_at_once_whatever_it_is(desk: Desk) -> None:
    summed = promotion("promotion-1", 1, status=Status.DEPLOYING)
    await desk.store.append([replace(append("promotion-1", 1, promotion=summed), show=True)])
    assert await desk.worker().report(patience=PATIENCE) == 1
