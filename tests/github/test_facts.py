"""Facts: what is read is what is so, by numeric ids; absence is None; what was not read whole says so."""

from __future__ import annotations

import pytest

from bot.domain.model import CommitRange
from bot.errors import Refused, Transient
from tests.github.conftest import REPO, Bench


async def test_identity_is_asked_by_id_and_shows_a_rename_and_a_transfer(bench: Bench) -> None:
    first = await bench.facts.identity()
    assert (first.id, first.full_name, first.owner_id) == (bench.repository_id, REPO, bench.owner_id)
    assert first.default_branch == "main"

    bench.world.github.rename_repository(REPO, "store")
    assert (await bench.facts.identity()).full_name == "acme/store"


async def test_a_renamed_repository_is_found_again_without_following_the_redirect(bench: Bench) -> None:
    assert await bench.facts.head("main")
    bench.world.github.rename_repository(REPO, "store")

    assert await bench.facts.head("main")

    paths = [exchange.path for exchange in bench.sent("GET")][-3:]
    numbered = f"/repositories/{bench.repository_id}"
    assert paths == ["/repos/acme/shop/branches/main", numbered, "/repos/acme/store/branches/main"]


async def test_a_write_finds_the_new_name_too_and_happens_once(bench: Bench) -> None:
    pull = bench.world.github.open_pull_request(REPO, "bea", "Add", {"a.txt": "1"})
    await bench.reports.create_comment(pull["number"], "one")
    bench.world.github.rename_repository(REPO, "store")

    await bench.reports.create_comment(pull["number"], "two")

    comments = bench.world.github.state("acme/store")["pulls"][0]["comments"]
    assert [comment["body"] for comment in comments] == ["one", "two"]


async def test_a_name_is_asked_for_again_after_a_while(bench: Bench) -> None:
    """Somebody else may have taken the old name meanwhile."""
    await bench.facts.head("main")
    await bench.facts.head("main")
    assert len(bench.sent("GET", f"/repositories/{bench.repository_id}")) == 1
    bench.clock.now += 31
    await bench.facts.head("main")
    assert len(bench.sent("GET", f"/repositories/{bench.repository_id}")) == 2


async def test_variables_of_repository_and_environment_are_paged(bench: Bench) -> None:
    expected = {f"V{number:02}": str(number) for number in range(65)}
    bench.world.github.create_environment(REPO, "team production?")
    for name, value in expected.items():
        bench.world.github.set_variable(REPO, name, value)
        bench.world.github.set_environment_variable(REPO, "team production?", name, value + "!")

    assert await bench.facts.variables() == expected
    assert await bench.facts.environment_variables("team production?") == {k: v + "!" for k, v in expected.items()}
    assert await bench.facts.environment_variables("nowhere") is None


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_climbs_out_of_its_path_is_never_sent(bench: Bench, name: str) -> None:
    with pytest.raises(Refused) as refused:
        await bench.facts.environment_variables(name)
    assert refused.value.code == "github_refused"
    assert not bench.sent("GET", "/variables")


async def test_a_file_at_a_commit(bench: Bench) -> None:
    old = await bench.facts.head("main")
    bench.world.github.write_file(REPO, ".github/miso.yml", "image: größer\n")
    new = await bench.facts.head("main")

    assert await bench.facts.file(".github/miso.yml", old) == "image: shop\n"
    assert await bench.facts.file(".github/miso.yml", new) == "image: größer\n"
    assert await bench.facts.file("nothing.yml", new) is None


async def test_what_is_no_plain_small_file_is_refused(bench: Bench) -> None:
    bench.world.github.write_file(REPO, "big.txt", "x" * (256 * 1024 + 1))
    sha = await bench.facts.head("main")
    for path in ("big.txt", ".github"):
        with pytest.raises(Refused) as refused:
            await bench.facts.file(path, sha)
        assert refused.value.code == "config_invalid"


@pytest.mark.parametrize("ref", ["main", "a" * 12, "A" * 40, ""])
async def test_rule_02_a_file_is_only_read_at_a_whole_commit_id(bench: Bench, ref: str) -> None:
    with pytest.raises(Refused) as refused:
        await bench.facts.file(".github/miso.yml", ref)
    assert refused.value.code == "sha_malformed"


async def test_a_commit_by_prefix_and_none_for_what_is_no_commit(bench: Bench) -> None:
    sha = bench.world.github.push(REPO, "bea", {"a": "1"}, message="Ünïcode")["sha"]
    found = await bench.facts.commit(sha[:12])
    assert found is not None
    assert (found.sha, found.message) == (sha, "Ünïcode")
    assert await bench.facts.commit("0" * 40) is None
    assert await bench.facts.commit("main") is None


async def test_rule_02_a_branch_that_looks_like_a_commit_is_none(bench: Bench) -> None:
    bench.world.github.push(REPO, "bea", {"a": "1"}, branch="abcdef1")
    assert await bench.facts.commit("abcdef1") is None


async def test_rule_09_authors_are_ids_and_web_flow_counts_only_when_signed(bench: Bench) -> None:
    sim = bench.world.github
    bea = bench.person("bea")
    pull = sim.open_pull_request(REPO, "bea", "Add", {"a": "1"})
    merged = sim.merge_pull(REPO, pull["number"], "ann")
    by_button = await bench.facts.commit(str(merged["merge_commit_sha"]))
    assert by_button is not None
    assert by_button.committer_is_web_flow

    plain = await bench.facts.commit(pull["head_sha"])
    assert plain is not None
    assert (plain.author_id, plain.committer_id, plain.committer_is_web_flow) == (bea, bea, False)
    assert not plain.coauthors_unknown

    posing = sim.push(REPO, "bea", {"b": "2"}, committer="web-flow")["sha"]
    posed = await bench.facts.commit(posing)
    assert posed is not None
    assert (posed.committer_id, posed.committer_is_web_flow) == (None, False)


async def test_rule_09_unknown_authors_and_co_authors_are_told(bench: Bench) -> None:
    nobody = bench.world.github.push(REPO, "zoe", {"a": "1"}, unknown_author=True)["sha"]
    shared = bench.world.github.push(REPO, "bea", {"a": "2"}, co_authors=["Eve <eve@x.test>"])["sha"]
    unknown, paired = await bench.facts.commit(nobody), await bench.facts.commit(shared)
    assert unknown is not None
    assert unknown.author_id is None
    assert paired is not None
    assert paired.coauthors_unknown


async def test_rule_09_a_comparison_of_more_than_one_page_is_read_whole(bench: Bench) -> None:
    base = await bench.facts.head("main")
    shas = [bench.world.github.push(REPO, "bea", {"n": str(n)})["sha"] for n in range(257)]

    found = await bench.facts.compare(base, shas[-1])

    assert (found.status, found.complete) == ("ahead", True)
    assert [commit.sha for commit in found.commits] == shas
    assert (await bench.facts.compare(base, base)) == CommitRange(status="identical", complete=True)
    assert (await bench.facts.compare(shas[3], base)).status == "behind"
    assert (await bench.facts.compare(base, "0" * 40)) == CommitRange(status="unknown")


async def test_rule_09_a_comparison_that_shows_too_few_commits_is_incomplete(bench: Bench) -> None:
    base = await bench.facts.head("main")
    head = bench.world.github.push(REPO, "bea", {"n": "1"})["sha"]
    body = {"status": "ahead", "total_commits": 5, "commits": []}
    bench.fault("GET .*/compare/", "status", status=200, body=body)
    found = await bench.facts.compare(base, head)
    assert not found.complete


async def test_a_pull_request_open_then_merged(bench: Bench) -> None:
    sim = bench.world.github
    pull = sim.open_pull_request(REPO, "bea", "Add @everyone", {"a": "1"})
    number = pull["number"]
    before = await bench.facts.pull_request(number)
    assert before is not None
    assert (before.open, before.merged, before.title) == (True, False, "Add @everyone")

    merged = sim.merge_pull(REPO, number, "ann", method="squash")
    after = await bench.facts.pull_request(number)
    assert after is not None
    assert (after.open, after.merged, after.merge_commit_sha) == (False, True, merged["merge_commit_sha"])
    assert after.merged_by_id == bench.person("ann")
    assert after.base_repository_id == after.head_repository_id == bench.repository_id
    assert await bench.facts.pull_requests_of(after.merge_commit_sha) == [after]
    assert await bench.facts.pull_request(number + 1) is None
    assert await bench.facts.pull_requests_of("0" * 40) == []


async def test_rule_07_a_fork_is_another_repository_and_a_deleted_one_is_none(bench: Bench) -> None:
    number = bench.world.github.open_pull_request(REPO, "eve", "Hi", {"a": "1"}, fork_owner="eve")["number"]
    forked = await bench.facts.pull_request(number)
    assert forked is not None
    assert forked.head_repository_id not in (None, bench.repository_id)

    bench.world.github.delete_fork(REPO, number)
    gone = await bench.facts.pull_request(number)
    assert gone is not None
    assert gone.head_repository_id is None


async def test_rule_20_an_answer_for_another_repository_is_not_believed(bench: Bench) -> None:
    """The name may have changed hands between asking for it and using it."""
    number = bench.world.github.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    assert await bench.facts.pull_request(number)
    honest = bench.sent("GET", f"/pulls/{number}")[-1].response_json()
    honest["base"]["repo"]["id"] += 1
    bench.fault("GET .*/pulls/", "status", status=200, body=honest)
    with pytest.raises(Transient) as lost:
        await bench.facts.pull_request(number)
    assert lost.value.code == "github_unavailable"
    assert await bench.facts.pull_request(number)


async def test_a_comment_tells_who_wrote_it_and_through_which_app(bench: Bench) -> None:
    sim = bench.world.github
    number = sim.open_pull_request(REPO, "bea", "Add", {"a": "1"})["number"]
    typed = await bench.facts.comment(sim.comment(REPO, number, "bea", "/promote test")["id"])
    assert typed is not None
    assert (typed.login, typed.body, typed.user_is_bot, typed.via_app_id) == ("bea", "/promote test", False, None)

    ours = await bench.facts.comment(await bench.reports.create_comment(number, "mine"))
    assert ours is not None
    assert (ours.user_is_bot, ours.via_app_id) == (True, bench.world.addresses.app_id)
    assert await bench.facts.comment(1) is None


@pytest.mark.parametrize(
    ("login", "role", "level", "writes"),
    [
        ("ann", "admin", "admin", True),
        ("max", "maintain", "write", True),
        ("bea", "write", "write", True),
        ("tia", "triage", "read", False),
        ("cid", "read", "read", False),
    ],
)
async def test_rule_05_permission_is_asked_by_role(
    bench: Bench, login: str, role: str, level: str, writes: bool
) -> None:
    found = await bench.facts.permission(login)
    assert found is not None
    assert (found.role_name, found.permission, found.can_write) == (role, level, writes)
    assert found.user_id == bench.person(login)


async def test_rule_05_permission_is_none_for_nobody_and_never_remembered(bench: Bench) -> None:
    assert await bench.facts.permission("nobody-at-all") is None
    assert (await bench.facts.permission("bea")) is not None
    bench.world.github.set_collaborator(REPO, "bea", "read")
    found = await bench.facts.permission("bea")
    assert found is not None
    assert not found.can_write


async def test_a_workflow_run(bench: Bench) -> None:
    run = bench.world.github.run_workflow(REPO, path=".github/workflows/build.yml", actor="bea")
    found = await bench.facts.workflow_run(run["id"])
    assert found is not None
    assert (found.path, found.event, found.conclusion) == (".github/workflows/build.yml", "push", "success")
    assert (found.head_sha, found.attempt) == (run["head_sha"], 1)
    assert found.head_repository_id == found.repository_id == bench.repository_id
    assert await bench.facts.workflow_run(run["id"] + 999) is None


async def test_a_missing_branch_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused):
        await bench.facts.head("nothing")
