"""Whether an environment still runs what Miso put there (security rule 32), and the check run where it does not.

`look` is called by the worker now and then, `show` by the report. It asks Azure once and changes nothing there: what to
do about it is for people. What cannot be observed is unknown, and of the unknown nothing is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.context import Miso
from bot.domain import environment_story
from bot.domain.environment_story import Episode
from bot.domain.messages.drift import drift_check
from bot.domain.model import SYSTEM, Environment, EnvironmentState, Observed, Row, Status
from bot.domain.permissions import REPORT
from bot.domain.promotion import Promotion
from bot.errors import MisoError, Refused, Transient
from bot.services import journal, locks, notes
from bot.services.board import board_of, put_check
from bot.services.notes import Note
from bot.telemetry import logger

log = logger(__name__)

KNOWN = frozenset({Status.LIVE, Status.UNHEALTHY})
"""What a promotion that runs here ended as, so that it is known what Miso put there. After a rollback that failed
nobody knows; what is under way is nobody's to judge."""


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """What should run, and the state of the environment that says so."""

    state: EnvironmentState
    promotion: Promotion

    @property
    def digest(self) -> str:
        return self.promotion.request.release.digest


async def look(miso: Miso, environment: Environment) -> None:
    """Ask Azure once what runs there, and write down where that is not what should, or no longer."""
    before = await _expected(miso, environment)
    if before is None:
        return
    found = await _found(miso, environment)
    after = await _expected(miso, environment)
    if found is None or after is None or after.promotion.stream != before.promotion.stream:
        return  # unknown; or a deployment has begun meanwhile, and what was seen says nothing
    if await _write_down(miso, environment, after, found):
        log.warning(
            "alarm.drift",
            environment=environment.id,
            stage=environment.stage,
            stream=after.promotion.stream,
            expected=after.digest,
            found=found,
        )


async def _expected(miso: Miso, environment: Environment) -> _Expected | None:
    """None while a deployment has the environment, where nothing of ours runs, and where nobody knows what does."""
    state = await miso.store.environment_state(environment.id)
    if state.busy or not state.running or environment.resource in await miso.store.leases():
        return None
    promotion = await journal.load(miso, state.running)
    if promotion is None or promotion.status not in KNOWN:
        return None
    return _Expected(state=state, promotion=promotion)


async def _found(miso: Miso, environment: Environment) -> str | None:
    """The digest that runs; "" for nothing, or for an image without one. None: Azure did not say."""
    try:
        async with asyncio.timeout(miso.rules.observe_deadline):
            seen: Observed = await miso.azure.observe(environment, request_id=f"drift-{environment.id}")
    except (MisoError, TimeoutError) as unknown:
        code = unknown.code if isinstance(unknown, Refused | Transient) else type(unknown).__name__
        log.info("environment not observed", environment=environment.id, code=code)
        return None
    return seen.main.digest


async def _write_down(miso: Miso, environment: Environment, expected: _Expected, found: str) -> bool:
    """Append what is new. True when something else was found that was not told yet."""
    told = False
    for _ in range(journal.RACES):
        rows = await miso.store.stream(locks.stream_of(environment.id))
        episode = _going_on(rows)
        kind, body = _next(episode, expected, found)
        if kind is None:
            return told
        written = await notes.write(
            miso,
            locks.stream_of(environment.id),
            rows,
            kind,
            SYSTEM,
            body,
            application_id=environment.application_id,
            environment_id=environment.id,
            state=expected.state,
        )
        told = told or (written and kind is Note.DRIFT_SEEN)
        again = await _expected(miso, environment)
        if again is None or again.promotion.stream != expected.promotion.stream:
            return told
        expected = again
    return told


def _going_on(rows: Sequence[Row]) -> Episode | None:
    """The time in which something else runs, if the last one is not over."""
    episodes = environment_story.episodes(rows)
    return episodes[-1] if episodes and not episodes[-1].over else None


def _next(episode: Episode | None, expected: _Expected, found: str) -> tuple[Note | None, dict[str, Any]]:
    """The row that is due, if any. A release that was deployed since then ends what was told of another."""
    if episode is not None and (found == expected.digest or episode.seen.body["running"] != expected.promotion.stream):
        return Note.DRIFT_ENDED, {}
    if found == expected.digest or (episode is not None and episode.seen.body["found"] == found):
        return None, {}
    request = expected.promotion.request
    return Note.DRIFT_SEEN, {
        "expected": expected.digest,
        "found": found,
        "running": expected.promotion.stream,
        "commit": request.release.commit,
        "installation": request.installation_id,
        "repository": request.release.repository_id,
    }


async def show(miso: Miso, rows: Sequence[Row]) -> None:
    """Every time in which something else ran has a check run on the commit that should have."""
    environment = await miso.store.environment(rows[0].environment_id)
    if environment is None:
        return
    board = await board_of(miso, rows[0].stream, rows[-1].seq)
    for episode in environment_story.episodes(rows):
        body = episode.seen.body
        repository = miso.github.at(int(body["installation"]), int(body["repository"]), REPORT)
        mark = f"{rows[0].stream}:{episode.number}"
        check = drift_check(environment, episode, external_id=mark)
        await put_check(board, repository, check, surface=f"check:{episode.number}")
