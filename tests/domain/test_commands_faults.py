"""What means to be a command and is none: the code, and the line that is suggested instead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from bot.domain.codes import Code
from bot.domain.commands import USAGE, Command, CommandFault, Verb, parse
from tests.domain.typed import FULL, SHA, commands, fault


@pytest.mark.parametrize(
    ("body", "code", "suggestion"),
    [
        ("/promot test", Code.COMMAND_UNKNOWN, USAGE[Verb.PROMOTE]),
        ("/aprove", Code.COMMAND_UNKNOWN, USAGE[Verb.APPROVE]),
        ("/roll-back prod", Code.COMMAND_UNKNOWN, USAGE[Verb.ROLLBACK]),
        ("/miso deploy test", Code.COMMAND_UNKNOWN, "/help"),
        ("/miso-promote test", Code.COMMAND_UNKNOWN, USAGE[Verb.PROMOTE]),
        ("/promote", Code.COMMAND_ARGUMENTS, USAGE[Verb.PROMOTE]),
        ("/link", Code.COMMAND_ARGUMENTS, USAGE[Verb.LINK]),
        ("/link BCDF-GHJK", Code.COMMAND_ARGUMENTS, USAGE[Verb.LINK]),
        ("/link BCDF-GHJK-LMNP please", Code.COMMAND_ARGUMENTS, USAGE[Verb.LINK]),
        ("/promote staging", Code.STAGE_UNKNOWN, "/promote test"),
        ("/promote prodution", Code.STAGE_UNKNOWN, "/promote production"),
        ("/why mars", Code.STAGE_UNKNOWN, USAGE[Verb.WHY]),
        ("/promote test now", Code.COMMAND_ARGUMENTS, "/promote test"),
        (f"/promote test @{SHA} please", Code.COMMAND_ARGUMENTS, f"/promote test @{SHA}"),
        ("/approve production", Code.COMMAND_ARGUMENTS, "/approve"),
        ("/status 200 came back", Code.COMMAND_ARGUMENTS, "/status"),
        ("/promote test @0123456", Code.SHA_MALFORMED, USAGE[Verb.PROMOTE]),
        (f"/promote test @{FULL}0", Code.SHA_MALFORMED, USAGE[Verb.PROMOTE]),
        ("/promote test @feature", Code.SHA_MALFORMED, USAGE[Verb.PROMOTE]),
        (f"/promote test {SHA}", Code.SHA_MALFORMED, f"/promote test @{SHA}"),
        (f"/rollback prod @{SHA}", Code.COMMAND_ARGUMENTS, f"/rollback production to @{SHA}"),
        ("/rollback prod to", Code.COMMAND_ARGUMENTS, "/rollback production"),
        ("/rollback prod to main", Code.COMMAND_ARGUMENTS, "/rollback production"),
        ("/approve now", Code.COMMAND_ARGUMENTS, "/approve"),
        (f"/approve {SHA}", Code.SHA_MALFORMED, f"/approve @{SHA}"),
        (f"/approve @{SHA} fine", Code.COMMAND_ARGUMENTS, f"/approve @{SHA}"),
        ("/revoke mine", Code.COMMAND_ARGUMENTS, "/revoke"),
        ("/why prod @feature", Code.SHA_MALFORMED, USAGE[Verb.WHY]),
        ("/reject @anna it leaks", Code.SHA_MALFORMED, "/reject @sha <reason>"),
        (f"/reject {SHA} it leaks", Code.SHA_MALFORMED, f"/reject @{SHA} <reason>"),
        ("/reject 0123456 leaks", Code.SHA_MALFORMED, "/reject @sha <reason>"),
        (f"/reject @{SHA}", Code.REASON_MISSING, f"/reject @{SHA} <reason>"),
        (f"/reject @{SHA} \u200b", Code.REASON_MISSING, f"/reject @{SHA} <reason>"),
        ("/lock", Code.COMMAND_ARGUMENTS, USAGE[Verb.LOCK]),
        ("/lock prodution x", Code.STAGE_UNKNOWN, "/lock production <reason>"),
        ("/lock prod", Code.REASON_MISSING, "/lock production <reason>"),
        ("/lock prod for 2h", Code.REASON_MISSING, "/lock production for 2h <reason>"),
        ("/lock prod for", Code.DURATION_MALFORMED, "/lock production for 2h <reason>"),
        ("/lock prod for the fair", Code.DURATION_MALFORMED, "/lock production for 2h <reason>"),
        ("/lock prod for 2 h x", Code.DURATION_MALFORMED, "/lock production for 2h <reason>"),
        ("/lock prod for 0h x", Code.DURATION_MALFORMED, "/lock production for 2h <reason>"),
        ("/lock prod for 31d x", Code.DURATION_MALFORMED, "/lock production for 2h <reason>"),
        ("/lock prod for \u0662h x", Code.DURATION_MALFORMED, "/lock production for 2h <reason>"),
        ("/lock prod 3d the fair", Code.DURATION_MALFORMED, "/lock production for 3d <reason>"),
        ("/lock prod --force x", Code.FLAG_UNKNOWN, "/lock production <reason>"),
        ("/unlock mars", Code.STAGE_UNKNOWN, USAGE[Verb.UNLOCK]),
        ("/unlock dev --force", Code.FLAG_UNKNOWN, "/unlock dev"),
        ("/policy show", Code.COMMAND_ARGUMENTS, "/policy"),
        ("/policy accept", Code.COMMAND_ARGUMENTS, "/policy accept <hash>"),
        ("/policy reject 0123456", Code.COMMAND_ARGUMENTS, "/policy reject <hash>"),
        (f"/policy accept {SHA} now", Code.COMMAND_ARGUMENTS, f"/policy accept {SHA}"),
        ("/promote prod --break-glass", Code.REASON_MISSING, "/promote production --break-glass <reason>"),
        ("/promote prod --break-glass \u2800\u200b", Code.REASON_MISSING, "/promote production --break-glass <reason>"),
        ("/promote --break-glass x", Code.COMMAND_ARGUMENTS, USAGE[Verb.PROMOTE]),
        ("/promote --prod", Code.FLAG_UNKNOWN, USAGE[Verb.PROMOTE]),
        ("/promote prod --force", Code.FLAG_UNKNOWN, "/promote production"),
        (f"/promote prod @{SHA} --force x", Code.FLAG_UNKNOWN, f"/promote production @{SHA}"),
        ("/promote prod --breakglass x", Code.FLAG_UNKNOWN, "/promote production --break-glass <reason>"),
        ("/promote prod --break-glass=x", Code.FLAG_UNKNOWN, "/promote production --break-glass <reason>"),
        ("/promote prod -break-glass x", Code.FLAG_UNKNOWN, "/promote production --break-glass <reason>"),
        ("/promote prod \u2014break-glass x", Code.COMMAND_NOT_ASCII, "/promote production --break-glass <reason>"),
        (
            f"/promote prod --break-glass @{SHA} x",
            Code.COMMAND_ARGUMENTS,
            "/promote production @sha --break-glass <reason>",
        ),
        ("/rollback prod --break-glass x", Code.FLAG_UNKNOWN, "/rollback production"),
        ("/clear", Code.COMMAND_ARGUMENTS, USAGE[Verb.CLEAR]),
        ("/clear all of it", Code.COMMAND_ARGUMENTS, USAGE[Verb.CLEAR]),
        (f"/clear @{SHA} \u200b", Code.REASON_MISSING, f"/clear @{SHA} <reason>"),
        (f"/clear @{SHA}", Code.REASON_MISSING, f"/clear @{SHA} <reason>"),
        (f"/clear {SHA} because", Code.SHA_MALFORMED, f"/clear @{SHA} <reason>"),
    ],
)
def test_faults_and_what_to_type_instead(body: str, code: Code, suggestion: str) -> None:
    found = fault(body)
    assert (found.code, found.suggestion) == (code, suggestion)


GAPS = {
    "<environment>": "dev",
    "@sha": f"@{SHA}",
    "<hash>": SHA,
    "<reason>": "because",
    "<code>": "BCDF-GHJK-LMNP",
}


@given(command=commands)
def test_a_suggestion_can_be_typed_once_its_gaps_are_filled(command: Command) -> None:
    """Whatever a person left out or wrote wrongly, the line that we suggest is a command."""
    line = str(command)
    for wrong in (
        line.replace("@", "@x"),
        line.replace(" for ", " for ever "),
        line.rpartition(" ")[0],
        f"{line} \u200b",
    ):
        found = parse(wrong)
        if isinstance(found, CommandFault) and found.code is not Code.COMMAND_TWICE:
            filled = re.sub(r" \[[^\]]*\]", "", found.suggestion)
            for gap, word in GAPS.items():
                filled = filled.replace(gap, word)
            assert isinstance(parse(filled), Command), found


def test_suggestions_never_hold_what_was_typed() -> None:
    """Rule 14: what we print as a line to paste is made of our own words."""
    for body in ("/promote `@everyone`", "/promot <img>", "/miso [x](http://y)", "/promote test @feature/[x]"):
        assert fault(body).suggestion in set(USAGE.values())
