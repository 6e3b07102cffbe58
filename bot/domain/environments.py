"""What runs where, what was last seen healthy there, and what is held: the projection of an environment.

`bot.services.journal` calls `apply` beside every row that it writes, so that projection and journal stand in one
transaction; a test rebuilds the projection from rows and finds it equal. Only rows of promotion streams count here;
those of an environment's own stream, its locks and what was changed behind Miso's back, are `environment_story`'s.

| row              | what follows                                                                              |
|------------------|-------------------------------------------------------------------------------------------|
| deploy.done      | the promotion's release runs, whatever somebody else had put there                        |
| probe.passed     | it is also the last that was seen healthy, and a hold of its own stream is over           |
| deploy.failed    | it is held if anything was written; what runs stays as it is known                        |
| probe.failed     | it is held; it still runs until the rollback is done                                      |
| deploy.started   | the promotion has the environment to itself                                               |
| rollback.done    | the last one that was seen healthy runs again                                             |
| rollback.failed  | nobody knows what runs; it is taken for what was tried last, so that a way back is open    |
| whatever ends it | the environment is free for others                                                        |
| hold.cleared     | that stream's hold is lifted                                                              |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bot.domain import environment_story
from bot.domain import promotion as promotions
from bot.domain.model import EnvironmentState, Hold, Row, Status
from bot.domain.promotion import VERSION, Kind, Promotion


def apply(state: EnvironmentState, row: Row, promotion: Promotion) -> EnvironmentState | None:
    """The state after `row`, one version higher; None when the row changes nothing.

    `promotion` is the stream's state after the row. A stream that a newer Miso wrote to changes nothing here.
    """
    if promotion.status is Status.NEWER or row.v > VERSION:
        return None
    after = _after(state, row, promotion)
    if after.busy == row.stream and not promotions.is_open(promotion):
        after = replace(after, busy="")
    return None if after == state else replace(after, version=state.version + 1)


def _after(state: EnvironmentState, row: Row, promotion: Promotion) -> EnvironmentState:
    match row.kind:
        case Kind.DEPLOY_STARTED:
            return replace(state, busy=row.stream)
        case Kind.DEPLOY_DONE:
            return replace(state, running=row.stream, drift=None)
        case Kind.ROLLBACK_FAILED:
            return replace(state, running=row.stream)
        case Kind.PROBE_PASSED:
            held = (*_without(state, row.stream), *_left(promotion, row))
            return replace(state, running=row.stream, last_verified=row.stream, held=held)
        case Kind.DEPLOY_FAILED | Kind.PROBE_FAILED if promotion.held:
            release = promotion.request.release
            hold = Hold(commit=release.commit, digest=release.digest, stream=row.stream, since_us=row.at_us)
            return state if _holds(state, row.stream) else replace(state, held=(*state.held, hold))
        case Kind.ROLLBACK_DONE:
            return replace(state, running=state.last_verified, drift=None)
        case Kind.HOLD_CLEARED:
            return replace(state, held=_without(state, row.stream))
        case _:
            return state


def _left(promotion: Promotion, row: Row) -> Iterator[Hold]:
    """Somebody went back from a release: it waits for a person, as one does that was found unhealthy."""
    left = promotions.left_behind(promotion)
    if left is not None:
        yield Hold(commit=left.commit, digest=left.digest, stream=row.stream, since_us=row.at_us)


def _holds(state: EnvironmentState, stream: str) -> bool:
    return any(hold.stream == stream for hold in state.held)


def _without(state: EnvironmentState, stream: str) -> tuple[Hold, ...]:
    return tuple(hold for hold in state.held if hold.stream != stream)


def _known(states: Mapping[str, EnvironmentState], environment_id: str) -> EnvironmentState:
    return states.get(environment_id) or EnvironmentState(environment_id=environment_id)


def rebuild(rows: Iterable[Row]) -> dict[str, EnvironmentState]:
    """State by environment id from all rows of the journal, in the order in which they were written."""
    streams: dict[str, Promotion] = {}
    states: dict[str, EnvironmentState] = {}
    for row in rows:
        if environment_story.belongs(row):
            changed = environment_story.apply(_known(states, row.environment_id), row)
        else:
            before = streams.get(row.stream)
            if before is None and row.kind != Kind.REQUESTED:
                continue
            after = streams[row.stream] = promotions.fold([row]) if before is None else promotions.apply(before, row)
            changed = apply(_known(states, after.environment_id), row, after)
        if changed is not None:
            states[changed.environment_id] = changed
    return states
