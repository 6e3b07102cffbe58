"""What policies ask about: check runs by name and App, people by id and role, teams by id, paths that change."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.model import CheckSeen
from bot.domain.permissions import READ_TEAMS
from bot.errors import Refused, Transient
from tests.github.conftest import REPO, Bench


def seen(checks: Any) -> set[tuple[str, int, str, str]]:
    return {(check.name, check.app_id, check.status, check.conclusion) for check in checks}


async def test_rule_33_a_check_is_told_by_its_name_and_its_app(bench: Bench) -> None:
    sim, sha = bench.world.github, await bench.facts.head("main")
    real = sim.foreign_check(REPO, "scan", sha, app="scanner", conclusion="failure")
    forged = sim.foreign_check(REPO, "scan", sha, app="somebody")
    sim.foreign_check(REPO, "lint", sha)

    found = await bench.facts.checks(sha, ["scan", "tests"])

    assert seen(found) == {
        ("scan", real["app_id"], "completed", "failure"),
        ("scan", forged["app_id"], "completed", "success"),
    }


async def test_a_check_that_runs_again_counts_anew_from_its_first_moment(bench: Bench) -> None:
    sim, sha = bench.world.github, await bench.facts.head("main")
    first = sim.foreign_check(REPO, "scan", sha)
    again = sim.foreign_check(REPO, "scan", sha, conclusion=None)

    (running,) = await bench.facts.checks(sha, {"scan"})
    assert running == CheckSeen(
        id=again["id"], name="scan", app_id=first["app_id"], status="in_progress", conclusion=""
    )

    sim.finish_check(REPO, again["id"], "failure")
    (ended,) = await bench.facts.checks(sha, {"scan"})
    assert (ended.id, ended.conclusion) == (again["id"], "failure")


async def test_checks_are_those_of_this_very_commit_and_of_no_branch(bench: Bench) -> None:
    sim, before = bench.world.github, await bench.facts.head("main")
    sim.foreign_check(REPO, "scan", before)
    after = sim.push(REPO, "bea", {"a": "1"})["sha"]
    assert await bench.facts.checks(after, ["scan"]) == ()
    for unknown, code in (("main", "sha_malformed"), ("0" * 40, "github_refused")):
        with pytest.raises(Refused) as refused:
            await bench.facts.checks(unknown, ["scan"])
        assert refused.value.code == code


async def test_no_check_is_asked_for_when_none_is_wanted(bench: Bench) -> None:
    assert await bench.facts.checks("0" * 40, ()) == ()
    assert not bench.sent()


async def test_checks_behind_the_first_page_are_seen(bench: Bench) -> None:
    sim, sha = bench.world.github, await bench.facts.head("main")
    sim.foreign_check(REPO, "scan", sha)
    for number in range(100):
        sim.foreign_check(REPO, f"job {number}", sha)
    assert len(await bench.facts.checks(sha, ["scan"])) == 1


async def test_checks_that_cannot_be_read_to_the_end_are_unknown_and_never_half_told(bench: Bench) -> None:
    sim, sha = bench.world.github, await bench.facts.head("main")
    sim.foreign_check(REPO, "scan", sha)
    await bench.facts.checks(sha, ["scan"])
    page = bench.sent("GET", "/check-runs")[-1].response_json()
    page["check_runs"] *= 100
    bench.fault("GET .*/check-runs", "status", status=200, body=page, times=None)
    with pytest.raises(Transient) as lost:
        await bench.facts.checks(sha, ["scan"])
    assert lost.value.code == "github_unavailable"


async def test_a_check_whose_app_is_gone_is_nobodys(bench: Bench) -> None:
    sha = await bench.facts.head("main")
    bench.world.github.foreign_check(REPO, "scan", sha)
    await bench.facts.checks(sha, ["scan"])
    page = bench.sent("GET", "/check-runs")[-1].response_json()
    page["check_runs"][0]["app"] = None
    bench.fault("GET .*/check-runs", "status", status=200, body=page)
    (orphan,) = await bench.facts.checks(sha, ["scan"])
    assert orphan.app_id == 0


async def test_everybody_with_a_role_is_listed_by_id(bench: Bench) -> None:
    for number in range(100):
        bench.world.github.set_collaborator(REPO, f"reader-{number}", "read")

    found = {each.account.login: each for each in await bench.facts.collaborators()}

    assert len(found) == 105
    roles = {login: (found[login].permission.role_name, found[login].permission.permission) for login in ("ann", "max")}
    assert roles == {"ann": ("admin", "admin"), "max": ("maintain", "write")}
    assert found["tia"].permission.permission == "read"
    assert found["bea"].account.id == found["bea"].permission.user_id == bench.person("bea")


async def test_the_base_of_a_role_that_the_owner_invented_is_told_by_its_grants(bench: Bench) -> None:
    await bench.facts.collaborators()
    listed = bench.sent("GET", "/collaborators")[-1].response_json()
    invented = next(each for each in listed if each["login"] == "bea")
    invented["role_name"] = "release captain"
    bench.fault("GET .*/collaborators", "status", status=200, body=[invented])
    (captain,) = await bench.facts.collaborators()
    assert (captain.permission.role_name, captain.permission.can_write) == ("release captain", True)


async def test_a_pull_request_tells_every_path_and_a_moved_file_under_both_names(bench: Bench) -> None:
    sim = bench.world.github
    sim.push(REPO, "bea", {"old/place.txt": "the same", "gone.txt": "1", "kept.txt": "1"})
    changes = {"old/place.txt": None, "new/place.txt": "the same", "gone.txt": None, "kept.txt": "2"}
    number = sim.open_pull_request(REPO, "bea", "Move", changes)["number"]
    sim.push(REPO, "cid", {"elsewhere.txt": "1"})
    found = await bench.facts.changed_files(number)
    assert sorted(found) == ["gone.txt", "kept.txt", "new/place.txt", "old/place.txt"]


async def test_changed_files_are_read_to_the_end(bench: Bench) -> None:
    files: dict[str, str | None] = {f"f{place:03}": "1" for place in range(205)}
    number = bench.world.github.open_pull_request(REPO, "bea", "Many", files)["number"]
    assert sorted(await bench.facts.changed_files(number)) == sorted(files)


async def test_commits_with_the_same_content_have_the_same_tree(bench: Bench) -> None:
    sim, base = bench.world.github, await bench.facts.head("main")
    one = sim.push(REPO, "bea", {"a": "1"}, message="First words")["sha"]
    other = sim.force_push(REPO, "ann", "main", files={"a": "1"}, message="Other words")["sha"]
    third = sim.push(REPO, "bea", {"a": "2"})["sha"]

    trees = [commit.tree for sha in (one, other, third) if (commit := await bench.facts.commit(sha)) is not None]
    assert one != other
    assert trees[0] == trees[1] != trees[2]
    assert [commit.tree for commit in (await bench.facts.compare(base, third)).commits] == trees[1:]


# --- teams -----------------------------------------------------------------------------------------------------------


async def members(bench: Bench, team_id: int, owner_id: int = 0) -> set[str] | None:
    found = await bench.window.team(bench.installation_id, owner_id or bench.owner_id, team_id)
    return None if found is None else {member.login for member in found}


async def test_a_team_is_known_by_its_number_with_the_members_of_its_child_teams(bench: Bench) -> None:
    sim = bench.world.github
    team = sim.create_team("acme", "Release", members=["ann", "bea"])["id"]
    sim.create_team("acme", "Release night shift", members=["max", "bea"], parent="Release")

    found = await bench.window.team(bench.installation_id, bench.owner_id, team)
    assert found is not None
    assert {(member.id, member.login) for member in found} == {
        (bench.person(login), login) for login in ("ann", "bea", "max")
    }

    sim.remove_team_member("acme", "Release", "ann")
    sim.add_team_member("acme", "Release", "cid")
    assert await members(bench, team) == {"bea", "cid", "max"}


async def test_a_team_of_that_number_elsewhere_or_nowhere_is_none(bench: Bench) -> None:
    sim = bench.world.github
    gone = sim.create_team("acme", "Old", members=["ann"])["id"]
    sim.delete_team("acme", "Old")
    sim.create_repository("other/secret")
    theirs = sim.create_team("other", "Release", members=["mallory"])["id"]
    assert await members(bench, gone) is None
    assert await members(bench, theirs) is None
    assert await members(bench, theirs, bench.person("other")) is None


async def test_rule_35_a_teams_members_are_read_with_a_token_for_that_alone(bench: Bench) -> None:
    team = bench.world.github.create_team("acme", "Release", members=["ann"])["id"]
    await members(bench, team)
    await members(bench, team)
    (asked,) = bench.sent("POST", "/access_tokens")
    assert asked.request_json() == {"permissions": dict(READ_TEAMS)}


async def test_a_team_that_the_app_may_not_see_is_refused_and_not_absent(bench: Bench) -> None:
    team = bench.world.github.create_team("acme", "Release", members=["ann"])["id"]
    del bench.world.state.installations[bench.installation_id].permissions["members"]
    with pytest.raises(Refused) as refused:
        await members(bench, team)
    assert refused.value.code == "github_forbidden"


async def test_an_installation_that_is_gone_is_refused_and_no_team_is_called_absent(bench: Bench) -> None:
    team = bench.world.github.create_team("acme", "Release", members=["ann"])["id"]
    bench.world.github.uninstall("acme")
    with pytest.raises(Refused):
        await members(bench, team)


async def test_a_forbidden_listing_and_a_failing_github_are_told_apart(bench: Bench) -> None:
    team = bench.world.github.create_team("acme", "Release", members=["ann"])["id"]
    bench.fault("GET .*/team/.*", "status", status=403, body={"message": "Resource not accessible by integration"})
    with pytest.raises(Refused):
        await members(bench, team)
    bench.fault("GET .*/team/.*", "status", status=500, times=None)
    with pytest.raises(Transient):
        await members(bench, team)


async def test_a_token_for_teams_that_was_revoked_elsewhere_is_replaced(bench: Bench) -> None:
    team = bench.world.github.create_team("acme", "Release", members=["ann"])["id"]
    await members(bench, team)
    bench.world.state.tokens.clear()
    assert await members(bench, team) == {"ann"}


async def test_a_large_team_is_read_whole_or_is_unknown(bench: Bench) -> None:
    people = [f"person-{number}" for number in range(130)]
    team = bench.world.github.create_team("acme", "Everybody", members=people)["id"]
    assert await members(bench, team) == set(people)
    page = bench.sent("GET", "/members")[0].response_json()
    bench.fault("GET .*/team/.*", "status", status=200, body=page, times=None)
    with pytest.raises(Transient):
        await members(bench, team)
