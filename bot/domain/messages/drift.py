"""What is said of an environment that runs something which Miso did not put there, and when that is over (rule 32).

Called by `bot.services.drift`. It states what was seen and accuses nobody: who did it is not known.
"""

from __future__ import annotations

from bot.domain.codes import Code
from bot.domain.environment_story import Episode
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import digest, moment
from bot.domain.messages.escape import plain, vouched
from bot.domain.messages.refusals import explain
from bot.domain.messages.report import check_name
from bot.domain.messages.words import DESCRIPTION_LIMIT
from bot.domain.model import CheckRun, Environment, Stage


def drift_check(environment: Environment, episode: Episode, *, external_id: str) -> CheckRun:
    """The check run on the commit that should run there."""
    body = episode.seen.body
    commit = str(body["commit"])
    command = f"/promote {environment.stage} @{commit[:12]}"
    said = explain(Code.DRIFTED, stage=environment.stage, command=command)
    if episode.over:
        title = "It runs what Miso put there"
        parts: tuple[str, ...] = (f"`{environment.stage}` runs again what Miso put there.", _seen(episode))
    else:
        title = said.title
        incident = "This is production: treat it as an incident." if environment.stage is Stage.PRODUCTION else ""
        looks = "Miso looks again every now and then, and this check turns green when it is over."
        parts = (
            f"**{vouched(said.sentence)}**",
            incident,
            _seen(episode),
            f"{vouched(said.hint)} {looks}",
            f"<sub>`{said.code}`</sub>",
        )
    return CheckRun(
        name=f"{check_name(environment)} drift",
        head_sha=commit,
        external_id=external_id,
        status="completed",
        conclusion="success" if episode.over else "failure",
        title=plain(title, DESCRIPTION_LIMIT),
        summary="\n\n".join(part for part in parts if part),
    )


def _seen(episode: Episode) -> str:
    body, found = episode.seen.body, str(episode.seen.body["found"])
    shown = digest(found) if found else "nothing, or an image that is not named by a digest"
    rows = [
        ("Should run", f"{short(str(body['commit']))}, {digest(str(body['expected']))}"),
        ("Was found to run", shown),
        ("Since", moment(episode.since_us)),
    ]
    if episode.ended is not None:
        rows.append(("Until", moment(episode.ended.at_us)))
    return "\n".join(("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)))
