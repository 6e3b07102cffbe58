"""Texts that are no deploy token of ours, although much about them is right: each is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.errors import Refused
from bot.oidc import own
from bot.oidc.issue import Issuer
from bot.oidc.jws import compact, signing_input
from bot.oidc.keys import LocalKey, Use, local, make_private
from bot.oidc.rings import Rings
from tests.oidc.ground import ENVIRONMENT, ISSUER, Time, claims, encoded, header, rings_in
from tests.oidc.tokens import deploy, signed, token_key

AUDIENCE = "https://miso.example/deploy"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def rings(tmp_path: Path, time: Time) -> Rings:
    return await rings_in(tmp_path / "keys", time, client=True)


@pytest.fixture
def issuer(rings: Rings, time: Time) -> Issuer:
    return Issuer(ISSUER, rings, time.now_us, audience=AUDIENCE, client_id="miso")


def of_header(**changes: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda head, body: head.update(changes)


def of_claims(**changes: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(head: dict[str, Any], body: dict[str, Any]) -> None:
        for name, value in changes.items():
            if value is None:
                del body[name]
            else:
                body[name] = value

    return change


HOSTILE: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "typ of an ID token": of_header(typ="JWT"),
    "typ in another spelling": of_header(typ="application/at+jwt"),
    "typ in capitals": of_header(typ="AT+JWT"),
    "crit": of_header(crit=["exp"], exp=1),
    "unknown crit": of_header(crit=["urn:example:stricter"]),
    "embedded jwk": of_header(jwk={"kty": "EC"}),
    "jku": of_header(jku="https://evil.example/keys"),
    "x5u": of_header(x5u="https://evil.example/chain"),
    "x5c": of_header(x5c=["MII"]),
    "b64": of_header(b64=False, crit=["b64"]),
    "kid of nobody": of_header(kid="nobody"),
    "kid that is no text": of_header(kid=1),
    "alg in another spelling": of_header(alg="es256"),
    "aud of Entra": of_claims(aud="api://AzureADTokenExchange"),
    "aud as a list": of_claims(aud=[AUDIENCE]),
    "aud among others": of_claims(aud=[AUDIENCE, "https://evil.example"]),
    "aud missing": of_claims(aud=None),
    "iss of somebody else": of_claims(iss="https://evil.example"),
    "iss with a slash": of_claims(iss=ISSUER + "/"),
    "iss missing": of_claims(iss=None),
    "exp missing": of_claims(exp=None),
    "exp as text": of_claims(exp="99999999999"),
    "exp as a fraction": of_claims(exp=1_790_000_600.5),
    "exp far away": of_claims(exp=1_790_000_000 + 3601),
    "exp before iat": of_claims(exp=1_789_999_999),
    "nbf missing": of_claims(nbf=None),
    "nbf in the future": of_claims(nbf=1_790_000_031),
    "iat missing": of_claims(iat=None),
    "iat in the future": of_claims(iat=1_790_000_031),
    "iat as true": of_claims(iat=True),
    "jti missing": of_claims(jti=None),
    "jti too short": of_claims(jti="x"),
    "sub of an assertion": of_claims(sub=f"miso:env:{ENVIRONMENT}"),
    "sub missing": of_claims(sub=None),
    "client of another repository": of_claims(client_id="repository:1"),
    "environment of another spelling": of_claims(environment_id=ENVIRONMENT.upper()),
    "environment missing": of_claims(environment_id=None),
    "another environment than the subject's": of_claims(environment_id="5d1a4f2e-0c3b-4a68-8f7d-1e2c3b4a5d6f"),
    "commit too short": of_claims(commit="c0ffee"),
    "commit with a line end": of_claims(commit="c0ffee" * 6 + "abcd\n"),
    "run as text": of_claims(run_id="99"),
    "attempt zero": of_claims(run_attempt=0),
    "scope empty": of_claims(scope=""),
}


@pytest.mark.parametrize("how", HOSTILE)
async def test_rule_30_a_token_that_our_own_key_signed_is_refused_for_what_it_says(
    issuer: Issuer, rings: Rings, time: Time, how: str
) -> None:
    """The signature is right in each of them."""
    key = token_key(rings)
    good = await issuer.issue(deploy(time))
    head, body = header(good), claims(good)
    assert issuer.read_own(signed(key, head, body)), "without the change it is one"
    HOSTILE[how](head, body)
    with pytest.raises(Refused) as refused:
        issuer.read_own(signed(key, head, body))
    assert refused.value.code == "token_invalid"


async def test_rule_30_alg_none_and_alg_confusion_are_refused(issuer: Issuer, rings: Rings, time: Time) -> None:
    good = await issuer.issue(deploy(time))
    head, body = header(good), claims(good)
    public = token_key(rings).public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm in ("none", "None", "nOnE", ""):
        data = f"{encoded({**head, 'alg': algorithm})}.{encoded(body)}"
        for signature in ("", good.rpartition(".")[2]):
            with pytest.raises(Refused):
                issuer.read_own(f"{data}.{signature}")
    for secret in (public, public.strip(), json.dumps(issuer.jwks()["keys"][1]).encode()):
        data = f"{encoded({**head, 'alg': 'HS256'})}.{encoded(body)}"
        mac = hmac.new(secret, data.encode(), hashlib.sha256).digest()
        with pytest.raises(Refused):
            issuer.read_own(f"{data}.{encoded(mac)}")


@pytest.mark.parametrize("use", [Use.ASSERTION, Use.CLIENT])
async def test_rule_30_no_other_key_of_ours_signs_tokens(issuer: Issuer, rings: Rings, time: Time, use: Use) -> None:
    ring = {Use.ASSERTION: rings.assertion, Use.CLIENT: rings.client}[use]
    assert ring is not None
    key = ring.current
    assert isinstance(key, LocalKey)
    body = claims(await issuer.issue(deploy(time)))
    for algorithm in ("RS256", "ES256"):
        with pytest.raises(Refused):
            issuer.read_own(signed(key, {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}, body))
    with pytest.raises(Refused):
        issuer.read_own(issuer.assertion(ENVIRONMENT))
    with pytest.raises(Refused):
        issuer.read_own(await issuer.client_assertion("https://sign-in.example/token"))


async def test_rule_30_a_key_of_another_use_is_no_key_even_if_it_were_found(rings: Rings, time: Time) -> None:
    """Whatever ring somebody looked in: the use is part of the key."""
    stranger = local(Use.TOKEN, make_private(Use.TOKEN))
    as_assertion = LocalKey(
        use=Use.ASSERTION, kid=stranger.kid, jwk=stranger.jwk, public=stranger.public, _private=stranger._private
    )
    claims_of = {**own.written(deploy(time), ISSUER), "aud": AUDIENCE}
    data = signing_input(stranger, claims_of)
    token = compact(stranger, data, stranger.sign_now(data))

    def reads(key: LocalKey) -> object:
        return own.read(token, issuer=ISSUER, audience=AUDIENCE, find=lambda _: key, now_us=time.us)

    assert reads(stranger)
    with pytest.raises(Refused):
        reads(as_assertion)


async def test_rule_30_entra_would_not_take_a_deploy_token(issuer: Issuer, rings: Rings, time: Time) -> None:
    """As a verifier that asks for the algorithm and audience of assertions, with all our keys."""
    token = await issuer.issue(deploy(time))
    keys = {key["kid"]: jwt.PyJWK(key) for key in issuer.jwks()["keys"]}
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    with pytest.raises(jwt.InvalidAlgorithmError):
        jwt.decode(token, keys[header(token)["kid"]], algorithms=["RS256"], audience="api://AzureADTokenExchange")
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(
            token,
            keys[header(token)["kid"]],
            algorithms=["ES256"],
            audience="api://AzureADTokenExchange",
            options=options,
        )
