"""The check on a pull request: what merging it would change, as people read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from bot.domain import preview
from bot.domain.codes import Code
from bot.domain.freezes import Frozen
from bot.domain.messages.pull_plan import BYTES, plan_check
from bot.domain.model import CommitRange, Drift, Hold, Lock, Untrusted
from bot.domain.pull_plan import PullPlan, Station, Travel, travel
from bot.domain.rules import Freeze, Group, Policy, Who
from tests.domain import given
from tests.domain.pages import Page
from tests.domain.test_plan import GROUP, SITE, build
from tests.domain.test_preview import OLD, UNBUILT

UNTIL = given.NOW + 2 * given.HOUR
LOCK = Lock(owner=given.OTHER, reason=Untrusted("load test | @everyone"), since_us=given.NOW, until_us=UNTIL)
FROZEN = Frozen(freeze=Freeze(name="weekend", starts="2026-01-02T18:00", minutes=60, reason="no one"), until_us=UNTIL)
HOLD = Hold(commit=given.OLD, digest=given.OLD_DIGEST, stream="s", since_us=given.NOW)
DRIFT = Drift(expected=given.OLD_DIGEST, found="", since_us=given.NOW)


def station(**changes: Any) -> Station:
    where = changes.get("environment", SITE)
    made = Station(
        application=given.APPLICATION,
        environment=where,
        running=OLD,
        source=4,
        preview=preview.of(where, build(where, OLD), build(where, UNBUILT)),
        merged=Travel(count=2),
        policy=Policy(approvals=1),
    )
    return replace(made, **changes)


def pull(*stations: Station, **changes: Any) -> PullPlan:
    made = PullPlan(
        number=5,
        head="c" * 40,
        base_branch="main",
        default_branch="main",
        fork=False,
        own=Travel(count=3),
        config=None,
        changes_config=False,
        stations=stations,
    )
    return replace(made, **changes)


WAY = (
    station(environment=GROUP, policy=Policy(), merged=Travel(count=0)),
    station(policy=Policy(approvals=2, approve=Who(role="maintain"), groups=(Group(name="sec", count=1, who=Who()),))),
)
PAGES: dict[str, PullPlan] = {
    "an_ordinary_change": pull(*WAY),
    "first_of_all": pull(
        station(running=None, source=0, merged=Travel(count=0), preview=preview.of(SITE, None, build(SITE, UNBUILT)))
    ),
    "another_port_from_a_fork": pull(
        station(
            environment=GROUP,
            policy=Policy(),
            preview=preview.of(GROUP, build(GROUP, OLD), build(GROUP, replace(UNBUILT, port=4000))),
        ),
        changes_config=True,
        fork=True,
    ),
    "everything_to_look_at": pull(station(lock=LOCK, frozen=FROZEN, held=(HOLD,), drift=DRIFT, merged=None)),
    "a_branch_that_leads_nowhere": pull(station(reachable=False), base_branch="release/1"),
    "no_policy": pull(station(policy=None)),
    "a_faulty_configuration": pull(station(preview=None), config=Code.CONFIG_INVALID, changes_config=True, own=None),
    "not_every_commit_read": pull(station(merged=Travel(count=250, complete=False)), own=Travel(count=1)),
}


@pytest.mark.parametrize("name", list(PAGES))
def test_the_check_of_a_pull_request(name: str, snapshot: SnapshotAssertion) -> None:
    check = plan_check(PAGES[name], external_id="preview-1")
    assert (check.name, check.head_sha, check.status, check.actions) == ("miso / plan", "c" * 40, "completed", ())
    assert f"{check.conclusion}: {check.title}\n\n{check.summary}\n" == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", list(PAGES))
def test_it_never_blocks(name: str) -> None:
    assert plan_check(PAGES[name], external_id="x").conclusion in ("success", "neutral")


def test_an_ordinary_restart_or_swap_needs_no_second_look() -> None:
    assert plan_check(PAGES["an_ordinary_change"], external_id="x").conclusion == "success"
    assert plan_check(PAGES["another_port_from_a_fork"], external_id="x").conclusion == "neutral"


def test_rule_14_what_others_wrote_stays_text() -> None:
    nasty = "x`<img> @everyone | [a](https://evil.example)"
    text = plan_check(
        pull(
            station(
                application=replace(given.APPLICATION, name=nasty),
                lock=replace(LOCK, reason=Untrusted(nasty)),
                frozen=replace(FROZEN, freeze=replace(FROZEN.freeze, name=nasty, reason=nasty)),
            ),
            base_branch=nasty,
        ),
        external_id="x",
    ).summary
    outside = "".join(text.split("`")[0::2])
    assert not any(live in outside for live in ("<img", "@everyone", "evil"))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {6}


def test_it_never_grows_too_long_for_github_and_is_never_cut_in_the_middle() -> None:
    crowd = tuple(
        replace(station(), environment=replace(SITE, settings=tuple((f"NAME_{n}_{m}", "x") for n in range(40))))
        for m in range(300)
    )
    wide = tuple(
        replace(each, preview=preview.of(each.environment, build(SITE, OLD), build(each.environment, UNBUILT)))
        for each in crowd
    )
    text = plan_check(pull(*wide), external_id="x").summary
    assert len(text.encode()) <= BYTES
    assert "More is left out here" in text
    assert text.count("<details") == text.count("</details>")
    assert MarkdownIt("commonmark").parse(text)


def test_what_github_did_not_say_is_unknown() -> None:
    assert travel(None) is None
    assert travel(CommitRange(status="unknown")) is None
    assert travel(CommitRange(status="ahead", commits=(given.commit(),), complete=True)) == Travel(count=1)
    assert travel(CommitRange(status="diverged", commits=(given.commit(),))) == Travel(count=1, complete=False)
