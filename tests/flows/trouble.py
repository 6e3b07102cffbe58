"""Words for stories in which something goes wrong: what GitHub shows of it in the end, and waiting it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.domain.model import Status
from tests.flows.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The newest promotion of an environment, as check run, deployment and comment tell of it."""

    status: Status
    code: str
    check: dict[str, Any]
    deployment: str
    """Last state of the newest deployment; "" when there is none."""
    comment: str


async def shown(stage: Stage, where: str, *, on: int) -> Shown:
    state = await stage.state()
    promotion = await stage.latest(where)
    check = next(c for c in state["checks"] if c["external_id"] == promotion.stream)
    deployments = [d for d in state["deployments"] if d["environment"] == where]
    [sticky] = [c["body"] for c in await stage.comments(on) if c["via_app"] and "miso:reply" not in c["body"]]
    return Shown(
        status=promotion.status,
        code=promotion.code,
        check=check,
        deployment=deployments[-1]["statuses"][-1]["state"] if deployments else "",
        comment=sticky,
    )


async def failed_with(stage: Stage, where: str, code: str, *, on: int, status: Status) -> None:
    """One truthful state: check run, deployment and comment all say that it failed, and why."""
    seen = await shown(stage, where, on=on)
    assert (seen.status, seen.code) == (status, code), await stage.story(where)
    assert (seen.check["status"], seen.check["conclusion"]) == ("completed", "failure")
    assert code in f"{seen.check['title']} {seen.check['summary']} {seen.check['text']}"
    assert seen.deployment == ("error" if status is Status.STUCK else "failure")
    assert code in seen.comment


async def waited_out(stage: Stage, *, minutes: int = 10) -> None:
    """Everything that wants to be tried again later has been."""
    for _ in range(minutes):
        stage.clock.pass_(60)
        await stage.settle()


def with_rules(stage: Stage, **changes: Any) -> None:
    """The same controller under other rules. They are frozen for a process, so this is a test's own doing."""
    object.__setattr__(stage.miso, "rules", replace(stage.miso.rules, **changes))


def quick(names: Iterable[Any], *first: Any) -> list[Any]:
    """Parameters of which the ordinary suite takes these, and the full suite all."""
    return [name if name in first else pytest.param(name, marks=pytest.mark.full) for name in names]
