"""One situation, one explanation: every door shows the same rules with the same words and codes.

The refusal of a comment, `/why`, the comment at GitHub's gate, the check run of what was refused at the effect, and the
comment on the pull request. That `miso why` says the same as `/why` stands in `tests/cli/test_why.py`.
"""

from __future__ import annotations

import re

from bot.domain.messages.rules_text import RULES
from bot.domain.model import Stage as Where
from bot.domain.rules import RequiredCheck
from tests.flows.between import approved_but_waiting, card, checked, goes_on, sticky
from tests.flows.stage import Stage
from tests.flows.test_closures import freeze
from tests.flows.test_gate import at_the_gate, gate
from tests.flows.words import in_test, ruled, waiting

LINE = re.compile(r"^- \*\*(?P<title>.*?)\.\*\*.*<sub>`(?P<code>[a-z_]+)`</sub>$", re.MULTILINE)
BRIEFLY = re.compile(r"(?:In the way: |; )(?P<title>[^;(]*) \(`(?P<code>[a-z_]+)`\)")

LATER = {"target", "open", "approver", "second_person", "request", "policy", "evidence", "approvals", "turn", "quorum"}
"""Rules about going back, approving and beginning; the others are decided on whenever somebody asks."""


def unmet(markdown: str) -> dict[str, str]:
    """Lines about rules that are not met, by code."""
    return {match["code"]: match[0] for match in LINE.finditer(markdown)}


def titles(text: str) -> dict[str, str]:
    """Titles of rules that are not met, by code, in full or as a gate has room for."""
    found = [*LINE.finditer(text), *BRIEFLY.finditer(text)]
    return {match["code"]: match["title"] for match in found}


def met(markdown: str) -> set[str]:
    """Rules that are met."""
    return {line.removeprefix("- ") for line in markdown.splitlines() if line.removeprefix("- ") in RULES.values()}


async def told(stage: Stage, text: str, *, on: int, who: str = "ann") -> str:
    return str((await stage.says(who, text, on=on))["replies"][0])


async def test_comment_why_and_gate_tell_a_refused_request_alike(stage: Stage) -> None:
    pull = await in_test(stage, "Much is missing")
    app = await checked(stage, pull["merge_commit_sha"], conclusion="failure")
    await ruled(
        stage,
        Where.PRODUCTION,
        soak_minutes=600,
        checks=(RequiredCheck(name="trivy", app_id=app),),
        freezes=(freeze(stage, lasts=600),),
        min_instances=2,
    )
    await stage.says("olga", "/lock production for 2h an audit", on=pull["number"])
    refusal = await told(stage, "/promote production", on=pull["number"])
    why = await told(stage, "/why production", on=pull["number"])
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    [at_gate] = (await gate(stage, run))["comments"]
    expected = {"soak_not_over", "check_failed", "frozen", "capacity_too_small", "locked"}
    assert set(unmet(refusal)) == expected
    assert unmet(refusal) == unmet(why)
    assert titles(str(at_gate)) == titles(why)
    # Who may ask is a question about a person, and at the gate nobody asked.
    assert f"5 rules not met, {len(met(why)) - 1} met" in str(at_gate)
    # Every rule is told once, met or not; nothing is left out because something else was worse.
    assert len(unmet(why)) + len(met(why)) == len(RULES.keys() - LATER)


async def test_check_run_comment_and_why_tell_what_was_refused_at_the_effect_alike(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, hours=2, lasts=600),))
    number = await approved_but_waiting(stage, "Refused late")
    await stage.says("olga", "/lock production an audit", on=number)
    stage.clock.pass_(2 * 3600)
    await goes_on(stage)
    assert (await stage.latest("production")).code == "frozen"
    why = await told(stage, "/why production", on=number)
    shown = await card(stage)
    assert set(unmet(why)) == {"frozen", "locked"}
    assert unmet(shown) == unmet(why)
    assert unmet(shown).items() <= unmet(await sticky(stage, number)).items()


async def test_what_waits_shows_the_rules_it_was_let_through_by_at_every_door(stage: Stage) -> None:
    pull = await waiting(stage, "Waits")
    shown = met(await card(stage))
    assert len(shown) == len(RULES.keys() - LATER)
    assert shown <= met(await sticky(stage, pull["number"]))
    run = await at_the_gate(stage, pull["merge_commit_sha"])
    [at_gate] = (await gate(stage, run))["comments"]
    assert f"{len(shown)} rules met" in str(at_gate)
    # Asked now, one rule speaks against it: that it waits already.
    why = await told(stage, "/why production", on=pull["number"])
    assert set(unmet(why)) == {"already_requested"}
    assert shown - met(why) == {RULES["duplicate"]}


async def test_an_unknown_fact_is_told_as_unknown_at_every_door(stage: Stage) -> None:
    pull = await in_test(stage, "Unknown")
    app = await checked(stage, pull["merge_commit_sha"])
    await ruled(stage, Where.PRODUCTION, checks=(RequiredCheck(name="trivy", app_id=app),), min_instances=2)
    await stage.sim.add_fault("^github GET .*/check-runs", "status", status=500, times=None)
    await stage.sim.add_fault("^arm GET .*/serverfarms/", "status", status=503, times=None)
    refusal = await told(stage, "/promote production", on=pull["number"])
    why = await told(stage, "/why production", on=pull["number"])
    assert set(unmet(refusal)) == {"checks_unknown", "capacity_unknown"}
    assert unmet(refusal) == unmet(why)
