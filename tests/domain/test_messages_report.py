"""What GitHub shows of a promotion in every state: within GitHub's limits, stable, escaped, and read as snapshots."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot.domain.codes import Code
from bot.domain.decision import RuleResult, RuleState
from bot.domain.messages import Button, Links, Report, button_identifier, buttons_of, is_current, parse_button, report
from bot.domain.model import SYSTEM, Actor, ActorKind, ProbeKind, Stage, Status, TargetKind
from bot.domain.promotion import Promotion
from tests.domain import given
from tests.domain.pages import Page
from tests.domain.stories import STORIES, tell

LINKS = Links(repository_url="https://github.com/acme/shop", details_url="https://miso.example/promotions/1")


def shown(promotion: Promotion, now_us: int = given.NOW, links: Links = LINKS) -> Report:
    return report(
        promotion,
        application=given.APPLICATION,
        environment=given.PRODUCTION,
        now_us=now_us,
        waiting_for=["dee", "eve"],
        links=links,
    )


def page(made: Report) -> str:
    status, check = made.deployment, made.check
    buttons = ", ".join(f"[{action.label}] {action.description} ({action.identifier})" for action in check.actions)
    return (
        f"deployment: {status.state} · {status.description}\n"
        f"environment: {status.environment} {status.environment_url or '(no address)'} log {status.log_url}\n"
        f"check: {check.name} · {check.status} {check.conclusion}\ntitle: {check.title}\n"
        f"buttons: {buttons or 'none'}\n\n---\n\n{check.summary}\n\n---\n\n{made.section}\n"
    )


def test_every_status_has_a_story() -> None:
    assert {story.status for story in STORIES.values()} == set(Status)


@pytest.mark.parametrize("name", list(STORIES))
def test_every_state_as_it_is_shown(name: str, snapshot: SnapshotAssertion) -> None:
    assert page(shown(STORIES[name])) == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", list(STORIES))
def test_every_state_keeps_githubs_limits(name: str) -> None:
    made = shown(STORIES[name])
    check = made.check
    assert made.deployment.state in {"queued", "in_progress", "success", "failure", "error", "inactive"}
    assert len(made.deployment.description) <= 140
    assert check.status in {"queued", "in_progress", "completed"}
    assert bool(check.conclusion) == (check.status == "completed")
    assert len(check.summary) <= 65_535
    assert len(check.actions) <= 3
    for action in check.actions:
        assert (len(action.label) <= 20, len(action.description) <= 40, len(action.identifier) <= 20) == (True,) * 3


@pytest.mark.parametrize("name", [name for name in STORIES if "paused" not in name])
def test_the_same_state_gives_the_same_report_at_any_time(name: str) -> None:
    """Equal bodies are not sent again."""
    assert shown(STORIES[name]) == shown(STORIES[name], given.NOW + 9 * given.HOUR)


def test_a_pause_is_told_until_it_is_over() -> None:
    paused = STORIES["deploying, paused"]
    assert shown(paused).check.title.startswith("Waits until 2023-11-14 23:13:20 UTC: Azure asks to slow down")
    assert shown(paused, given.NOW + 2 * given.HOUR).check.title == "Deploying bbbbbbbbbbbb"


def test_only_a_live_promotion_shows_an_address() -> None:
    with_address = {name for name, story in STORIES.items() if shown(story).deployment.environment_url}
    assert with_address == {name for name, story in STORIES.items() if story.status is Status.LIVE}


@pytest.mark.parametrize("host", ["evil.example/x?y", "a b", "user@evil", "", "x" * 300, "[::1]", "a\nb"])
def test_an_address_that_is_none_is_left_out(host: str) -> None:
    assert shown(replace(STORIES["live"], host=host)).deployment.environment_url == ""


def test_a_container_group_is_shown_with_its_port_and_without_tls() -> None:
    place = given.environment(Stage.DEV, TargetKind.CONTAINER_INSTANCE)
    made = report(
        replace(STORIES["live"], host="shop.westeurope.azurecontainer.io"),
        application=given.APPLICATION,
        environment=place,
        now_us=given.NOW,
    )
    assert made.deployment.environment_url == "http://shop.westeurope.azurecontainer.io:8080"


def test_weaker_evidence_is_shown_as_such() -> None:
    assert "weaker evidence" in shown(STORIES["live, by Azure's word"]).check.summary
    assert "weaker evidence" not in shown(STORIES["live"]).check.summary
    by_rule = replace(given.PRODUCTION, probe=ProbeKind.PLATFORM)
    made = report(STORIES["live"], application=given.APPLICATION, environment=by_rule, now_us=given.NOW)
    assert "weaker evidence" in made.check.summary


def test_rule_14_foreign_words_do_not_act_in_any_surface() -> None:
    nasty = "x`</details> @everyone ![a](http://b) | #1 \u202e\x1b[31m"
    story = replace(
        tell(requester=Actor(kind=ActorKind.PERSON, id=5, login=nasty)),
        status=Status.REJECTED, sentence=nasty, actor=Actor(kind=ActorKind.PERSON, id=6, login=nasty),
    )  # fmt: skip
    made = report(
        story,
        application=replace(given.APPLICATION, name=nasty),
        environment=replace(given.PRODUCTION, name=nasty, location=nasty),
        now_us=given.NOW,
        waiting_for=[nasty],
        links=Links(repository_url="javascript:alert(1)", details_url="https://evil.example/\n"),
    )
    assert "javascript" not in made.check.summary
    assert made.check.details_url == ""
    assert "account 6" in made.check.title
    assert made.section.count("</details>") == 1 + made.section.count("'</details>")
    assert all(line.count("|") <= 3 for line in made.check.summary.splitlines() if line.startswith("|"))
    assert "\u202e" not in made.check.summary
    assert "@" not in made.deployment.description


def test_rule_14_a_careless_sentence_in_the_journal_is_quoted() -> None:
    story = replace(STORIES["failed"], sentence="Provider says: @everyone <img src=x>", hint="see http://evil.example")
    summary = shown(story).check.summary
    assert "`Provider says: @everyone <img src=x>`" in summary
    assert "`see http://evil.example`" in summary


def test_rule_36_break_glass_is_marked_for_ever_on_every_surface() -> None:
    for name in ("requested, by break-glass", "live, by break-glass"):
        made = shown(STORIES[name])
        for text in (made.deployment.description, made.check.title, made.section):
            assert "⚠ break-glass" in text, name
        assert "Skipped: **Nothing is promoted there now.**" in made.check.summary


def test_rule_10_an_approval_that_no_longer_counts_says_why_and_what_to_do() -> None:
    summary = shown(STORIES["requested, comment edited"]).check.summary
    assert "no longer counts:** The comment was edited. Write the command in a new comment." in summary
    changed = shown(STORIES["refused, the evidence changed"]).check.summary
    assert "| checks | `trivy: success (7)` | `trivy: failure (8)` |" in changed
    assert "type `/promote production @bbbbbbbbbbbb`. <sub>`checks_changed`</sub> |" in changed


def test_miso_says_why_it_asked_by_itself() -> None:
    story = tell(requester=SYSTEM, policy=replace(given.POLICY, soak_minutes=90), approvals_needed=0)
    made = report(story, application=given.APPLICATION, environment=given.TEST, now_us=given.NOW)
    assert (
        "| Asked for by | Miso, because it was healthy in dev for 1 hour 30 minutes, 2023-11-14 " in made.check.summary
    )


def test_it_never_grows_too_long_for_github() -> None:
    rule = RuleResult(
        rule="lock", state=RuleState.FAIL, code=Code.LOCKED, values={"who": "x", "reason": "ä" * 300, "stage": "test"}
    )
    made = report(
        replace(STORIES["refused"], rules=(rule,) * 500), application=given.APPLICATION, environment=given.TEST,
        now_us=given.NOW, preview="- ä\n" * 9_000,
    )  # fmt: skip
    for text in (made.check.summary, made.section):
        assert len(text.encode()) < 65_000
        assert "More is left out here" in text
        assert text.count("<details") == text.count("</details>")


def test_the_preview_is_folded_below_the_rest() -> None:
    made = report(
        STORIES["requested"], application=given.APPLICATION, environment=given.PRODUCTION, now_us=given.NOW,
        preview="- Image `a` → `b`",
    )  # fmt: skip
    assert "<details><summary>What it changes</summary>\n\n- Image `a` → `b`\n\n</details>" in made.check.summary


# --- buttons ---------------------------------------------------------------------------------------------------------


def test_buttons_stand_where_a_click_makes_sense() -> None:
    drawn = {name: buttons_of(story) for name, story in STORIES.items() if buttons_of(story)}
    both = (Button.APPROVE, Button.REJECT)
    assert drawn == {
        "requested": both,
        "requested, one of two": both,
        "requested, of a strict policy": both,
        "requested, taken back": both,
        "requested, comment edited": both,
        "requested, by break-glass": both,
        "live, by break-glass": (Button.ROLLBACK,),
        "live": (Button.ROLLBACK,),
        "live, by Azure's word": (Button.ROLLBACK,),
        "live, as a rollback": (Button.ROLLBACK,),
    }


def test_rule_21_an_old_button_is_seen_to_be_old() -> None:
    before, after = tell(approvals_needed=2), STORIES["requested, one of two"]
    click = button_identifier(Button.APPROVE, before)
    assert parse_button(click) is Button.APPROVE
    assert is_current(click, before)
    assert not is_current(click, after)
    assert not is_current(button_identifier(Button.APPROVE, STORIES["live"]), STORIES["live"])
    assert not is_current(button_identifier(Button.APPROVE, replace(before, stream="another")), before)


@hypothesis_given(st.text())
def test_a_strange_identifier_is_no_button(text: str) -> None:
    assert parse_button(text) is None
    assert not is_current(text, STORIES["requested"])
