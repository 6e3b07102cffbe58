"""Every rule of a decision in words: the one text behind `/why`, check run, comment, gate and `miso why`.

`rules_table` is for whoever draws by itself, `rules_markdown` for GitHub. No rule is ever left out of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.decision import Fixer, RuleResult, RuleState
from bot.domain.messages.escape import quote
from bot.domain.messages.refusals import WHO, explain_rule

RULES: Mapping[str, str] = {
    "requester": "whoever asks may ask",
    "identity": "the repository is the registered one",
    "config": "the repository's own configuration is in order",
    "release": "there is a release of this commit",
    "registry": "the image comes from an allowed registry",
    "source": "the image comes from where the policy wants it from",
    "image": "the image still exists",
    "tag": "the tag still points to it",
    "pull_request": "builds of open pull requests stay in dev",
    "branch": "builds of its branch may come here",
    "checks": "the required checks succeeded",
    "order": "it was healthy one stage earlier",
    "soak": "it was healthy there for long enough",
    "target": "it was healthy here before",
    "holds": "it is neither held nor rejected",
    "fence": "nothing newer runs here",
    "settings": "its settings come with a new image",
    "availability": "what it runs on is as much as the policy demands",
    "probe": "its health is proved as strongly as the policy demands",
    "freeze": "nothing is frozen here now",
    "lock": "nobody else keeps it locked",
    "turn": "nothing older goes first",
    "duplicate": "it is not here or on its way already",
    "break_glass": "nobody goes past rules who may not",
    "authors": "everybody whose work it is, is known",
    "open": "it still waits for approval",
    "request": "it is what was asked for",
    "evidence": "it is what was shown to those who approve",
    "policy": "the rules are those that it was asked under",
    "approver": "whoever approves may approve",
    "second_person": "whoever approves is somebody else",
    "approvals": "the approvals still count",
    "quorum": "of every group that must approve, enough did",
}
"""What each rule demands, in a few words."""


@dataclass(frozen=True, kw_only=True)
class RuleLine:
    """One rule, ready to be shown. All texts are Markdown of words and code spans."""

    rule: str
    mark: str
    """✗ not met, ? not known, ⚠ gone past, ✓ met."""
    title: str
    """What is wrong or, where it is met, what it demands; without full stop."""
    text: str = ""
    """Why, and what to do; empty where it is met."""
    who: str = ""
    """Who can change it, as a phrase; empty where nobody needs to or can."""
    code: str = ""


def rules_table(rules: Sequence[RuleResult]) -> tuple[RuleLine, ...]:
    """Every rule: what fails first, then what is not known, what was gone past, and what is met."""
    order = {"✗": 0, "?": 1, "⚠": 2, "✓": 3}
    return tuple(sorted((_line(result) for result in rules), key=lambda line: order[line.mark]))


def rules_markdown(rules: Sequence[RuleResult]) -> str:
    """The rules as a list; those that are met are folded away below the others."""
    standing, met = _listed(rules)
    count = sum(result.passed for result in rules)
    folded = f"<details><summary>{_count(count)} met</summary>\n\n{met}\n\n</details>" if met else ""
    return "\n\n".join(part for part in (standing, folded) if part)


def rules_folded(rules: Sequence[RuleResult]) -> str:
    """The same, folded as a whole under a line that counts; empty without rules."""
    if not rules:
        return ""
    standing, met = _listed(rules)
    listed = "\n\n".join(part for part in (standing, f"Met:\n\n{met}" if standing and met else met) if part)
    # The summary is HTML: nothing but our own words stands in it.
    return f"<details><summary>{rules_counted(rules)}</summary>\n\n{listed}\n\n</details>"


def _listed(rules: Sequence[RuleResult]) -> tuple[str, str]:
    """What is not met, and what is."""
    lines = rules_table(rules)
    standing = "\n".join(_told(line) for line in lines if line.mark != "✓")
    return standing, "\n".join(f"- {line.title}" for line in lines if line.mark == "✓")


def rules_counted(rules: Sequence[RuleResult]) -> str:
    """How many are met and how many are not, in plain words."""
    marks = [line.mark for line in rules_table(rules)]
    words = (("✗", "not met"), ("?", "not known"), ("⚠", "gone past"), ("✓", "met"))
    return ", ".join(
        f"{_count(marks.count(mark)) if not place else marks.count(mark)} {word}"
        for place, (mark, word) in enumerate((mark, word) for mark, word in words if mark in marks)
    )


def obstacles_told(rules: Sequence[RuleResult]) -> Iterator[str]:
    """What stands in the way, a few words each with its code: for places with little room."""
    for line in rules_table(rules):
        if line.mark in "✗?":
            yield f"{line.title} ({quote(line.code, 60)})"


def _line(result: RuleResult) -> RuleLine:
    if result.code is None or result.passed:
        return RuleLine(rule=result.rule, mark="✓", title=RULES.get(result.rule) or quote(result.rule, 40))
    said = explain_rule(result)
    fails = "✗" if result.state is RuleState.FAIL else "?"
    return RuleLine(
        rule=result.rule,
        mark="⚠" if result.skipped else fails,
        title=said.title,
        text=" ".join(part for part in (said.sentence, "" if result.skipped else said.hint) if part),
        who="" if result.skipped or result.fixer in (Fixer.NOBODY, Fixer.WAIT) else WHO[result.fixer],
        code=result.code,
    )


def _told(line: RuleLine) -> str:
    who = f" Who can change it: {line.who}." if line.who else ""
    mark = "⚠ Gone past: " if line.mark == "⚠" else ""
    return f"- {mark}**{line.title}.** {line.text}{who} <sub>{quote(line.code, 60)}</sub>"


def _count(number: int) -> str:
    return f"{number} rule{'' if number == 1 else 's'}"
