"""The demo's own check: a world as the story claims it passes; one with any part broken does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.cli.demo.admitted import REFUSED
from bot.cli.demo.claims import judge
from bot.cli.demo.decided import SETTING
from bot.cli.demo.findings import RESOURCES, Ends, Seen
from bot.cli.demo.people import Release, View
from bot.sim.scenarios import TENANT_ID

NAMES = ("first", "second", "bad", "gated", "token", "recovered")
RUN, MEANWHILE, STRANGE, OPENED, UNWANTED = 77, 500, "f" * 40, "e" * 40, "d" * 40
LEDGER = (
    ("promotion.requested", "person", 11),
    ("promotion.approved", "person", 12),
    ("deploy.started", "system", 0),
)


def release(number: int) -> Release:
    commit = str(number) * 40
    return Release(
        name=NAMES[number - 1],
        title=f"Change {number}",
        author="ann",
        pull=number,
        commit=commit,
        digest=f"sha256:{str(number) * 64}",
        url=f"http://127.0.0.1/pull/{number}",
    )


RELEASES = {name: release(number) for number, name in enumerate(NAMES, start=1)}
ENDS = Ends(
    releases=RELEASES,
    gate_run=RUN,
    meanwhile=MEANWHILE,
    foreign_commit=STRANGE,
    foreign_digest="sha256:" + "f" * 64,
    opened_pull=OPENED,
    wanted=(2, 1),
    explained={"rules": [{"code": "release_held"}, {"code": None}]},
    answers={
        "author_is_approver": "No: `author_is_approver`",
        "release_held": "No: `release_held`",
        "preview": "It is to go to production.\n\n- Plan `0123456789ab`",
        "why": "- **Held.** <sub>`release_held`</sub>",
        "clear_once": "One more. <sub>`clear_needs_second`</sub>",
        "clear_twice": "`bob` and `olga` let it try again.",
        "frozen": "Frozen. <sub>`frozen`</sub>",
        "policy_once": "`bob` agreed. Until then nothing changes.",
        "policy_twice": "`bob` and `olga` agreed: version 3 counts.",
        "plan_changed": "No longer. <sub>`plan_changed`</sub>",
    },
    refusals={tried: code for tried, (_, code) in REFUSED.items()},
    remembered={
        "status": "live",
        "keys": "another key, the old token: 200",
        "signed": "shown",
        "unwanted": UNWANTED,
    },
    ledger=LEDGER,
    people={"ann": 11, "bob": 12},
    leaks=(),
)
LAST_CARD = """\
### Miso · shop
| test | it | ⚠ break-glass · Live and healthy |
- ⚠ Skipped: **Nothing is promoted there now.** <sub>`frozen`</sub>
| plan | `0123456789ab` | `ba9876543210` |
| `ann` | then | **no longer counts:** The plan is not what was approved. |
"""
FIRST_CARD = """\
### Miso · shop
<details><summary>production: Live and healthy</summary>
| Plan | `0123456789ab` |
"""
PREVIEW = """\
| dev `shop` | nothing yet | all containers restart |
| test `shop` | nothing yet | all containers restart |
| production `shop` | nothing yet | swapped in by the slot `staging` |
- Image: `sha256:0` → the one that this change's build makes
"""
SWAPS = ("first", "second", "bad", "second", "gated", "token")
LAST = {"first": "inactive", "second": "inactive", "bad": "failure", "gated": "inactive", "token": "success"}


def deployment(environment: str, name: str, *states: str) -> dict[str, Any]:
    return {
        "environment": environment,
        "sha": RELEASES[name].commit,
        "creator": "miso[bot]",
        "statuses": [{"state": state} for state in states],
    }


def shop() -> dict[str, Any]:
    deployments = [deployment("dev", name, "queued", "in_progress", "success") for name in NAMES]
    deployments += [deployment("test", name, "queued", "in_progress", "success") for name in NAMES]
    deployments += [deployment("production", name, "queued", state) for name, state in LAST.items()]
    deployments.append({**deployment("dev", "first", "success"), "sha": UNWANTED})
    deployments.append(deployment("production", "recovered", "queued", "error"))
    checks = [
        {
            "name": "miso / production",
            "head_sha": RELEASES[name].commit,
            "conclusion": "failure" if name == "bad" else "success",
        }
        for name in LAST
    ]
    checks.append({"name": "miso / plan", "head_sha": OPENED, "conclusion": "success", "summary": PREVIEW})
    gate = {"run_id": RUN, "state": "approved", "comments": ["Wait. (`gate_no_decision`)", "Go."]}
    cards = dict.fromkeys(NAMES, "### Miso · shop") | {"first": FIRST_CARD, "recovered": LAST_CARD}
    pulls: list[dict[str, Any]] = [
        {"number": each.pull, "comments": [{"id": 1, "body": cards[each.name]}]} for each in RELEASES.values()
    ]
    pulls[-1]["comments"] += [{"id": MEANWHILE, "body": "/status"}, {"id": 501, "body": "<!-- miso:reply:1 -->"}]
    return {"deployments": deployments, "checks": checks, "gates": [gate], "pulls": pulls}


def image(name: str) -> str:
    return f"registry/shop@{RELEASES[name].digest}"


def world() -> Seen:
    stranger = {"name": "miso / build", "head_sha": STRANGE, "conclusion": "failure", "summary": "`guid_not_bound`"}
    return Seen(
        shop=View(shop()),
        foreign=View({"deployments": [], "checks": [stranger], "pulls": [], "gates": []}),
        images=dict(zip(RESOURCES, map(image, ("recovered", "recovered", "token", "gated")), strict=True)),
        effects=[{"verb": "swap", "detail": {"target": image(name)}} for name in SWAPS],
        arm=[{"method": "PUT", "path": RESOURCES["dev"], "request": {"image": image(name)}} for name in NAMES],
        github_writes=100,
        deliveries=[
            {"guid": "1", "event": "issue_comment", "status_code": 502},
            {"guid": "1", "event": "issue_comment", "status_code": 202},
        ],
    )


def broken(ends: Ends, seen: Seen) -> list[str]:
    return [claim.text for claim in judge(ends, seen) if not claim.holds]


def test_a_world_as_the_story_claims_it_holds() -> None:
    assert broken(ENDS, world()) == []


Break = Callable[[Seen], Seen]


def state(change: Callable[[dict[str, Any]], object]) -> Break:
    def apply(seen: Seen) -> Seen:
        changed = copy.deepcopy(seen.shop.state)
        change(changed)
        return replace(seen, shop=View(changed))

    return apply


def stranger(change: Callable[[dict[str, Any]], object]) -> Break:
    def apply(seen: Seen) -> Seen:
        changed = copy.deepcopy(seen.foreign.state)
        change(changed)
        return replace(seen, foreign=View(changed))

    return apply


def card(number: int, was: str, now: str) -> Break:
    def apply(state: dict[str, Any]) -> None:
        comment = state["pulls"][number]["comments"][0]
        assert was in comment["body"]
        comment["body"] = comment["body"].replace(was, now)

    return state(apply)


BREAKS: dict[str, Break] = {
    "a second deployment to dev": state(lambda s: s["deployments"].append(s["deployments"][0])),
    "a deployment to test that failed": state(lambda s: s["deployments"][6].update(statuses=[{"state": "failure"}])),
    "an older production deployment still active": state(lambda s: s["deployments"][12]["statuses"].pop()),
    "the bad release is a success": state(lambda s: s["checks"][2].update(conclusion="success")),
    "two cards on a pull request": state(lambda s: s["pulls"][0]["comments"].append(s["pulls"][0]["comments"][0])),
    "the gate is still closed": state(lambda s: s["gates"][0].update(state="pending")),
    "the gate opened without a word": state(lambda s: s["gates"][0].update(comments=["Go."])),
    "a command was lost": state(lambda s: s["pulls"][5]["comments"].pop()),
    "a command was answered twice": state(lambda s: s["pulls"][5]["comments"].append(s["pulls"][5]["comments"][-1])),
    "an alarm for nothing": state(
        lambda s: s["checks"].append({"name": "miso / production / out of band", "head_sha": "0", "conclusion": ""})
    ),
    "a preview without production": state(
        lambda s: s["checks"][-1].update(summary=PREVIEW.replace("| production", "|"))
    ),
    "a preview that says not how": state(lambda s: s["checks"][-1].update(summary=PREVIEW.replace("swapped", "put"))),
    "a preview that failed": state(lambda s: s["checks"][-1].update(conclusion="failure")),
    "the open pull request was deployed": state(
        lambda s: s["deployments"].append({**s["deployments"][0], "sha": OPENED, "environment": "dev"})
    ),
    "another plan was carried out": card(0, "0123456789ab", "0123456789ac"),
    "it is shown as held still": card(2, "shop", "shop ✋ held"),
    "the glass was broken silently": card(5, "⚠ break-glass · ", ""),
    "nothing tells what was skipped": card(5, "⚠ Skipped: ", ""),
    "the void approval counts": card(5, "**no longer counts:** ", ""),
    "nothing tells what differs": card(5, "| `ba9876543210` |", "|"),
    "the void approval began something": state(
        lambda s: s["deployments"][-1].update(statuses=[{"state": "queued"}, {"state": "in_progress"}])
    ),
    "the rejected release went on to test": state(
        lambda s: s["deployments"].append({**s["deployments"][0], "sha": UNWANTED, "environment": "test"})
    ),
    "the rejected release was never there": state(
        lambda s: s.update(deployments=[each for each in s["deployments"] if each["sha"] != UNWANTED])
    ),
    "the setting reached Azure": lambda seen: replace(
        seen, arm=[*seen.arm, {"method": "PUT", "path": "/", "request": {"name": SETTING}}]
    ),
    "the stranger was deployed": stranger(lambda s: s["deployments"].append({})),
    "the stranger got another answer": stranger(lambda s: s["checks"][0].update(summary="`config_invalid`")),
    "the stranger was told whose GUIDs": stranger(
        lambda s: s["checks"][0].update(summary=f"`guid_not_bound` of tenant {TENANT_ID}")
    ),
    "production runs the bad release": lambda seen: replace(seen, images={**seen.images, "production": image("bad")}),
    "production runs a tag": lambda seen: replace(seen, images={**seen.images, "production": "registry/shop:latest"}),
    "nobody swapped back": lambda seen: replace(seen, effects=[*seen.effects[:3], *seen.effects[4:]]),
    "a swap too many": lambda seen: replace(seen, effects=[*seen.effects, seen.effects[-1]]),
    "the killed controller wrote twice": lambda seen: replace(seen, arm=[*seen.arm, seen.arm[-1]]),
    "a webhook was not taken": lambda seen: replace(
        seen, deliveries=[*seen.deliveries, {"guid": "2", "event": "push", "status_code": 503}]
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_claim_is_found(name: str) -> None:
    assert broken(ENDS, BREAKS[name](world()))


@pytest.mark.parametrize(
    "told", ["preview", "why", "clear_once", "clear_twice", "frozen", "plan_changed", "policy_once", "policy_twice"]
)
def test_an_answer_that_says_something_else_is_found(told: str) -> None:
    ends = replace(ENDS, answers={**ENDS.answers, told: "Well. <sub>`not_now`</sub>"})
    assert len(broken(ends, world())) == 1


def test_a_shell_that_gives_other_reasons_than_the_comment_is_found() -> None:
    ends = replace(ENDS, explained={"rules": [{"code": "frozen"}, {"code": "release_held"}]})
    assert broken(ends, world()) == ["miso why gives release_held as the one reason why not"]


@pytest.mark.parametrize("wanted", [(1, 1), (2, 2), ()])
def test_a_looser_policy_that_counts_too_early_or_never_is_found(wanted: tuple[int, ...]) -> None:
    assert len(broken(replace(ENDS, wanted=wanted), world())) == 1


@pytest.mark.parametrize("code", ["author_is_approver", "release_held"])
def test_an_answer_without_its_refusal_is_found(code: str) -> None:
    ends = replace(ENDS, answers={**ENDS.answers, code: "Approved."})
    assert broken(ends, world()) == [f"a command was refused as {code}"]


@pytest.mark.parametrize("tried", REFUSED)
def test_what_should_have_been_refused_at_a_door_is_found(tried: str) -> None:
    for code in ("", "permission_denied"):
        ends = replace(ENDS, refusals={**ENDS.refusals, tried: code})
        assert broken(ends, world()) == [REFUSED[tried][0]]


@pytest.mark.parametrize("what", ["status", "keys", "signed"])
def test_what_was_seen_otherwise_at_a_door_is_found(what: str) -> None:
    ends = replace(ENDS, remembered={**ENDS.remembered, what: "another"})
    assert len(broken(ends, world())) == 1


@pytest.mark.parametrize(
    "ledger",
    [
        (),
        (("promotion.requested", "person", 0), LEDGER[1]),
        (LEDGER[0], ("promotion.approved", "person", 11)),
        (*LEDGER, LEDGER[1]),
    ],
    ids=["no rows", "nobody by number", "the author approved", "approved twice"],
)
def test_a_ledger_that_names_somebody_else_is_found(ledger: tuple[tuple[str, str, int], ...]) -> None:
    assert len(broken(replace(ENDS, ledger=ledger), world())) == 1


def test_a_secret_that_was_written_down_is_found() -> None:
    ends = replace(ENDS, leaks=("ann's cookie in miso.sqlite",))
    assert len(broken(ends, world())) == 1
