"""Deploy tokens: what standard libraries read in them, and all the ways in which something else is none."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError  # type: ignore[import-untyped]  # it has no annotations
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped]  # it has no annotations
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from bot.clock import SystemClock
from bot.errors import Refused
from bot.oidc import own
from bot.oidc.issue import SECOND, Issuer
from bot.oidc.jws import compact, header_of, signing_input
from bot.oidc.keys import Use, local, make_private
from bot.oidc.rings import Rings
from tests.oidc.ground import ENVIRONMENT, ISSUER, Time, claims, encoded, header, rings_in
from tests.oidc.tokens import deploy

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


async def test_what_goes_in_comes_out(issuer: Issuer, time: Time) -> None:
    asked = deploy(time)
    token = await issuer.issue(asked)
    found = issuer.read_own(token)
    assert found.deploy == asked
    assert found.token_hash == hashlib.sha256(token.encode()).hexdigest()


async def test_a_deploy_token_is_an_access_token_of_rfc_9068(issuer: Issuer, time: Time) -> None:
    """https://www.rfc-editor.org/rfc/rfc9068#section-2"""
    token = await issuer.issue(deploy(time))
    assert header(token) == {"alg": "ES256", "typ": "at+jwt", "kid": issuer.jwks()["keys"][1]["kid"]}
    told = claims(token)
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(told)
    assert (told["iss"], told["aud"]) == (ISSUER, AUDIENCE)
    assert told["exp"] - told["iat"] == 600


async def test_joserfc_reads_both_kinds_of_token_from_our_key_set(issuer: Issuer, time: Time) -> None:
    keys = KeySet.import_key_set(json.loads(json.dumps(issuer.jwks())))
    for token, algorithm, audience in [
        (await issuer.issue(deploy(time)), "ES256", AUDIENCE),
        (issuer.assertion(ENVIRONMENT), "RS256", "api://AzureADTokenExchange"),
    ]:
        read = jose.decode(token, keys, algorithms=[algorithm])
        registry = jose.JWTClaimsRegistry(
            now=time.us // SECOND,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        registry.validate(read.claims)


class Resource(JWTBearerTokenValidator):  # type: ignore[misc]  # the library has no annotations
    """A resource server as authlib makes one, with the two values that it must be told."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(issuer=ISSUER, resource_server=AUDIENCE)
        self._issuer = issuer

    def get_jwks(self) -> Any:
        return KeySet.import_key_set(json.loads(json.dumps(self._issuer.jwks())))


async def test_authlib_takes_our_access_tokens_and_nothing_else_of_ours(tmp_path: Path) -> None:
    """https://www.rfc-editor.org/rfc/rfc9068#section-4, on the library's own clock."""
    now = Time(SystemClock().now_us())
    issuer = Issuer(ISSUER, await rings_in(tmp_path / "keys", now), now.now_us, audience=AUDIENCE)
    resource = Resource(issuer)
    found = resource.authenticate_token(await issuer.issue(deploy(now)))
    resource.validate_token(found, ["deploy"], None)
    assert found["environment_id"] == ENVIRONMENT
    with pytest.raises(InsufficientScopeError):
        resource.validate_token(found, ["admin"], None)
    with pytest.raises(InvalidTokenError):
        resource.validate_token(resource.authenticate_token(issuer.assertion(ENVIRONMENT)), [], None)
    now.us -= 3600 * SECOND
    with pytest.raises(InvalidTokenError):
        resource.validate_token(resource.authenticate_token(await issuer.issue(deploy(now))), [], None)


async def test_the_clock_is_misos_own(issuer: Issuer, time: Time) -> None:
    token = await issuer.issue(deploy(time))
    time.us += (600 + 29) * SECOND
    assert issuer.read_own(token)
    time.us += SECOND
    with pytest.raises(Refused):
        issuer.read_own(token)
    time.us -= (600 + 30 + 30) * SECOND
    assert issuer.read_own(token), "a replica whose clock is slow"
    time.us -= SECOND
    with pytest.raises(Refused):
        issuer.read_own(token)


async def test_a_token_has_one_spelling(issuer: Issuer, time: Time) -> None:
    """Whoever holds a revoked token cannot turn it into another text that is valid too."""
    token = await issuer.issue(deploy(time))
    data, _, signature = token.rpartition(".")
    raw = jwt.utils.base64url_decode(signature)
    s = int.from_bytes(raw[32:], "big")
    assert s <= ORDER // 2
    other = data + "." + encoded(raw[:32] + (ORDER - s).to_bytes(32, "big"))
    assert jwt.decode(other, token_public(issuer), algorithms=["ES256"], options=LOOSE)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    again = token[:-1] + last[last.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(again.rpartition(".")[2] + "==") == raw
    for spelling in (other, again, token + "=", token + "==", token + "\n", " " + token, token + ".", token + "!"):
        with pytest.raises(Refused):
            issuer.read_own(spelling)


LOOSE: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}


def token_public(issuer: Issuer) -> Any:
    return jwt.PyJWK(issuer.jwks()["keys"][1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d",
        "eyJhbGciOiJFUzI1NiJ9..",
        "W10.W10.W10",
        "\x00.\x00.\x00",
        "é.é.é",
        "A" * 9000,
        ".".join(["A" * 3000] * 3),
        encoded(b"[" * 4000) + ".e30.AAAA",
    ],
)
async def test_what_is_no_token_is_refused_as_calmly(issuer: Issuer, text: str) -> None:
    with pytest.raises(Refused) as refused:
        issuer.read_own(text)
    assert refused.value.code == "token_invalid"


@given(text=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){2}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(Refused):
        own.read(text, issuer=ISSUER, audience=AUDIENCE, find=lambda _: None, now_us=0)


async def test_a_flipped_bit_anywhere_is_refused(issuer: Issuer, time: Time) -> None:
    token = await issuer.issue(deploy(time))
    for place in range(0, len(token), 7):
        if token[place] != ".":
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(Refused):
                issuer.read_own(changed)


def test_signatures_are_written_in_their_lower_form() -> None:
    key = local(Use.TOKEN, make_private(Use.TOKEN))
    private = key._private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    for number in range(20):
        data = signing_input(key, {"n": number})
        token = compact(key, data, key.sign_now(data))
        assert header_of(token)["typ"] == "at+jwt"
        raw = jwt.utils.base64url_decode(token.rpartition(".")[2])
        private.public_key().verify(jwt.utils.raw_to_der_signature(raw, private.curve), data, ec.ECDSA(hashes.SHA256()))
