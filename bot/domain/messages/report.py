"""Everything that GitHub shows of one promotion, as one value: deployment status, check run and a comment's section.

Called by `bot.services.reporting`, which compares it with what is shown and publishes the difference. The same state
gives the same report, whenever it is asked; only a pause is judged by the clock that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.domain.messages.approvals import approvals_line, approvals_table, break_glass, changes_table, evidence_rows
from bot.domain.messages.buttons import actions
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import end, moment
from bot.domain.messages.escape import plain, quote
from bot.domain.messages.rules_text import rules_folded
from bot.domain.messages.steps import steps_table
from bot.domain.messages.words import (
    asked_because,
    duration,
    headline,
    next_step,
    person,
    waits_for_people,
    why,
)
from bot.domain.model import (
    ActorKind,
    Application,
    CheckRun,
    DeploymentStatus,
    Environment,
    ProbeKind,
    Release,
    Stage,
    Status,
    TargetKind,
)
from bot.domain.promotion import Promotion

BYTES = 60_000
"""GitHub takes 65,535 characters in a check run's summary; we stay below in bytes."""
_LEFT_OUT = "More is left out here, because GitHub's summaries end somewhere."


@dataclass(frozen=True, kw_only=True)
class Links:
    """Addresses that Miso itself made. One that does not look like an address is left out, never printed."""

    repository_url: str = ""
    """`https://github.com/owner/name`, without trailing slash."""
    details_url: str = ""
    """A page with the whole story of this promotion, if there is one."""
    log_url: str = ""
    """Where a deployment's status leads: the checks of the release's commit, or `details_url` where that is empty."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What every surface shall show. Do not publish it for `Status.NEWER`: a newer replica speaks for those."""

    deployment: DeploymentStatus
    check: CheckRun
    section: str
    """A folded part of the sticky comment, as Markdown in `<details>`."""


_STATES: Mapping[Status, tuple[str, str, str]] = {
    Status.REQUESTED: ("queued", "queued", ""),
    Status.APPROVED: ("queued", "queued", ""),
    Status.DEPLOYING: ("in_progress", "in_progress", ""),
    Status.DEPLOYED: ("in_progress", "in_progress", ""),
    Status.UNHEALTHY: ("in_progress", "in_progress", ""),
    Status.FAILED: ("in_progress", "in_progress", ""),
    Status.ROLLING_BACK: ("in_progress", "in_progress", ""),
    Status.LIVE: ("success", "completed", "success"),
    Status.ROLLED_BACK: ("failure", "completed", "failure"),
    Status.STUCK: ("error", "completed", "failure"),
    Status.REJECTED: ("inactive", "completed", "cancelled"),
    Status.CANCELLED: ("inactive", "completed", "cancelled"),
    Status.REFUSED: ("error", "completed", "failure"),
    Status.SUPERSEDED: ("inactive", "completed", "skipped"),
    Status.NEWER: ("in_progress", "in_progress", ""),
}
"""State of the deployment, status and conclusion of the check: https://docs.github.com/en/rest/deployments/statuses and
https://docs.github.com/en/rest/checks/runs"""

_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/?=&%#-]*)?")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?")


def report(
    promotion: Promotion,
    *,
    application: Application,
    environment: Environment,
    now_us: int,
    waiting_for: Sequence[str] = (),
    links: Links | None = None,
    preview: str = "",
) -> Report:
    """All surfaces of a promotion.

    `waiting_for`: logins of people who may approve, if they are known. `links`: see `Links`; none by default.
    `preview`: what it changes, as Markdown of ours (`bot.domain.messages.preview`).
    """
    links = links or Links()
    line = headline(promotion, now_us=now_us)
    state, status, conclusion = _shown(promotion)
    reason, step = why(promotion), next_step(promotion, environment, waiting_for)
    following = f"**Next:** {step}" if step else ""
    glass = break_glass(promotion)
    details = (
        changes_table(promotion),
        _table(promotion, application=application, environment=environment, links=links),
        *_below(promotion, environment, preview),
    )
    return Report(
        deployment=_deployment(promotion, environment, state, line, links),
        check=CheckRun(
            name=check_name(environment),
            head_sha=promotion.request.release.commit,
            external_id=promotion.stream,
            status=status,
            conclusion=conclusion,
            title=line,
            summary=_fit(glass, f"**{line}.**", reason, following + _where(promotion, step), *details),
            details_url=_checked(links.details_url),
            actions=actions(promotion),
        ),
        # Where it goes from a live stage stands in the comment's table, which knows the other stages.
        section=_section(
            promotion,
            environment,
            line,
            _fit(glass, reason, "" if promotion.status is Status.LIVE else following, *details),
        ),
    )


def _deployment(
    promotion: Promotion, environment: Environment, state: str, line: str, links: Links
) -> DeploymentStatus:
    return DeploymentStatus(
        state=state,
        description=line,
        environment=environment.github_name,
        environment_url=address(promotion, environment) if promotion.status is Status.LIVE else "",
        log_url=_checked(links.log_url or links.details_url),
        retires_older=environment.stage is not Stage.PRODUCTION,
    )


def _below(promotion: Promotion, environment: Environment, preview: str) -> tuple[str, ...]:
    return (
        approvals_table(promotion, environment),
        steps_table(promotion),
        _folded("What it changes", preview),
        rules_folded(promotion.rules),
    )


def check_name(environment: Environment) -> str:
    """Name of the check run, e.g. `miso / production`."""
    return f"miso / {plain(environment.github_name, 80)}"


def _shown(promotion: Promotion) -> tuple[str, str, str]:
    if waits_for_people(promotion):
        # A run that waits for a click is "completed, action required": GitHub's word for "look here".
        return "queued", "completed", "action_required"
    if promotion.status in (Status.UNHEALTHY, Status.FAILED) and promotion.request.previous is None:
        return "failure", "completed", "failure"
    return _STATES[promotion.status]


def _fit(*parts: str) -> str:
    """The parts, as many as GitHub takes: whole ones only, the first first."""
    room, told = BYTES - len(_LEFT_OUT.encode()), list[str]()
    for part in (part for part in parts if part):
        room -= len(part.encode()) + 2
        if room < 0:
            told.append(_LEFT_OUT)
            break
        told.append(part)
    return "\n\n".join(told)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""


def _where(promotion: Promotion, step: str) -> str:
    """Commands are typed on the pull request, and the check run is somewhere else."""
    number, buttons = promotion.request.pull_request, waits_for_people(promotion)
    if not step or not (number or buttons):
        return ""
    if not number:
        return " Use the buttons here."
    return f" Type it on #{number}" + (", or use the buttons here." if buttons else ".")


def _table(promotion: Promotion, *, application: Application, environment: Environment, links: Links) -> str:
    request, release = promotion.request, promotion.request.release
    change = f"{short(request.previous.commit)} → {short(release.commit)}" if request.previous else "first release here"
    rows = [
        ("Application", quote(application.name, 80)),
        ("Commit", _commit(release, links)),
        ("Image", quote(release.image)),
        ("Digest", quote(release.digest, 80)),
        ("Change", f"{change}, as a rollback" if request.rollback else change),
        ("Where", f"{environment.target} {quote(environment.name, 80)}, {quote(environment.location, 40)}"),
        ("Plan", quote(request.plan.hash[:12], 12)),
        ("Policy", _policy(promotion)),
        *evidence_rows(request),
        ("Asked for by", _asked(promotion, environment, links)),
        ("Approvals", approvals_line(promotion)),
    ]
    if waits_for_people(promotion) and request.deadline_us:
        rows.append(("Ends without a decision", end(request.deadline_us)))
    if promotion.status in (Status.DEPLOYED, Status.LIVE, Status.UNHEALTHY):
        rows.append(("Health", _health(promotion, environment)))
    if promotion.status is Status.LIVE:
        rows.append(("Took", duration(_started(promotion), promotion.changed_us)))
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _policy(promotion: Promotion) -> str:
    request = promotion.request
    version = f"version {request.policy_version}, " if request.policy_version else ""
    return f"{version}{quote(request.policy_hash[:12], 12)}"


def _started(promotion: Promotion) -> int:
    return max([promotion.requested_us, *(approval.at_us for approval in promotion.approvals)])


def _asked(promotion: Promotion, environment: Environment, links: Links) -> str:
    request = promotion.request
    repository = _checked(links.repository_url)
    who = person(request.requester)
    because = asked_because(promotion, environment)
    if because:
        return f"{who}, {because}, {moment(promotion.requested_us)}"
    if request.requester.kind is ActorKind.WORKFLOW and repository:
        who = f"[{who}]({repository}/actions/runs/{request.release.run_id})"
    where = f" on #{request.pull_request}" if request.pull_request else ""
    return f"{who}{where}, {moment(promotion.requested_us)}"


def _health(promotion: Promotion, environment: Environment) -> str:
    if promotion.status is Status.DEPLOYED:
        return "being asked"
    if promotion.evidence == "platform" or environment.probe is ProbeKind.PLATFORM:
        return "Azure's word alone: weaker evidence than an answer to Miso's own request"
    return "Azure's word and answers to Miso's own requests"


def _section(promotion: Promotion, environment: Environment, line: str, body: str) -> str:
    # The summary is HTML, where a code span protects nothing: only our own words and GitHub logins stand in it.
    opened = " open" if waits_for_people(promotion) else ""
    return f"<details{opened}><summary>{environment.stage}: {line}</summary>\n\n{body}\n\n</details>"


def _commit(release: Release, links: Links) -> str:
    repository, shown = _checked(links.repository_url), short(release.commit)
    linked = repository and re.fullmatch(r"[0-9a-f]{40}", release.commit)
    return f"[{shown}]({repository}/commit/{release.commit})" if linked else shown


def _checked(url: str) -> str:
    return url if _URL.fullmatch(url) else ""


def address(promotion: Promotion, environment: Environment) -> str:
    """Where it answers; empty where Azure gave no host."""
    host = promotion.host
    if not _HOST.fullmatch(host):
        return ""
    if environment.target is TargetKind.WEB_APP:
        return f"https://{host}"
    return f"http://{host}" if ":" in host else f"http://{host}:{promotion.request.release.port}"
