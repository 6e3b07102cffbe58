"""Rule 16, as far as it can be read off the syntax trees: one verb for each word, and the same question before each.

What trees cannot show is tried on the wire by `tests/flows/test_chokepoint.py`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bot.domain.promotion import Kind
from tests.sources import Call, calls, modules

ASKS = "authorization.authorize"
VERBS = {
    "REQUESTED": ("promotions", "request", "record", {"promotions._requested"}),
    "APPROVED": ("approvals", "approve", "record", {"approvals.approve", "carrying._approved"}),
    "REVOKED": ("approvals", "revoke", "record", {"approvals.revoke"}),
    "REJECTED": ("promotions", "reject", "record", {"promotions.reject"}),
    "CANCELLED": ("promotions", "cancel", "record", {"promotions.cancel"}),
    "HOLD_CLEARED": ("holds", "clear", "_lift", {"holds._lift"}),
}
"""Rows that a person causes: the one verb that writes each, by which call it writes, and where the row is made. Each
passes the chokepoint before. An approval that carries over was asked for when it was given."""
OTHERS = {
    "promotions.reject_release": "ban",
    "holds.clear": "_append",
    "locks.lock": "_write",
    "locks.unlock": "_write",
    "agreements.agree": "write",
    "agreements.reject": "write",
    "links.begin": "keep",
    "links.prove": "_put",
    "links.put": "_put",
    "links.remove": "_write",
}
"""Verbs that write into other streams, by which call."""


@pytest.mark.parametrize("kind", VERBS)
def test_rule_16_each_word_of_a_person_has_one_verb_whichever_door_was_used(kind: str) -> None:
    room, verb, writes, made = VERBS[kind]
    assert hasattr(Kind, kind)
    assert {f"{Path(name).stem}.{function}" for name, function in _rows_made(kind)} == made
    _asks_first(room, verb, writes)


@pytest.mark.parametrize("verb", OTHERS)
def test_rule_16_every_other_verb_asks_before_it_writes(verb: str) -> None:
    room, _, name = verb.partition(".")
    _asks_first(room, name, OTHERS[verb])


def _asks_first(room: str, verb: str, writes: str) -> None:
    called = _called_in(room, verb)
    asking = {"_administrator"} if room == "links" else set()
    asked = [
        call.node.lineno
        for call in called
        if f"{call.receiver}.{call.method}" == ASKS or (not call.receiver and call.method in asking)
    ]
    written = [call.node.lineno for call in called if call.method == writes]
    assert asked
    assert min(asked) < min(written)


def test_rule_16_an_approval_is_judged_by_the_decision_and_a_ban_by_its_verb() -> None:
    judged = {f"{call.receiver}.{call.method}" for call in _called_in("approvals", "_judging")}
    assert {"policy.decide_approval", "access.standing", "knowledge.gather"} <= judged
    assert {(c.module, c.within[0]) for c in inside("ban")} == {("bot/services/promotions.py", "reject_release")}


def test_rule_16_the_judgement_is_made_in_one_place() -> None:
    """Nobody makes an `Authorized` but the judgement, and nobody asks the judgement but the chokepoint."""
    made = {(c.module, c.within) for c in inside("Authorized")}
    assert made == {("bot/domain/authorization.py", ("judge",))}
    asked = {c.module for name in ("judge", "barred") for c in inside(name) if c.receiver == "rules"}
    assert asked == {"bot/services/authorization.py"}


def test_rule_5_an_account_is_asked_for_at_that_moment() -> None:
    called = {f"{call.receiver}.{call.method}" for call in _called_in("authorization", "authorize")}
    assert {"access.permission", "access.teams", "policies.accepted"} <= called


def _called_in(room: str, function: str) -> list[Call]:
    name = f"bot/services/{room}.py"
    return [call for call in calls("bot/services") if call.module == name and call.within[:1] == (function,)]


def inside(name: str) -> list[Call]:
    return [call for call in calls("bot", "handlers") if call.method == name and not call.module.startswith("bot/sim/")]


def _rows_made(kind: str) -> set[tuple[str, str]]:
    """File and outermost function wherever `Kind.<kind>` is handed to a function that makes a row."""
    made = set()
    for module in modules("bot/services", "bot/cli", "bot/web", "handlers"):
        for outer in module.tree.body:
            if not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            given = [
                argument
                for node in ast.walk(outer)
                if isinstance(node, ast.Call)
                for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
            ]
            if any(ast.unparse(argument) == f"Kind.{kind}" for argument in given):
                made.add((module.name, outer.name))
    return made
