"""Sentences that many stories share: how far a release has come, what was answered, what stands in the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gidgethub.sansio import Event

from bot.domain.model import Row
from bot.domain.model import Stage as Where
from bot.domain.rules import Policy
from bot.sim.scenarios import REPOSITORY
from bot.worker import Worker
from handlers import router
from tests.flows.stage import Stage


async def in_test(stage: Stage, title: str, **how: Any) -> Any:
    """A change that was built, runs in dev and was carried to test."""
    pull = await stage.ships(title, **how)
    told = await stage.says("ann", "/promote test", on=pull["number"])
    assert "It starts in a moment" in told["replies"][0], told["replies"]
    return pull


async def waiting(stage: Stage, title: str, **how: Any) -> Any:
    """The same, and somebody asked for production: it waits for an approval."""
    pull = await in_test(stage, title, **how)
    told = await stage.says("ann", "/promote production", on=pull["number"])
    assert "waits for 1 approval" in told["replies"][0], told["replies"]
    return pull


async def live(stage: Stage, title: str, **how: Any) -> Any:
    """The same, approved by Bob: it runs in production."""
    pull = await waiting(stage, title, **how)
    await stage.says("bob", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]
    stage.clock.pass_(60)
    return pull


async def types(stage: Stage, who: str, text: str, *, on: int) -> int:
    """A comment that has reached the inbox and was not worked on yet. Gives its id."""
    made = await stage.sim.comment(REPOSITORY, on, who, text)
    await stage.world.delivered()
    return int(made["id"])


async def replies(stage: Stage, number: int) -> list[str]:
    """All answers on a pull request, oldest first."""
    return [c["body"] for c in await stage.comments(number) if "miso:reply" in c["body"]]


async def rows(stage: Stage, *kinds: str) -> list[Row]:
    return list(await stage.miso.store.ledger(kinds=kinds, limit=500))


async def written(stage: Stage, path: str = ".") -> list[Any]:
    """What we changed at GitHub so far, tokens apart."""
    sent = [e for e in await stage.sim.exchanges(server="github", path=path) if e["method"] != "GET"]
    return [e for e in sent if "/access_tokens" not in e["path"]]


def taken_over(stage: Stage, **changes: Any) -> None:
    """Another controller with other rules takes over the same journal."""
    miso = replace(stage.miso, rules=replace(stage.miso.rules, **changes))
    worker = Worker(miso, router, lambda data, event, guid: Event(data, event=event, delivery_id=guid), "another")
    stage.running = replace(stage.running, miso=miso, worker=worker)


def stricter(stage: Stage) -> dict[Where, Policy]:
    """The policies with one more hour for an approval: another policy, whatever it says."""
    policies = dict(stage.miso.rules.policies)
    production = policies[Where.PRODUCTION]
    policies[Where.PRODUCTION] = replace(production, approval_hours=production.approval_hours + 1)
    return policies
