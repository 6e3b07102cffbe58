"""Comments and the one command in them (security rule 8): what counts, what is talk, what is answered with a fault."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.commands import REASON_LIMIT, USAGE, Command, CommandFault, NoCommand, Verb, parse
from bot.domain.model import STAGE_ALIASES, Stage, Untrusted

SHA = "0123456789ab"
FULL = "0123456789abcdef0123456789abcdef01234567"

shas = st.text("0123456789abcdef", min_size=12, max_size=40)
reasons = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\"), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
).map(lambda words: Untrusted(" ".join(words)))
commands = st.one_of(
    st.builds(Command, verb=st.just(Verb.PROMOTE), stage=st.sampled_from(Stage), sha=shas | st.just("")),
    st.builds(Command, verb=st.just(Verb.ROLLBACK), stage=st.sampled_from(Stage), sha=shas | st.just("")),
    st.builds(Command, verb=st.just(Verb.WHY), stage=st.sampled_from(Stage)),
    st.builds(Command, verb=st.just(Verb.CLEAR), sha=shas, reason=reasons),
    st.builds(Command, verb=st.just(Verb.REJECT), reason=reasons | st.just(Untrusted(""))),
    st.builds(Command, verb=st.sampled_from([Verb.APPROVE, Verb.STATUS, Verb.HELP])),
)


def fault(body: str) -> CommandFault:
    found = parse(body)
    assert isinstance(found, CommandFault), found
    return found


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/promote test", Command(verb=Verb.PROMOTE, stage=Stage.TEST)),
        (f"/promote prod @{SHA}", Command(verb=Verb.PROMOTE, stage=Stage.PRODUCTION, sha=SHA)),
        (f"/promote pro @{FULL.upper()}", Command(verb=Verb.PROMOTE, stage=Stage.PRODUCTION, sha=FULL)),
        ("/approve", Command(verb=Verb.APPROVE)),
        ("/reject", Command(verb=Verb.REJECT)),
        ("/reject not on a Friday", Command(verb=Verb.REJECT, reason=Untrusted("not on a Friday"))),
        ("/rollback production", Command(verb=Verb.ROLLBACK, stage=Stage.PRODUCTION)),
        (f"/rollback production TO @{SHA}", Command(verb=Verb.ROLLBACK, stage=Stage.PRODUCTION, sha=SHA)),
        (f"/clear @{SHA} the disk was full", Command(verb=Verb.CLEAR, sha=SHA, reason=Untrusted("the disk was full"))),
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
    ],
)
def test_rule_8_lookalikes_are_a_fault_and_never_a_match(body: str) -> None:
    assert fault(body).code is Code.COMMAND_NOT_ASCII


@pytest.mark.parametrize(
    ("body", "code", "suggestion"),
    [
        ("/promot test", Code.COMMAND_UNKNOWN, USAGE[Verb.PROMOTE]),
        ("/aprove", Code.COMMAND_UNKNOWN, "/approve"),
        ("/roll-back prod", Code.COMMAND_UNKNOWN, USAGE[Verb.ROLLBACK]),
        ("/miso deploy test", Code.COMMAND_UNKNOWN, "/help"),
        ("/miso-promote test", Code.COMMAND_UNKNOWN, USAGE[Verb.PROMOTE]),
        ("/promote", Code.COMMAND_ARGUMENTS, USAGE[Verb.PROMOTE]),
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
        ("/clear", Code.COMMAND_ARGUMENTS, USAGE[Verb.CLEAR]),
        ("/clear all of it", Code.COMMAND_ARGUMENTS, USAGE[Verb.CLEAR]),
        (f"/clear @{SHA}", Code.REASON_MISSING, f"/clear @{SHA} <reason>"),
        (f"/clear {SHA} because", Code.SHA_MALFORMED, f"/clear @{SHA} <reason>"),
    ],
)
def test_faults_and_what_to_type_instead(body: str, code: Code, suggestion: str) -> None:
    found = fault(body)
    assert (found.code, found.suggestion) == (code, suggestion)


@pytest.mark.parametrize(
    "body",
    ["/assign me", "/deploy prod", "/rebase", "/retest", "/lgtm", "/hold", "/cc @anna", "/close", "/reopen", "/clean",
     "/release 1.2", "/project x", "/start", "/state", "/helm upgrade", "/who", "/way", "/rerun", "/merge", "/label x",
     "/tmp/x is full", "/usr/bin/help", "/", "//", "/ approve", "/misogyny"],
)  # fmt: skip
def test_commands_of_other_apps_are_left_alone(body: str) -> None:
    assert parse(body) == NoCommand()


def test_a_reason_is_one_line_and_bounded() -> None:
    found = parse("/reject " + "a\u2028b\u0085c " * 400)
    assert isinstance(found, Command)
    assert len(found.reason) <= REASON_LIMIT
    assert found.reason.startswith("a b c a b c")
    assert len(found.reason.splitlines()) == 1


def test_suggestions_never_hold_what_was_typed() -> None:
    """Rule 14: what we print as a line to paste is made of our own words."""
    for body in ("/promote `@everyone`", "/promot <img>", "/miso [x](http://y)", "/promote test @feature/[x]"):
        assert fault(body).suggestion in set(USAGE.values())


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
