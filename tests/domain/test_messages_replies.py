"""Answers to commands, and what Miso says unasked: snapshots to read, and the limits that GitHub sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from bot.domain import messages as say
from bot.domain.codes import Code
from bot.domain.commands import CommandFault, parse
from bot.domain.decision import Decision, Fixer, RuleResult, RuleState, Verdict
from bot.domain.model import Account, Ban, Lock, Untrusted
from bot.domain.policy import decide
from tests.domain import given
from tests.domain.pages import Page
from tests.domain.stories import FROZEN, STORIES, pull_request_places, tell


@dataclass(frozen=True, kw_only=True)
class Mistake:
    line: int
    path: str
    sentence: str


def _decide(**changes: Any) -> Decision:
    return decide(given.asked(), given.facts(**changes), given.POLICY, given.RULES, given.NOW)


def _fault(body: str) -> str:
    found = parse(body)
    assert isinstance(found, CommandFault)
    return say.reply_refused(say.fault(found))


NASTY = Untrusted("the `fair` @everyone | <b>#1</b>")
BAN = Ban(commit=given.NEW, digest=given.NEW_DIGEST, reason=NASTY, by=given.OTHER, since_us=1)
LOCK = Lock(owner=given.OTHER, reason=NASTY, since_us=given.NOW, until_us=given.NOW + 2 * given.HOUR)
ENDLESS = Lock(owner=given.OTHER, reason=NASTY, since_us=given.NOW, until_us=0)
HASH = "0123456789ab" + "f" * 52
DIFFERENCE = ("production.approvals 2 → 1", "production.approve.teams 42 → 42, 43")
DEE, EVE = Account(id=14, login="dee"), Account(id=15, login="eve")
PREVIEW = "- Image `sha256:111111111111…` → `sha256:222222222222…`\n- Expect 10 to 60 seconds without answers."
HELD = RuleResult(
    rule="holds", state=RuleState.FAIL, code=Code.RELEASE_HELD, fixer=Fixer.WRITER,
    values={"stage": "test", "commit": "bbbbbbbbbbbb"}, command="/clear @bbbbbbbbbbbb <reason>",
)  # fmt: skip
FIRST = RuleResult(
    rule="order", state=RuleState.FAIL, code=Code.NOT_VERIFIED_BEFORE, fixer=Fixer.WRITER,
    values={"stage": "test", "commit": "bbbbbbbbbbbb"}, command="/promote test @bbbbbbbbbbbb",
)  # fmt: skip
DOUBT = RuleResult(rule="fence", state=RuleState.UNKNOWN, code=Code.ANCESTRY_UNKNOWN, fixer=Fixer.WAIT)
YES = RuleResult(rule="image", state=RuleState.PASS)
REFUSED = Decision(verdict=Verdict.REFUSE, rules=(YES, HELD, FIRST, DOUBT))
GATE = say.explain(Code.GATE_NO_DECISION, stage="production")

REPLIES: dict[str, Callable[[], str]] = {
    "help": say.reply_help,
    "status": lambda: say.reply_status(pull_request_places(), now_us=given.NOW),
    "status, nothing registered": lambda: say.reply_status(()),
    "requested, waits": lambda: say.reply_requested(STORIES["requested"], given.PRODUCTION),
    "requested, starts": lambda: say.reply_requested(tell(approvals_needed=0), given.TEST),
    "requested, first": lambda: say.reply_requested(tell(approvals_needed=0, previous=None), given.TEST),
    "requested, rollback": lambda: say.reply_requested(tell(approvals_needed=0, rollback=True), given.TEST),
    "approved": lambda: say.reply_approved(STORIES["approved"], given.PRODUCTION, given.OTHER),
    "approved, one of two": lambda: say.reply_approved(STORIES["requested, one of two"], given.PRODUCTION, given.OTHER),
    "rejected": lambda: say.reply_rejected(STORIES["rejected"], given.PRODUCTION, given.OTHER),
    "rejected, no reason": lambda: say.reply_rejected(STORIES["rejected, no reason"], given.PRODUCTION, given.OTHER),
    "requested, strict": lambda: say.reply_requested(
        STORIES["requested, of a strict policy"], given.PRODUCTION, preview=PREVIEW
    ),
    "requested, break-glass": lambda: say.reply_requested(STORIES["requested, by break-glass"], given.PRODUCTION),
    "linked": lambda: say.reply_linked(given.OTHER),
    "revoked": lambda: say.reply_revoked(STORIES["requested, taken back"], given.PRODUCTION, given.OTHER),
    "revoked, still enough": lambda: say.reply_revoked(STORIES["approved"], given.PRODUCTION, given.OTHER),
    "cancelled": lambda: say.reply_cancelled(STORIES["cancelled"], given.PRODUCTION, given.OTHER),
    "banned": lambda: say.reply_banned(BAN),
    "clear asked": lambda: say.reply_clear_asked(given.NEW, given.OTHER, NASTY, 1),
    "cleared": lambda: say.reply_cleared(given.NEW, [given.OTHER, given.ASKER], "the disk was full @everyone"),
    "locked": lambda: say.reply_locked(given.PRODUCTION, LOCK),
    "locked, endless": lambda: say.reply_locked(given.PRODUCTION, ENDLESS),
    "unlocked": lambda: say.reply_unlocked(given.PRODUCTION, LOCK, given.OTHER, ""),
    "unlocked, another's": lambda: say.reply_unlocked(given.PRODUCTION, LOCK, given.ASKER, NASTY),
    "policy": lambda: say.reply_policy(3, HASH, given.NOW),
    "policy, none": lambda: say.reply_policy(0, "", 0),
    "policy, waits": lambda: say.reply_policy(
        3, HASH, given.NOW, pending="b" * 64, difference=DIFFERENCE, loosens=("production.approvals",), given=(DEE,)
    ),
    "policy, counted": lambda: say.reply_policy_counted(HASH, (DEE,)),
    "policy, accepted": lambda: say.reply_policy_accepted(4, HASH, (DEE, EVE), DIFFERENCE),
    "policy, rejected": lambda: say.reply_policy_rejected(HASH, given.OTHER),
    "reminder": lambda: say.reminder(
        STORIES["requested, of a strict policy"], given.PRODUCTION, now_us=given.NOW + 25 * given.HOUR
    ),
    "reminder, taken back": lambda: say.reminder(
        STORIES["requested, taken back"], given.PRODUCTION, "`dee` or `eve`", now_us=given.NOW
    ),
    "reminder, break-glass": lambda: say.reminder(STORIES["requested, by break-glass"], given.PRODUCTION),
    "superseded": lambda: say.superseded(
        STORIES["requested, one of two"], given.PRODUCTION, tell(release=given.release("c" * 40), pull_request=9)
    ),
    "refused": lambda: say.reply_refused(say.refusal(Code.AUTHOR_IS_APPROVER)),
    "refused, careless": lambda: say.reply_refused(say.refusal(Code.NOT_MERGED).__class__("x", "see <b>http://y</b>")),
    "fault, unknown": lambda: _fault("/promot test"),
    "fault, stage": lambda: _fault("/promote prodution"),
    "fault, twice": lambda: _fault("/approve\n\n/promote test"),
    "decision, one obstacle": lambda: say.reply_decision(
        Decision(verdict=Verdict.REFUSE, rules=(YES, HELD)), given.PRODUCTION
    ),
    "decision, several": lambda: say.reply_decision(REFUSED, given.PRODUCTION),
    "decision, no rules": lambda: say.reply_decision(Decision(verdict=Verdict.REFUSE, rules=()), given.PRODUCTION),
    "why, allowed": lambda: say.reply_why(Decision(verdict=Verdict.ALLOW, rules=(YES,)), given.TEST, given.release()),
    "why, needs approval": lambda: say.reply_why(_decide(), given.PRODUCTION, given.release()),
    "why, refused": lambda: say.reply_why(REFUSED, given.PRODUCTION, given.release()),
    "why, nothing known": lambda: say.reply_why(_decide(identity=None, verified=None), given.PRODUCTION, None),
    "why, no rules": lambda: say.reply_why(Decision(verdict=Verdict.REFUSE, rules=()), given.PRODUCTION, None),
    "why, gone past": lambda: say.reply_why(
        Decision(verdict=Verdict.NEEDS_APPROVAL, rules=(YES, FROZEN), approvals_needed=1),
        given.PRODUCTION,
        given.release(),
    ),
    "apology": lambda: say.reply_apology("0b1c2d3e-0000-4000-8000-000000000000"),
    "gate, waiting": lambda: say.gate_comment(GATE.code, GATE.sentence, GATE.hint, waiting_for=["dee", "eve"]),
    "gate, approved": lambda: say.gate_comment(
        Code.GATE_APPROVED, say.explain(Code.GATE_APPROVED, stage="production").sentence
    ),
    "gate, rejected": lambda: say.gate_comment(
        Code.GATE_REJECTED,
        say.explain(Code.GATE_REJECTED, stage="production").sentence,
        say.explain(Code.GATE_REJECTED).hint,
    ),
    "gate, with rules": lambda: say.gate_comment(GATE.code, GATE.sentence, GATE.hint, rules=REFUSED.rules),
    "out of band": lambda: say.out_of_band(given.PRODUCTION, commit=given.NEW, actor=given.OTHER, deployment_id=17),
}


@pytest.mark.parametrize("name", list(REPLIES))
def test_replies(name: str, snapshot: SnapshotAssertion) -> None:
    assert REPLIES[name]() + "\n" == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", list(REPLIES))
def test_rule_14_and_15_no_reply_calls_anybody_or_is_a_command_itself(name: str) -> None:
    text = REPLIES[name]()
    assert not isinstance(parse(text), type(parse("/help")))
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for child in token.children or []:
            assert child.type not in ("link_open", "image")
            assert child.type != "text" or "@" not in child.content


def test_the_marker_of_a_reply_names_the_comment() -> None:
    assert say.reply_marker(123) == "<!-- miso:reply:123 -->"
    assert say.with_marker(say.reply_marker(123), "Hello.") == "<!-- miso:reply:123 -->\nHello."
    assert "-->" not in say.reply_marker("--> x")[:-3]


def test_why_does_not_hide_a_rule() -> None:
    decision = _decide(verified=(), image_exists=False)
    text = say.reply_why(decision, given.PRODUCTION, given.release())
    assert text.count("\n- ") + text.count("\n\n- ") >= len(decision.rules) - 1
    for result in decision.obstacles:
        assert f"`{result.code}`" in text


@hypothesis_given(
    sentence=st.text(max_size=3000),
    hint=st.text(max_size=3000),
    people=st.lists(st.text(), max_size=20),
    rules=st.lists(st.sampled_from([HELD, FIRST, DOUBT, YES, FROZEN]), max_size=40),
)
def test_a_gate_comment_is_short_enough(sentence: str, hint: str, people: list[str], rules: list[RuleResult]) -> None:
    assert len(say.gate_comment(Code.GATE_EXPIRED, sentence, hint, waiting_for=people, rules=rules)) <= 1024


def test_a_build_that_leads_nowhere_lists_every_fault(snapshot: SnapshotAssertion) -> None:
    check = say.build_check(
        head_sha=given.NEW,
        external_id="notice",
        no=say.refusal(Code.CONFIG_INVALID),
        faults=[
            Mistake(line=2, path="image", sentence="must be host and repository in lower case"),
            Mistake(line=0, path="", sentence="is no mapping: @everyone <b>"),
        ],
    )
    assert (check.name, check.status, check.conclusion) == ("miso / build", "completed", "failure")
    assert f"{check.title}\n\n---\n\n{check.summary}\n" == snapshot(extension_class=Page)
    assert say.build_check(head_sha=given.NEW, external_id="n", no=say.refusal(Code.IMAGE_NOT_FOUND)).actions == ()
