"""The table of reason codes: complete, sayable without values, escaped with them, silent about other tenants."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from bot.domain import messages
from bot.domain.codes import Code
from bot.domain.commands import CommandFault, parse
from bot.domain.decision import Decision, Fixer, RuleResult, RuleState, Verdict
from bot.domain.messages import TABLE, explain, explain_rule, fault, refusal, refusal_of, vouched
from bot.domain.messages.entry import PLACEHOLDERS
from tests.domain.pages import Page

ROOT = Path(__file__).parents[2]
VALUES: dict[str, str | int] = {
    "stage": "production", "commit": "0123456789ab", "running": "ba9876543210", "digest": "sha256:" + "1" * 64,
    "role": "maintain", "needs": 2, "hours": 24, "seconds": 30, "limit": 60, "why": "status_503", "word": "/promot",
    "command": "/promote test @0123456789ab", "image": "registry.example/shop", "host": "registry.example",
    "environment": "production-eu", "path": ".github/miso.yml", "step": "slot.put", "status": 409,
    "check": "trivy", "branch": "release/2", "minutes": 1565, "until": 1_700_000_000_000_000, "who": "dee",
    "team": "security", "instances": 2, "zones": 1, "key": "approvals", "part": "plan", "version": 3,
    "hash": "0123456789ab" * 5, "reason": "the fair is on", "was": "one", "now": "two",
}  # fmt: skip


def test_every_code_is_in_the_table() -> None:
    assert set(TABLE) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_entry_is_well_formed(code: Code) -> None:
    entry = TABLE[code]
    assert re.fullmatch(r"[A-Z].{3,58}[^.]", entry.title)
    for text in (entry.sentence, entry.hint):
        assert {name for _, name, _, _ in Formatter().parse(text) if name} <= set(PLACEHOLDERS)
    said, full = explain(code), explain(code, **VALUES)
    for text in (said.sentence, said.hint, full.sentence, full.hint):
        assert not text or re.search(r"[.?!]$", text)
        assert vouched(text) == text, "a sentence is words and code spans, so that the journal can vouch for it"
        assert "  " not in text


def test_every_placeholder_is_used_or_known() -> None:
    assert set(VALUES) == set(PLACEHOLDERS)


@pytest.mark.parametrize("code", list(Code))
def test_refusals(code: Code, snapshot: SnapshotAssertion) -> None:
    bare, full = refusal(code), refusal(code, **VALUES)
    said = explain(code)
    page = f"# {said.title}\n\n{bare.sentence} {bare.hint}\n\n---\n\n{full.sentence} {full.hint}\n\n{said.who}\n"
    assert page == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", sorted(PLACEHOLDERS))
def test_rule_14_no_value_gets_out_of_its_code_span(name: str) -> None:
    nasty = "`</details> @everyone ![x](http://y) #1 | \x1b[31m\n# x"
    for code in Code:
        said = explain(code, **{name: nasty})
        for text in (said.sentence, said.hint):
            types = {child.type for token in MarkdownIt("commonmark").parse(text) for child in token.children or []}
            assert types <= {"text", "code_inline"}
            assert "\n" not in text


def test_unknown_and_empty_values_do_no_harm() -> None:
    assert refusal(Code.RELEASE_HELD, nonsense="x", stage="").sentence == refusal(Code.RELEASE_HELD).sentence


def test_rule_20_a_foreign_guid_is_answered_alike_whether_it_exists_or_not() -> None:
    told = {refusal(Code.GUID_NOT_BOUND, **{name: value}).sentence for name, value in VALUES.items()}
    assert len(told) == 1
    assert not re.search(r"exist|other tenant|belongs to|another (?:application|tenant)", told.pop())


def test_callers_use_only_names_that_sentences_know() -> None:
    """Every `refusal(…)`, `explain(…)`, `failed(…)` and `unknown(…)` of the controller, read from its source."""
    wrong = []
    for path in sorted(ROOT.glob("bot/**/*.py")):
        if "sim" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if called == "refusal":
                    wrong += [(path.name, k.arg) for k in node.keywords if k.arg and k.arg not in PLACEHOLDERS]
    assert not wrong


def test_a_fault_says_what_was_typed_and_what_to_type() -> None:
    found = parse("/promot `@everyone`")
    assert isinstance(found, CommandFault)
    no = fault(found)
    assert (no.code, no.sentence, no.hint) == (
        Code.COMMAND_UNKNOWN,
        "`/promot` is not a command that Miso knows.",
        "Type `/promote <environment> [@sha] [--break-glass <reason>]`.",
    )


def test_a_rule_is_explained_with_the_line_to_type() -> None:
    rule = RuleResult(
        rule="second_person", state=RuleState.FAIL, code=Code.BOT_REFUSED, fixer=Fixer.WRITER, command="/promote test"
    )
    assert explain_rule(rule).hint == "Let a person type the command. Type `/promote test`."
    assert explain_rule(rule).who is Fixer.WRITER
    with pytest.raises(ValueError, match="nothing to explain"):
        explain_rule(RuleResult(rule="order", state=RuleState.PASS))


def test_a_decision_is_told_by_its_first_obstacle_and_refuses_without_rules() -> None:
    failed = RuleResult(rule="holds", state=RuleState.FAIL, code=Code.RELEASE_HELD, values={"stage": "test"})
    doubt = RuleResult(rule="fence", state=RuleState.UNKNOWN, code=Code.STATE_UNKNOWN)
    assert refusal_of(Decision(verdict=Verdict.REFUSE, rules=(doubt, failed))).code == Code.RELEASE_HELD
    assert refusal_of(Decision(verdict=Verdict.REFUSE, rules=())).code == Code.NO_RULES
    waiting = refusal_of(Decision(verdict=Verdict.NEEDS_APPROVAL, rules=(), approvals_needed=2))
    assert waiting.sentence == "This still needs 2 more approvals."


def test_everything_public_is_exported() -> None:
    assert all(hasattr(messages, name) for name in messages.__all__)
