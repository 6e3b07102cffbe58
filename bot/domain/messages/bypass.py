"""What is said of a deployment that went past Miso: reported as done, or let past its gate, undecided (rule 32).

Called by `bot.services.reporting`. The check runs are neutral, because Miso did nothing; in production they say that
it is an incident.
"""

from __future__ import annotations

from bot.domain.codes import Code
from bot.domain.messages.entry import commit as short
from bot.domain.messages.escape import plain, vouched
from bot.domain.messages.refusals import explain
from bot.domain.messages.report import check_name
from bot.domain.messages.words import DESCRIPTION_LIMIT, person
from bot.domain.model import Actor, CheckRun, Environment, Stage


def reported_check(
    environment: Environment, *, commit: str, actor: Actor, by_actions: bool, external_id: str
) -> CheckRun:
    """Somebody said "success" of a deployment that no decision of Miso stands behind."""
    who = "a workflow's job" if by_actions else person(actor)
    seen = f"{short(commit)} was reported to run in `{environment.stage}` by {who}, and Miso had not decided on it."
    title = explain(Code.OUT_OF_BAND, stage=environment.stage).title
    return _check(environment, f"{check_name(environment)} / out of band", title, seen, commit, external_id)


def gate_check(environment: Environment, *, commit: str, actor: Actor, external_id: str) -> CheckRun:
    """Somebody let a run past the gate of an environment before Miso had decided."""
    seen = (
        f"{person(actor)} let a workflow run of {short(commit)} past the gate of `{environment.stage}`, and Miso had"
        " not decided on it."
    )
    title = "Somebody opened the gate"
    return _check(environment, f"{check_name(environment)} / gate", title, seen, commit, external_id)


def _check(environment: Environment, name: str, title: str, seen: str, commit: str, external_id: str) -> CheckRun:
    said = explain(Code.OUT_OF_BAND, stage=environment.stage)
    production = environment.stage is Stage.PRODUCTION
    title = f"Production incident: {title[0].lower()}{title[1:]}" if production else title
    incident = "**This is production: treat it as an incident.** Find out what runs there now." if production else ""
    parts = (incident, seen, vouched(said.hint), f"<sub>`{said.code}`</sub>")
    return CheckRun(
        name=name,
        head_sha=commit,
        external_id=external_id,
        status="completed",
        conclusion="neutral",
        title=plain(title, DESCRIPTION_LIMIT),
        summary="\n\n".join(part for part in parts if part),
    )
