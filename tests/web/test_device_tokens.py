"""Tokens of the command line: how long they last, how the next are had, and how all of them end together."""

from __future__ import annotations

import json
import re

import pytest

from bot.services.bearer import key_of
from tests.web.lodge import AUDITORS
from tests.web.program import Program


async def test_an_access_token_runs_out_and_a_refresh_token_gives_the_next(program: Program) -> None:
    got = await program.granted()
    program.here.clock.pass_(901)
    assert (await program.who(got["access_token"]))["status"] == 401
    new = await program.refreshes(got["refresh_token"])
    assert new["status"] == 200
    assert new["refresh_token"] != got["refresh_token"]
    assert (await program.who(new["access_token"]))["subject"] == program.here.people["ann"]


async def test_a_refresh_token_that_is_used_twice_ends_the_sign_in(program: Program) -> None:
    """Two hands hold it, and nobody knows whose are whose."""
    got = await program.granted()
    new = await program.refreshes(got["refresh_token"])
    said = await program.refreshes(got["refresh_token"])
    assert (said["status"], said["error"], said["code"]) == (400, "invalid_grant", "refresh_reused")
    assert (await program.who(new["access_token"]))["status"] == 401
    assert (await program.refreshes(new["refresh_token"]))["code"] == "refresh_refused"
    [row] = await program.here.rows("device.reused")
    assert row.body["token"] == key_of(got["refresh_token"])
    assert (await program.here.browser.account()).status == 200, "the browser is another matter"


async def test_the_command_line_must_sign_in_anew_after_two_weeks(program: Program) -> None:
    token = (await program.granted())["refresh_token"]
    for _ in range(13):
        program.here.clock.pass_(86_400)
        token = (await program.refreshes(token))["refresh_token"]
    program.here.clock.pass_(86_400)
    assert (await program.refreshes(token))["code"] == "refresh_refused"


@pytest.mark.parametrize("token", ["", "misor_", "misor_" + "a" * 43, "misoa_" + "a" * 43, "x" * 5000])
async def test_a_refresh_token_of_nobody_gives_nothing(program: Program, token: str) -> None:
    said = await program.refreshes(token)
    assert said["status"] == 400
    assert said["code"] == ("refresh_refused" if token else "request_malformed")


async def test_tokens_are_not_taken_for_one_another(program: Program) -> None:
    got = await program.granted()
    assert (await program.who(got["refresh_token"]))["status"] == 401
    assert (await program.refreshes(got["access_token"]))["code"] == "refresh_refused"
    assert (await program.refreshes(got["refresh_token"], client_id="other"))["code"] == "refresh_refused"
    program.here.browser.forgets()
    program.here.browser.holds(got["access_token"].removeprefix("misoa_"))
    assert (await program.here.browser.account()).status == 401


async def test_refreshing_makes_no_roles_younger_and_a_browser_does(program: Program) -> None:
    """Nothing is asked of the sign-in service without its person; what a browser brings counts for the command line."""
    got = await program.granted()
    before = await program.here.miso.store.kept("person", key_of(program.here.people["ann"]))
    program.here.clock.pass_(700)
    new = await program.refreshes(got["refresh_token"])
    assert await program.here.miso.store.kept("person", key_of(program.here.people["ann"])) == before
    await program.here.browser.sign_in()
    assert (await program.who(new["access_token"]))["status"] == 200
    after = await program.here.miso.store.kept("person", key_of(program.here.people["ann"]))
    assert before is not None
    assert after is not None
    assert after.body["at_us"] > before.body["at_us"]


async def test_other_roles_end_the_command_line_too(program: Program) -> None:
    got = await program.granted()
    program.here.world.entra.change_person("ann", groups=[AUDITORS])
    await program.here.browser.sign_in()
    assert (await program.who(got["access_token"]))["status"] == 401
    assert (await program.refreshes(got["refresh_token"]))["code"] == "refresh_refused"


async def test_its_owner_sees_it_and_ends_it(program: Program) -> None:
    got = await program.granted()
    page = await program.here.browser.account()
    assert "Command line" in page.words
    [key] = [k for k in re.findall(r'name="session" value="([0-9a-f]{64})"', page.text)
             if k != key_of(program.here.browser.cookie)]  # fmt: skip
    await program.here.browser.post("/sign-out", csrf=page.csrf, session=key)
    assert (await program.who(got["access_token"]))["status"] == 401
    assert (await program.refreshes(got["refresh_token"]))["code"] == "refresh_refused"
    assert (await program.here.browser.account()).status == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_the_command_line_signs_itself_out(program: Program, which: str) -> None:
    got = await program.granted()
    answer = await program.here.browser.ask("POST", "/oidc/revoke", data={"token": got[which]})
    assert answer.status == 200
    assert (await program.who(got["access_token"]))["status"] == 401
    assert (await program.refreshes(got["refresh_token"]))["code"] == "refresh_refused"


async def test_a_link_to_another_account_ends_it(program: Program) -> None:
    got = await program.granted()
    subject = program.here.people["ann"]
    await program.here.link(subject, 7)
    assert (await program.who(got["access_token"]))["id"] == 7
    await program.here.link(subject, 8)
    assert (await program.who(got["access_token"]))["status"] == 401


async def test_each_step_is_a_row_with_nothing_secret_in_it(program: Program) -> None:
    got = await program.granted()
    await program.refreshes(got["refresh_token"])
    await program.refreshes(got["refresh_token"])
    rows = await program.here.rows("person.signed_in", "device.granted", "device.reused")
    assert [row.kind for row in rows] == ["person.signed_in", "device.granted", "person.signed_in", "device.reused"]
    said = json.dumps([dict(row.body) for row in rows])
    for secret in (got["access_token"], got["refresh_token"], program.device_code, program.user_code):
        assert secret not in said
    assert "127.0.0.1" not in said
