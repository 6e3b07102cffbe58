"""What the sign-in service answers, verified by ourselves: each ID token that is wrong in one thing lets nobody in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.sim.wire import Fault
from tests.web.lodge import AUDITORS, CLIENT, OPERATORS, TENANT, Lodge, lodge

OTHER_TENANT = "00000000-0000-4000-8000-0000000000bb"
NOW = 1_795_000_000


@pytest.fixture
async def entra(tmp_path: Path) -> AsyncIterator[Lodge]:
    async with lodge(tmp_path) as opened:
        opened.person("ann", groups=[OPERATORS])
        yield opened


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Lodge]:
    async with lodge(tmp_path, provider=True) as opened:
        opened.world.provider.person("ann", groups=[OPERATORS])
        opened.world.provider.signs_in("ann")
        yield opened


CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("another audience", {"aud": "00000000-0000-4000-8000-00000000ffff"}, "sign_in_refused"),
    ("an audience among others", {"aud": [CLIENT, "somebody"]}, "sign_in_refused"),
    ("no audience", {"aud": None}, "sign_in_refused"),
    ("another party", {"azp": "somebody"}, "sign_in_refused"),
    ("another issuer", {"iss": f"https://login.example/{TENANT}/v2.0"}, "sign_in_refused"),
    ("an issuer with a slash more", {"iss": f"https://127.0.0.1/{TENANT}/v2.0/"}, "sign_in_refused"),
    ("no issuer", {"iss": None}, "sign_in_refused"),
    ("another nonce", {"nonce": "0" * 64}, "sign_in_refused"),
    ("no nonce", {"nonce": None}, "sign_in_refused"),
    ("a nonce that is no text", {"nonce": 1}, "sign_in_refused"),
    ("over", {"exp": NOW - 61}, "sign_in_refused"),
    ("without end", {"exp": None}, "sign_in_refused"),
    ("an end that is no time", {"exp": "tomorrow"}, "sign_in_refused"),
    ("an end that is a truth", {"exp": True}, "sign_in_refused"),
    ("from the future", {"iat": NOW + 120}, "sign_in_refused"),
    ("made long ago", {"iat": NOW - 3600}, "sign_in_refused"),
    ("not yet", {"nbf": NOW + 120}, "sign_in_refused"),
    ("another tenant", {"tid": OTHER_TENANT}, "sign_in_tenant"),
    ("no tenant", {"tid": None}, "sign_in_tenant"),
    ("nobody", {"oid": None}, "sign_in_refused"),
    ("an object id that is none", {"oid": "../admin"}, "sign_in_refused"),
    ("no subject", {"sub": None}, "sign_in_refused"),
    ("groups that are no list", {"groups": OPERATORS}, "sign_in_refused"),
    ("groups that are no texts", {"groups": [{"id": OPERATORS}]}, "sign_in_refused"),
    ("roles that are no list", {"roles": {"approver": True}}, "sign_in_refused"),
    ("groups elsewhere", {"groups": None, "_claim_names": {"groups": "src1"}}, "groups_overage"),
    ("groups elsewhere beside some", {"_claim_names": {"groups": "src1"}}, "groups_overage"),
    ("groups that do not fit", {"groups": None, "hasgroups": True}, "groups_overage"),
]


@pytest.mark.parametrize(("what", "claims", "code"), CLAIMS, ids=[what for what, _, _ in CLAIMS])
async def test_a_claim_that_is_wrong_lets_nobody_in(entra: Lodge, what: str, claims: dict[str, Any], code: str) -> None:
    entra.world.entra.mistaken(claims=claims)
    page = await entra.browser.sign_in()
    assert (page.status, page.code) == (403, code)
    assert not entra.browser.cookie
    assert await entra.refused() == [code]


HEADERS: list[tuple[str, dict[str, Any]]] = [
    ("no algorithm", {"algorithm": "none"}),
    ("another algorithm", {"algorithm": "RS512"}),
    ("somebody else's key", {"foreign_key": True}),
    ("an unknown key", {"headers": {"kid": "unknown"}}),
    ("no key", {"headers": {"kid": None}}),
    ("its own key", {"headers": {"jwk": {"kty": "RSA"}}}),
    ("an address of its own", {"headers": {"jku": "https://evil.example/keys"}}),
    ("a chain of its own", {"headers": {"x5u": "https://evil.example/chain"}}),
    ("an extension", {"headers": {"crit": ["exp"], "exp": NOW + 60}}),
    ("another type", {"headers": {"typ": "at+jwt"}}),
]


@pytest.mark.parametrize(("what", "mistake"), HEADERS, ids=[what for what, _ in HEADERS])
async def test_a_signature_that_is_wrong_lets_nobody_in(entra: Lodge, what: str, mistake: dict[str, Any]) -> None:
    entra.world.entra.mistaken(**mistake)
    page = await entra.browser.sign_in()
    assert (page.status, page.code) == (403, "sign_in_refused")
    assert not entra.browser.cookie


async def test_somebody_of_another_tenant_does_not_get_here(entra: Lodge) -> None:
    entra.person("eve", tenant_id=OTHER_TENANT)
    away = await entra.browser.get("/sign-in")
    assert (await entra.browser.get(away.to)).status == 400
    assert not entra.browser.cookie


async def test_groups_and_app_roles_become_roles(entra: Lodge) -> None:
    entra.world.entra.change_person("ann", groups=[AUDITORS], app_roles=["approver"])
    await entra.browser.sign_in()
    assert "approver, auditor, viewer" in (await entra.browser.account()).words


async def test_a_key_that_was_changed_counts_at_once(entra: Lodge) -> None:
    await entra.browser.sign_in()
    entra.world.entra.rotate_key()
    entra.clock.pass_(61)
    entra.browser.forgets()
    assert (await entra.browser.sign_in()).status == 303


async def test_there_is_no_client_secret_and_no_token_is_asked_for_later(entra: Lodge) -> None:
    await entra.browser.sign_in()
    [asked] = [e for e in entra.world.wire.exchanges if e.server == "entra" and e.path.endswith("/token")]
    form = asked.request_body.decode()
    assert "client_secret" not in form
    assert "client_assertion=" in form
    assert "code_verifier=" in form
    assert "offline_access" not in form


async def test_an_assertion_that_entra_does_not_trust_is_told_calmly(entra: Lodge) -> None:
    entra.world.entra.credentials.clear()
    page = await entra.browser.sign_in()
    assert (page.status, page.code) == (403, "sign_in_refused")
    assert "AADSTS" not in page.text


async def test_a_redirect_is_not_followed(entra: Lodge) -> None:
    """Rule 18: whoever is asked is the one that the operator named."""
    away = {"Location": f"{entra.url}/livez"}
    entra.world.wire.faults.append(Fault("entra GET .*openid-configuration", "status", status=302, headers=away))
    assert (await entra.browser.get("/sign-in")).code in ("sign_in_refused", "sign_in_unavailable")


# --- another provider ------------------------------------------------------------------------------------------------


async def test_another_provider_lets_people_in(provider: Lodge) -> None:
    assert (await provider.browser.sign_in()).to == f"{provider.url}/account"
    page = await provider.browser.account()
    assert f"oidc:{provider.world.addresses.provider}#" in page.words
    assert "operator" in page.words
    [asked] = [e for e in provider.world.wire.exchanges if e.server == "provider" and e.path == "/token"]
    assert b"client_assertion=" in asked.request_body
    assert b"client_secret" not in asked.request_body


OTHERS = [
    {"aud": "somebody"},
    {"aud": [CLIENT, "somebody"]},
    {"iss": "http://evil.example"},
    {"nonce": "another"},
    {"nonce": None},
    {"exp": NOW - 61},
    {"sub": None},
    {"sub": "s" * 300},
    {"sub": ""},
    {"groups": "everybody"},
]


@pytest.mark.parametrize("claims", OTHERS, ids=str)
async def test_another_provider_is_held_to_the_same(provider: Lodge, claims: dict[str, Any]) -> None:
    provider.world.provider.mistaken(claims=claims)
    page = await provider.browser.sign_in()
    assert (page.status, page.code) == (403, "sign_in_refused")


@pytest.mark.parametrize("mistake", [{"algorithm": "none"}, {"algorithm": "RS512"}, {"foreign_key": True}], ids=str)
async def test_another_providers_signature_is_held_to_the_same(provider: Lodge, mistake: dict[str, Any]) -> None:
    provider.world.provider.mistaken(**mistake)
    assert (await provider.browser.sign_in()).code == "sign_in_refused"


async def test_an_answer_that_names_another_provider_is_refused(provider: Lodge) -> None:
    """https://www.rfc-editor.org/rfc/rfc9207: two providers, one of whom sends the other's answer."""
    away = await provider.browser.get("/sign-in")
    callback = (await provider.browser.get(away.to)).to
    own = provider.world.addresses.provider.replace(":", "%3A").replace("/", "%2F")
    assert own in callback
    page = await provider.browser.get(callback.replace(own, "https%3A%2F%2Fevil.example"))
    assert page.code == "sign_in_refused"


async def test_somebody_who_says_no_is_not_signed_in(provider: Lodge) -> None:
    provider.world.provider.signs_in("ann", declines=True)
    assert (await provider.browser.sign_in()).code == "sign_in_refused"


DOCUMENTS: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"},
    {"token_endpoint": "https://evil.example/token"},
    {"token_endpoint": 1},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"authorization_endpoint": None},
]


@pytest.mark.parametrize("change", DOCUMENTS, ids=str)
async def test_a_provider_whose_document_leads_elsewhere_is_not_used(provider: Lodge, change: dict[str, Any]) -> None:
    own = provider.world.addresses.provider
    whole = {
        "issuer": own,
        "authorization_endpoint": f"{own}/authorize",
        "token_endpoint": f"{own}/token",
        "jwks_uri": f"{own}/keys",
    }
    provider.world.wire.faults.append(
        Fault("provider GET .*openid-configuration", "status", status=200, body=whole | change, times=None)
    )
    assert (await provider.browser.get("/sign-in")).code == "sign_in_refused"
