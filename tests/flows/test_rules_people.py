"""Rules 4, 5, 6, 9 and 15: who is heard, whose word counts, and what a stranger's word costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.model import Status
from bot.services.notes import Note
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage, staged
from tests.flows.trouble import with_rules
from tests.flows.words import in_test, replies, rows, types, waiting, written

pytestmark = pytest.mark.full


async def test_rule_04_an_edited_comment_is_no_command_and_a_command_that_was_edited_is_not_carried_out(
    stage: Stage,
) -> None:
    pull = await in_test(stage, "Edited")
    number = pull["number"]
    # talk that is edited into a command
    talk = await types(stage, "ann", "Looks good", on=number)
    await stage.settle()
    await stage.sim.edit_comment(REPOSITORY, talk, "/promote production")
    await stage.settle()
    assert "edited_comment" in (await replies(stage, number))[-1]
    # a command that is edited before it was heard
    early = await types(stage, "ann", "/promote production", on=number)
    await stage.sim.edit_comment(REPOSITORY, early, "/promote production\n\nplease")
    await stage.settle()
    assert "edited_comment" in (await replies(stage, number))[-1]
    # a command that is gone before it was heard
    gone = await types(stage, "ann", "/promote production", on=number)
    await stage.sim.delete_comment(REPOSITORY, gone)
    await stage.settle()
    assert "edited_comment" in (await replies(stage, number))[-1]
    assert await stage.miso.store.promotions(environment_id=stage.environments["production"]) == []


async def test_rule_04_what_was_edited_between_request_and_effect_is_refused(stage: Stage) -> None:
    pull = await in_test(stage, "Edited later")
    asked = await stage.says("ann", "/promote production", on=pull["number"])
    await stage.sim.edit_comment(REPOSITORY, asked["id"], "/promote production\nand something else")
    await stage.says("bob", "/approve", on=pull["number"])
    refused = await stage.latest("production")
    assert (refused.status, refused.code) == (Status.REFUSED, "edited_comment")
    again = await stage.says("ann", "/promote production", on=pull["number"])
    await stage.sim.delete_comment(REPOSITORY, again["id"])
    await stage.says("bob", "/approve", on=pull["number"])
    assert (await stage.latest("production")).code == "edited_comment"
    assert stage.effects("swap") == []


async def test_rule_05_who_lost_write_access_before_the_effect_asked_for_nothing(stage: Stage) -> None:
    pull = await waiting(stage, "Leaver")
    await stage.sim.set_collaborator(REPOSITORY, "ann", "read")
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "permission_denied" in told["replies"][0]
    refused = await stage.latest("production")
    assert (refused.status, refused.code, refused.approvals) == (Status.REFUSED, "permission_denied", ())
    assert stage.effects("swap") == []


async def test_rule_05_an_approver_who_lost_write_access_before_the_effect_does_not_count(stage: Stage) -> None:
    pull = await waiting(stage, "Approver leaves")
    # The registry is away for a moment once the approval has asked it, so that the effect waits behind it.
    await stage.sim.add_fault("^registry ", "status", status=503, times=None, skip=2)
    await stage.sim.comment(REPOSITORY, pull["number"], "bob", "/approve")
    await stage.world.delivered()
    await stage.running.worker.settle()
    assert (await stage.latest("production")).status is Status.APPROVED
    await stage.sim.set_collaborator(REPOSITORY, "bob", "none")
    await stage.sim.clear_faults()
    await stage.settle()
    refused = await stage.latest("production")
    assert (refused.status, refused.code) == (Status.REFUSED, "needs_approval")
    assert stage.effects("swap") == []


async def test_rule_05_and_09_a_login_is_not_an_account(stage: Stage) -> None:
    """Ids are compared: a renamed requester is asked again, and who takes the login over inherits nothing."""
    pull = await waiting(stage, "Renamed")
    await stage.sim.rename_user("ann", "anna")
    await stage.sim.create_user("ann")
    await stage.sim.set_collaborator(REPOSITORY, "ann", "admin")
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "permission_denied" in told["replies"][0]
    refused = await stage.latest("production")
    assert (refused.status, refused.code, refused.approvals) == (Status.REFUSED, "permission_denied", ())
    # Under the new login the same account still is the author; the newcomer under the old one is somebody else.
    await stage.says("olga", "/promote production", on=pull["number"])
    own = await stage.says("anna", "/approve", on=pull["number"])
    assert "author_is_approver" in own["replies"][0]
    await stage.says("ann", "/approve", on=pull["number"])
    assert await stage.runs("production") == pull["digest"]


async def test_rule_05_a_login_that_was_taken_over_before_it_was_heard_is_not_heard(stage: Stage) -> None:
    pull = await in_test(stage, "Taken over")
    comment = await types(stage, "eve", "/promote production", on=pull["number"])
    await stage.sim.rename_user("eve", "evelyn")
    await stage.sim.create_user("eve")
    await stage.sim.set_collaborator(REPOSITORY, "eve", "admin")
    before = len(await replies(stage, pull["number"]))
    await stage.settle()
    assert len(await replies(stage, pull["number"])) == before
    [seen] = [c for c in await stage.comments(pull["number"]) if c["id"] == comment]
    assert [r["content"] for r in seen["reactions"]] == ["confused"]


async def test_rule_06_a_listed_app_may_ask_and_nothing_else_and_others_are_not_even_answered(tmp_path: Path) -> None:
    async with staged(tmp_path, MISO_BOTS_THAT_MAY_REQUEST="777") as stage:
        stage.world.state.foreign_apps["release-bot"] = 777
        pull = await stage.ships("By robots")
        number = pull["number"]
        await stage.sim.comment(REPOSITORY, number, "ann", "/promote test", via_app="release-bot")
        await stage.settle()
        assert await stage.runs("test") == pull["digest"]
        await stage.says("ann", "/promote production", on=number)
        for word in ("/approve", "/reject", "/rollback test", f"/clear @{pull['merge_commit_sha'][:12]} because"):
            # Through the list's own App, in the name of somebody who might do it in person.
            await stage.sim.comment(REPOSITORY, number, "bob", word, via_app="release-bot")
            await stage.settle()
            assert "bot_refused" in (await replies(stage, number))[-1], word
        assert (await stage.latest("production")).status is Status.REQUESTED

        await stage.sim.create_user("dep[bot]", kind="Bot")
        await stage.sim.set_collaborator(REPOSITORY, "dep[bot]", "admin")
        said, sent = await replies(stage, number), len(await written(stage))
        await stage.sim.comment(REPOSITORY, number, "bob", "/approve", via_app="other-app")
        await stage.sim.comment(REPOSITORY, number, "dep[bot]", "/approve")
        await stage.settle()
        assert await replies(stage, number) == said
        assert len(await written(stage)) == sent
        refused = [row for row in await rows(stage, Note.COMMAND_REFUSED) if row.body["code"] == "bot_refused"]
        assert len(refused) == 2
        assert (await stage.latest("production")).approvals == ()


async def test_rule_09_author_merger_and_requester_do_not_approve(stage: Stage) -> None:
    """A squash merge by web-flow: the merger counts in its place."""
    pull = await stage.sim.open_pull_request(REPOSITORY, "ann", "Ours", {"app.py": "1"})
    number = pull["number"]
    merged = await stage.sim.merge_pull(REPOSITORY, number, "bob", method="squash")
    await scenarios.build(stage.sim, str(merged["merge_commit_sha"]))
    await stage.settle()
    await stage.says("ann", "/promote test", on=number)
    await stage.says("olga", "/promote production", on=number)
    for who in ("ann", "bob", "olga"):
        told = await stage.says(who, "/approve", on=number)
        assert "author_is_approver" in told["replies"][0], who
    await stage.sim.create_user("mia")
    await stage.sim.set_collaborator(REPOSITORY, "mia", "read")
    await stage.says("mia", "/approve", on=number)
    assert (await stage.latest("production")).approvals == ()
    await stage.sim.set_collaborator(REPOSITORY, "mia", "write")
    await stage.says("mia", "/approve", on=number)
    assert (await stage.latest("production")).status is Status.LIVE


async def test_rule_09_committer_and_earlier_authors_since_what_runs_do_not_approve(stage: Stage) -> None:
    await stage.ships("First")
    first = await in_test(stage, "Running")
    await stage.says("ann", "/promote production", on=first["number"])
    await stage.says("olga", "/approve", on=first["number"])
    assert await stage.runs("production") == first["digest"]
    stage.clock.pass_(60)
    # Bob's commit never went to production by itself; Ann's on top of it carries it there.
    await stage.sim.push(REPOSITORY, "bob", {"bob.py": "1"})
    pull = await waiting(stage, "On top of Bob's")
    told = await stage.says("bob", "/approve", on=pull["number"])
    assert "author_is_approver" in told["replies"][0]
    await stage.says("ann", "/reject", on=pull["number"])
    await stage.sim.push(REPOSITORY, "ann", {"c.py": "1"}, committer="olga")
    last = await waiting(stage, "On top of Olga's committing")
    told = await stage.says("olga", "/approve", on=last["number"])
    assert "author_is_approver" in told["replies"][0]


async def test_rule_09_work_of_somebody_unknown_does_not_go_to_production(stage: Stage) -> None:
    """An address without an account, and co-authors, whom an address alone does not identify."""
    await stage.sim.push(REPOSITORY, "ann", {"x.py": "1"}, unknown_author=True)
    head = (await stage.state())["branches"]["main"]
    await scenarios.build(stage.sim, head)
    await stage.settle()
    pull = await in_test(stage, "Known")
    told = await stage.says("ann", f"/promote test @{head}", on=pull["number"])
    assert "older_commit" in told["replies"][0]
    told = await stage.says("ann", f"/promote production @{head}", on=pull["number"])
    assert "unknown_author" in told["replies"][0]

    shared = await stage.sim.open_pull_request(
        REPOSITORY, "ann", "Shared", {"y.py": "1"}, co_authors=["Bob <bob@elsewhere.test>"]
    )
    merged = await stage.sim.merge_pull(REPOSITORY, shared["number"], "ann", method="rebase")
    await scenarios.build(stage.sim, str(merged["merge_commit_sha"]))
    await stage.settle()
    await stage.says("ann", "/promote test", on=shared["number"])
    told = await stage.says("ann", "/promote production", on=shared["number"])
    assert "unknown_author" in told["replies"][0]
    assert await stage.miso.store.promotions(environment_id=stage.environments["production"]) == []


async def test_rule_15_a_stranger_costs_one_reaction_and_one_row_and_nothing_past_the_limit(tmp_path: Path) -> None:
    async with staged(tmp_path, MISO_COMMANDS_PER_HOUR="3") as stage:
        pull = await stage.ships("Strangers")
        number = pull["number"]
        for count in range(1, 7):
            before = len(await written(stage))
            told = await stage.says("eve", "/promote production", on=number)
            assert told["replies"] == []
            heard = count <= 3
            assert [r["content"] for r in told["reactions"]] == (["confused"] if heard else [])
            assert len(await written(stage)) - before == (1 if heard else 0)
        codes = [row.body["code"] for row in await rows(stage, Note.COMMAND_REFUSED)]
        assert codes == ["permission_denied"] * 3 + ["command_limit"]
        # An hour later she may ask again, and is told the same.
        stage.clock.pass_(3601)
        told = await stage.says("eve", "/approve", on=number)
        assert [r["content"] for r in told["reactions"]] == ["confused"]


async def test_rule_15_the_limit_holds_for_those_who_may_write_and_our_own_words_are_no_commands(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, MISO_COMMANDS_PER_HOUR="2") as stage:
        pull = await stage.ships("Talkative")
        number = pull["number"]
        for _ in range(2):
            assert len((await stage.says("ann", "/status", on=number))["replies"]) == 1
        for _ in range(3):
            told = await stage.says("ann", "/status", on=number)
            assert told["replies"] == []
            assert told["reactions"] == []
        assert [row.body["code"] for row in await rows(stage, Note.COMMAND_REFUSED)] == ["command_limit"]
        # Bob is another person.
        assert len((await stage.says("bob", "/status", on=number))["replies"]) == 1
        before = len(await stage.comments(number))
        await stage.sim.comment(REPOSITORY, number, "olga", "/promote test", via_app="miso")
        await stage.settle()
        assert len(await stage.comments(number)) == before + 1


async def test_rule_15_a_pull_request_takes_so_many_commands_an_hour_from_all_together(stage: Stage) -> None:
    pull = await stage.ships("Busy")
    other = await stage.ships("Quiet")
    with_rules(stage, pull_request_commands_per_hour=2)
    told = [await stage.says(who, "/help", on=pull["number"]) for who in ("ann", "bob", "olga")]
    assert [len(each["replies"]) for each in told] == [1, 1, 0]
    assert told[2]["reactions"] == []
    elsewhere = await stage.says("olga", "/help", on=other["number"])
    assert len(elsewhere["replies"]) == 1


async def test_rule_09_whoever_pushed_to_the_pull_request_does_not_approve_it(stage: Stage) -> None:
    opened = await stage.sim.open_pull_request(REPOSITORY, "ann", "Shared", {"app.py": "1"})
    number = opened["number"]
    # Olga pushes a commit that bears Ann's name: only the webhook tells who it was.
    await stage.sim.push_to_pull(REPOSITORY, number, "ann", {"app.py": "2"}, pusher="olga")
    merged = await stage.sim.merge_pull(REPOSITORY, number, "ann", method="squash")
    await scenarios.build(stage.sim, str(merged["merge_commit_sha"]))
    await stage.settle()
    await stage.says("ann", "/promote test", on=number)
    await stage.says("ann", "/promote production", on=number)
    told = await stage.says("olga", "/approve", on=number)
    assert "author_is_approver" in told["replies"][0]
    assert await stage.runs("production") == ""
    await stage.says("bob", "/approve", on=number)
    assert (await stage.latest("production")).status is Status.LIVE
