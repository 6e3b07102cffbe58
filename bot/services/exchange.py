"""The exchange: an ID token of a workflow for a deploy token, if and only if the engine lets that very run in.

Called by `POST /oidc/token` (RFC 8693). Nothing else opens Azure to a workflow, so this is where a decision is enforced
and not only shown (security rule 29). Each way to be refused has a code of its own and leaves a row in the ledger, with
the token's SHA-256 and never the token. A subject token is spent with the answer of the engine, yes or no: after a no
it takes a new one, so that a token which lies in somebody's log is worth nothing when the yes comes. Refused before
that, or not answered at all, it can be sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict, Field

from bot import telemetry
from bot.context import Miso
from bot.domain.catalog import Bound, parse_guid
from bot.domain.claims import DeployClaims, Profile, SignedClaims
from bot.domain.codes import Code
from bot.domain.identity import Deed, Principal, Resource
from bot.domain.messages import refusal
from bot.domain.model import SYSTEM, Keep, Stage
from bot.domain.trust import Matched, Mismatch
from bot.errors import Refused
from bot.services import journal, leave, notes, refusing, tokens
from bot.services.access import Place
from bot.services.authorization import about, authorize
from bot.services.bearer import key_of
from bot.services.leave import Leave, Running, Undecided
from bot.services.notes import Note
from bot.services.tokens import SECOND, SKEW_US, Issued

log = telemetry.logger("exchange")

SPENT = "jti"
TOKEN_TYPES = frozenset({"urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"})
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type
MINUTE_US = 60 * SECOND
ELSEWHERE = frozenset({Code.TRUST_PROJECT, Code.TRUST_NO_RULE})
"""For an issuer that knows nothing of our repositories these, and whatever is wrong before any rule was looked at,
would tell a stranger that a GUID exists (rule 20)."""


class ExchangeForm(BaseModel):
    """Parameters of https://www.rfc-editor.org/rfc/rfc8693#section-2.1, and the three public GUIDs."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)

    subject_token: str = Field(default="", repr=False)
    subject_token_type: str = ""
    requested_token_type: str = ""
    actor_token: str = Field(default="", repr=False)
    audience: str = ""
    resource: str = ""
    scope: str = ""
    application_id: str = ""
    subscription_id: str = ""
    environment_id: str = ""


class WrongTarget(Refused):
    """A token for somebody else was asked for. https://www.rfc-editor.org/rfc/rfc8693#section-2.2.2"""

    def __init__(self, no: Refused) -> None:
        super().__init__(no.code, no.sentence, no.hint)


@dataclass
class Trace:
    """What is known of an attempt so far, for the ledger. Nothing of a stranger's own words gets in."""

    token: str
    issuer: str = ""
    claim: str = ""
    rule: str = ""
    code: str = ""
    """The true reason, where whoever asks is told less."""
    bound: Bound | None = None
    """Once the token was seen to be of this application's repository: before that nothing is written beside it."""
    running: Running | None = None
    spends: Keep | None = None
    """Set when the engine is asked."""


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """For Entra, in the name of an environment's workflows."""

    token: str = field(repr=False)
    subject: str


async def exchange(miso: Miso, form: ExchangeForm, address: str = "", *, afresh: Miso | None = None) -> Issued:
    """A deploy token for one application, environment, commit and run. Raises Refused, `Undecided` with every rule.

    `afresh`: the hall without a memory, where `miso` has one (`recent`): what is remembered may let somebody in, and
    keeps nobody out.
    """
    trace = Trace(token=key_of(form.subject_token))
    try:
        return await _exchange(miso, form, trace, afresh or miso)
    except Refused as no:
        log.info("exchange.refused", code=trace.code or no.code, token=trace.token[:12], address=address)
        if form.subject_token:
            await _remember(miso, trace, no)
        raise


async def _exchange(miso: Miso, form: ExchangeForm, trace: Trace, afresh: Miso) -> Issued:
    ids = _checked(miso, form)
    subject = await miso.oidc.read_subject(form.subject_token)
    trace.issuer = subject.issuer
    key = key_of(f"{subject.issuer}\x1f{subject.jti}")
    place, bound, matched = await _trusted(miso, subject, key, ids, trace)
    trace.running = running = await _running(place, subject, matched)
    await authorize(miso, running.principal, Deed.EXCHANGE, _resource(bound, running.commit), place=place)
    spends = Keep(kind=SPENT, key=key, owner=subject.issuer, body={}, until_us=subject.expires_us + SKEW_US)
    trace.spends = spends
    let = await _let(miso, place, bound, running, afresh)
    because = {
        "issuer": subject.issuer,
        "rule": matched.rule,
        "subject_token": trace.token,
        "promotion": let.promotion.stream if let.promotion is not None else "",
    }
    issued = await tokens.issue(miso, _claims(miso, bound, running, key), spends=spends, because=because)
    if issued is None:
        # Two at once: the other one was quicker, and both may not have it.
        raise refusal(Code.TOKEN_REPLAYED)
    return issued


async def _let(miso: Miso, place: Place, bound: Bound, running: Running, afresh: Miso) -> Leave:
    """The decision. A commit that was merged, or a check that succeeded, within the last minute is not yet in what is
    remembered, so a no is asked for again before it is said."""
    try:
        return await leave.to_deploy(miso, place, bound, running)
    except Refused:
        if afresh is miso:
            raise
    place, bound = await leave.where(afresh, bound.application.id, bound.environment.id)
    return await leave.to_deploy(afresh, place, bound, running)


def _checked(miso: Miso, form: ExchangeForm) -> tuple[str, str, str]:
    """The three GUIDs of a request that asks for what there is."""
    if form.resource:
        raise WrongTarget(refusal(Code.RESOURCE_REFUSED))
    if form.audience not in ("", miso.rules.token_audience, miso.rules.public_url):
        raise WrongTarget(refusal(Code.AUDIENCE_REFUSED))
    wrong = {
        "subject_token": not form.subject_token,
        "subject_token_type": form.subject_token_type not in TOKEN_TYPES,
        "requested_token_type": form.requested_token_type not in ("", ACCESS_TOKEN),
        "actor_token": bool(form.actor_token),
        "scope": form.scope not in ("", tokens.SCOPE),
    }
    for name, fault in wrong.items():
        if fault:
            raise refusal(Code.REQUEST_MALFORMED, word=name)
    given = {name: getattr(form, name) for name in ("application_id", "subscription_id", "environment_id")}
    ids = {name: parse_guid(text) for name, text in given.items()}
    for name, guid in ids.items():
        if guid is None:
            raise refusal(Code.REQUEST_MALFORMED, word=name)
    application, subscription, environment = (guid or "" for guid in ids.values())
    return application, subscription, environment


async def _trusted(
    miso: Miso, subject: SignedClaims, key: str, ids: tuple[str, str, str], trace: Trace
) -> tuple[Place, Bound, Matched]:
    """The registry's rows and what a token that was not used may be used for. Whatever is another's, is not bound
    (rule 20)."""
    application_id, subscription_id, environment_id = ids
    application, environment, spent = await asyncio.gather(
        miso.store.application(application_id),
        miso.store.environment(environment_id),
        miso.store.kept(SPENT, key),
    )
    if spent is not None:
        raise refusal(Code.TOKEN_REPLAYED)
    if application is None or environment is None or environment.application_id != application_id:
        raise refusal(Code.GUID_NOT_BOUND)
    if environment.subscription_id != subscription_id:
        raise refusal(Code.GUID_NOT_BOUND)
    bound = Bound(application=application, environment=environment)
    of_github = subject.profile is Profile.GITHUB
    if of_github and subject.claims.get("repository_id") != str(application.repository_id):
        trace.claim, trace.code = "repository_id", Code.TRUST_REPOSITORY
        raise refusal(Code.GUID_NOT_BOUND)
    if of_github:
        trace.bound = bound
    else:
        # Whose project it is stands in no branch, so that GitHub is asked nothing for strangers, who would notice.
        found = miso.oidc.trust.match(subject, application, environment, "")
        if isinstance(found, Mismatch) and (not found.rule or found.code in ELSEWHERE):
            trace.claim, trace.rule, trace.code = found.claim, found.rule, found.code
            raise refusal(Code.GUID_NOT_BOUND)
    place = await leave.place_of(miso, bound)
    found = miso.oidc.trust.match(subject, application, environment, place.identity.default_branch)
    if isinstance(found, Mismatch):
        trace.claim, trace.rule, trace.code = found.claim, found.rule, found.code
        raise refusal(found.code, **found.values)
    trace.bound, trace.rule = bound, found.rule
    return place, bound, found


async def _running(place: Place, subject: SignedClaims, matched: Matched) -> Running:
    """The run, by GitHub's word where it is GitHub's: the token says when it was made, not what is so now."""
    commit, run_id, run_attempt = matched.commit, matched.run_id, matched.run_attempt
    seen = None
    if subject.profile is Profile.GITHUB:
        seen = await leave.run_of(place, commit=commit, run_id=run_id, run_attempt=run_attempt)
    actor = leave.starter(matched.actor_id)
    return Running(commit=commit, run_id=run_id, run_attempt=run_attempt, actor=actor, seen=seen)


def _resource(bound: Bound, commit: str) -> Resource:
    return replace(about(bound.environment), repository_id=bound.application.repository_id, commit=commit)


def _claims(miso: Miso, bound: Bound, running: Running, spent: str) -> DeployClaims:
    now = miso.clock.now_us() // SECOND * SECOND
    return DeployClaims(
        jti=key_of(f"{spent}\x1f{bound.environment.id}"),
        application_id=bound.application.id,
        environment_id=bound.environment.id,
        repository_id=bound.application.repository_id,
        commit=running.commit,
        run_id=running.run_id,
        run_attempt=running.run_attempt,
        actor_id=running.actor.id,
        issued_us=now,
        expires_us=now + miso.rules.token_minutes * MINUTE_US,
    )


async def _remember(miso: Miso, trace: Trace, no: Refused) -> None:
    """A row for a refusal, once for each reason, and the subject token spent where the engine said no."""
    recently = miso.clock.now_us() - MINUTE_US
    written = await miso.store.count(Note.EXCHANGE_REFUSED, recently, actor_id=SYSTEM.id) if trace.bound is None else 0
    if written >= refusing.MOST:
        return
    spends = trace.spends if isinstance(no, Undecided) and no.final else None
    code, running = trace.code or no.code, trace.running
    body = {
        "token": trace.token,
        "issuer": trace.issuer,
        "code": code,
        "claim": trace.claim,
        "rule": trace.rule,
        "commit": running.commit if running is not None else "",
        "run": running.run_id if running is not None else 0,
        "attempt": running.run_attempt if running is not None else 0,
        "rules": [rule.rule for rule in no.rules if not rule.passed] if isinstance(no, Undecided) else [],
    }
    stream, bound = journal.stream_id("exchange", trace.token), trace.bound
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        spent = spends is None or await miso.store.kept(SPENT, spends.key) is not None
        if spent and any(row.body["code"] == code for row in rows):
            return
        if await notes.write(
            miso,
            stream,
            rows,
            Note.EXCHANGE_REFUSED,
            running.actor if running is not None else SYSTEM,
            body,
            application_id=bound.application.id if bound is not None else "",
            environment_id=bound.environment.id if bound is not None else "",
            keep=(spends,) if spends is not None and not spent else (),
            show=False,
        ):
            return


async def assertion(miso: Miso, principal: Principal) -> Assertion:
    """An assertion for Entra of a subject of its own, decided anew. Off by default, and never for production.

    The subject that Miso itself deploys with is given out to nobody.
    """
    grant = principal.grant
    environment = await miso.store.environment(grant.environment_id) if grant is not None else None
    if grant is None or environment is None:
        raise refusal(Code.TOKEN_SCOPE)
    if not miso.rules.workflow_assertions or environment.stage is Stage.PRODUCTION:
        raise refusal(Code.ASSERTION_REFUSED)
    place, bound, running = await leave.of_grant(miso, grant, principal.actor)
    await authorize(miso, principal, Deed.PROMOTE, _resource(bound, grant.commit), place=place)
    await leave.to_deploy(miso, place, bound, running)
    made = await miso.oidc.workflow_assertion(environment.id)
    await tokens.write_use(miso, grant, principal.actor, Note.ASSERTION_ISSUED, "assertion")
    return Assertion(token=made, subject=f"miso:workflow:{environment.id}")
