"""Hostile requests at the token exchange, around an honest token; tokens themselves stand in `subjects` and `jobs`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from bot.sim.scenarios import APPLICATION_ID
from tests.flows.workflow import Answer
from tests.hostile.bytes import Reply
from tests.hostile.ground import FORM, JSON, Ground
from tests.hostile.trick import DOOR, EXCHANGE, NOWHERE, TEXT, TYPE, Request, assertion, row

# --- the exchange ----------------------------------------------------------------------------------------------------


def asks(what: str, code: str, *, status: int = 400, told: str = "", **form: Any) -> Request:
    """An honest token, and something else in the form."""
    return row(what, status, code, EXCHANGE, lambda g: g.exchanges(**form), told=told)


def brings(what: str, code: str, token: Callable[[Ground], Any]) -> Request:
    """Something else for a subject token."""

    async def make(g: Ground) -> Answer:
        given = token(g)
        return await g.workflow.exchange(given if isinstance(given, str) else await given)

    return row(what, 400, code, EXCHANGE, make)


def guid(what: str, spell: Callable[[str], str]) -> Request:
    return row(
        what,
        400,
        "request_malformed",
        EXCHANGE,
        lambda g: g.exchanges(environment_id=spell(g.ids["environment_id"])),
    )


async def claims(g: Ground, **changes: str) -> str:
    """An honest token of this run, but for these claims."""
    return await g.workflow.id_token("dev", g.run, claims=changes)


async def foreign(g: Ground) -> Answer:
    """A workflow of a stranger's repository, with the shop's GUIDs, which are public."""
    name = "mallory/copy"
    await g.stage.sim.create_repository(name, collaborators={"mallory": "admin"}, files={"a": "b"})
    return await g.workflow.exchange(await g.workflow.id_token("dev", repository=name))


async def twice(g: Ground) -> Answer:
    """A token that was exchanged before."""
    token = await g.workflow.id_token("dev", g.run)
    assert (await g.workflow.exchange(token)).status == 200
    return await g.workflow.exchange(token)


EXCHANGES = (
    asks("a resource", "resource_refused", resource="https://management.azure.com"),
    asks("an actor token beside it", "request_malformed", actor_token="a.b.c"),
    asks("an audience of Azure", "audience_refused", audience="api://AzureADTokenExchange"),
    asks("an audience of another Miso", "audience_refused", audience="https://miso.other.example"),
    asks("a wider scope", "request_malformed", scope="deploy admin"),
    asks(
        "a refresh token instead",
        "request_malformed",
        requested_token_type=f"{TYPE}refresh_token",
    ),
    asks("a SAML assertion by its type", "request_malformed", subject_token_type=f"{TYPE}saml2"),
    asks("no environment", "request_malformed", environment_id=None),
    asks("an application that nobody has", "guid_not_bound", application_id=NOWHERE),
    asks("an environment that nobody has", "guid_not_bound", environment_id=NOWHERE),
    asks("another subscription", "guid_not_bound", subscription_id=NOWHERE),
    asks("the application for an environment", "guid_not_bound", environment_id=APPLICATION_ID),
    asks("the nil GUID", "request_malformed", application_id="00000000-0000-0000-0000-000000000000"),
    guid("a GUID in braces", lambda own: "{" + own + "}"),
    guid("a GUID as a URN", lambda own: f"urn:uuid:{own}"),
    guid("a GUID without its dashes", lambda own: own.replace("-", "")),
    guid("a GUID with a line end", lambda own: own + "\n"),
    guid("a GUID with NUL behind it", lambda own: own + "\0"),
    guid("a GUID in digits of another script", lambda own: own.replace("0", "\u0660")),
    row("a token of another repository", 400, "guid_not_bound", EXCHANGE, foreign, told="trust_repository"),
    row("a token for the second time", 400, "token_replayed", EXCHANGE, twice),
    brings("our own deploy token", "token_header", lambda g: g.other),
    brings("our assertion for Entra", "issuer_refused", assertion),
    brings("our assertion at the sign-in", "issuer_refused", lambda g: g.stage.running.issuer.sign_in_assertion()),
    brings("a person's token", "token_malformed", lambda g: g.people["bob"]),
    brings("a token of another environment", "trust_environment", lambda g: g.workflow.id_token("production", g.run)),
    brings("a token of no environment", "trust_environment_missing", lambda g: g.workflow.id_token(None, g.run)),
    brings(
        "an environment that looks like it",
        "trust_environment",
        lambda g: g.workflow.id_token("d\u0435v", g.run),
    ),
    brings(
        "a run that GitHub does not know",
        "trust_run",
        lambda g: claims(g, run_id="99999999"),
    ),
    brings(
        "another commit than the run's",
        "trust_commit",
        lambda g: claims(g, sha="f" * 40),
    ),
    brings(
        "an attempt that never was",
        "trust_run",
        lambda g: claims(g, run_attempt="2"),
    ),
)

# --- forms -----------------------------------------------------------------------------------------------------------


def body(what: str, code: str, make: Callable[[Ground], tuple[bytes, list[tuple[str, str]]]], **more: Any) -> Request:
    """These very bytes at the token route."""

    async def sent(g: Ground) -> Reply:
        data, headers = make(g)
        return await g.raw(f"POST /oidc/token{more.get('query', '')}", *headers, body=data)

    return row(what, more.get("status", 400), code, more.get("ledger", DOOR), sent)


def encoded(g: Ground, **more: str) -> bytes:
    return urlencode(g.form(**more)).encode()


FORMS = (
    body("a parameter twice", "request_malformed", lambda g: (encoded(g) + b"&environment_id=x", [FORM])),
    body(
        "a parameter twice, once in escapes",
        "request_malformed",
        lambda g: (encoded(g) + b"&environment%5Fid=x", [FORM]),
    ),
    body("everything in the query", "request_malformed", lambda g: (b"", []), query="?grant_type=refresh_token"),
    body("a token in the query too", "request_malformed", lambda g: (encoded(g), [FORM]), query="?subject_token=a"),
    body("JSON", "request_malformed", lambda g: (json.dumps(g.form()).encode(), [JSON])),
    body("a form that calls itself text", "request_malformed", lambda g: (encoded(g), [TEXT])),
    body("bytes that are no text", "request_malformed", lambda g: (encoded(g) + b"&a=%ff", [FORM])),
    body("half an escape", "grant_unsupported", lambda g: (b"grant_type=%", [FORM])),
    body("many parameters", "request_malformed", lambda g: (b"&".join(b"a%d=1" % n for n in range(40)), [FORM])),
    body(
        "packed bytes",
        "request_malformed",
        lambda g: (gzip.compress(encoded(g)), [FORM, ("Content-Encoding", "gzip")]),
    ),
    body(
        "packed bytes that grow without end",
        "request_too_large",
        lambda g: (gzip.compress(b"a" * 20_000_000), [FORM, ("Content-Encoding", "gzip")]),
        status=413,
        ledger=None,
    ),
    body(
        "more than anybody needs",
        "request_too_large",
        lambda g: (b"a=" + b"a" * 70_000, [FORM]),
        status=413,
        ledger=None,
    ),
    body("another grant", "grant_unsupported", lambda g: (b"grant_type=client_credentials", [FORM])),
    body("a password", "grant_unsupported", lambda g: (b"grant_type=password&username=ann&password=x", [FORM])),
    body("nothing", "request_malformed", lambda g: (b"", [FORM])),
)
