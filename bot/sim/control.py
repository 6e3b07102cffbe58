"""The remote control of a pretend world: `POST /_sim/<verb>` with JSON, for the demo and for tests of other processes.

Verbs of the pretend GitHub stand under their own name, the others' as `arm.mark`, `entra.federate`, `vault.allow`,
`registry.push`. Loopback only; it never exists outside the pretend world.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic_core import to_jsonable_python

from bot.sim.github.problems import Misused, Problem
from bot.sim.github.scenario.ground import Ground
from bot.sim.wire import Exchange, Fault

if TYPE_CHECKING:
    from bot.sim.world import World

Verb = Callable[..., Any]


class Wires:
    """Verbs about what goes over the wire: webhooks, faults, and what was exchanged."""

    def __init__(self, world: World) -> None:
        self._world = world

    def deliver_to(self, url: str | None) -> None:
        """Point the App's hook there; None: nowhere."""
        self._world.webhooks.url = url

    def hold(self) -> None:
        self._world.webhooks.hold()

    def release(self, *, order: str = "fifo", seed: int = 0, copies: int = 1) -> int:
        if order not in ("fifo", "lifo", "shuffle"):
            raise Misused("order is fifo, lifo or shuffle")
        return self._world.webhooks.release(order=order, seed=seed, copies=copies)  # type: ignore[arg-type]  # checked above

    def drop_next(self, *, count: int = 1, event: str | None = None) -> None:
        self._world.webhooks.trouble("drop", count=count, event=event)

    def duplicate_next(self, *, count: int = 1, event: str | None = None) -> None:
        self._world.webhooks.trouble("duplicate", count=count, event=event)

    def redeliver(self, delivery_id: int) -> None:
        self._world.webhooks.redeliver(delivery_id)

    def deliveries(self) -> list[dict[str, Any]]:
        """The delivery log, oldest first."""
        keys = ("id", "guid", "event", "action", "status", "status_code", "redelivery", "delivered_at")
        return [{key: getattr(entry, key) for key in keys} for entry in self._world.webhooks.log]

    async def delivered(self) -> None:
        await self._world.delivered()

    def add_fault(
        self,
        route: str,
        kind: str,
        *,
        status: int = 500,
        headers: dict[str, str] | None = None,
        body: Any = None,
        seconds: float = 0.0,
        times: int | None = 1,
        skip: int = 0,
    ) -> None:
        """A fault by the fields of `bot.sim.wire.Fault`."""
        self._world.wire.faults.append(
            Fault(route, kind, status, headers or {}, body, seconds, times, skip)  # type: ignore[arg-type]  # an unknown kind never strikes
        )

    def clear_faults(self) -> None:
        self._world.wire.faults.clear()

    def exchanges(
        self, *, server: str | None = None, method: str | None = None, path: str | None = None
    ) -> list[dict[str, Any]]:
        """What was exchanged, oldest first, bodies as JSON where they are. `path` is a regular expression."""
        return [
            _exchange(entry)
            for entry in self._world.wire.exchanges
            if server in (None, entry.server)
            and method in (None, entry.method)
            and (path is None or re.search(path, entry.path))
        ]

    def clear_exchanges(self) -> None:
        self._world.wire.exchanges.clear()

    def violations(self) -> list[str]:
        """What the contract observers found wrong."""
        return list(self._world.wire.violations)

    def addresses(self) -> dict[str, Any]:
        return dict(to_jsonable_python(self._world.addresses))


def _exchange(entry: Exchange) -> dict[str, Any]:
    return {
        "server": entry.server,
        "method": entry.method,
        "path": entry.path,
        "query": entry.query,
        "status": entry.status,
        "request": _readable(entry.request_body),
        "response": _readable(entry.response_body),
    }


def _readable(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def _verbs(world: World) -> dict[str, Verb]:
    """Every verb by name: public methods of the pretend GitHub, Actions and wires, and of Azure under a prefix."""
    table: dict[str, Verb] = {}
    rooms: tuple[tuple[str, object], ...] = (
        ("", world.github),
        ("", world.actions),
        ("", world.wires),
        ("arm.", world.arm),
        ("entra.", world.entra),
        ("registry.", world.registry),
        ("devops.", world.devops),
        ("gitlab.", world.gitlab),
        ("provider.", world.provider),
        ("identity.", world.identity),
        ("vault.", world.vault),
    )
    for prefix, room in rooms:
        for name, method in inspect.getmembers(room, callable):
            hidden = name.startswith("_") or name == "app" or (isinstance(room, Ground) and name in dir(Ground))
            if not hidden:
                table[prefix + name] = method
    return table


def control(world: World) -> web.Application:
    table = _verbs(world)

    async def act(request: web.Request) -> web.Response:
        verb = table.get(request.match_info["verb"])
        if verb is None:
            return web.json_response({"error": f"no verb {request.match_info['verb']}"}, status=404)
        try:
            asked = await request.json() if request.can_read_body else {}
            inspect.signature(verb).bind(**asked)
            result = verb(**asked)
            if inspect.isawaitable(result):
                result = await result
        except (Misused, Problem, LookupError, TypeError, ValueError) as fault:
            return web.json_response({"error": str(fault) or type(fault).__name__}, status=400)
        return web.json_response(to_jsonable_python(result, fallback=str))

    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/_sim/{verb}", act)
    return app
