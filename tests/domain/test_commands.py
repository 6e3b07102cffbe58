"""Comments and the one command in them (security rule 8): what counts, what is talk, what is answered with a fault."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.commands import (
    REASON_LIMIT,
    Command,
    CommandFault,
    NoCommand,
    Verb,
    parse,
)
from bot.domain.model import STAGE_ALIASES, Stage, Untrusted
from tests.domain.typed import FULL, SHA, commands, fault


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/promote test", Command(verb=Verb.PROMOTE, stage=Stage.TEST)),
        (f"/promote prod @{SHA}", Command(verb=Verb.PROMOTE, stage=Stage.PRODUCTION, sha=SHA)),
        (f"/promote pro @{FULL.upper()}", Command(verb=Verb.PROMOTE, stage=Stage.PRODUCTION, sha=FULL)),
        ("/approve", Command(verb=Verb.APPROVE)),
        ("/reject", Command(verb=Verb.REJECT)),
        ("/reject not on a Friday", Command(verb=Verb.REJECT, reason=Untrusted("not on a Friday"))),
        (f"/approve @{SHA}", Command(verb=Verb.APPROVE, sha=SHA)),
        ("/revoke", Command(verb=Verb.REVOKE)),
        ("/reject effaced the logo", Command(verb=Verb.REJECT, reason=Untrusted("effaced the logo"))),
        ("/reject --all of it", Command(verb=Verb.REJECT, reason=Untrusted("--all of it"))),
        (f"/reject @{SHA} it leaks", Command(verb=Verb.REJECT, sha=SHA, reason=Untrusted("it leaks"))),
        ("/cancel", Command(verb=Verb.CANCEL)),
        ("/cancel @anna found a better way", Command(verb=Verb.CANCEL, reason=Untrusted("@anna found a better way"))),
        ("/lock prod the fair", Command(verb=Verb.LOCK, stage=Stage.PRODUCTION, reason=Untrusted("the fair"))),
        ("/lock dev FOR 2H demo", Command(verb=Verb.LOCK, stage=Stage.DEV, seconds=7200, reason=Untrusted("demo"))),
        ("/lock dev for 90m x", Command(verb=Verb.LOCK, stage=Stage.DEV, seconds=5400, reason=Untrusted("x"))),
        ("/lock dev for 1m x", Command(verb=Verb.LOCK, stage=Stage.DEV, seconds=60, reason=Untrusted("x"))),
        ("/lock dev for 30d x", Command(verb=Verb.LOCK, stage=Stage.DEV, seconds=2_592_000, reason=Untrusted("x"))),
        ("/unlock test", Command(verb=Verb.UNLOCK, stage=Stage.TEST)),
        ("/unlock test it is over", Command(verb=Verb.UNLOCK, stage=Stage.TEST, reason=Untrusted("it is over"))),
        (f"/why prod @{SHA}", Command(verb=Verb.WHY, stage=Stage.PRODUCTION, sha=SHA)),
        ("/policy", Command(verb=Verb.POLICY)),
        (f"/policy ACCEPT {SHA.upper()}", Command(verb=Verb.POLICY, word="accept", hash=SHA)),
        (f"/policy reject {SHA}", Command(verb=Verb.POLICY, word="reject", hash=SHA)),
        (
            "/promote prod --BREAK-GLASS the shop is dówn",
            Command(verb=Verb.PROMOTE, stage=Stage.PRODUCTION, break_glass=True, reason=Untrusted("the shop is dówn")),
        ),
        (
            f"/promote prod @{SHA} --break-glass --break-glass is why",
            Command(
                verb=Verb.PROMOTE,
                stage=Stage.PRODUCTION,
                sha=SHA,
                break_glass=True,
                reason=Untrusted("--break-glass is why"),
            ),
        ),
        ("/rollback production", Command(verb=Verb.ROLLBACK, stage=Stage.PRODUCTION)),
        (f"/rollback production TO @{SHA}", Command(verb=Verb.ROLLBACK, stage=Stage.PRODUCTION, sha=SHA)),
        (f"/clear @{SHA} the disk was full", Command(verb=Verb.CLEAR, sha=SHA, reason=Untrusted("the disk was full"))),
        ("/link BCDF-GHJK-LMNP", Command(verb=Verb.LINK, code="BCDF-GHJK-LMNP")),
        ("/link bcdfghjklmnp", Command(verb=Verb.LINK, code="BCDF-GHJK-LMNP")),
        ("/status", Command(verb=Verb.STATUS)),
        ("/why tst", Command(verb=Verb.WHY, stage=Stage.TEST)),
        ("/help", Command(verb=Verb.HELP)),
        ("/miso", Command(verb=Verb.HELP)),
        ("/miso promote test", Command(verb=Verb.PROMOTE, stage=Stage.TEST)),
        ("/PROMOTE  \t Test  ", Command(verb=Verb.PROMOTE, stage=Stage.TEST)),
        ("\r\n\r\n   /promote test\r\n\r\nThanks!\r\n", Command(verb=Verb.PROMOTE, stage=Stage.TEST)),
        ("/promote test\nThanks, all!", Command(verb=Verb.PROMOTE, stage=Stage.TEST)),
        ("Looks good.\n\n/approve\n\nGreat work!", Command(verb=Verb.APPROVE)),
        ("A `<details>` in code hides nothing.\n\n/approve", Command(verb=Verb.APPROVE)),
        ("> Shall we?\n\n/approve", Command(verb=Verb.APPROVE)),
    ],
)
def test_commands_that_count(body: str, command: Command) -> None:
    assert parse(body) == command


@pytest.mark.parametrize("alias", sorted(STAGE_ALIASES))
def test_every_alias_of_a_stage_is_understood(alias: str) -> None:
    assert parse(f"/promote {alias.upper()}") == Command(verb=Verb.PROMOTE, stage=STAGE_ALIASES[alias])


@pytest.mark.parametrize(
    "around",
    [
        "> {}",
        "> quoted\n{}",
        "```\n{}\n```",
        "~~~text\n{}\n~~~",
        "```\n{}",
        "    {}",
        "`{}`",
        "<!-- {} -->",
        "<!--\n{}\n-->",
        "<!--\n\n{}\n\n-->",
        "<!-- \n{}",
        "<details>\n\n{}\n\n</details>",
        "<blockquote>\n\n{}\n\n</blockquote>",
        "See <del>\n\n{}\n\n</del>",
        "<pre>\n{}\n</pre>",
        "<div>\n{}\n</div>",
        "[{}](https://example.com)",
        "![{}](https://example.com/a.png)",
        "[a]: {}",
        "# {}",
        "{}\n===",
        "{}\n---",
        "- {}",
        "1. {}",
        "* one\n\n  {}",
        "| a |\n|---|\n| {} |",
        "**{}**",
        "~~{}~~",
        "\\{}",
        "Please type {}",
        "Please type\n{}",
        "&#47;{}",
    ],
)
@given(command=commands)
def test_rule_8_talk_about_a_command_is_no_command(around: str, command: Command) -> None:
    assert parse(around.format(command)) == NoCommand()


@given(command=commands)
def test_every_command_is_found_again_in_its_own_line(command: Command) -> None:
    assert parse(str(command)) == command
    assert parse(f"Hello.\r\n\r\n  {command}  \r\n\r\nBye.") == command


@given(body=st.text())
@example(body="<![if")
@example(body="<!-->/promote test")
@example(body="\ud800/promote test")
@example(body="\0/promote \0test")
def test_no_text_makes_it_raise(body: str) -> None:
    assert isinstance(parse(body), NoCommand | Command | CommandFault)


@given(body=st.text(alphabet="/@promteas <>!-`>\n\r\t*[]()#&;0123456789abcdef\u200b"))
def test_no_text_of_our_own_letters_makes_it_raise(body: str) -> None:
    assert isinstance(parse(body), NoCommand | Command | CommandFault)


@pytest.mark.parametrize("text", ["/promote test\n\n/approve", "/promote test\n/approve", "/approve\n\n/approve"])
def test_rule_8_two_commands_are_none(text: str) -> None:
    assert fault(text).code is Code.COMMAND_TWICE


def test_a_quoted_command_beside_a_command_is_not_a_second_one() -> None:
    assert parse("> /promote production\n\n/promote test\n\n    /approve") == Command(
        verb=Verb.PROMOTE, stage=Stage.TEST
    )


@pytest.mark.parametrize(
    "body",
    [
        "/\u200bapprove",
        "\u200b/approve",
        "/approve\u200b",
        "/\u0430pprove",  # Cyrillic a
        "/\u0440romote test",  # Cyrillic er
        "/pr\u03bfmote test",  # Greek omicron
        "\uff0fapprove",  # full-width slash
        "/\uff41pprove",  # full-width a
        "\u2044approve",  # fraction slash
        "\u00a0/approve",
        "/promote\u00a0test",
        "/promote te\u00adst",  # soft hyphen
        "/promote \u0442est",  # Cyrillic te
        f"/promote test @{SHA[:-1]}\u0430",
        f"/clear @{SHA}\u200b because",
        "/status \u202e",
        "/m\u0456so promote test",
        "/miso pr\u200bomote test",
        "/l\u043eck dev because",  # Cyrillic o
        "/re\u0458ect",  # Cyrillic je
        "/lock d\u0435v because",
        "/lock dev f\u043er 2h because",
        f"/reject \uff20{SHA} it leaks",  # full-width at sign
        f"/reject @{SHA}\u200b it leaks",
        f"/approve @{SHA}\u200b",
        "/promote prod \u2014break-glass because",  # em dash
        "/promote prod \u2013break-glass because",  # en dash
        "/promote prod \u2011\u2011break\u2011glass because",  # non-breaking hyphens
        "/promote prod --br\u0435ak-glass because",
        f"/policy accept {SHA}\u200b",
    ],
)
def test_rule_8_lookalikes_are_a_fault_and_never_a_match(body: str) -> None:
    assert fault(body).code is Code.COMMAND_NOT_ASCII


@pytest.mark.parametrize(
    "body",
    ["/assign me", "/deploy prod", "/rebase", "/retest", "/lgtm", "/hold", "/cc @anna", "/close", "/reopen", "/clean",
     "/release 1.2", "/project x", "/start", "/state", "/helm upgrade", "/who", "/way", "/rerun", "/merge", "/label x",
     "/block @x", "/unblock @x", "/canary", "/tmp/x is full", "/usr/bin/help", "/", "//", "/ approve", "/misogyny"],
)  # fmt: skip
def test_commands_of_other_apps_are_left_alone(body: str) -> None:
    assert parse(body) == NoCommand()


def test_a_reason_is_one_line_and_bounded() -> None:
    found = parse("/reject " + "a\u2028b\u0085c " * 400)
    assert isinstance(found, Command)
    assert len(found.reason) <= REASON_LIMIT
    assert found.reason.startswith("a b c a b c")
    assert len(found.reason.splitlines()) == 1


@pytest.mark.parametrize(
    "unit",
    ["[", "![", "<", "<!--", "`", "``a", "*a_", "[a](", "[x]: /u\n", "> ", "- ", "a\n\n", "<a <details> ", "|a",
     "/approve\n\n", "<details>\n\n"],
)  # fmt: skip
def test_the_longest_comment_is_read_quickly(unit: str) -> None:
    """GitHub takes 65,536 characters, and strangers may write them."""
    body = (unit * (65_536 // len(unit)))[:65_000] + "\n\n/approve"
    began = time.process_time()
    parse(body)
    assert time.process_time() - began < 5
