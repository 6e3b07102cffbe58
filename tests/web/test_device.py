"""The command line signs in by a code that its owner types: every answer of RFC 8628, and what people try at it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.services.bearer import LETTERS, key_of
from tests.web.lodge import AUDITORS, OPERATORS, Browser, Lodge, lodge

CLIENT = "miso-cli"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
WHO = "/api/v1/who"


class Program:
    """What the command line does, over HTTP."""

    def __init__(self, here: Lodge) -> None:
        self.here = here
        self.device_code = self.user_code = ""
        self.interval = 5

    async def asks(self, **form: str) -> dict[str, Any]:
        answer = await self.here.browser.ask("POST", "/oidc/device_authorization", data={"client_id": CLIENT, **form})
        said: dict[str, Any] = json.loads(answer.text)
        if answer.status == 200:
            self.device_code, self.user_code = said["device_code"], said["user_code"]
        return {**said, "status": answer.status}

    async def polls(self, *, wait: bool = True, **form: str) -> dict[str, Any]:
        if wait:
            self.here.clock.pass_(self.interval)
        return await self.token(grant_type=GRANT, device_code=self.device_code, **form)

    async def refreshes(self, token: str, **form: str) -> dict[str, Any]:
        return await self.token(grant_type="refresh_token", refresh_token=token, **form)

    async def token(self, **form: str) -> dict[str, Any]:
        answer = await self.here.browser.ask("POST", "/oidc/token", data={"client_id": CLIENT, **form})
        return {**json.loads(answer.text), "status": answer.status}

    async def who(self, token: str) -> dict[str, Any]:
        answer = await self.here.browser.get(WHO, headers={"Authorization": f"Bearer {token}"})
        return {**json.loads(answer.text), "status": answer.status}

    async def granted(self) -> dict[str, Any]:
        """Tokens of whoever sits in front of the browser."""
        await self.asks()
        await says(self.here.browser, self.user_code, "allow")
        return await self.polls()


async def says(browser: Browser, code: str, answer: str) -> str:
    """Types the code, looks at who asks, and answers; gives the last page's words."""
    form = await browser.get("/device")
    if form.status == 303:
        await browser.sign_in("/device")
        form = await browser.get("/device")
    shown = await browser.post("/device", csrf=form.csrf, code=code)
    assert shown.status == 200, shown.words
    return (await browser.post("/device", csrf=shown.csrf, code=code, answer=answer)).words


@pytest.fixture
async def program(here: Lodge) -> Program:
    here.person("ann", groups=[OPERATORS])
    await here.browser.sign_in()
    return Program(here)


async def test_a_code_that_is_typed_and_allowed_gives_tokens_once(program: Program) -> None:
    begun = await program.asks()
    assert begun["verification_uri"] == f"{program.here.url}/device"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert "verification_uri_complete" not in begun
    assert re.fullmatch(f"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", program.user_code)
    assert len(program.device_code) == 43
    assert (await program.polls())["error"] == "authorization_pending"
    assert "signed in" in await says(program.here.browser, program.user_code, "allow")
    got = await program.polls()
    assert got["status"] == 200
    assert got["token_type"] == "Bearer"
    assert got["access_token"].startswith("misoa_")
    assert got["refresh_token"].startswith("misor_")
    assert got["expires_in"] == 900
    found = await program.who(got["access_token"])
    assert (found["door"], found["device"]) == ("cli", True)
    assert found["subject"] == program.here.people["ann"]
    assert found["roles"] == ["operator", "viewer"]
    again = await program.polls()
    assert (again["status"], again["error"], again["code"]) == (400, "expired_token", "device_code")


async def test_only_hashes_are_kept(program: Program) -> None:
    got = await program.granted()
    secrets = [program.device_code, program.user_code, program.user_code.replace("-", ""), program.here.browser.cookie]
    secrets += [got["access_token"], got["refresh_token"]]
    files = b"".join(file.read_bytes() for file in program.here.directory.glob("miso.sqlite*"))
    assert not [secret for secret in secrets if secret.encode() in files]
    assert key_of(got["access_token"]).encode() in files


async def test_whoever_asks_too_soon_waits_longer_each_time(program: Program) -> None:
    await program.asks()
    assert (await program.polls(wait=False))["error"] == "authorization_pending"
    assert (await program.polls(wait=False))["error"] == "slow_down"
    program.here.clock.pass_(6)
    assert (await program.polls(wait=False))["error"] == "slow_down"
    program.here.clock.pass_(14)
    assert (await program.polls(wait=False))["error"] == "slow_down"
    program.here.clock.pass_(20)
    assert (await program.polls(wait=False))["error"] == "authorization_pending"


async def test_a_no_is_a_no(program: Program) -> None:
    await program.asks()
    assert "has got nothing" in await says(program.here.browser, program.user_code, "deny")
    said = await program.polls()
    assert (said["error"], said["code"]) == ("access_denied", "device_denied")
    assert (await program.polls())["error"] == "expired_token"
    [row] = await program.here.rows("device.denied")
    assert row.body["subject"] == program.here.people["ann"]


async def test_a_code_counts_for_ten_minutes(program: Program) -> None:
    await program.asks()
    program.here.clock.pass_(601)
    assert (await program.polls())["error"] == "expired_token"
    with pytest.raises(AssertionError, match="not valid"):
        await says(program.here.browser, program.user_code, "allow")


async def test_a_yes_that_nobody_fetches_runs_out(program: Program) -> None:
    await program.asks()
    await says(program.here.browser, program.user_code, "allow")
    program.here.clock.pass_(601)
    assert (await program.polls())["error"] == "expired_token"


@pytest.mark.parametrize("form", [{"client_id": "other"}, {"client_id": ""}, {"scope": "everything"}])
async def test_only_known_programs_and_scopes(program: Program, form: dict[str, str]) -> None:
    said = await program.asks(**form)
    assert (said["status"], said["error"], said["code"]) == (400, "invalid_request", "request_malformed")


async def test_another_program_gets_nothing_for_the_code(program: Program) -> None:
    await program.asks()
    await says(program.here.browser, program.user_code, "allow")
    assert (await program.polls(client_id="other"))["error"] == "expired_token"
    assert (await program.polls())["status"] == 200


# --- the page --------------------------------------------------------------------------------------------------------


async def test_the_code_is_never_filled_in(program: Program) -> None:
    await program.asks()
    for query in ("user_code", "code"):
        page = await program.here.browser.get(f"/device?{query}={program.user_code}")
        assert page.status == 200
        assert program.user_code not in page.text
    posted = await program.here.browser.post(f"/device?code={program.user_code}", csrf=page.csrf)
    assert posted.status == 400


async def test_whoever_says_yes_sees_who_asks(program: Program) -> None:
    await program.asks()
    form = await program.here.browser.get("/device")
    shown = await program.here.browser.post("/device", csrf=form.csrf, code=program.user_code.lower().replace("-", " "))
    for what in (program.user_code, CLIENT, "127.0.0.1", "2026-", "ask for promotions", "14 days"):
        assert what in shown.words
    assert shown.text.count('name="csrf"') >= 2


async def test_the_page_is_for_people_who_are_signed_in(program: Program) -> None:
    program.here.browser.forgets()
    page = await program.here.browser.get("/device")
    assert page.status == 401
    assert "/sign-in?to=/device" in page.text
    assert (await program.here.browser.post("/device", code="a", csrf="b")).code == "not_signed_in"


async def test_groups_are_asked_for_again_before_somebody_says_yes(program: Program) -> None:
    await program.asks()
    form = await program.here.browser.get("/device")
    program.here.clock.pass_(595)
    shown = await program.here.browser.post("/device", csrf=form.csrf, code=program.user_code)
    assert shown.status == 200
    await program.asks()
    program.here.clock.pass_(10)
    refused = await program.here.browser.post("/device", csrf=form.csrf, code=program.user_code, answer="allow")
    assert (refused.status, refused.code) == (403, "roles_too_old")
    assert (await program.here.browser.get("/device")).to == f"{program.here.url}/sign-in?to=/device"
    assert (await program.polls())["error"] == "authorization_pending"


async def test_a_form_of_another_site_allows_nothing(program: Program) -> None:
    await program.asks()
    for csrf in ("", "guessed"):
        page = await program.here.browser.post("/device", csrf=csrf, code=program.user_code, answer="allow")
        assert page.code == "csrf_refused"
    assert (await program.polls())["error"] == "authorization_pending"


async def test_a_token_of_the_command_line_allows_no_other(program: Program) -> None:
    """Else a stolen one would give birth to others."""
    got = await program.granted()
    await program.asks()
    program.here.browser.forgets()
    answer = await program.here.browser.ask(
        "POST",
        "/device",
        data={"code": program.user_code, "answer": "allow"},
        headers={"Authorization": f"Bearer {got['access_token']}"},
    )
    assert answer.status == 403
    assert (await program.polls())["error"] == "authorization_pending"


async def test_five_wrong_codes_close_the_page_for_ten_minutes_whatever_the_session(program: Program) -> None:
    await program.asks()
    csrf = (await program.here.browser.get("/device")).csrf
    for code in ("BBBB-BBBB", "AAAA-AAAA", "short", "'; DROP TABLE", "Ω" * 8):
        page = await program.here.browser.post("/device", csrf=csrf, code=code)
        assert page.status == 400
        assert "not valid" in page.words
    assert (await program.here.browser.post("/device", csrf=csrf, code=program.user_code)).status == 429
    await program.here.browser.sign_in()
    csrf = (await program.here.browser.get("/device")).csrf
    assert (await program.here.browser.post("/device", csrf=csrf, code=program.user_code)).status == 429
    again = await program.here.browser.post("/device", csrf=csrf, code=program.user_code, answer="allow")
    assert again.status == 429
    program.here.clock.pass_(601)
    await program.asks()
    assert "signed in" in await says(program.here.browser, program.user_code, "allow")


async def test_a_code_that_was_looked_at_five_times_is_worth_nothing(program: Program) -> None:
    await program.asks()
    csrf = (await program.here.browser.get("/device")).csrf
    for _ in range(5):
        assert (await program.here.browser.post("/device", csrf=csrf, code=program.user_code)).status == 200
    assert (await program.here.browser.post("/device", csrf=csrf, code=program.user_code)).status == 400
    assert (await program.polls())["error"] == "expired_token"


async def test_what_was_decided_is_decided(program: Program) -> None:
    await program.asks()
    await says(program.here.browser, program.user_code, "deny")
    csrf = (await program.here.browser.get("/device")).csrf
    page = await program.here.browser.post("/device", csrf=csrf, code=program.user_code, answer="allow")
    assert page.status == 400
    assert (await program.polls())["error"] == "access_denied"


# --- tokens ----------------------------------------------------------------------------------------------------------


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


async def test_where_it_is_switched_off_nobody_gets_a_code(tmp_path: Path) -> None:
    async with lodge(tmp_path, device_sign_in=False) as there:
        said = await Program(there).asks()
        assert said["code"] == "sign_in_off"
