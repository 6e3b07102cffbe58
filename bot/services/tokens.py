"""The life of a deploy token after it was made: who it speaks for, whether it still opens anything, its end.

`bot.services.exchange` makes one with `issue`; `bot.web.auth` turns one into a principal. The store knows a token by
its SHA-256 alone, and whether it was revoked, which nobody can see who only verifies its signature. Every use is a row
of the ledger. A release that is held or rejected takes what its tokens open with it from that moment on, because each
use that reaches anything is decided anew; all that is left is to read how it ended.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.context import Miso
from bot.domain.catalog import Bound
from bot.domain.claims import DeployClaims, Profile
from bot.domain.codes import Code
from bot.domain.identity import Deed, Door, Grant, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import Actor, Keep, Kept
from bot.errors import Refused, Transient
from bot.services import journal, notes, refusing, whereabouts
from bot.services.authorization import about, authorize
from bot.services.bearer import key_of
from bot.services.leave import starter
from bot.services.notes import Note

KIND = "token"
SCOPE = "deploy"
SECOND = 1_000_000
SKEW_US = 60 * SECOND
"""Kept a little longer than it lives: the clocks of two replicas may differ."""


@dataclass(frozen=True, kw_only=True)
class Issued:
    """What whoever exchanged gets, once."""

    token: str = field(repr=False)
    expires_in: int
    scope: str = SCOPE


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A token as operators see it: everything but the token."""

    sha256: str
    application_id: str
    environment_id: str
    commit: str
    run_id: int
    run_attempt: int
    actor_id: int
    issuer: str
    rule: str
    issued_us: int
    expires_us: int
    revoked_us: int


def stream_of(token_hash: str) -> str:
    """The stream of one token: issued, every use, revoked."""
    return journal.stream_id("token", token_hash)


async def issue(miso: Miso, claims: DeployClaims, *, spends: Keep, because: Mapping[str, Any]) -> Issued | None:
    """Sign a token and write it down, in one unit with what it was exchanged for being spent.

    None where that was spent already: then this token is known to nobody. `because` is what the ledger says of it.
    """
    token = await miso.oidc.issue(claims)
    key = key_of(token)
    facts = {
        "application": claims.application_id,
        "repository": claims.repository_id,
        "commit": claims.commit,
        "run": claims.run_id,
        "attempt": claims.run_attempt,
        "actor": claims.actor_id,
        "issued_us": claims.issued_us,
        "expires_us": claims.expires_us,
        **{name: because[name] for name in ("issuer", "rule")},
    }
    until_us = claims.expires_us + SKEW_US
    kept = Keep(kind=KIND, key=key, owner=claims.environment_id, body={**facts, "revoked_us": 0}, until_us=until_us)
    written = await notes.write(
        miso,
        stream_of(key),
        (),
        Note.TOKEN_ISSUED,
        starter(claims.actor_id),
        {**facts, **because, "token": key},
        application_id=claims.application_id,
        environment_id=claims.environment_id,
        keep=(spends, kept),
        show=False,
    )
    lives = (claims.expires_us - claims.issued_us) // SECOND
    return Issued(token=token, expires_in=lives) if written else None


# --- at a door -------------------------------------------------------------------------------------------------------


async def principal(miso: Miso, token: str, *, use: str = "api") -> Principal:
    """Whoever holds this token, with all that it opens. Writes the use down; `use` names the door or route.

    Raises Refused: `token_invalid` or `token_revoked`.
    """
    own = miso.oidc.read_own(token)
    kept = await miso.store.kept(KIND, own.token_hash)
    await _known(miso, kept, own.deploy.environment_id)
    trust = miso.oidc.trust.issuers.get(str(kept.body["issuer"])) if kept is not None else None
    if trust is None:
        # Whoever runs Miso no longer listens to whom this token was given for.
        raise refusal(Code.TOKEN_REVOKED)
    actor = starter(own.deploy.actor_id)
    grant = grant_of(own.deploy, own.token_hash, at_github=trust.profile is Profile.GITHUB)
    await write_use(miso, grant, actor, Note.TOKEN_USED, use)
    return Principal(actor=actor, door=Door.API, grant=grant)


def grant_of(claims: DeployClaims, token_hash: str, *, at_github: bool = True) -> Grant:
    """What a deploy token opens, by what it says. `at_github`: whether GitHub knows its run."""
    return Grant(
        at_github=at_github,
        token_hash=token_hash,
        application_id=claims.application_id,
        environment_id=claims.environment_id,
        repository_id=claims.repository_id,
        commit=claims.commit,
        run_id=claims.run_id,
        run_attempt=claims.run_attempt,
        expires_us=claims.expires_us,
        started_by=claims.actor_id,
    )


async def _known(miso: Miso, kept: Kept | None, environment_id: str) -> Bound:
    """Where a token leads that was neither revoked nor outlived its registration. Raises Refused for any other."""
    if kept is None or kept.owner != environment_id:
        raise refusal(Code.TOKEN_INVALID)
    if kept.body["revoked_us"]:
        raise refusal(Code.TOKEN_REVOKED)
    application = await miso.store.application(str(kept.body["application"]))
    environment = await miso.store.environment(environment_id)
    if application is None or environment is None or environment.application_id != application.id:
        raise refusal(Code.TOKEN_REVOKED)
    if application.repository_id != kept.body["repository"]:
        raise refusal(Code.TOKEN_REVOKED)
    return Bound(application=application, environment=environment)


async def write_use(miso: Miso, grant: Grant, actor: Actor, kind: Note, use: str) -> None:
    """One row more in the token's story."""
    stream, body = stream_of(grant.token_hash), {"token": grant.token_hash, "use": use}
    for again in range(journal.RACES):
        # As a rule the last row is a use, or that it was issued: a token that is used a lot has a long story.
        last = None if again else await miso.store.newest(stream, Note.TOKEN_USED)
        rows = await miso.store.stream(stream) if again else ()
        if await notes.write(
            miso,
            stream,
            rows,
            kind,
            actor,
            body,
            application_id=grant.application_id,
            environment_id=grant.environment_id,
            show=False,
            head=0 if again else last.seq if last is not None else 1,
        ):
            return
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same place in the journal.")


# --- looking at it, and ending it ------------------------------------------------------------------------------------


async def introspect(miso: Miso, token: str, *, bearer: str = "", asker: Principal | None = None) -> dict[str, Any]:
    """RFC 7662: what a token is, told to itself (it is the `bearer` too) and to those who may read tokens.

    Everybody else, and whoever asks about anything that opens nothing, learns that it is not active and no more.
    https://www.rfc-editor.org/rfc/rfc7662#section-2.2
    """
    itself = bool(bearer) and hmac.compare_digest(key_of(bearer).encode(), key_of(token).encode())
    try:
        async with refusing.noted(miso, door="introspect", principal=asker, token=key_of(token)):
            if not itself:
                if asker is None:
                    raise refusal(Code.NOT_SIGNED_IN)
                await authorize(miso, asker, Deed.READ_TOKENS, Resource())
            own = miso.oidc.read_own(token)
            bound = await _known(miso, await miso.store.kept(KIND, own.token_hash), own.deploy.environment_id)
            if (held := await whereabouts.held(miso, bound, own.deploy.commit)) is not None:
                raise held
    except Refused:
        return {"active": False}
    said = own.deploy
    return {
        "active": True,
        "scope": SCOPE,
        "token_type": "Bearer",
        "iss": miso.rules.public_url,
        "aud": miso.rules.token_audience,
        "exp": said.expires_us // SECOND,
        "iat": said.issued_us // SECOND,
        "jti": said.jti,
        "application_id": said.application_id,
        "environment_id": said.environment_id,
        "repository_id": said.repository_id,
        "commit": said.commit,
        "run_id": said.run_id,
        "run_attempt": said.run_attempt,
    }


async def listing(
    miso: Miso, asker: Principal, *, environment_id: str = "", after: str = "", limit: int = 100
) -> Sequence[Listed]:
    """Tokens that have not run out, by rising hash, for those who may read them: of one environment, or all."""
    environment = await miso.store.environment(environment_id) if environment_id else None
    await authorize(miso, asker, Deed.READ_TOKENS, about(environment) if environment is not None else Resource())
    return [listed(kept) for kept in await miso.store.kept_by(KIND, owner=environment_id, after=after, limit=limit)]


def listed(kept: Kept) -> Listed:
    body = kept.body
    return Listed(
        sha256=kept.key,
        application_id=str(body["application"]),
        environment_id=kept.owner,
        commit=str(body["commit"]),
        run_id=int(body["run"]),
        run_attempt=int(body["attempt"]),
        actor_id=int(body["actor"]),
        issuer=str(body["issuer"]),
        rule=str(body["rule"]),
        issued_us=int(body["issued_us"]),
        expires_us=int(body["expires_us"]),
        revoked_us=int(body["revoked_us"]),
    )


async def hand_in(miso: Miso, token: str) -> None:
    """RFC 7009: whoever holds a token may end it, found ones too. What is no token of ours is no fault.

    https://www.rfc-editor.org/rfc/rfc7009#section-2.2
    """
    kept = await miso.store.kept(KIND, key_of(token))
    if kept is not None:
        await _revoke(miso, kept.key, starter(int(kept.body["actor"])), "holder")


async def revoke(miso: Miso, asker: Principal, token_hash: str) -> Listed:
    """End one by its hash, for whoever may. Our own doors know it at once."""
    kept = await miso.store.kept(KIND, token_hash)
    environment = await miso.store.environment(kept.owner) if kept is not None else None
    await authorize(miso, asker, Deed.REVOKE_TOKENS, about(environment) if environment is not None else Resource())
    ended = await _revoke(miso, token_hash, asker.actor, asker.door)
    if ended is None:
        raise refusal(Code.NOT_FOUND)
    return listed(ended)


async def _revoke(miso: Miso, token_hash: str, by: Actor, how: str) -> Kept | None:
    """The row once it is revoked, by this or before; None where there is none."""
    stream = stream_of(token_hash)
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        kept = await miso.store.kept(KIND, token_hash)
        if kept is None or kept.body["revoked_us"]:
            return kept
        ended = Keep(
            kind=KIND,
            key=token_hash,
            owner=kept.owner,
            body={**kept.body, "revoked_us": miso.clock.now_us()},
            version=kept.version,
            until_us=kept.until_us,
        )
        await notes.write(
            miso,
            stream,
            rows,
            Note.TOKEN_REVOKED,
            by,
            {"token": token_hash, "how": how},
            application_id=str(kept.body["application"]),
            environment_id=kept.owner,
            keep=(ended,),
            show=False,
        )
    raise Transient(Code.STORE_UNAVAILABLE, "Too many writers wanted the same place in the journal.")
