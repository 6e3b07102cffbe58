"""The token routes take one small form, read strictly: each way to be wrong has its own answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bot.domain.codes import Code
from bot.services import refusing
from bot.services.bearer import key_of
from bot.services.notes import Note
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY, SUBSCRIPTION_ID
from bot.web.problems import ERRORS
from tests.flows.stage import staged
from tests.flows.workflow import EXCHANGE, ID_TOKEN, Answer, Workflow, working

FORM = "application/x-www-form-urlencoded"
NIL = "00000000-0000-0000-0000-000000000000"
OTHER = "90d00f1c-0b5a-4a55-8d0b-5d1e5b6f0dff"


@pytest.fixture
async def workflow(tmp_path: Path) -> AsyncIterator[Workflow]:
    async with staged(tmp_path, MISO_TOKEN_REQUESTS_PER_MINUTE="100000") as stage, working(stage) as ready:
        yield ready


async def sent(workflow: Workflow, body: str | bytes, kind: str = FORM, path: str = "/oidc/token") -> Answer:
    url, headers = f"{workflow.stage.url}{path}", {"Content-Type": kind}
    async with workflow.http.post(url, data=body, headers=headers) as answer:
        return Answer(status=answer.status, body=await answer.json(), headers=answer.headers)


def form_of(
    workflow: Workflow, token: str = "x.y.z", changes: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    form = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": ID_TOKEN,
        "application_id": APPLICATION_ID,
        "subscription_id": SUBSCRIPTION_ID,
        "environment_id": workflow.stage.environments["dev"],
    }
    return {name: value for name, value in {**form, **(changes or {})}.items() if value is not None}


WRONG: Mapping[str, tuple[dict[str, str | None], str, str]] = {
    "no grant": ({"grant_type": None}, "invalid_request", "request_malformed"),
    "another grant": ({"grant_type": "client_credentials"}, "unsupported_grant_type", "grant_unsupported"),
    "a resource": ({"resource": "https://management.azure.com"}, "invalid_target", "resource_refused"),
    "another audience": ({"audience": "api://AzureADTokenExchange"}, "invalid_target", "audience_refused"),
    "no token": ({"subject_token": None}, "invalid_request", "request_malformed"),
    "an access token": (
        {"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"},
        "invalid_request",
        "request_malformed",
    ),
    "no type": ({"subject_token_type": None}, "invalid_request", "request_malformed"),
    "an ID token wanted": ({"requested_token_type": ID_TOKEN}, "invalid_request", "request_malformed"),
    "an actor": ({"actor_token": "x.y.z"}, "invalid_request", "request_malformed"),
    "another scope": ({"scope": "openid"}, "invalid_request", "request_malformed"),
    "no application": ({"application_id": None}, "invalid_request", "request_malformed"),
    "a name for an environment": ({"environment_id": "production"}, "invalid_request", "request_malformed"),
    "the nil GUID": ({"subscription_id": NIL}, "invalid_request", "request_malformed"),
    "braces": ({"environment_id": "{" + OTHER + "}"}, "invalid_request", "request_malformed"),
    "no JWT": ({"subject_token": "secret"}, "invalid_request", "token_malformed"),
}  # fmt: skip


async def test_each_wrong_parameter_is_told(workflow: Workflow) -> None:
    for name, (changes, error, code) in WRONG.items():
        no = await sent(workflow, urlencode(form_of(workflow, changes=changes)))
        assert (no.status, no.body["error"], no.code) == (400, error, code), name
        assert no.headers["Cache-Control"] == "no-store"
        assert no.body["error_description"], name
        assert "`" not in no.body["error_description"]


async def test_a_form_is_read_in_one_way_only(workflow: Workflow) -> None:
    right = urlencode(form_of(workflow))
    twice = f"{right}&environment_id={OTHER}"
    for body, kind, path in (
        (twice, FORM, "/oidc/token"),
        (f"{right}&environment%5Fid={OTHER}", FORM, "/oidc/token"),
        (right, "application/json", "/oidc/token"),
        (right, "text/plain", "/oidc/token"),
        (right, FORM, f"/oidc/token?environment_id={OTHER}"),
        ("&".join(f"f{n}=1" for n in range(100)), FORM, "/oidc/token"),
        ("grant_type", FORM, "/oidc/token"),
        (b"grant_type=\xff\xfe", FORM, "/oidc/token"),
        (b"grant_type=%ff%fe", FORM, "/oidc/token"),
        ("", FORM, "/oidc/token"),
        ("", FORM, "/oidc/introspect"),
        ("", FORM, "/oidc/revoke"),
    ):
        no = await sent(workflow, body, kind, path)
        assert (no.status, no.body["error"], no.code) == (400, "invalid_request", "request_malformed"), body


async def test_a_body_that_is_too_large_is_not_read(workflow: Workflow) -> None:
    no = await sent(workflow, "subject_token=" + "a" * 70_000)
    assert (no.status, no.code) == (413, "request_too_large")


async def test_there_is_no_other_method(workflow: Workflow) -> None:
    for path in ("/oidc/token", "/oidc/introspect", "/oidc/revoke", "/oidc/assertion"):
        async with workflow.http.get(f"{workflow.stage.url}{path}") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "POST"


async def test_the_answer_is_that_of_rfc_8693(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    given = await workflow.exchange(
        await workflow.id_token("dev", built["run"]),
        requested_token_type="urn:ietf:params:oauth:token-type:access_token",
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        audience=workflow.stage.url,
        scope="deploy",
        client_id="anything",
    )
    assert given.status == 200, given.body
    assert (given.headers["Cache-Control"], given.headers["Pragma"]) == ("no-store", "no-cache")
    assert {name: value for name, value in given.body.items() if name != "access_token"} == {
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "deploy",
    }


async def test_what_github_does_not_answer_is_nobodys_fault_and_can_be_asked_again(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    id_token = await workflow.id_token("dev", built["run"])
    await stage.sim.add_fault("/actions/runs/", "status", status=500, times=None)
    later = await workflow.exchange(id_token)
    assert (later.status, later.body["error"], later.code) == (503, "temporarily_unavailable", "github_unavailable")
    assert int(later.headers["Retry-After"]) > 0
    await stage.sim.clear_faults()
    assert (await workflow.exchange(id_token)).status == 200


async def test_what_cannot_be_established_gives_no_token_and_spends_none(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    id_token = await workflow.id_token("dev", built["run"])
    await stage.sim.add_fault(f"/commits/{built['merge_commit_sha']}", "status", status=500, times=None)
    no = await workflow.exchange(id_token)
    assert no.status in (400, 503)
    await stage.sim.clear_faults()
    assert (await workflow.exchange(id_token)).status == 200


async def test_a_refusal_is_one_row_however_often_it_is_asked_for(workflow: Workflow) -> None:
    for _ in range(5):
        await sent(workflow, urlencode(form_of(workflow, "a.b.c")))
    rows = await workflow.rows(Note.EXCHANGE_REFUSED)
    assert [(row.body["token"], row.body["code"]) for row in rows] == [(key_of("a.b.c"), rows[0].body["code"])]


async def test_strangers_do_not_fill_the_ledger(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusing, "MOST", 3)
    for number in range(6):
        await sent(workflow, urlencode(form_of(workflow, f"a.b.{number}")))
    assert len(await workflow.rows(Note.EXCHANGE_REFUSED)) == 3
    workflow.stage.clock.pass_(61)
    await sent(workflow, urlencode(form_of(workflow, "a.b.later")))
    assert len(await workflow.rows(Note.EXCHANGE_REFUSED)) == 4


async def test_a_token_of_somebody_elses_keys_is_no_token_of_ours(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers=header)
    assert (await workflow.promotes(forged)).code == "token_invalid"
    assert (await workflow.post("/oidc/introspect", {"token": forged}, token=forged)).body == {"active": False}
    # Whoever holds only its name cannot end it either.
    await workflow.post("/oidc/revoke", {"token": forged})
    assert (await workflow.promotes(token)).status == 202


async def test_a_request_that_brings_two_tokens_is_neither_of_them(workflow: Workflow) -> None:
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    headers: Any = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    url = f"{workflow.stage.url}/oidc/introspect"
    async with workflow.http.post(url, data={"token": token}, headers=headers) as answer:
        assert answer.status == 400


async def test_rule_20_after_a_transfer_no_token_is_given(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    await stage.sim.transfer_repository(REPOSITORY, "fabrikam")
    await stage.settle()
    id_token = await workflow.id_token("dev", built["run"], repository="fabrikam/shop")
    no = await workflow.exchange(id_token)
    assert no.status == 400
    assert no.code in ("trust_owner", "installation_mismatch")
    assert (await workflow.promotes(token)).status >= 400


async def test_after_a_rename_it_is_the_same_repository(workflow: Workflow) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")
    await stage.sim.rename_repository(REPOSITORY, "store")
    await stage.settle()
    id_token = await workflow.id_token("dev", built["run"], repository="contoso/store")
    assert (await workflow.exchange(id_token)).status == 200


def test_every_error_name_is_one_that_a_protocol_knows() -> None:
    """RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 8693 section 2.2.2, RFC 6750 section 3.1."""
    known = {
        "invalid_request", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_target",
        "authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_token",
        "temporarily_unavailable",
    }  # fmt: skip
    assert set(ERRORS.values()) <= known
    assert set(ERRORS) <= set(Code)
