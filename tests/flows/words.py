"""Sentences that many stories share: how far a release has come, what was answered, what stands in the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gidgethub.sansio import Event

from bot.domain import policy_story
from bot.domain.model import SYSTEM, Row
from bot.domain.model import Stage as Where
from bot.domain.rules import PolicySet, set_as_body
from bot.services import notes, policies
from bot.services.notes import Note
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


async def cleared(stage: Stage, commit: str, reason: str, *, on: int) -> str:
    """Two operators let a held or rejected release try again. Gives the answer to the second."""
    asked = await stage.says("bob", f"/clear @{commit[:12]} {reason}", on=on)
    assert "clear_needs_second" in asked["replies"][0], asked["replies"]
    told = await stage.says("olga", f"/clear @{commit[:12]} {reason}", on=on)
    return str(told["replies"][0])


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


async def ruled(stage: Stage, where: Where | None = None, **changes: Any) -> None:
    """Another policy counts from now on, as if everybody needed had agreed: in one stage, or in all of them.

    `administrators=…`, `operators=…` and the like change the policy as a whole.
    """
    now = await policies.accepted(stage.miso)
    assert now is not None
    whole = {name: changes.pop(name) for name in list(changes) if name in WHOLE}
    stages = {s: replace(p, **changes) if where in (None, s) else p for s, p in now.policies.stages.items()}
    await in_force(stage, replace(now.policies, stages=stages, **whole))


async def in_force(stage: Stage, wanted: PolicySet) -> None:
    """This policy is the newest accepted one."""
    stream = policies.STREAM
    written = await stage.miso.store.stream(stream)
    body = {
        "version": len(written) + 1,
        "hash": policy_story.hash_of(wanted),
        "document": set_as_body(wanted),
        "difference": [],
        "loosens": [],
        "by": [],
        "origin": "a story",
    }
    assert await notes.write(stage.miso, stream, written, Note.POLICY_ACCEPTED, SYSTEM, body, show=False)


WHOLE = frozenset({"administrators", "operators", "clear_people", "break_glass_minutes", "environments", "roles"})
