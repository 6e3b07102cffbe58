"""Contents, history, people and variables of the pretend GitHub's repositories."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from gidgethub.aiohttp import GitHubAPI

from bot.sim.github.problems import Misused
from bot.sim.world import World
from tests.sim.conftest import REPO, App, Hook


async def test_a_file_is_read_at_a_commit(gh: GitHubAPI, world: World) -> None:
    before = world.github.state(REPO)["branches"]["main"]
    world.github.write_file(REPO, ".github/miso.yml", "image: other\n", author="ann")
    old = await gh.getitem(f"/repos/{REPO}/contents/.github/miso.yml?ref={before}")
    new = await gh.getitem(f"/repos/{REPO}/contents/.github/miso.yml")
    assert base64.b64decode(old["content"]) == b"image: shop\n"
    assert base64.b64decode(new["content"]) == b"image: other\n"


async def test_a_folder_is_listed_and_a_missing_path_is_not_found(app: App, gh: GitHubAPI) -> None:
    listed = await gh.getitem(f"/repos/{REPO}/contents/.github")
    assert [(entry["type"], entry["path"]) for entry in listed] == [("file", ".github/miso.yml")]
    assert (await app.ask("GET", f"/repos/{REPO}/contents/nope", bearer=await app.token()))[0] == 404


@pytest.mark.parametrize(
    ("base", "head", "status", "ahead", "behind"),
    [
        ("main", "main", "identical", 0, 0),
        ("main", "topic", "ahead", 1, 0),
        ("topic", "main", "behind", 0, 1),
        ("topic", "other", "diverged", 1, 1),
    ],
)
async def test_compare_walks_the_graph(
    gh: GitHubAPI, world: World, base: str, head: str, status: str, ahead: int, behind: int
) -> None:
    world.github.push(REPO, "bea", {"a": "1"}, branch="topic")
    world.github.push(REPO, "bea", {"b": "1"}, branch="other")
    answer = await gh.getitem(f"/repos/{REPO}/compare/{base}...{head}")
    assert (answer["status"], answer["ahead_by"], answer["behind_by"]) == (status, ahead, behind)
    assert len(answer["commits"]) == ahead


async def test_compare_is_paged_oldest_first(gh: GitHubAPI, world: World) -> None:
    start = world.github.state(REPO)["branches"]["main"]
    pushed = [world.github.push(REPO, "bea", {"n": str(n)})["sha"] for n in range(5)]
    found = [
        c["sha"] async for c in gh.getiter(f"/repos/{REPO}/compare/{start}...main?per_page=2", iterable_key="commits")
    ]
    assert found == pushed


async def test_rule_9_authors_committers_and_co_authors_are_told_apart(gh: GitHubAPI, world: World) -> None:
    pull = world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"}, co_authors=["cid", "Zed <zed@x.test>"])
    world.github.push_to_pull(REPO, pull["number"], "ghost-writer", {"y": "1"}, unknown_author=True)
    merged = world.github.merge_pull(REPO, pull["number"], "ann", method="squash")
    commits = [c async for c in gh.getiter(f"/repos/{REPO}/pulls/1/commits?per_page=1")]
    assert [c["author"] and c["author"]["login"] for c in commits] == ["bea", None]
    assert "Co-authored-by: Zed <zed@x.test>" in commits[0]["commit"]["message"]
    squashed = await gh.getitem(f"/repos/{REPO}/commits/{merged['merge_commit_sha']}")
    assert squashed["author"]["login"] == "bea"
    assert squashed["committer"]["login"] == "web-flow"
    assert squashed["commit"]["verification"]["verified"] is True
    assert len(squashed["parents"]) == 1


@pytest.mark.parametrize(("method", "parents", "committer"), [("merge", 2, "web-flow"), ("rebase", 1, "ann")])
async def test_merge_methods_leave_different_commits(
    gh: GitHubAPI, world: World, method: Any, parents: int, committer: str
) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    world.github.write_file(REPO, "elsewhere", "1", author="cid")
    merged = world.github.merge_pull(REPO, 1, "ann", method=method)
    commit = await gh.getitem(f"/repos/{REPO}/commits/main")
    assert commit["sha"] == merged["merge_commit_sha"]
    assert (len(commit["parents"]), commit["committer"]["login"]) == (parents, committer)
    assert (await gh.getitem(f"/repos/{REPO}/contents/elsewhere"))["size"] == 1
    pulls = await gh.getitem(f"/repos/{REPO}/commits/{commit['sha']}/pulls")
    assert [pull["number"] for pull in pulls] == [1]


async def test_an_open_pull_request_shows_a_trial_merge_on_no_branch(app: App, gh: GitHubAPI, world: World) -> None:
    world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"})
    pull = await gh.getitem(f"/repos/{REPO}/pulls/1")
    assert pull["merged"] is False
    assert len(pull["merge_commit_sha"]) == 40
    path = f"/repos/{REPO}/commits/{pull['merge_commit_sha']}"
    assert (await app.ask("GET", path, bearer=await app.token()))[0] == 422


async def test_rule_7_a_forks_head_is_another_repository_and_may_vanish(gh: GitHubAPI, world: World) -> None:
    world.github.open_pull_request(REPO, "eve", "Add", {"x": "1"}, fork_owner="eve")
    pull = await gh.getitem(f"/repos/{REPO}/pulls/1")
    assert pull["head"]["repo"]["id"] != pull["base"]["repo"]["id"]
    world.github.delete_fork(REPO, 1)
    assert (await gh.getitem(f"/repos/{REPO}/pulls/1"))["head"]["repo"] is None


async def test_rule_5_permissions_carry_the_role(gh: GitHubAPI, world: World) -> None:
    world.github.set_collaborator(REPO, "mia", "maintain")
    world.github.create_user("eve")
    roles = {}
    for login in ("ann", "bea", "cid", "mia", "eve"):
        answer = await gh.getitem(f"/repos/{REPO}/collaborators/{login}/permission")
        roles[login] = (answer["permission"], answer["role_name"])
    assert roles == {
        "ann": ("admin", "admin"),
        "bea": ("write", "write"),
        "cid": ("read", "read"),
        "mia": ("write", "maintain"),
        "eve": ("none", "none"),
    }


async def test_variables_of_repository_and_environment(gh: GitHubAPI, world: World) -> None:
    world.github.set_variable(REPO, "MISO_APPLICATION_ID", "a")
    world.github.set_environment_variable(REPO, "dev", "MISO_ENVIRONMENT_ID", "e")
    own = await gh.getitem(f"/repos/{REPO}/actions/variables")
    theirs = await gh.getitem(f"/repos/{REPO}/environments/dev/variables")
    assert [(v["name"], v["value"]) for v in own["variables"]] == [("MISO_APPLICATION_ID", "a")]
    assert [(v["name"], v["value"]) for v in theirs["variables"]] == [("MISO_ENVIRONMENT_ID", "e")]


async def test_a_renamed_repository_redirects_by_name_and_answers_by_id(app: App, gh: GitHubAPI, world: World) -> None:
    number = world.github.state(REPO)["id"]
    world.github.rename_repository(REPO, "store")
    token = await app.token()
    status, headers, _ = await app.ask("GET", f"/repos/{REPO}/branches/main", bearer=token)
    assert (status, headers["Location"]) == (301, f"{world.addresses.github}/repositories/{number}/branches/main")
    assert (await app.ask("GET", headers["Location"], bearer=token))[0] == 200
    assert (await gh.getitem(f"/repositories/{number}"))["full_name"] == "acme/store"


async def test_a_transferred_repository_keeps_its_id_and_leaves_the_installation(app: App, world: World) -> None:
    number = world.github.state(REPO)["id"]
    token = await app.token()
    world.github.transfer_repository(REPO, "rival")
    assert (await app.ask("GET", f"/repositories/{number}", bearer=token))[0] == 404
    world.github.install_app("rival")
    path = f"/app/installations/{list(world.state.installations)[-1]}/access_tokens"
    _, _, body = await app.ask("POST", path, bearer=app.jwt(), body={})
    _, _, found = await app.ask("GET", f"/repositories/{number}", bearer=body["token"])
    assert found["owner"]["login"] == "rival"


async def test_lists_lead_on_by_link(gh: GitHubAPI, world: World) -> None:
    for number in range(7):
        world.github.open_pull_request(REPO, "bea", f"Change {number}", {f"f{number}": "1"})
    numbers = [pull["number"] async for pull in gh.getiter(f"/repos/{REPO}/pulls?per_page=3")]
    assert numbers == [7, 6, 5, 4, 3, 2, 1]


async def test_rule_9_a_renamed_person_keeps_the_id_and_leaves_the_login_to_others(gh: GitHubAPI, world: World) -> None:
    before = (await gh.getitem("/users/bea"))["id"]
    world.github.rename_user("bea", "beatrix")
    world.github.create_user("bea")
    assert (await gh.getitem("/users/beatrix"))["id"] == before
    assert (await gh.getitem("/users/bea"))["id"] != before


async def test_rule_1_a_force_push_leaves_the_old_commit_readable_and_is_told(
    gh: GitHubAPI, world: World, hook: Hook
) -> None:
    shown = world.github.open_pull_request(REPO, "bea", "Add", {"x": "1"}, branch="topic")["head_sha"]
    other = world.github.force_push(REPO, "cid", "topic", files={"x": "2"})["sha"]
    pull = await gh.getitem(f"/repos/{REPO}/pulls/1")
    assert (pull["head"]["sha"], pull["commits"]) == (other, 1)
    assert (await gh.getitem(f"/repos/{REPO}/commits/{shown}"))["author"]["login"] == "bea"
    compared = await gh.getitem(f"/repos/{REPO}/compare/{shown}...{other}")
    assert compared["status"] == "diverged"

    world.github.force_push(REPO, "cid", "topic", to_sha=shown)
    assert (await gh.getitem(f"/repos/{REPO}/pulls/1"))["head"]["sha"] == shown
    await world.delivered()
    pushes = [(push["forced"], push["before"], push["after"]) for push in hook.of("push")]
    assert pushes[1:] == [(True, shown, other), (True, other, shown)]
    told = [(event["action"], event["sender"]["login"]) for event in hook.of("pull_request")]
    assert told == [("opened", "bea"), ("synchronize", "cid"), ("synchronize", "cid")]


async def test_a_force_push_needs_a_branch_and_one_place_to_go(world: World) -> None:
    wrongs: list[dict[str, Any]] = [
        {"branch": "nowhere", "files": {"x": "1"}},
        {"branch": "main"},
        {"branch": "main", "to_sha": "0" * 40},
    ]
    for wrong in wrongs:
        with pytest.raises(Misused):
            world.github.force_push(REPO, "ann", **wrong)


async def test_rule_1_dates_of_a_commit_are_what_its_client_wrote(gh: GitHubAPI, world: World, hook: Hook) -> None:
    forged = world.github.push(
        REPO, "bea", {"x": "1"}, author_date="2001-02-03T04:05:06Z", committer_date="2002-02-03T04:05:06Z"
    )
    commit = (await gh.getitem(f"/repos/{REPO}/commits/{forged['sha']}"))["commit"]
    assert commit["author"]["date"] == "2001-02-03T04:05:06Z"
    assert commit["committer"]["date"] == "2002-02-03T04:05:06Z"
    await world.delivered()
    assert hook.of("push")[0]["head_commit"]["timestamp"] == "2002-02-03T04:05:06Z"


async def test_teams_are_found_by_name_as_well_as_by_id(app: App, gh: GitHubAPI, world: World) -> None:
    team = world.github.create_team("acme", "Release Team", members=["ann"])
    world.github.create_team("acme", "Night", members=["bea"], parent="Release Team")
    by_name = await gh.getitem("/orgs/acme/teams/release-team/members")
    by_id = await gh.getitem(f"/organizations/{world.github.person('acme').id}/team/{team['id']}/members")
    assert by_name == by_id
    assert [(member["login"], member["inherited"]) for member in by_id] == [("ann", False), ("bea", True)]
    assert await gh.getitem("/orgs/acme/teams/release-team/members?role=maintainer") == []
    missing = await app.ask("GET", "/orgs/acme/teams/other/members", bearer=await app.token())
    assert missing[0] == 404
    with pytest.raises(Misused):
        world.github.create_team("bea", "Alone")
