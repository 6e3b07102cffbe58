"""Long-running operations of the pretend ARM: begun by a request, moved on by looking, ended well, badly or never."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from bot.sim.wire import Wire

Finish = Callable[[], Awaitable[tuple[str, str] | None]]
"""Does what the operation is for. None when it went well, else (code, message) of the failure."""


@dataclass
class Failure:
    """The operation begun by the next request that matches ends Failed."""

    route: str
    code: str
    message: str
    times: int


@dataclass
class Operation:
    """One operation. `resource` is the lower-case id that it changes; only one at a time may run on it."""

    id: str
    resource: str
    name: str
    started: str
    left: int
    stuck: bool
    failure: tuple[str, str] | None
    finish: Finish
    abort: Callable[[str, str], None]
    status: str = "InProgress"
    events: Callable[[], list[dict[str, Any]]] = list

    @property
    def running(self) -> bool:
        return self.status == "InProgress"


class Operations:
    """All operations of one pretend cloud."""

    def __init__(self, wire: Wire, *, now: Callable[[], str]) -> None:
        self.polls = 1
        self.failures: list[Failure] = []
        self._wire = wire
        self._now = now
        self._all: dict[str, Operation] = {}

    def begin(
        self,
        resource: str,
        name: str,
        *,
        request: str,
        finish: Finish,
        abort: Callable[[str, str], None] = lambda code, message: None,
        events: Callable[[], list[dict[str, Any]]] = list,
    ) -> Operation:
        """Start one. `request` is "arm METHOD path": what faults are matched against."""
        failure = next((f for f in self.failures if f.times > 0 and re.search(f.route, request)), None)
        if failure:
            failure.times -= 1
        operation = Operation(
            id=str(uuid4()),
            resource=resource.lower(),
            name=name,
            started=self._now(),
            left=self.polls,
            stuck=self._wire.active("stuck", request),
            failure=(failure.code, failure.message) if failure else None,
            finish=finish,
            abort=abort,
            events=events,
        )
        self._all[operation.id] = operation
        return operation

    def will_stick(self, request: str) -> bool:
        """Whether a fault waits for this request, without counting a strike."""
        return any(
            f.kind == "stuck" and re.search(f.route, request) and (f.times is None or f.struck < f.times)
            for f in self._wire.faults
        )

    def get(self, operation_id: str) -> Operation | None:
        return self._all.get(operation_id)

    def on(self, resource: str) -> Operation | None:
        """The operation that is under way on a resource."""
        return next((o for o in self._all.values() if o.resource == resource.lower() and o.running), None)

    async def look(self, operation: Operation) -> Operation:
        """Looking is what moves time on here."""
        if not operation.running or operation.stuck:
            return operation
        if operation.left > 0:
            operation.left -= 1
            return operation
        fault = operation.failure or await operation.finish()
        if fault:
            operation.failure = fault
            operation.status = "Failed"
            operation.abort(*fault)
        else:
            operation.status = "Succeeded"
        return operation

    async def look_at(self, resource: str) -> None:
        operation = self.on(resource)
        if operation:
            await self.look(operation)

    def unstick(self) -> None:
        for operation in self._all.values():
            operation.stuck = False
