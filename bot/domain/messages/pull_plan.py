"""The check run on a pull request that shows what merging and promoting it would change, environment by environment.

Called by `bot.services.previews`. It never blocks: success, or neutral where a person should look first.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.codes import Code
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import moment
from bot.domain.messages.escape import plain, quote
from bot.domain.messages.preview import consequence, lines
from bot.domain.messages.refusals import explain
from bot.domain.messages.words import DESCRIPTION_LIMIT, person, who_approves
from bot.domain.model import CheckRun
from bot.domain.pull_plan import PullPlan, Station, Travel
from bot.domain.rules import Policy

PLAN_CHECK = "miso / plan"
BYTES = 60_000
"""GitHub takes 65,535 characters in a summary; we stay below in bytes."""

_HEADER = "| Environment | Runs now | Would happen | Commits | Approval |\n|---|---|---|---|---|"
_FOOT = (
    "<sub>This is shown, not decided: nothing is deployed before its build is green, and each promotion is previewed "
    "and judged anew.</sub>"
)
_UNUSABLE = "As it stands here it cannot be used; `miso / configuration` tells why."
_LEFT_OUT = "More is left out here, because GitHub's summaries end somewhere."


def plan_check(plan: PullPlan, *, external_id: str) -> CheckRun:
    """The check run on the head of the pull request."""
    return CheckRun(
        name=PLAN_CHECK,
        head_sha=plan.head,
        external_id=external_id,
        status="completed",
        conclusion="neutral" if plan.noteworthy else "success",
        title=_title(plan),
        summary=_summary(plan),
    )


def _title(plan: PullPlan) -> str:
    looks = sum(station.noteworthy for station in plan.stations)
    if not plan.stations:
        return "No environment is registered yet"
    if plan.config is not None:
        return plain(f"{explain(plan.config).title}: what would run cannot be told", DESCRIPTION_LIMIT)
    where = f"{len(plan.stations)} environment{'' if len(plan.stations) == 1 else 's'}"
    return f"What merging this would change in {where}" + (f"; look at {looks} of them" if looks else "")


def _summary(plan: PullPlan) -> str:
    """Whole sections only: Markdown that is cut in the middle shows what nobody meant."""
    told = [part for part in (_opening(plan), _table(plan)) if part]
    room = BYTES - len("\n\n".join((*told, _LEFT_OUT, _FOOT)).encode()) - 4
    for station in plan.stations:
        section = _section(station)
        if not section:
            continue
        room -= len(section.encode()) + 2
        if room <= 0:
            told.append(_LEFT_OUT)
            break
        told.append(section)
    return "\n\n".join((*told, _FOOT))


def _opening(plan: PullPlan) -> str:
    own = f"carries {_travel(plan.own)}" if plan.own is not None else "carries commits that GitHub did not tell"
    parts = [f"Merged into {quote(plan.base_branch, 100)}, this {own}."]
    if plan.changes_config:
        parts.append(
            "It changes `.github/miso.yml`: that is shown here as it would be, and used only once it is merged."
        )
    if plan.fork:
        parts.append("It comes from a fork: none of its code is built or run by Miso before it is merged.")
    if plan.config is not None:
        parts.append(_UNUSABLE if plan.changes_config else explain(plan.config).sentence)
    return " ".join(parts)


def _table(plan: PullPlan) -> str:
    rows = [f"| {' | '.join(_row(station, plan.own))} |" for station in plan.stations[:50]]
    return "\n".join((_HEADER, *rows)) if rows else ""


def _row(station: Station, own: Travel | None) -> tuple[str, ...]:
    happens = consequence(station.preview) if station.preview is not None else "cannot be told"
    return (
        _name(station),
        _runs(station),
        happens if station.reachable else "nothing: builds of this branch do not come here",
        _along(station, own),
        _approval(station.policy),
    )


def _name(station: Station) -> str:
    mark = " ⚠" if station.noteworthy else ""
    return f"{station.environment.stage} {quote(station.application.name, 60)}{mark}"


def _runs(station: Station) -> str:
    if station.running is None:
        return "nothing yet"
    return short(station.running.commit) + (f" from #{station.source}" if station.source else "")


def _along(station: Station, own: Travel | None) -> str:
    """What travels: the pull request's commits, and whatever is merged and does not run here yet."""
    mine = _travel(own) if own is not None else "unknown"
    if station.running is None:
        return mine
    if station.merged is None:
        return f"{mine}, and an unknown number that is merged already"
    if not station.merged.count:
        return mine
    return f"{mine}, and {_travel(station.merged)} that {_are(station.merged)} merged already"


def _travel(travel: Travel) -> str:
    count = f"{travel.count} commit{'' if travel.count == 1 else 's'}"
    return count if travel.complete else f"at least {count}"


def _are(travel: Travel) -> str:
    return "is" if travel.count == 1 and travel.complete else "are"


def _approval(policy: Policy | None) -> str:
    if policy is None:
        return "nothing is allowed: no policy"
    if not policy.approvals:
        return "none needed"
    return f"{policy.approvals}: {who_approves(policy)}"


def _section(station: Station) -> str:
    # The summary is HTML, where a code span protects nothing: only our own words stand in it.
    notes = "\n".join(f"- ⚠ {note}" for note in _notes(station))
    body = lines(station.preview) if station.preview is not None and station.reachable else ""
    told = "\n".join(part for part in (notes, body) if part)
    opened = " open" if notes else ""
    return f"<details{opened}><summary>{station.environment.stage}</summary>\n\n{told}\n\n</details>" if told else ""


def _notes(station: Station) -> Iterator[str]:
    """What a person should know before merging; a lock and a freeze stop the promotion, not the merge."""
    if station.policy is None:
        yield explain(Code.NO_RULES).sentence
    if not station.reachable:
        yield "The policy lets builds of other branches come here, not of the one that this is merged into."
    if station.lock is not None:
        until = f" until {moment(station.lock.until_us)}" if station.lock.until_us else ""
        yield f"Locked by {person(station.lock.owner)}{until}: {quote(station.lock.reason, 200)}"
    if station.frozen is not None:
        freeze = station.frozen.freeze
        reason = f": {quote(freeze.reason, 200)}" if freeze.reason else ""
        yield f"Frozen by {quote(freeze.name, 60)} until {moment(station.frozen.until_us)}{reason}"
    if station.drift is not None:
        yield "What runs here was changed by somebody else than Miso, so what is told below may not fit."
    if station.held:
        shown = ", ".join(short(hold.commit) for hold in station.held[:5])
        yield f"Held after a rollback, and not to be promoted before it is cleared: {shown}"
    if station.merged is None:
        yield "GitHub did not say which merged commits would travel along."
