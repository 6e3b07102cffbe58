"""Every rule in words, and who may do something: one text for every door, nothing hidden, nothing foreign in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.decision import Fixer, RuleResult, RuleState
from bot.domain.messages import RULES, rules_markdown, rules_table, who_approves, who_may
from bot.domain.messages.rules_text import rules_folded
from bot.domain.rules import Group, Policy, Who
from tests.domain.stories import FAILING, FROZEN, MET

DOUBT = RuleResult(rule="fence", state=RuleState.UNKNOWN, code=Code.ANCESTRY_UNKNOWN, fixer=Fixer.WAIT)
ROOT = Path(__file__).parents[2]

results = st.lists(st.sampled_from([*MET, FAILING, FROZEN, DOUBT]), max_size=20)


def test_what_fails_comes_first_and_what_is_met_last() -> None:
    lines = rules_table((*MET, FROZEN, DOUBT, FAILING))
    assert [line.mark for line in lines] == ["✗", "?", "⚠", "✓", "✓", "✓", "✓"]
    assert lines[0].title == "A required check did not succeed"
    assert lines[0].who == "anybody with write access to the repository"
    assert lines[0].code == "check_failed"
    assert lines[3].title == "whoever asks may ask"


@hypothesis_given(results)
def test_no_rule_is_hidden(rules: list[RuleResult]) -> None:
    assert len(rules_table(rules)) == len(rules)
    for text in (rules_markdown(rules), rules_folded(rules)):
        assert len(re.findall(r"(?m)^- ", text)) == len(rules)
        assert text.count("<details") == text.count("</details>")


@hypothesis_given(results)
def test_a_rule_that_was_gone_past_is_never_told_as_met(rules: list[RuleResult]) -> None:
    met = [line for line in rules_table(rules) if line.mark == "✓"]
    assert len(met) == sum(result.passed for result in rules)


def test_a_rule_that_nobody_described_is_named() -> None:
    (line,) = rules_table((RuleResult(rule="new `rule`", state=RuleState.PASS),))
    assert line.title == "`new 'rule'`"


def test_every_rule_that_is_judged_has_words() -> None:
    """Read from the source of the domain: the first argument of `passed`, `failed` and `unknown`."""
    judged = {
        name
        for path in (ROOT / "bot" / "domain").glob("*.py")
        for name in re.findall(r"\b(?:passed|failed|unknown)\(\s*\"([a-z_]+)\"", path.read_text(encoding="utf-8"))
    }
    assert judged
    assert judged <= set(RULES)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (Who(), "anybody with at least the role `write`"),
        (Who(role="admin"), "anybody with at least the role `admin`"),
        (Who(teams=(42,)), "a member of team 42"),
        (Who(teams=(42, 43), users=(7, 8, 9)), "a member of team 42 or 43 or account 7, 8 or 9"),
        (Who(role="maintain", users=(7,)), "account 7 (with at least the role `maintain`)"),
        (Who(users=tuple(range(1, 10))), "account 1, 2, 3, 4, 5, 6 or 3 more"),
        (Who(role="`@everyone"), "anybody with at least the role `'@everyone`"),
    ],
)
def test_who_may_in_words(who: Who, said: str) -> None:
    assert who_may(who) == said


def test_groups_are_part_of_whose_approval_counts() -> None:
    policy = Policy(approvals=2, groups=(Group(name="sec|urity", count=1, who=Who(teams=(42,))),))
    assert (
        who_approves(policy)
        == "anybody with at least the role `write`; at least 1 of `sec¦urity` (a member of team 42)"
    )
