"""The one comment on a pull request that shows where its work stands. It is edited, never repeated.

Called by `bot.services.reporting`. Its first line is a hidden marker, by which it is found again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from bot.domain.freezes import Frozen
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import digest, end, moment
from bot.domain.messages.escape import quote
from bot.domain.messages.words import headline, next_step, person, waits_for_people
from bot.domain.model import Application, Ban, Environment, EnvironmentState, Stage, Status
from bot.domain.promotion import Promotion, is_open

_SETTLED = frozenset({Status.LIVE, Status.NEWER, Status.SUPERSEDED})
"""Nothing is left to be typed for these."""
BYTES = 65_000
"""GitHub takes 65,536 characters in a comment; we stay below in bytes."""


class Standing(Protocol):
    """One environment at this moment, as `bot.services.overview` gathers it."""

    @property
    def application(self) -> Application: ...
    @property
    def environment(self) -> Environment: ...
    @property
    def state(self) -> EnvironmentState: ...
    @property
    def running(self) -> Promotion | None: ...
    @property
    def latest(self) -> Promotion | None:
        """The newest request, perhaps the one that runs; of one pull request where the table is one's."""
        ...


def marker(kind: str, *parts: str | int) -> str:
    """A hidden line by which one of our comments is found again: `<!-- miso:<kind>:<part>… -->`."""
    text = ":".join(("miso", kind, *(str(part) for part in parts)))
    return f"<!-- {re.sub(r'[^A-Za-z0-9:._/]', '_', text)} -->"


def sticky_marker(application_id: str, pull_request: int) -> str:
    """Marker of the one comment of an application on a pull request."""
    # A GUID holds hyphens; two of them in a row would end an HTML comment, so `marker` takes none.
    return f"<!-- miso:{re.sub(r'[^A-Za-z0-9-]|--', '_', application_id)}:{pull_request} -->"


def sticky_comment(
    application: Application,
    standings: Sequence[Standing],
    *,
    pull_request: int,
    sections: Mapping[str, str] | None = None,
    now_us: int = 0,
    frozen: Mapping[str, Frozen] | None = None,
    bans: Sequence[Ban] = (),
) -> str:
    """The comment, below 65,000 bytes. `sections`: `Report.section` by environment id, shown below the table.

    `frozen`: the freeze that is on, by environment id. `bans`: of the pull request's own release. What does not fit is
    left out from the end, with a line that says so.
    """
    head = f"{sticky_marker(application.id, pull_request)}\n### Miso · {quote(application.name, 80)}"
    foot = "<sub>Miso keeps this comment up to date. `/help` shows what you can type.</sub>"
    folded = [(sections or {}).get(standing.environment.id, "") for standing in standings]
    banned = "\n".join(_banned(ban) for ban in bans[:5])
    room = BYTES - len("\n\n".join((head, banned, _HEADER, _LEFT_OUT, foot)).encode())
    lines = _that_fit(_lines(standings, now_us=now_us, frozen=frozen or {}), room)
    shown = _that_fit([section for section in folded if section], room - sum(len(line.encode()) + 2 for line in lines))
    complete = len(lines) == len(standings) and len(shown) == len([section for section in folded if section])
    parts = (head, banned, _joined(lines), *shown, "" if complete else _LEFT_OUT, foot)
    return "\n\n".join(part for part in parts if part)


_LEFT_OUT = "More is left out here, because GitHub's comments end somewhere; `/status` shows it."
_HEADER = "| Environment | Runs | Now | Next |\n|---|---|---|---|"


def _that_fit(parts: Sequence[str], room: int) -> list[str]:
    """The first parts that fit into so many bytes, blank lines between them counted."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part.encode()) + 2
        if room <= 0:
            break
        fitting.append(part)
    return fitting


def table(standings: Sequence[Standing], *, now_us: int = 0, frozen: Mapping[str, Frozen] | None = None) -> str:
    """What runs where, how that stands in words, and the next line to type."""
    return _joined(_lines(standings, now_us=now_us, frozen=frozen or {}))


def _banned(ban: Ban) -> str:
    lift = f"`/clear @{ban.commit[:12]} <reason>`" if re.fullmatch(r"[0-9a-f]{40}", ban.commit) else "`/clear`"
    return (
        f"⛔ {short(ban.commit)} was rejected for good by {person(ban.by)}: {quote(ban.reason, 200)}. It goes nowhere "
        f"until operators lift that with {lift}."
    )


def _marks(standing: Standing, now_us: int, frozen: Frozen | None) -> Iterator[str]:
    """What keeps an environment as it is, or shows that it is not as it should be."""
    state = standing.state
    if state.drift is not None:
        found = digest(state.drift.found) if state.drift.found else "nothing that can be named"
        yield f"⚠ changed without Miso: runs {found}, seen {moment(state.drift.since_us)}"
    if state.lock is not None and state.lock.holds(now_us):
        until = f" until {end(state.lock.until_us)}" if state.lock.until_us else ""
        yield f"🔒 locked by {person(state.lock.owner)}{until}: {quote(state.lock.reason, 120)}"
    if frozen is not None:
        why = quote(frozen.freeze.reason or frozen.freeze.name, 120)
        yield f"❄ frozen until {end(frozen.until_us)}: {why}"
    if state.held:
        more = f" and {len(state.held) - 3} more" if len(state.held) > 3 else ""
        yield f"✋ held: {', '.join(short(hold.commit) for hold in state.held[-3:])}{more}"


def _lines(standings: Sequence[Standing], *, now_us: int, frozen: Mapping[str, Frozen]) -> list[str]:
    cells = (
        (
            each.environment.stage,
            _runs(each),
            "<br>".join((_now(each, now_us), *_marks(each, now_us, frozen.get(each.environment.id)))),
            _next(each, standings),
        )
        for each in standings
    )
    return [f"| {' | '.join(row)} |" for row in cells]


def _joined(lines: Sequence[str]) -> str:
    return "\n".join((_HEADER, *lines)) if lines else "No environment is registered yet."


def _runs(standing: Standing) -> str:
    running = standing.running
    if running is None:
        return "nothing yet"
    release = running.request.release
    source = f" from #{running.request.pull_request}" if running.request.pull_request else ""
    return f"{short(release.commit)}{source}<br>{digest(release.digest)}"


def _now(standing: Standing, now_us: int) -> str:
    latest, running = standing.latest, standing.running
    if latest is None:
        return "Nothing was asked for" if running is None else headline(running, now_us=now_us)
    if latest.status is Status.LIVE and running is not None and running.stream != latest.stream:
        return "Was live; another release runs now"
    return headline(latest, now_us=now_us)


def _next(standing: Standing, all_of_them: Sequence[Standing]) -> str:
    latest, place = standing.latest, standing.environment
    held = latest is not None and latest.held and latest.status is not Status.LIVE
    if latest is not None and (waits_for_people(latest) or held):
        return next_step(latest, place)
    if latest is not None and (is_open(latest) or latest.status in _SETTLED):
        return ""
    before = place.stage.before
    if before is None:
        return "It comes here by itself, once its build is green." if latest is None else next_step(latest, place)
    ready = _live(before, standing, all_of_them)
    if ready is not None:
        # Naming the release keeps an old pull request's line from carrying something else.
        return f"`/promote {place.stage} @{ready.request.release.commit[:12]}` brings it here."
    return next_step(latest, place) if latest is not None else f"First it must be healthy in {before}."


def _live(stage: Stage, standing: Standing, all_of_them: Sequence[Standing]) -> Promotion | None:
    """The pull request's release, where it is live in that stage of the same application."""
    for other in all_of_them:
        same = other.environment.stage is stage and other.application.id == standing.application.id
        if same and other.latest is not None and other.latest.status is Status.LIVE:
            return other.latest
    return None
