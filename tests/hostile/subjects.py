"""Hostile subject tokens: what is wrong with the token itself, whoever it would be for (rules 18 and 30)."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from bot.domain.codes import Code
from bot.sim.issuers.keyring import signing_key
from tests.hostile.forge import Forge, Hostile, base64url, json_of, laid_over

HERE = "https://miso.example"
"""The audience of the honest token."""


def row(what: str, code: Code | None, make: Any) -> Hostile:
    return Hostile(what=what, make=make, code=code)


def twice(part: dict[str, Any], name: str, value: Any) -> bytes:
    """JSON in which this name stands a second time, with another value."""
    return json_of(part)[:-1] + f', "{name}": {json.dumps(value)}}}'.encode()


def cut(token: str) -> str:
    """The same with the signature's last bytes gone."""
    return token[:-6]


def respelled(token: str) -> str:
    """The same signature with bits in its last letter that belong to no byte."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + letters[letters.index(token[-1]) + 1]


def swapped(forge: Forge, **changes: Any) -> str:
    """The honest signature under another payload."""
    head, _, signature = forge.says().split(".")
    return ".".join((head, base64url(json_of(laid_over(forge.claims, changes))).decode(), signature))


def by_enterprise(forge: Forge, kid: str, **changes: Any) -> str:
    """Signed with the key of the other listed issuer."""
    key = signing_key(forge.enterprise_kid)
    return forge.signed({**forge.header, "kid": kid}, {**forge.claims, **changes}, key=key)


def elliptic(forge: Forge, **header: Any) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return forge.signed({**forge.header, "alg": "ES256", **header}, forge.claims, algorithm="ES256", key=key)


def own_jwk() -> dict[str, str]:
    """A key of the attacker's own, as a token would bring it."""
    numbers = signing_key("somebody's own").public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {"kty": "RSA", "e": "AQAB", "n": base64url(numbers.n.to_bytes(size, "big")).decode(), "kid": "mine"}


def brings(forge: Forge, **header: Any) -> str:
    """Signed with the attacker's own key, which the header offers for verifying."""
    return forge.signed({**forge.header, **header}, forge.claims, key=signing_key("somebody's own"))


def as_json(token: str) -> str:
    """The other serialisation of the same signature."""
    head, payload, signature = token.split(".")
    return json.dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]})


FORM = (
    row("nothing at all", Code.TOKEN_MALFORMED, lambda f: ""),
    row("one part", Code.TOKEN_MALFORMED, lambda f: f.says().split(".")[0]),
    row("two parts", Code.TOKEN_MALFORMED, lambda f: f.says().rpartition(".")[0]),
    row("four parts", Code.TOKEN_MALFORMED, lambda f: f.says() + ".e30"),
    row("five parts, as if encrypted", Code.TOKEN_MALFORMED, lambda f: f.says() + ".e30.e30"),
    row("an empty signature", Code.TOKEN_MALFORMED, lambda f: f.says().rpartition(".")[0] + "."),
    row("a line end behind it", Code.TOKEN_MALFORMED, lambda f: f.says() + "\n"),
    row("another spelling of the same signature", Code.TOKEN_MALFORMED, lambda f: respelled(f.says())),
    row("padding", Code.TOKEN_MALFORMED, lambda f: f.says() + "=="),
    row("the alphabet of plain base64", Code.TOKEN_MALFORMED, lambda f: f.says()[:-2] + "+/"),
    row("letters of another script", Code.TOKEN_MALFORMED, lambda f: f.says().replace("e", "е", 1)),
    row("larger than any token", Code.TOKEN_MALFORMED, lambda f: f.says(padding="x" * 16_384)),
    row("the JSON serialisation", Code.TOKEN_MALFORMED, lambda f: as_json(f.says())),
    row("a header that is no JSON", Code.TOKEN_MALFORMED, lambda f: f.signed(b"RS256", f.claims)),
    row("a header that is a list", Code.TOKEN_MALFORMED, lambda f: f.signed(b"[]", f.claims)),
    row("a payload that is no JSON", Code.TOKEN_MALFORMED, lambda f: f.signed(f.header, b"{")),
    row("a payload that is text", Code.TOKEN_MALFORMED, lambda f: f.signed(f.header, b'"hello"')),
    row("a payload that is no UTF-8", Code.TOKEN_MALFORMED, lambda f: f.signed(f.header, b'{"iss": "\xff"}')),
    row("a payload nested deeply", Code.TOKEN_MALFORMED, lambda f: f.signed(f.header, b"[" * 9000)),
    row("a number that JSON has not", Code.TOKEN_MALFORMED, lambda f: f.signed(f.header, b'{"exp": NaN}')),
    row(
        "a name twice in the header",
        Code.TOKEN_MALFORMED,
        lambda f: f.signed(twice(dict(f.header), "alg", "none"), f.claims),
    ),
    row(
        "a name twice in the payload",
        Code.TOKEN_MALFORMED,
        lambda f: f.signed(f.header, twice(dict(f.claims), "repository_id", "1")),
    ),
)

ALGORITHM = (
    row("alg none", Code.TOKEN_ALGORITHM, lambda f: f.headed(alg="none")),
    row("alg nOnE", Code.TOKEN_ALGORITHM, lambda f: f.headed(alg="nOnE")),
    row("no alg", Code.TOKEN_ALGORITHM, lambda f: f.headed(alg=None)),
    row("alg as a list", Code.TOKEN_ALGORITHM, lambda f: f.headed(alg=["RS256"])),
    row(
        "HS256 with the public key as its secret",
        Code.TOKEN_ALGORITHM,
        lambda f: f.signed({**f.header, "alg": "HS256"}, f.claims, algorithm="HS256", key=f.public_pem),
    ),
    row(
        "HS256 in truth, RS256 in the header",
        Code.TOKEN_SIGNATURE,
        lambda f: f.signed(f.header, f.claims, algorithm="HS256", key=f.public_pem),
    ),
    row(
        "RS512 with the right key",
        Code.TOKEN_ALGORITHM,
        lambda f: f.signed({**f.header, "alg": "RS512"}, f.claims, algorithm="RS512"),
    ),
    row(
        "PS256 with the right key",
        Code.TOKEN_ALGORITHM,
        lambda f: f.signed({**f.header, "alg": "PS256"}, f.claims, algorithm="PS256"),
    ),
    row(
        "RS512 in truth, RS256 in the header",
        Code.TOKEN_SIGNATURE,
        lambda f: f.signed(f.header, f.claims, algorithm="RS512"),
    ),
    row("ES256 with a key of one's own", Code.TOKEN_ALGORITHM, elliptic),
)

HEADER = (
    row("a key in the header", Code.TOKEN_HEADER, lambda f: brings(f, jwk=own_jwk())),
    row("the address of a key", Code.TOKEN_HEADER, lambda f: brings(f, jku="https://evil.example/jwks")),
    row("the address of a certificate", Code.TOKEN_HEADER, lambda f: brings(f, x5u="https://evil.example/x.pem")),
    row("a certificate", Code.TOKEN_HEADER, lambda f: brings(f, x5c=[base64.b64encode(b"der").decode()])),
    row("a critical extension", Code.TOKEN_HEADER, lambda f: f.headed(crit=["exp"], exp=1)),
    row("an empty list of critical extensions", Code.TOKEN_HEADER, lambda f: f.headed(crit=[])),
    row("an unencoded payload", Code.TOKEN_HEADER, lambda f: f.headed(b64=False, crit=["b64"])),
    row("a token inside a token", Code.TOKEN_HEADER, lambda f: f.headed(cty="JWT")),
    row("a packed payload", Code.TOKEN_HEADER, lambda f: f.headed(zip="DEF")),
    row("an access token of ours", Code.TOKEN_HEADER, lambda f: elliptic(f, typ="at+jwt")),
    row("the type of an access token", Code.TOKEN_HEADER, lambda f: f.headed(typ="at+jwt")),
    row("the type of a logout token", Code.TOKEN_HEADER, lambda f: f.headed(typ="logout+jwt")),
    row("no type, as the standard allows", None, lambda f: f.headed(typ=None)),
    row("a thumbprint, as GitHub sends it", None, lambda f: f.headed(x5t="ZSG8kYjV2bWPTtnBEFqXv1GWbaM")),
)

KEY = (
    row("a kid that nobody has", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid="nobody")),
    row("no kid", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid=None)),
    row("an empty kid", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid="")),
    row("a kid that is a number", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid=1)),
    row("a kid that is a path", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid="../../../dev/null")),
    row("a kid without end", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid="k" * 201)),
    row("a kid of another case", Code.TOKEN_KEY_UNKNOWN, lambda f: f.headed(kid=str(f.header["kid"]).upper())),
    row("another issuer's key by its name", Code.TOKEN_KEY_UNKNOWN, lambda f: by_enterprise(f, f.enterprise_kid)),
    row("another issuer's key under ours", Code.TOKEN_SIGNATURE, lambda f: by_enterprise(f, str(f.header["kid"]))),
    row("anybody's key", Code.TOKEN_SIGNATURE, brings),
    row("a signature that was cut", Code.TOKEN_SIGNATURE, lambda f: cut(f.says())),
    row("another payload under an honest signature", Code.TOKEN_SIGNATURE, lambda f: swapped(f, environment="test")),
    row("another issuer in the payload", Code.TOKEN_KEY_UNKNOWN, lambda f: f.says(iss=f.enterprise)),
)

ISSUER = (
    row("no issuer", Code.ISSUER_REFUSED, lambda f: f.says(iss=None)),
    row("an issuer that is a list", Code.ISSUER_REFUSED, lambda f: f.says(iss=[f.issuer])),
    row("a slash more", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.issuer + "/")),
    row("a path below it that is not listed", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.issuer + "/evil")),
    row("a listed path in capitals", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.enterprise.upper())),
    row("its name before an @", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.issuer + "@evil.example")),
    row("its name as the begin of another", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.issuer + ".evil.example")),
    row("a query behind it", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.issuer + "?x")),
    row("another scheme", Code.ISSUER_REFUSED, lambda f: f.says(iss=f.issuer.replace("http:", "https:"))),
    row(
        "GitHub's own, which is not listed here",
        Code.ISSUER_REFUSED,
        lambda f: f.says(iss="https://token.actions.githubusercontent.com"),
    ),
    row("the instance's metadata", Code.ISSUER_REFUSED, lambda f: f.says(iss="http://169.254.169.254")),
    row("ourselves", Code.ISSUER_REFUSED, lambda f: f.says(iss=HERE)),
)

AUDIENCE = (
    row("no audience", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(aud=None)),
    row("the default audience of GitHub", Code.AUDIENCE_REFUSED, lambda f: f.says(aud="https://github.com/acme")),
    row("Azure's audience", Code.AUDIENCE_REFUSED, lambda f: f.says(aud="api://AzureADTokenExchange")),
    row("the audience of another Miso", Code.AUDIENCE_REFUSED, lambda f: f.says(aud="https://miso.other.example")),
    row("ours in a list", Code.AUDIENCE_REFUSED, lambda f: f.says(aud=[HERE])),
    row("ours beside another's", Code.AUDIENCE_REFUSED, lambda f: f.says(aud=[HERE, "https://evil.example"])),
    row("ours with a slash", Code.AUDIENCE_REFUSED, lambda f: f.says(aud=HERE + "/")),
    row("ours in capitals", Code.AUDIENCE_REFUSED, lambda f: f.says(aud=HERE.upper())),
    row("an empty audience", Code.AUDIENCE_REFUSED, lambda f: f.says(aud="")),
    row("null for an audience", Code.AUDIENCE_REFUSED, lambda f: f.says_as_it_is(aud=None)),
)

TIMES = (
    row("expired", Code.TOKEN_EXPIRED, lambda f: f.says(iat=f.now - 400, nbf=f.now - 400, exp=f.now - 60)),
    row("expired, within the skew of clocks", None, lambda f: f.says(iat=f.now - 400, exp=f.now - 59)),
    row("not valid yet", Code.TOKEN_NOT_YET, lambda f: f.says(nbf=f.now + 61)),
    row("valid soon, within the skew of clocks", None, lambda f: f.says(nbf=f.now + 60)),
    row("issued in the future", Code.TOKEN_NOT_YET, lambda f: f.says(iat=f.now + 61)),
    row("a life of more than an hour", Code.TOKEN_LIFE, lambda f: f.says(exp=f.now + 3601)),
    row("a life without end", Code.TOKEN_LIFE, lambda f: f.says(exp=2**39)),
    row("no life at all", Code.TOKEN_LIFE, lambda f: f.says(exp=f.now)),
    row("expired before it was issued", Code.TOKEN_LIFE, lambda f: f.says(exp=f.now - 1)),
    row("no exp", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(exp=None)),
    row("no nbf", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(nbf=None)),
    row("no iat", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(iat=None)),
    row("exp as text", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(exp=str(f.now + 300))),
    row("exp as true", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(exp=True)),
    row("exp as a fraction", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(exp=f.now + 300.5)),
    row("exp as infinity", Code.TOKEN_MALFORMED, lambda f: f.says(exp=float("inf"))),
    row("exp beyond all times", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(exp=10**30)),
    row(
        "exp with more digits than anybody reads",
        Code.TOKEN_MALFORMED,
        lambda f: f.signed(f.header, json_of({**f.claims, "exp": 1})[:-1] + b"0" * 5000 + b"}"),
    ),
    row("iat below nothing", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(iat=-1)),
    row("no jti", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(jti=None)),
    row("jti as a number", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(jti=7)),
    row("an empty jti", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(jti="")),
    row("a jti without end", Code.TOKEN_CLAIM_MISSING, lambda f: f.says(jti="j" * 201)),
)

TOKENS = (*FORM, *ALGORITHM, *HEADER, *KEY, *ISSUER, *AUDIENCE, *TIMES)
"""What the reader judges."""
