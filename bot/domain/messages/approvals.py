"""What those who approve are shown and what became of their word: approvals, evidence, and rules that were gone past.

Parts of the report and of the replies. An approval that no longer counts is never hidden: it stands there with its
reason and with what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.domain.codes import Code
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import end, moment
from bot.domain.messages.escape import quote
from bot.domain.messages.refusals import explain, explain_rule
from bot.domain.messages.rules_text import RULES
from bot.domain.messages.words import person, waits_for_people, who_approves
from bot.domain.model import Environment
from bot.domain.promotion import Approval, Promotion, Request

PARTS: Mapping[str, str] = {
    "where": "place",
    "release": "release",
    "plan": "plan",
    "policy": "policy",
    "checks": "checks",
    "soak": "health one stage earlier",
    "commits": "commits",
    "skipped": "skipped rules",
}
"""What an approval binds to, part by part (`Request.evidence`), in a few words."""


def approvals_line(promotion: Promotion) -> str:
    """How many there are, how many there must be, and whose count."""
    needed, given = promotion.request.approvals_needed, promotion.approvals
    if not needed:
        return "none needed"
    people = ", ".join(person(approval.actor) for approval in given[:10])
    text = f"{len(given)} of {needed}" + (f": {people}" if people else "")
    if not waits_for_people(promotion):
        return text
    policy = promotion.request.policy
    return f"{text}; each counts for {policy.approval_hours} hours; by {who_approves(policy)}"


def approvals_table(promotion: Promotion, environment: Environment) -> str:
    """Every approval that was ever given, whether it counts, and why not. Empty when nobody gave any."""
    again = f"/promote {environment.stage} @{promotion.request.release.commit[:12]}"
    rows = [(person(each.actor), moment(each.at_us), _counts(each)) for each in promotion.approvals[-20:]]
    rows += [(person(each.actor), moment(each.at_us), _void(each, again)) for each in promotion.voided[-20:]]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"| Approval by | Given | |\n|---|---|---|\n{lines}" if rows else ""


def _counts(approval: Approval) -> str:
    return "counts; carried over from a commit with the very same content" if approval.kept_from else "counts"


def _void(approval: Approval, again: str) -> str:
    if approval.void not in set(Code):
        return "no longer counts"
    said = explain(Code(approval.void), command=again)
    return f"**no longer counts:** {said.title}. {said.hint} <sub>`{approval.void}`</sub>"


def evidence_rows(request: Request) -> Iterator[tuple[str, str]]:
    """What an approver signs, as rows of a table: name and Markdown."""
    parts = request.evidence
    commits, checks, soak = parts.get("commits"), parts.get("checks"), parts.get("soak")
    if isinstance(commits, Mapping) and commits.get("commits"):
        yield "Carries", _carries(commits)
    if isinstance(checks, Sequence) and not isinstance(checks, str) and checks:
        yield "Checks", ", ".join(f"{quote(str(check[0]), 60)}: {quote(str(check[-1]), 20)}" for check in checks[:20])
    if isinstance(soak, Sequence) and not isinstance(soak, str) and soak:
        yield "Healthy one stage earlier", f"since {moment(int(soak[0]))}"
    if parts:
        covered = ", ".join(PARTS.get(part) or quote(part, 40) for part in parts)
        yield "Evidence", f"{quote(request.evidence_hash[:12], 12)}: {covered}"


def _carries(commits: Mapping[str, Any]) -> str:
    number, since = len(commits["commits"]), str(commits.get("running", ""))
    count = f"{number} commit{'' if number == 1 else 's'}"
    more = ", and more that GitHub did not tell" if commits.get("complete") is False else ""
    return f"{count}{more}" + (f" since {short(since)}" if since else "")


def changes_table(promotion: Promotion) -> str:
    """What is no longer as it was shown to those who approved; empty when nothing changed."""
    rows = [
        f"| {PARTS.get(change['part']) or quote(change['part'], 40)} "
        f"| {quote(change.get('was', ''), 120)} | {quote(change.get('now', ''), 120)} |"
        for change in promotion.changes[:20]
    ]
    return "| Changed since it was shown | Was | Is now |\n|---|---|---|\n" + "\n".join(rows) if rows else ""


def break_glass(promotion: Promotion) -> str:
    """The loud part of a promotion that goes past rules, for as long as anybody looks at it. Empty for any other."""
    request = promotion.request
    if not request.break_glass:
        return ""
    told = "\n".join(f"- ⚠ {line}" for line in _skipped(promotion)) or "- ⚠ no rule: all of them pass"
    reason = quote(request.break_glass, 500)
    head = f"**⚠ Break-glass: {person(request.requester)} goes past rules here.** Reason: {reason}."
    if not waits_for_people(promotion):
        return f"{head}\n\n{told}"
    within = f" before {end(request.deadline_us)}, or it ends" if request.deadline_us else ""
    return f"{head}\n\n{told}\n\nA second person must agree: `/approve`{within}. This stays on record for ever."


def _skipped(promotion: Promotion) -> Iterator[str]:
    """Each rule that was gone past: what was wrong when it was asked for, else what it demands."""
    found = {result.rule: result for result in promotion.request.rules if result.skipped}
    for rule in promotion.request.skipped:
        result = found.get(rule)
        if result is not None and result.code is not None:
            said = explain_rule(result)
            yield f"Skipped: **{said.title}.** {said.sentence} <sub>`{said.code}`</sub>"
        else:
            yield f"Skipped: the rule *{RULES[rule]}*." if rule in RULES else f"Skipped: {quote(rule, 40)}."
