"""Deploy tokens of our own: their claims when they are issued, and reading them back without any doubt.

Used by `bot.oidc.issue`. A token is an access token as RFC 9068 describes it. Reading asks for our type, our algorithm
and our keys for tokens, whatever the header says; whether it was revoked stands in the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

import jwt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.domain.claims import DeployClaims, OwnClaims
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.oidc.jws import Unreadable, header_of
from bot.oidc.keys import TERMS, SigningKey, Use

SECOND = 1_000_000
LEEWAY_S = 30
"""How far the clocks of two replicas may be apart."""
LONGEST_S = 3600


def _guid(value: str) -> str:
    if str(UUID(value)) != value:
        raise ValueError("not a lower-case GUID")
    return value


Guid = Annotated[str, AfterValidator(_guid)]
Positive = Annotated[int, Field(gt=0)]


class _Claims(BaseModel):
    """All of them are required: https://www.rfc-editor.org/rfc/rfc9068#section-2.2."""

    model_config = ConfigDict(strict=True, frozen=True)

    iss: str
    aud: str
    sub: str
    client_id: str
    exp: Positive
    nbf: Positive
    iat: Positive
    jti: Annotated[str, Field(min_length=16, max_length=128)]
    scope: Annotated[str, Field(min_length=1, max_length=64)]
    application_id: Guid
    environment_id: Guid
    repository_id: Positive
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    run_id: Positive
    run_attempt: Positive
    actor_id: Annotated[int, Field(ge=0)]


def written(claims: DeployClaims, issuer: str) -> Mapping[str, Any]:
    """What the token says, but for the audience: that is the key's."""
    issued = claims.issued_us // SECOND
    return {
        "iss": issuer,
        "sub": _subject(claims.environment_id),
        "client_id": _client(claims.repository_id),
        "iat": issued,
        "nbf": issued,
        "exp": claims.expires_us // SECOND,
        "jti": claims.jti,
        "scope": claims.purpose,
        "application_id": claims.application_id,
        "environment_id": claims.environment_id,
        "repository_id": claims.repository_id,
        "commit": claims.commit,
        "run_id": claims.run_id,
        "run_attempt": claims.run_attempt,
        "actor_id": claims.actor_id,
    }


def read(token: str, *, issuer: str, audience: str, find: Callable[[str], SigningKey | None], now_us: int) -> OwnClaims:
    """The claims of a token that one of our keys for tokens signed and that is valid now.

    Raises Refused (`token_invalid`), which does not tell a stranger what was wrong; its cause does.
    """
    try:
        found = _verified(token, issuer, audience, find)
        _in_time(found, now_us // SECOND)
    except (Unreadable, jwt.PyJWTError, ValidationError) as fault:
        raise refusal(Code.TOKEN_INVALID) from fault
    deploy = DeployClaims(
        jti=found.jti,
        application_id=found.application_id,
        environment_id=found.environment_id,
        repository_id=found.repository_id,
        commit=found.commit,
        run_id=found.run_id,
        run_attempt=found.run_attempt,
        actor_id=found.actor_id,
        issued_us=found.iat * SECOND,
        expires_us=found.exp * SECOND,
        purpose=found.scope,
    )
    return OwnClaims(token_hash=hashlib.sha256(token.encode()).hexdigest(), deploy=deploy)


def _verified(token: str, issuer: str, audience: str, find: Callable[[str], SigningKey | None]) -> _Claims:
    terms = TERMS[Use.TOKEN]
    header = header_of(token)
    # Exactly what we write: no `crit`, no key of the token's own (`jwk`, `jku`, `x5c`, `x5u`), no other type.
    if header.keys() != {"alg", "kid", "typ"} or header["alg"] != terms.algorithm or header["typ"] != terms.typ:
        raise Unreadable("not a header of ours")
    key = find(header["kid"]) if isinstance(header["kid"], str) else None
    if key is None or key.use is not Use.TOKEN:
        raise Unreadable("no key of ours for tokens")
    # Times are ours to check: the library would read another clock than the rest of Miso.
    late: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "strict_aud": True}
    said = jwt.decode(token, key.public, algorithms=[terms.algorithm], audience=audience, issuer=issuer, options=late)
    claims = _Claims.model_validate(said)
    if (claims.sub, claims.client_id) != (_subject(claims.environment_id), _client(claims.repository_id)):
        raise Unreadable("subject or client of another token")
    return claims


def _in_time(claims: _Claims, now: int) -> None:
    if not claims.iat <= claims.exp <= claims.iat + LONGEST_S:
        raise Unreadable("a life that we give to nothing")
    if now >= claims.exp + LEEWAY_S:
        raise Unreadable("expired")
    if max(claims.nbf, claims.iat) > now + LEEWAY_S:
        raise Unreadable("from the future")


def _subject(environment_id: str) -> str:
    return f"miso:deploy:{environment_id}"


def _client(repository_id: int) -> str:
    return f"repository:{repository_id}"
