"""Reports: they land as meant, inside GitHub's limits, once; what was begun and lost is found again by our marker."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import Annotation, CheckAction, CheckRun, DeploymentStatus
from bot.domain.permissions import GATE, REACT
from bot.errors import Refused, Transient
from bot.github.limits import characters, document
from tests.github.conftest import REPO, Bench

URL = "https://shop.test/"


def check(sha: str, **changes: Any) -> CheckRun:
    shown: dict[str, Any] = {
        "name": "miso / production",
        "head_sha": sha,
        "external_id": "promotion-1",
        "status": "in_progress",
        "conclusion": "",
        "title": "Waiting",
        "summary": "for somebody",
    }
    return CheckRun(**(shown | changes))


def status(state: str, description: str = "", **more: Any) -> DeploymentStatus:
    return DeploymentStatus(state=state, description=description, environment="production", **more)


async def deploy(bench: Bench, marker: str = "m-1") -> int:
    sha = await bench.facts.head("main")
    return await bench.reports.create_deployment(
        sha=sha, environment="production", production=True, description="Shop", marker=marker
    )


async def test_rule_02_a_deployment_is_of_exactly_the_commit(bench: Bench) -> None:
    number = await deploy(bench)

    (made,) = bench.state()["deployments"]
    sha = await bench.facts.head("main")
    assert (made["id"], made["sha"], made["ref"]) == (number, sha, sha)
    assert (made["production"], made["transient"], made["payload"]) == (True, False, {"miso": "m-1"})
    asked = bench.sent("POST", "/deployments")[0].request_json()
    assert (asked["auto_merge"], asked["required_contexts"]) == (False, [])


@pytest.mark.parametrize("ref", ["main", "abc1234", ""])
async def test_rule_02_a_deployment_of_a_name_is_refused_before_it_is_sent(bench: Bench, ref: str) -> None:
    with pytest.raises(Refused) as refused:
        await bench.reports.create_deployment(
            sha=ref, environment="production", production=True, description="", marker="m"
        )
    assert refused.value.code == "sha_malformed"
    assert not bench.sent("POST", "/deployments")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"id": 7, "sha": "b" * 40}, 201),
        ({"message": "Auto-merged main into topic on deployment."}, 202),
    ],
)
async def test_rule_02_another_commit_in_the_answer_is_refused(bench: Bench, answer: Any, code: int) -> None:
    bench.fault("POST .*/deployments$", "status", status=code, body=answer)
    with pytest.raises(Refused) as refused:
        await deploy(bench)
    assert refused.value.code == "deployment_sha_mismatch"


async def test_a_deployment_is_found_by_our_marker_and_only_if_ours(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    bench.world.github.someone_deploys(REPO, "bea", "production", "main")
    assert await bench.reports.find_deployment(sha=sha, environment="production", marker="m-1") is None
    number = await deploy(bench)
    assert await bench.reports.find_deployment(sha=sha, environment="production", marker="m-1") == number
    assert await bench.reports.find_deployment(sha=sha, environment="production", marker="m-2") is None


async def test_a_deployment_whose_answer_was_lost_is_found_again(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    bench.fault("POST .*/deployments$", "act_then_drop")
    with pytest.raises(Transient) as lost:
        await deploy(bench)
    assert lost.value.outcome_unknown

    (made,) = bench.state()["deployments"]
    found = await bench.reports.find_deployment(sha=sha, environment="production", marker="m-1")
    assert found == made["id"]


async def test_statuses_say_everything_and_never_switch_others_off_by_themselves(bench: Bench) -> None:
    number = await deploy(bench)
    await bench.reports.deployment_status(number, status("in_progress", "ä" * 200))
    await bench.reports.deployment_status(number, status("success", "done", environment_url=URL, log_url=URL + "log"))

    first, last = bench.state()["deployments"][0]["statuses"]
    assert (first["state"], len(first["description"])) == ("in_progress", 140)
    assert first["description"].endswith("…")
    assert (last["state"], last["environment_url"], last["log_url"]) == ("success", URL, URL + "log")
    assert all(sent.request_json()["auto_inactive"] is False for sent in bench.sent("POST", "/statuses"))


async def test_older_deployments_of_ours_that_still_look_alive(bench: Bench) -> None:
    theirs = bench.world.github.someone_deploys(REPO, "bea", "production", "main")["id"]
    first, failed, second = [await deploy(bench, f"m-{n}") for n in range(3)]
    for number, state in ((first, "success"), (failed, "failure"), (second, "success")):
        await bench.reports.deployment_status(number, status(state))

    assert theirs < first
    assert await bench.reports.older_deployments("production", second) == [first]
    assert await bench.reports.older_deployments("dev", second) == []

    await bench.reports.deployment_status(first, status("inactive"))
    assert await bench.reports.older_deployments("production", second) == []


async def test_a_check_run_and_its_buttons_come_and_go(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    buttons = tuple(CheckAction(label=f"Approve {n}", description="d" * 50, identifier=f"a:{n}") for n in range(4))
    number = await bench.reports.create_check(check(sha, actions=buttons, text="long story", details_url=URL))

    (made,) = bench.state()["checks"]
    assert (made["id"], made["status"], made["external_id"]) == (number, "in_progress", "promotion-1")
    assert [action["identifier"] for action in made["actions"]] == ["a:0", "a:1", "a:2"]

    await bench.reports.update_check(number, check(sha, status="completed", conclusion="success", title="Live"))
    (made,) = bench.state()["checks"]
    assert (made["status"], made["conclusion"], made["title"], made["actions"]) == ("completed", "success", "Live", [])


async def test_a_check_run_is_found_by_its_external_id(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    number = await bench.reports.create_check(check(sha))
    name = "miso / production"
    assert await bench.reports.find_check(sha=sha, name=name, external_id="promotion-1") == number
    assert await bench.reports.find_check(sha=sha, name=name, external_id="promotion-2") is None
    assert await bench.reports.find_check(sha=sha, name="else", external_id="promotion-1") is None


def faults(count: int) -> tuple[Annotation, ...]:
    return tuple(Annotation(path=".github/miso.yml", line=n + 1, message="no", title="Soak") for n in range(count))


async def test_faults_stand_beside_their_lines_the_first_fifty(bench: Bench) -> None:
    await bench.reports.create_check(check(await bench.facts.head("main"), annotations=faults(51)))
    (shown,) = bench.state()["checks"]
    assert len(shown["annotations"]) == 50
    assert shown["annotations"][1] == {
        "path": ".github/miso.yml",
        "start_line": 2,
        "end_line": 2,
        "annotation_level": "failure",
        "message": "no",
        "title": "Soak",
    }


async def test_a_fault_is_not_shown_twice_when_its_check_is_shown_again(bench: Bench) -> None:
    """GitHub adds annotations to those that are there."""
    sha = await bench.facts.head("main")
    number = await bench.reports.create_check(check(sha, annotations=faults(2)))
    await bench.reports.update_check(number, check(sha, annotations=faults(3)))
    await bench.reports.update_check(number, check(sha))
    (shown,) = bench.state()["checks"]
    assert [each["start_line"] for each in shown["annotations"]] == [1, 2, 3]


async def test_the_identifier_of_a_button_is_never_cut(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    button = CheckAction(label="Approve", description="", identifier="x" * 21)
    with pytest.raises(ValueError, match="identifier"):
        await bench.reports.create_check(check(sha, actions=(button,)))


async def test_texts_beyond_the_limits_are_cut_and_say_so(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    number = bench.world.github.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    await bench.reports.create_check(check(sha, summary="ü" * 70_000, text="€" * 70_000))
    await bench.reports.create_comment(number, "<!-- miso -->\n" + "ü" * 70_000)

    seen = bench.state()
    for text in (seen["checks"][0]["summary"], seen["checks"][0]["text"], seen["pulls"][0]["comments"][0]["body"]):
        assert len(text.encode()) <= 65_536
        assert "shortened" in text
        assert "\ufffd" not in text


async def test_one_comment_is_edited_and_a_deleted_one_is_told(bench: Bench) -> None:
    sim = bench.world.github
    number = sim.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    comment = await bench.reports.create_comment(number, "one")
    assert await bench.reports.update_comment(comment, "two")
    assert [each["body"] for each in bench.state()["pulls"][0]["comments"]] == ["two"]
    sim.delete_comment(REPO, comment)
    assert not await bench.reports.update_comment(comment, "three")


async def test_our_comment_is_found_behind_a_hundred_others_that_copy_its_marker(bench: Bench) -> None:
    sim, marker = bench.world.github, "<!-- miso:7 -->"
    number = sim.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    for _ in range(120):
        sim.comment(REPO, number, "eve", f"{marker} mine!")
    assert await bench.reports.find_comment(number, marker) is None
    ours = await bench.reports.create_comment(number, f"{marker}\nhello")
    assert await bench.reports.find_comment(number, marker) == ours


async def test_our_words_are_known_by_our_account_where_no_app_is_named(bench: Bench) -> None:
    number = bench.world.github.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    ours = await bench.reports.create_comment(number, "<!-- miso:7 -->")
    bench.world.github.repo(REPO).comments[ours].app = None
    assert await bench.reports.find_comment(number, "<!-- miso:7 -->") == ours
    assert await bench.reports.find_comment(number, "<!-- miso:8 -->") is None


async def test_a_reaction_needs_little_and_twice_is_once(bench: Bench) -> None:
    sim = bench.world.github
    number = sim.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    comment = sim.comment(REPO, number, "bea", "/promote test")["id"]
    door = bench.at(REACT)
    await door.react(comment, "eyes")
    await door.react(comment, "eyes")
    (seen,) = bench.state()["pulls"][0]["comments"]
    assert [reaction["content"] for reaction in seen["reactions"]] == ["eyes"]


def gate(bench: Bench) -> int:
    sim = bench.world.github
    sim.create_environment(REPO, "production", app_rule=True)
    run = sim.run_workflow(REPO, conclusion=None)["id"]
    sim.request_gate(REPO, run, "production")
    return run


async def test_rule_27_the_address_of_a_review_is_built_by_us(bench: Bench) -> None:
    run = gate(bench)
    door = bench.at(GATE)
    await door.answer_gate(run, "production", state=None, comment="waiting for somebody " * 100)
    await door.answer_gate(run, "production", state="approved", comment="approved by ann")

    (seen,) = bench.state()["gates"]
    assert seen["state"] == "approved"
    assert len(seen["comments"][0]) == 1024
    sent = bench.sent("POST", "/deployment_protection_rule")
    assert {exchange.path for exchange in sent} == {f"/repos/{REPO}/actions/runs/{run}/deployment_protection_rule"}
    assert "state" not in sent[0].request_json()


@pytest.mark.parametrize("word", ["", "ok", "APPROVED", "approve"])
async def test_rule_26_any_other_word_than_approved_or_rejected_is_not_sent(bench: Bench, word: str) -> None:
    run = gate(bench)
    with pytest.raises(Refused) as refused:
        await bench.at(GATE).answer_gate(run, "production", state=word, comment="")
    assert refused.value.code == "gate_no_decision"
    assert bench.state()["gates"][0]["state"] == "pending"


async def test_a_review_of_a_gate_that_is_over_is_refused(bench: Bench) -> None:
    run = gate(bench)
    door = bench.at(GATE)
    await door.answer_gate(run, "production", state="rejected", comment="no")
    with pytest.raises(Refused) as refused:
        await door.answer_gate(run, "production", state="approved", comment="yes")
    assert refused.value.code == "github_refused"


def test_cutting_never_breaks_a_character() -> None:
    assert characters("abc", 3) == "abc"
    assert characters("abcd", 3) == "ab…"
    assert characters("🍜🍜🍜", 4) == "🍜…"
    cut = document("```\n" + "🍜" * 100, 200)
    assert len(cut.encode()) <= 200
    assert cut.count("```") == 2
