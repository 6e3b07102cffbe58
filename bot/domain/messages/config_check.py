"""The check run `miso / configuration`: every fault of `.github/miso.yml` beside its line, and what could never work.

Called by `bot.services.previews` for a pull request that changes the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from bot.domain.codes import Code
from bot.domain.messages.escape import bare, plain, quote, vouched
from bot.domain.messages.notices import Fault, place_of
from bot.domain.messages.refusals import explain
from bot.domain.messages.words import DESCRIPTION_LIMIT
from bot.domain.model import Annotation, CheckRun
from bot.domain.repository_config import PATH

CONFIG_CHECK = "miso / configuration"
_MOST = 100
"""So many are told one by one."""


class Finding(Protocol):
    """Something that a policy makes impossible, or nearly (`bot.domain.satisfiable`)."""

    @property
    def level(self) -> Literal["error", "warning"]: ...
    @property
    def code(self) -> Code: ...
    @property
    def values(self) -> Mapping[str, str | int]: ...


def config_check(
    *, head_sha: str, external_id: str, faults: Sequence[Fault] = (), findings: Sequence[Finding] = ()
) -> CheckRun:
    """The check run, with an annotation for each fault. Success when all is well, neutral for warnings alone."""
    errors = [finding for finding in findings if finding.level == "error"]
    failed = bool(faults or errors)
    title, head = _said(len(faults), len(findings), failed=failed)
    listed = [f"- {place_of(fault)}: {vouched(fault.sentence, 300)}" for fault in faults[:_MOST]]
    found = [f"- {_finding(finding)}" for finding in (*errors, *(f for f in findings if f.level != "error"))[:_MOST]]
    more = max(len(faults) - _MOST, 0) + max(len(findings) - _MOST, 0)
    parts = (
        head,
        "\n".join(listed),
        "\n".join(found),
        f"And {more} more." if more else "",
        "What is wrong here counts for nothing before it is merged; after that, no build becomes a release until it is "
        "corrected on the default branch."
        if faults
        else "",
    )
    return CheckRun(
        name=CONFIG_CHECK,
        head_sha=head_sha,
        external_id=external_id,
        status="completed",
        conclusion="failure" if failed else "neutral" if findings else "success",
        title=plain(title, DESCRIPTION_LIMIT),
        summary="\n\n".join(part for part in parts if part),
        annotations=tuple(_annotation(fault) for fault in faults),
    )


def _said(faults: int, findings: int, *, failed: bool) -> tuple[str, str]:
    """Title and first sentence."""
    if not faults and not findings:
        return "The configuration is in order", f"{quote(PATH)} is in order, and the policy can be met with it."
    wrong = f"{faults} mistake{'' if faults == 1 else 's'}" if faults else ""
    odd = f"{findings} thing{'' if findings == 1 else 's'} to look at" if findings else ""
    counted = " and ".join(part for part in (wrong, odd) if part)
    asked = " Each stands beside its line, too." if faults else ""
    return counted, f"{quote(PATH)} has {counted}{'' if failed else ', none of which stops anything'}.{asked}"


def _finding(finding: Finding) -> str:
    said = explain(finding.code, **finding.values)
    level = "" if finding.level == "error" else "Warning: "
    return f"{level}**{said.title}.** {said.sentence} {said.hint} <sub>`{said.code}`</sub>"


def _annotation(fault: Fault) -> Annotation:
    """Annotations show characters as they are, no Markdown."""
    return Annotation(
        path=PATH,
        line=max(fault.line, 1),
        message=bare(fault.sentence, 600) or "This cannot be used as it is.",
        title=plain(fault.path, 80),
    )
