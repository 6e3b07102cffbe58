"""Tokens: as small as the job, one for all who wait, renewed early, given back, and never seen anywhere."""

from __future__ import annotations

import asyncio
import logging

import jwt
import pytest

from bot.domain.permissions import GATE, JOBS, REACT, READ_FACTS, REPORT
from bot.errors import ConfigError, Refused, Transient
from bot.github.tokens import AppKey, Scope, Token
from tests.github.conftest import START, Bench, settings


async def test_rule_35_a_token_is_limited_to_one_repository_and_the_permissions_of_the_job(bench: Bench) -> None:
    for permissions in JOBS.values():
        await bench.at(permissions).identity()
    asked = [exchange.request_json() for exchange in bench.sent("POST", "/access_tokens")]
    assert [body["permissions"] for body in asked] == [dict(permissions) for permissions in JOBS.values()]
    assert all(body["repository_ids"] == [bench.repository_id] for body in asked)


async def test_rule_35_a_token_serves_its_hour_and_is_renewed_five_minutes_early(bench: Bench) -> None:
    await bench.facts.identity()
    bench.clock.now += 54 * 60
    await bench.facts.identity()
    assert bench.tokens_minted() == 1
    bench.clock.now += 2 * 60
    await bench.facts.identity()
    assert bench.tokens_minted() == 2


async def test_many_who_ask_at_once_wait_for_one_token_and_one_name(bench: Bench) -> None:
    await asyncio.gather(*(bench.facts.variables() for _ in range(20)))
    assert bench.tokens_minted() == 1
    assert len(bench.sent("GET", f"/repositories/{bench.repository_id}")) == 1


async def test_one_who_gives_up_does_not_take_the_others_down(bench: Bench) -> None:
    bench.fault("POST .*/access_tokens", "delay", seconds=0.05)
    impatient = asyncio.create_task(bench.facts.identity())
    patient = asyncio.create_task(bench.facts.identity())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).id == bench.repository_id
    assert bench.tokens_minted() == 1


async def test_a_failed_mint_is_not_remembered(bench: Bench) -> None:
    bench.fault("POST .*/access_tokens", "status", status=502, times=2)
    with pytest.raises(Transient) as lost:
        await bench.facts.identity()
    assert lost.value.code == "github_unavailable"
    await bench.facts.identity()


async def test_a_token_whose_answer_was_lost_is_asked_for_once_more(bench: Bench) -> None:
    bench.fault("POST .*/access_tokens", "act_then_drop")
    await bench.facts.identity()
    assert bench.tokens_minted() == 2


async def test_a_token_that_was_revoked_elsewhere_is_replaced(bench: Bench) -> None:
    await bench.facts.identity()
    bench.world.state.tokens.clear()
    await bench.facts.identity()
    assert bench.tokens_minted() == 2


async def test_a_token_that_is_never_taken_is_refused_after_one_renewal(bench: Bench) -> None:
    bench.fault("GET .*", "status", status=401, times=None)
    with pytest.raises(Refused) as refused:
        await bench.facts.identity()
    assert refused.value.code == "github_forbidden"
    assert bench.tokens_minted() == 2


async def test_rule_35_tokens_are_revoked_when_an_installation_is_forgotten_and_at_the_end(bench: Bench) -> None:
    await bench.facts.identity()
    await bench.reports.identity()
    assert len(bench.world.state.tokens) == 2

    await bench.window.forget(bench.installation_id)
    assert not bench.world.state.tokens

    await bench.at(GATE).identity()
    await bench.window.close()
    assert not bench.world.state.tokens
    assert bench.tokens_minted() == 3


async def test_the_end_breaks_off_what_is_under_way(bench: Bench) -> None:
    bench.fault("POST .*/access_tokens", "delay", seconds=60)
    waiting = asyncio.create_task(bench.facts.identity())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await bench.window.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_end_does_not_fail_when_github_does(bench: Bench) -> None:
    await bench.facts.identity()
    bench.fault("DELETE .*", "drop", times=None)
    await bench.window.close()


async def test_rule_35_a_token_that_arrives_after_its_installation_was_forgotten_is_not_kept(bench: Bench) -> None:
    bench.fault("POST .*/access_tokens", "delay", seconds=0.05)
    slow = asyncio.create_task(bench.facts.identity())
    while not bench.world.wire.faults[0].struck:  # noqa: ASYNC110  # the pretend world tells nobody that a fault struck
        await asyncio.sleep(0.001)
    await bench.window.forget(bench.installation_id)
    await slow
    await bench.facts.identity()
    assert bench.tokens_minted() == 2


async def test_a_permission_that_the_owner_did_not_grant_is_refused(bench: Bench) -> None:
    bench.world.state.installations[bench.installation_id].permissions["checks"] = "read"
    with pytest.raises(Refused) as refused:
        await bench.reports.identity()
    assert refused.value.code == "github_forbidden"


async def test_rule_17_no_token_or_key_in_logs_errors_or_reprs(
    bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """With GitHub's stateless tokens, `ghs_APPID_JWT`, and in the middle of failures."""
    caplog.set_level(logging.DEBUG)
    await bench.facts.identity()
    (secret,) = bench.world.state.tokens
    assert secret.startswith(f"ghs_{bench.world.addresses.app_id}_")
    assert secret.count(".") == 2
    bench.fault("GET .*/variables", "drop", times=None)
    bench.fault("GET .*/branches", "status", status=422, body={"message": "no"})
    texts = []
    for ask in (bench.facts.variables(), bench.facts.head("main")):
        with pytest.raises((Refused, Transient)) as failed:
            await ask
        texts += [repr(failed.value), str(failed.value.__cause__), repr(failed.value.__dict__)]
        assert failed.value.__suppress_context__
    scope = Scope.of(1, 2, READ_FACTS)
    api = await bench.window._tokens.api(Scope.of(bench.installation_id, bench.repository_id, READ_FACTS))
    texts += [repr(Token(secret, api, 0)), repr(api), repr(bench.window), repr(bench.facts), repr(scope), caplog.text]
    texts += capfd.readouterr()
    signature, key = secret.rpartition(".")[2], settings(bench.world, bench.clock)["private_key_pem"].decode()
    for text in texts:
        assert secret not in text
        assert signature not in text
        assert key.splitlines()[1] not in text


async def test_the_app_speaks_for_itself_with_a_short_lived_jwt(bench: Bench) -> None:
    await bench.window.app()
    bench.clock.now += 3600
    await bench.window.app()
    credentials = [exchange.request_headers["authorization"] for exchange in bench.sent("GET", "/app")]
    assert len(set(credentials)) == 2
    scheme, _, text = credentials[0].partition(" ")
    claims = jwt.decode(text, options={"verify_signature": False})
    assert (scheme, claims["iss"]) == ("Bearer", str(bench.world.addresses.app_id))
    assert claims["iat"] == START - 60
    assert START < claims["exp"] <= START + 600


def test_a_jwt_is_signed_once_for_minutes_and_anew_when_the_clock_was_turned_back(bench: Bench) -> None:
    clock = bench.clock
    key = AppKey(1, settings(bench.world, clock)["private_key_pem"], clock.now_us)
    first = key.jwt()
    clock.now += 200
    assert key.jwt() == first
    clock.now -= 86_400
    assert key.jwt() != first


@pytest.mark.parametrize(
    "pem", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"]
)
def test_rule_17_a_bad_key_is_told_without_being_quoted(pem: bytes) -> None:
    with pytest.raises(ConfigError) as fault:
        AppKey(1, pem, lambda: 0)
    assert "c2VjcmV0" not in str(fault.value)
    assert fault.value.__suppress_context__


@pytest.mark.parametrize("job", [READ_FACTS, REPORT, REACT, GATE])
def test_rule_35_no_job_may_touch_code_secrets_workflows_or_settings(job: dict[str, str]) -> None:
    writable = {name for name, level in job.items() if level == "write"}
    assert writable <= {"checks", "deployments", "pull_requests"}
    assert not {"administration", "secrets", "workflows", "members"} & set(job)
