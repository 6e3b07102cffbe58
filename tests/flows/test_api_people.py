"""People at the API: the same verbs and the same decisions as every other door, over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.services.bearer import key_of
from bot.services.notes import Note
from tests.flows.signed_in import browses, signs_in
from tests.flows.stage import Stage
from tests.flows.workflow import Workflow, working

pytestmark = pytest.mark.full


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def waiting_in_production(stage: Stage) -> tuple[Any, str]:
    """A pull request, and the promotion of it that waits for approval."""
    pull = await stage.ships("Add cart")
    await stage.says("bob", "/promote test", on=pull["number"])
    await stage.says("ann", "/promote production", on=pull["number"])
    return pull, (await stage.latest("production")).stream


async def test_a_promotion_is_asked_for_shown_and_carried_out(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    ann, short = await signs_in(stage, "ann"), pull["merge_commit_sha"][:12]
    asked = await workflow.promotes(ann, "test", commit=short)
    assert asked.status == 202, asked.body
    assert (asked.body["stage"], asked.body["commit"]) == ("test", pull["merge_commit_sha"])
    assert (asked.body["application"], asked.body["requester"]["login"]) == ("shop", "ann")
    assert asked.body["plan"][0].startswith("Image: ")
    await stage.settle()
    shown = await workflow.call("GET", asked.headers["Location"], token=ann)
    assert (shown.body["status"], shown.body["open"]) == ("live", False)
    found = (await workflow.call("GET", "/api/v1/applications", token=ann)).body["applications"]
    places = {place["stage"]: place for place in found[0]["environments"]}
    assert places["test"]["running"]["commit"] == pull["merge_commit_sha"]
    assert places["production"]["running"] is None


async def test_rule_09_four_eyes_are_two_people_at_this_door_too(workflow: Workflow) -> None:
    stage = workflow.stage
    _, stream = await waiting_in_production(stage)
    path = f"/api/v1/promotions/{stream}/approve"
    bob = await signs_in(stage, "bob")
    shown = await workflow.call("GET", f"/api/v1/promotions/{stream}", token=bob)
    assert (shown.body["status"], shown.body["approvals_needed"]) == ("requested", 1)
    assert shown.body["deadline"]
    assert shown.body["signs"][-1]["part"] == "Evidence"
    assert shown.body["links"]["approve"].endswith(path)
    author = await workflow.call("POST", path, {}, **await browses(stage, "ann"))
    assert (author.status, author.code) == (409, "author_is_approver")
    assert "author_is_approver" in author.failing()
    reader = await workflow.call("POST", path, {}, **await browses(stage, "eve"))
    assert (reader.status, reader.code) == (403, "permission_denied")
    by_code = await workflow.call("POST", path, {}, token=bob)
    assert (by_code.status, by_code.code) == (403, "device_may_not_approve")
    headers = await browses(stage, "bob")
    other = await workflow.call("POST", path, {"commit": "f" * 12}, **headers)
    assert other.code == "other_release_waits"
    elsewhere = await workflow.call("POST", path, {}, Cookie=headers["Cookie"])
    assert (elsewhere.status, elsewhere.code) == (403, "csrf_refused")
    done = await workflow.call("POST", path, {"commit": shown.body["commit"]}, **headers)
    assert (done.status, done.body["status"]) == (200, "approved")
    assert [each["by"]["login"] for each in done.body["approvals"]] == ["bob"]
    await stage.settle()
    assert (await stage.latest("production")).status == "live"


async def test_whoever_is_not_linked_looks_and_no_more(workflow: Workflow) -> None:
    stage = workflow.stage
    pull, stream = await waiting_in_production(stage)
    nobody = await signs_in(stage, "bob", linked=False)
    assert (await workflow.call("GET", f"/api/v1/promotions/{stream}", token=nobody)).status == 200
    me = (await workflow.call("GET", "/api/v1/me", token=nobody)).body
    assert (me["linked"], me["github"], me["subject"]) == (False, None, "entra:tenant:bob")
    for word in ("approve", "reject", "revoke", "cancel"):
        no = await workflow.call("POST", f"/api/v1/promotions/{stream}/{word}", {}, token=nobody)
        assert (no.status, no.code) == (403, "not_linked")
    no = await workflow.promotes(nobody, "test", commit=pull["merge_commit_sha"])
    assert (no.status, no.code) == (403, "not_linked")


async def test_what_waits_is_rejected_or_taken_back(workflow: Workflow) -> None:
    stage = workflow.stage
    _, stream = await waiting_in_production(stage)
    bob, ann = await signs_in(stage, "bob"), await signs_in(stage, "ann")
    nothing = await workflow.call("POST", f"/api/v1/promotions/{stream}/revoke", {}, token=bob)
    assert nothing.code == "nothing_to_revoke"
    done = await workflow.call("POST", f"/api/v1/promotions/{stream}/cancel", {"reason": "not yet"}, token=ann)
    assert (done.status, done.body["status"]) == (200, "cancelled")
    again = await workflow.call("POST", f"/api/v1/promotions/{stream}/reject", {"reason": "no"}, token=bob)
    assert again.code == "nothing_to_reject"


async def test_what_the_decision_refuses_is_told_rule_by_rule(workflow: Workflow) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    no = await workflow.promotes(await signs_in(stage, "ann"), "production", commit=pull["merge_commit_sha"])
    assert (no.status, no.code) == (409, "not_verified_before")
    assert no.headers["Content-Type"].startswith("application/problem+json")
    states = {rule["rule"]: rule["state"] for rule in no.body["rules"]}
    assert (states["order"], states["requester"]) == ("fail", "pass")


async def test_the_same_key_is_the_same_request(workflow: Workflow) -> None:
    stage = workflow.stage
    first, second = await stage.ships("First"), await stage.ships("Second")
    ann, bob = await signs_in(stage, "ann"), await signs_in(stage, "bob")
    body = {
        "application_id": (await stage.latest("dev")).application_id,
        "environment_id": stage.environments["test"],
        "commit": first["merge_commit_sha"],
    }
    ask = {"method": "POST", "path": "/api/v1/promotions"}
    headers = {"Idempotency-Key": "one-and-only"}
    one = await workflow.call(**ask, body=body, token=ann, **headers)
    await stage.settle()
    same = await workflow.call(**ask, body=body, token=ann, **headers)
    assert (one.status, same.status, one.body["id"]) == (202, 202, same.body["id"])
    other = await workflow.call(**ask, body={**body, "commit": second["merge_commit_sha"]}, token=ann, **headers)
    assert (other.status, other.code) == (400, "request_malformed")
    theirs = await workflow.call(**ask, body={**body, "commit": second["merge_commit_sha"]}, token=bob, **headers)
    assert theirs.status == 202
    assert theirs.body["id"] != one.body["id"]
    wrong = await workflow.call(**ask, body=body, token=ann, **{"Idempotency-Key": "short"})
    assert wrong.code == "request_malformed"


async def test_going_back_and_going_past_rules_have_words_of_their_own(workflow: Workflow) -> None:
    stage = workflow.stage
    first, second = await stage.ships("First"), await stage.ships("Second")
    bob = await signs_in(stage, "bob")
    back = await workflow.promotes(bob, "dev", rollback=True)
    assert (back.status, back.body["commit"], back.body["rollback"]) == (202, first["merge_commit_sha"], True)
    commit = second["merge_commit_sha"]
    assert (await workflow.promotes(bob, "test", commit=commit, break_glass=True)).code == "reason_missing"
    assert (await workflow.promotes(bob, "test", commit=commit, reason="why not")).code == "request_malformed"
    assert (await workflow.promotes(bob, "test")).code == "request_malformed"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b'{"commit": "abc"}', "application/json"),
        (b'{"comit": "abcdefabcdef"}', "application/json"),
        (b'{"commit": null, "reason": 7}', "application/json"),
        (b'{"reason": "a", "reason": "b"}', "application/json"),
        (b"[]", "application/json"),
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 30_000, "application/json"),
        (b"reason=a", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
    ],
)
async def test_a_body_is_exactly_what_it_should_be(workflow: Workflow, sent: bytes, kind: str) -> None:
    stage = workflow.stage
    token = await signs_in(stage, "bob")
    path = f"{stage.url}/api/v1/promotions/promotion-{'0' * 24}/cancel"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    async with workflow.http.post(path, data=sent, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "request_malformed")


async def test_nobody_is_told_anything(workflow: Workflow) -> None:
    for token, code in (("", "not_signed_in"), ("misoa_" + "a" * 43, "token_invalid"), ("x.y.z", "token_invalid")):
        for method, path in (
            ("GET", "/api/v1/me"),
            ("GET", "/api/v1/applications"),
            ("POST", "/api/v1/promotions"),
            ("GET", f"/api/v1/promotions/promotion-{'0' * 24}"),
            ("POST", f"/api/v1/promotions/promotion-{'0' * 24}/approve"),
            ("GET", "/api/v1/tokens"),
            ("POST", f"/api/v1/tokens/{'0' * 64}/revoke"),
            ("POST", "/api/v1/links"),
            ("DELETE", "/api/v1/links"),
        ):
            no = await workflow.call(method, path, token=token)
            assert (no.status, no.code) == (401, code), path
            assert no.headers["WWW-Authenticate"].startswith("Bearer ")


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_operators_list_tokens_and_end_them(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    bob, ann = await signs_in(stage, "bob"), await signs_in(stage, "ann")
    no = await workflow.call("GET", "/api/v1/tokens", token=ann)
    assert (no.status, no.code) == (403, "role_missing")
    assert (await workflow.post("/oidc/introspect", {"token": token}, token=ann)).body == {"active": False}
    path = f"/api/v1/tokens/{key_of(token)}/revoke"
    no = await workflow.call("POST", path, {}, token=ann)
    assert no.status == 403, no.body
    done = await workflow.call("POST", path, {}, token=bob)
    assert done.status == 200, done.body
    assert done.body["revoked_at"]
    assert (await workflow.promotes(token)).code == "token_revoked"
    unknown = await workflow.call("POST", f"/api/v1/tokens/{'0' * 64}/revoke", {}, token=bob)
    assert (unknown.status, unknown.code) == (403, "role_missing")
    here = f"/api/v1/tokens?environment_id={stage.environments['dev']}"
    [listed] = (await workflow.call("GET", here, token=bob)).body["tokens"]
    assert (listed["sha256"], listed["run_id"], listed["commit"]) == (
        key_of(token),
        built["run"],
        built["merge_commit_sha"],
    )
    assert token not in str(listed)
    [row] = await workflow.rows(Note.TOKEN_REVOKED)
    assert (row.actor_id, row.body["how"]) == (stage.shop.people["bob"], "cli")


# --- waiting ---------------------------------------------------------------------------------------------------------


async def test_a_question_waits_for_news(workflow: Workflow) -> None:
    stage = workflow.stage
    pull, stream = await waiting_in_production(stage)
    bob = await signs_in(stage, "bob")
    path = f"/api/v1/promotions/{stream}"
    now = (await workflow.call("GET", path, token=bob)).body
    waiting = asyncio.ensure_future(workflow.call("GET", f"{path}?wait=30&version={now['version']}", token=bob))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await stage.says("bob", "/reject too early", on=pull["number"])
    news = await asyncio.wait_for(waiting, 10)
    assert (news.body["status"], news.body["open"]) == ("rejected", False)
    # What is older than it stands is answered at once, and so is what has ended.
    assert (await workflow.call("GET", f"{path}?wait=30&version=1", token=bob)).body["status"] == "rejected"
    assert (await workflow.call("GET", f"{path}?wait=30", token=bob)).body["status"] == "rejected"
    assert (await workflow.call("GET", f"{path}?wait=soon", token=bob)).code == "request_malformed"


async def test_a_question_does_not_wait_for_ever(workflow: Workflow) -> None:
    stage = workflow.stage
    _, stream = await waiting_in_production(stage)
    bob = await signs_in(stage, "bob")
    answer = await workflow.call("GET", f"/api/v1/promotions/{stream}?wait=1", token=bob)
    assert (answer.status, answer.body["status"]) == (200, "requested")
