"""What Miso says without having been asked: gates, foreign deployments, builds that lead nowhere.

Called by `bot.services.reporting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.codes import Code
from bot.domain.decision import RuleResult
from bot.domain.messages.entry import commit as short
from bot.domain.messages.escape import bare, plain, quote, vouched
from bot.domain.messages.refusals import explain
from bot.domain.messages.rules_text import obstacles_told, rules_counted
from bot.domain.messages.sticky import marker
from bot.domain.messages.words import DESCRIPTION_LIMIT, person
from bot.domain.model import Actor, CheckRun, DeploymentStatus, Environment
from bot.errors import Refused

GATE_LIMIT = 1024
"""https://docs.github.com/en/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run"""
BUILD_CHECK = "miso / build"


class Fault(Protocol):
    """One mistake in `.github/miso.yml`."""

    @property
    def line(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def sentence(self) -> str: ...


def gate_comment(
    code: str,
    sentence: str,
    hint: str = "",
    *,
    waiting_for: Sequence[str] = (),
    rules: Sequence[RuleResult] = (),
) -> str:
    """Comment on a GitHub environment gate, at most 1024 characters, for every state of it.

    `rules`: of the decision that the gate mirrors. What does not pass is named as far as there is room; the check run
    of the promotion shows all of it.
    """
    people = ", ".join(quote(name, 60) for name in waiting_for[:5])
    parts = (vouched(sentence, 400), vouched(hint, 300) if hint else "", f"Who can act: {people}." if people else "")
    tail = f" ({quote(code, 60)})"
    text = " ".join(part for part in parts if part)
    if len(text) + len(tail) <= GATE_LIMIT:
        return text + _rules(rules, GATE_LIMIT - len(text) - len(tail)) + tail
    # Markdown must not be cut in the middle of a code span, so the long form gives way to plain words.
    return bare(text, GATE_LIMIT - len(tail)) + tail


def _rules(rules: Sequence[RuleResult], room: int) -> str:
    """The rules in as many characters: how many are met, and what stands in the way."""
    if not rules:
        return ""
    obstacles = list(obstacles_told(rules))
    while True:
        left = f" In the way: {'; '.join(obstacles)}." if obstacles else ""
        text = f" {rules_counted(rules)}.{left}"
        if len(text) <= room:
            return text
        if not obstacles:
            return ""
        obstacles.pop()


def out_of_band(environment: Environment, *, commit: str, actor: Actor, deployment_id: int) -> str:
    """Comment or summary for a deployment that somebody else made on a registered environment."""
    said = explain(Code.OUT_OF_BAND, stage=environment.stage)
    return (
        f"{marker('deployment', deployment_id)}\n{said.sentence} It names {short(commit)} and was made by "
        f"{person(actor)}. {said.hint}\n\n<sub>`{said.code}`</sub>"
    )


def foreign_check(
    environment: Environment, *, commit: str, actor: Actor, deployment_id: int, external_id: str
) -> CheckRun:
    """The check run that shows such a deployment on the commit that it names; neutral, because Miso did nothing."""
    return CheckRun(
        name=f"miso / {plain(environment.github_name, 80)} / out of band",
        head_sha=commit,
        external_id=external_id,
        status="completed",
        conclusion="neutral",
        title=plain(explain(Code.OUT_OF_BAND, stage=environment.stage).title, DESCRIPTION_LIMIT),
        summary=out_of_band(environment, commit=commit, actor=actor, deployment_id=deployment_id),
    )


def retired(environment: Environment) -> DeploymentStatus:
    """Status of an older production deployment, which GitHub never sets by itself."""
    return DeploymentStatus(
        state="inactive", description="A newer release runs here", environment=environment.github_name
    )


def build_check(
    *, head_sha: str, external_id: str, no: Refused, faults: Sequence[Fault] = (), details_url: str = ""
) -> CheckRun:
    """The check run of a build that did not become a release, with every fault of the configuration."""
    title = explain(Code(no.code)).title if no.code in set(Code) else "This build leads nowhere"
    hint = vouched(no.hint) if no.hint else ""
    lines = [f"- {place_of(fault)}: {vouched(fault.sentence, 300)}" for fault in faults[:100]]
    parts = (vouched(no.sentence), "\n".join(lines), hint, f"<sub>{quote(no.code, 60)}</sub>")
    return CheckRun(
        name=BUILD_CHECK,
        head_sha=head_sha,
        external_id=external_id,
        status="completed",
        conclusion="failure",
        title=plain(title, DESCRIPTION_LIMIT),
        summary="\n\n".join(part for part in parts if part),
        details_url=details_url,
    )


def place_of(fault: Fault) -> str:
    """Line and key of a mistake, as Markdown."""
    line = f"Line {fault.line}" if fault.line > 0 else "The file"
    return f"{line}, {quote(fault.path, 80)}" if fault.path else line
