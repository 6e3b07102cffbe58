"""Every reason code's sentence and next step, said with the values at hand.

Called by whoever refuses: `raise refusal(Code.RELEASE_HELD, stage=…, commit=…, command=…)`. Values are escaped here and
nowhere else, so callers hand them over as they are. Sentences are Markdown: plain words and code spans only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.codes import Code
from bot.domain.commands import CommandFault
from bot.domain.decision import Decision, Fixer, RuleResult, Verdict
from bot.domain.messages.entry import PLACEHOLDERS, Entry, Value
from bot.domain.messages.escape import quote
from bot.domain.messages.table_approval import APPROVAL
from bot.domain.messages.table_identity import IDENTITY
from bot.domain.messages.table_outside import OUTSIDE
from bot.domain.messages.table_person import PERSON
from bot.domain.messages.table_policy import POLICY
from bot.domain.messages.table_release import RELEASE
from bot.errors import Refused

TABLE: Mapping[Code, Entry] = {**RELEASE, **POLICY, **PERSON, **APPROVAL, **OUTSIDE, **IDENTITY}

WHO: Mapping[Fixer, str] = {
    Fixer.NOBODY: "nobody needs to do anything",
    Fixer.REQUESTER: "whoever typed it",
    Fixer.APPROVER: "somebody else who may approve",
    Fixer.WRITER: "anybody with write access to the repository",
    Fixer.MAINTAINER: "an administrator of the repository",
    Fixer.OPERATOR: "whoever runs Miso",
    Fixer.WAIT: "nobody: it usually passes by itself",
}
"""Who can change it, as a phrase that follows "Who can fix it:"."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One code in words: title without full stop, sentence, hint (may be empty) and who can fix it."""

    code: Code
    title: str
    sentence: str
    hint: str
    who: Fixer


def explain(code: Code, **values: Value) -> Explanation:
    """The code in words. A value is written for a `PLACEHOLDERS` name; unknown names and empty values are ignored."""
    entry = TABLE[code]
    values = {"command": entry.command, **{name: value for name, value in values.items() if value != ""}}
    phrases = {
        name: placeholder.write(values[name]) if name in values else placeholder.default
        for name, placeholder in PLACEHOLDERS.items()
    }
    sentence, hint = entry.sentence.format_map(phrases), entry.hint.format_map(phrases)
    if not sentence.startswith("`"):
        sentence = sentence[0].upper() + sentence[1:]
    return Explanation(code=code, title=entry.title, sentence=sentence, hint=hint, who=entry.who)


def refusal(code: Code, **values: Value) -> Refused:
    """The error to raise. `refusal(result.code, **result.values)` speaks for a rule of the policy."""
    said = explain(code, **values)
    return Refused(code, said.sentence, said.hint)


def explain_rule(result: RuleResult) -> Explanation:
    """A rule that does not pass, in words, with the line to type at the end of its hint. `result.code` must be set."""
    if result.code is None:
        raise ValueError(f"rule {result.rule} passes: there is nothing to explain")
    values: dict[str, Value] = {**result.values, "command": result.command}
    said = explain(result.code, **values)
    if result.command and result.command not in said.hint:
        said = replace(said, hint=f"{said.hint} Type {quote(result.command, 120)}.".strip())
    return replace(said, who=result.fixer)


def refusal_of(decision: Decision) -> Refused:
    """The error for a decision that does not allow: its first obstacle, or what it says without one."""
    if decision.obstacles and decision.obstacles[0].code is not None:
        said = explain_rule(decision.obstacles[0])
        return Refused(said.code, said.sentence, said.hint)
    if decision.verdict is Verdict.NEEDS_APPROVAL:
        return refusal(Code.NEEDS_APPROVAL, needs=decision.approvals_needed)
    return refusal(Code.NO_RULES)


def fault(found: CommandFault) -> Refused:
    """What a person is told whose comment meant to be a command."""
    values: dict[str, Value] = dict(found.values)
    if found.suggestion:
        values["command"] = found.suggestion
    return refusal(found.code, **values)
