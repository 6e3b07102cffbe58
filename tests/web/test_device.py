"""The command line signs in by a code that its owner types: every answer of RFC 8628, and what people try at it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.services.bearer import LETTERS, key_of
from tests.web.lodge import lodge
from tests.web.program import CLIENT, Program, says


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
    locked = await program.here.browser.post("/device", csrf=csrf, code=program.user_code)
    assert (locked.status, locked.headers["Retry-After"]) == (429, "600")
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


async def test_where_it_is_switched_off_nobody_gets_a_code(tmp_path: Path) -> None:
    async with lodge(tmp_path, device_sign_in=False) as there:
        said = await Program(there).asks()
        assert said["code"] == "sign_in_off"
