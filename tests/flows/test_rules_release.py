"""Rules 1, 2, 3, 7 and 13: which commit, which file, which image. What is not exactly the built thing goes nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import Status
from bot.sim import scenarios
from bot.sim.scenarios import CONFIG, REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import in_test, replies, rows, types, waiting


async def pushed(stage: Stage, files: dict[str, str | None], **how: Any) -> str:
    return str((await stage.sim.push(REPOSITORY, "ann", files, **how))["sha"])


async def test_rule_01_the_commit_is_the_merge_commit_or_the_one_that_was_typed(stage: Stage) -> None:
    """A later push to the branch changes nothing; times in commits are never looked at."""
    old = await stage.ships("Old")
    new = await stage.ships("New")
    short = old["merge_commit_sha"]
    told = await stage.says("ann", f"/promote test @{short[:11]}", on=new["number"])
    assert "sha_malformed" in told["replies"][0]
    told = await stage.says("ann", "/promote test @main", on=new["number"])
    assert "sha_malformed" in told["replies"][0]
    told = await stage.says("ann", f"/promote test @{'0' * 12}", on=new["number"])
    assert "release_unknown" in told["replies"][0]
    # The head of the pull request is no release: only what was merged and built is.
    told = await stage.says("ann", f"/promote test @{new['head_sha']}", on=new["number"])
    assert "release_unknown" in told["replies"][0]
    await stage.says("ann", f"/promote test @{short[:12].upper()}", on=new["number"])
    assert await stage.runs("test") == old["digest"]
    await stage.says("ann", "/promote test", on=new["number"])
    assert await stage.runs("test") == new["digest"]


async def test_rule_01_an_approval_does_not_fall_on_what_was_put_in_its_place(stage: Stage) -> None:
    """Bob answers to the release that he saw; another one takes its place before his comment is heard."""
    first = await in_test(stage, "Seen")
    second = await in_test(stage, "Swapped in")
    await stage.says("ann", "/promote production", on=first["number"])
    await stage.sim.drop_next(count=1, event="issue_comment")
    await stage.sim.comment(REPOSITORY, first["number"], "bob", "/approve")
    await stage.says("ann", f"/promote production @{second['merge_commit_sha'][:12]}", on=first["number"])
    [late] = [d for d in await stage.sim.deliveries() if d["event"] == "issue_comment" and d["status_code"] == 504]
    await stage.sim.redeliver(late["id"])
    await stage.settle()
    assert "nothing_to_approve" in (await replies(stage, first["number"]))[-1]
    latest = await stage.latest("production")
    assert latest.request.release.commit == second["merge_commit_sha"]
    assert (latest.status, latest.approvals) == (Status.REQUESTED, ())
    assert stage.effects("swap") == []


async def test_rule_02_a_deployment_names_the_commit_and_another_answer_stops_the_card(stage: Stage) -> None:
    pull = await stage.ships("By commit")
    [sent] = await stage.sim.exchanges(server="github", method="POST", path=r"/deployments$")
    assert sent["request"]["ref"] == pull["merge_commit_sha"]
    assert sent["request"]["auto_merge"] is False
    assert sent["request"]["required_contexts"] == []
    assert sent["response"]["sha"] == pull["merge_commit_sha"]


async def test_rule_02_a_branch_or_tag_with_the_default_branchs_name_builds_no_release(stage: Stage) -> None:
    """GitHub gives a pushed tag as `head_branch`; what was never merged must not pass as the default branch."""
    sha = await pushed(stage, {"evil.py": "1"}, branch="side")
    await scenarios.build(stage.sim, sha)
    await stage.settle()
    assert await stage.miso.store.promotions() == []
    assert await stage.runs("dev") == ""


@pytest.mark.parametrize(
    "run",
    [
        {"branch": "side"},
        {"event": "pull_request"},
        {"event": "workflow_dispatch"},
        {"path": ".github/workflows/other.yml"},
        {"conclusion": "failure"},
        {"conclusion": "cancelled"},
        {"head_repository": "mallory/shop"},
    ],
    ids=lambda run: "-".join(str(value) for value in run.values()),
)
async def test_rule_03_only_a_green_push_of_the_named_workflow_here_is_a_build(
    stage: Stage, run: dict[str, Any]
) -> None:
    await stage.sim.create_repository("mallory/shop")
    sha = await pushed(stage, {"app.py": "2"})
    await stage.sim.call("registry.push", repository="shop", tag=sha, text="image")
    await stage.sim.run_workflow(REPOSITORY, head_sha=sha, **run)
    await stage.settle()
    assert await stage.miso.store.promotions() == []
    assert [c["name"] for c in (await stage.state())["checks"]] == []
    # The same commit, built as it should be:
    await stage.sim.run_workflow(REPOSITORY, head_sha=sha)
    await stage.settle()
    assert len(await stage.miso.store.promotions()) == 1


async def test_rule_03_a_run_that_meanwhile_is_another_is_no_build(stage: Stage) -> None:
    """The webhook says success; by GitHub's own word the run is under way again."""
    sha = await pushed(stage, {"app.py": "2"})
    await stage.sim.call("registry.push", repository="shop", tag=sha, text="image")
    run = await stage.sim.run_workflow(REPOSITORY, head_sha=sha)
    await stage.world.delivered()
    await stage.sim.run_workflow(REPOSITORY, head_sha=sha, run_id=run["id"], conclusion="failure")
    await stage.settle()
    assert await stage.miso.store.promotions() == []


async def test_rule_03_the_file_of_a_pull_request_decides_nothing(stage: Stage) -> None:
    """Only the file at the built commit of the default branch is read."""
    evil = CONFIG.format(registry=stage.world.addresses.registry).replace("build.yml", "evil.yml")
    pull = await stage.sim.open_pull_request(REPOSITORY, "ann", "Evil", {".github/miso.yml": evil})
    await stage.sim.run_workflow(REPOSITORY, head_sha=pull["head_sha"], path=".github/workflows/evil.yml")
    await stage.settle()
    assert await stage.miso.store.promotions() == []
    good = await stage.ships("Good")
    assert await stage.runs("dev") == good["digest"]


async def test_rule_03_a_broken_file_is_one_check_with_all_its_faults(stage: Stage) -> None:
    sha = await pushed(stage, {".github/miso.yml": "image: nohost\nbuild: ../x.yml\nport: 0\nlatest: yes\n"})
    await scenarios.build(stage.sim, sha)
    await stage.settle()
    [check] = (await stage.state())["checks"]
    assert (check["head_sha"], check["conclusion"]) == (sha, "failure")
    said = f"{check['title']} {check['summary']} {check['text']}"
    for word in ("image", "build", "port", "latest"):
        assert word in said
    gone = await pushed(stage, {".github/miso.yml": None})
    await scenarios.build(stage.sim, gone)
    await stage.settle()
    [missing] = [c for c in (await stage.state())["checks"] if c["head_sha"] == gone]
    assert "config_missing" in missing["summary"] + str(missing["text"])
    assert await stage.miso.store.promotions() == []


async def test_rule_07_open_pull_requests_and_forks(stage: Stage) -> None:
    await stage.ships("Before")
    own = await stage.sim.open_pull_request(REPOSITORY, "ann", "Open", {"a.py": "1"})
    told = await stage.says("ann", "/promote test", on=own["number"])
    assert "not_merged" in told["replies"][0]
    await stage.sim.create_user("finn")
    fork = await stage.sim.open_pull_request(REPOSITORY, "finn", "Fork", {"f.py": "1"}, fork_owner="finn")
    told = await stage.says("ann", "/promote test", on=fork["number"])
    assert "fork_refused" in told["replies"][0]
    gone = await stage.sim.open_pull_request(REPOSITORY, "finn", "Gone", {"g.py": "1"}, fork_owner="finn")
    await stage.sim.delete_fork(REPOSITORY, gone["number"])
    told = await stage.says("ann", "/promote test", on=gone["number"])
    assert "fork_refused" in told["replies"][0]
    # Closed without a merge.
    await stage.sim.close_pull(REPOSITORY, own["number"], "ann")
    told = await stage.says("ann", "/promote test", on=own["number"])
    assert "not_merged" in told["replies"][0]
    assert await stage.runs("test") == ""


async def test_rule_07_a_merged_fork_is_a_commit_like_any_other(stage: Stage) -> None:
    await stage.sim.create_user("finn")
    fork = await stage.sim.open_pull_request(REPOSITORY, "finn", "Fork", {"f.py": "1"}, fork_owner="finn")
    merged = await stage.sim.merge_pull(REPOSITORY, fork["number"], "ann", method="squash")
    digest = await scenarios.build(stage.sim, str(merged["merge_commit_sha"]))
    await stage.settle()
    await stage.says("ann", "/promote test", on=fork["number"])
    assert await stage.runs("test") == digest


async def test_rule_13_a_tag_that_moved_and_a_digest_that_is_gone_stop_the_effect(stage: Stage) -> None:
    pull = await waiting(stage, "Moved")
    other = await stage.sim.call("registry.push", repository="shop", tag="other", text="something else")
    await stage.sim.call("registry.tag", repository="shop", tag=pull["merge_commit_sha"], digest=other)
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "artifact_moved" in told["replies"][0]
    refused = await stage.latest("production")
    assert (refused.status, refused.code) == (Status.REFUSED, "artifact_moved")
    await stage.sim.call("registry.tag", repository="shop", tag=pull["merge_commit_sha"], digest=pull["digest"])
    stage.clock.pass_(60)
    await stage.says("ann", "/promote production", on=pull["number"])
    await stage.sim.call("registry.delete", repository="shop", digest=pull["digest"])
    await stage.says("bob", "/approve", on=pull["number"])
    refused = await stage.latest("production")
    assert (refused.status, refused.code) == (Status.REFUSED, "artifact_gone")
    assert stage.effects("swap") == []


async def test_rule_13_no_image_and_no_allowed_host_make_no_release(stage: Stage) -> None:
    sha = await pushed(stage, {"app.py": "2"})
    await stage.sim.run_workflow(REPOSITORY, head_sha=sha)
    await stage.settle()
    [check] = (await stage.state())["checks"]
    assert "image_not_found" in check["summary"] + str(check["text"])
    before = len(await stage.sim.exchanges(server="registry"))
    foreign = CONFIG.format(registry="registry.attacker.example")
    sha = await pushed(stage, {".github/miso.yml": foreign})
    await scenarios.build(stage.sim, sha)
    await stage.settle()
    [check] = [c for c in (await stage.state())["checks"] if c["head_sha"] == sha]
    assert "image_host_not_allowed" in check["summary"] + str(check["text"])
    assert len(await stage.sim.exchanges(server="registry")) == before
    assert await stage.miso.store.promotions() == []


async def test_rule_13_azure_and_the_journal_know_digests_only(stage: Stage) -> None:
    pull = await waiting(stage, "By digest")
    await stage.says("bob", "/approve", on=pull["number"])
    sent = [e for e in await stage.sim.exchanges(server="arm") if e["method"] in ("PUT", "PATCH")]
    images = [str(e["request"]) for e in sent if "/shop" in str(e["request"])]
    assert images
    for body in images:
        assert pull["merge_commit_sha"] not in body.replace(f"commit={pull['merge_commit_sha']}", "")
        assert pull["digest"] in body


async def test_an_older_commit_never_takes_the_place_of_a_newer_one(stage: Stage) -> None:
    """Rule 25 as far as builds go: the slower build of the older commit ends last."""
    first = await scenarios.merge_change(stage.sim, "First")
    second = await scenarios.merge_change(stage.sim, "Second", text="2")
    newer = await scenarios.build(stage.sim, second["merge_commit_sha"])
    await stage.settle()
    await scenarios.build(stage.sim, first["merge_commit_sha"])
    await stage.settle()
    assert await stage.runs("dev") == newer
    refused = [row for row in await rows(stage, "build.refused") if row.body["code"] == "older_commit"]
    assert len(refused) == 1
    made = await types(stage, "ann", f"/promote dev @{first['merge_commit_sha'][:12]}", on=second["number"])
    assert made
    await stage.settle()
    assert await stage.runs("dev") == newer
