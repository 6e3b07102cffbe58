"""What the API takes: small JSON objects, checked strictly, and the key by which one request is told from the next.

Used by `bot.web.api` alone. A field that nobody knows, or of another type, refuses the whole: whoever misspells
`rollback` must not get a promotion.
https://www.ietf.org/archive/id/draft-ietf-httpapi-idempotency-key-header-07.html
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.domain.catalog import parse_guid
from bot.domain.codes import Code
from bot.domain.identity import Principal
from bot.domain.messages import refusal
from bot.domain.stray_tokens import without_tokens

_KEY = re.compile(r'"?([A-Za-z0-9_.:-]{8,128})"?', re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_PLACE = re.compile(r"[a-z_]{1,40}", re.ASCII)

B = TypeVar("B", bound=BaseModel)


def _guid(text: str) -> str:
    guid = parse_guid(text)
    if guid is None:
        raise ValueError("not a GUID")
    return guid


Guid = Annotated[str, Field(max_length=36), AfterValidator(_guid)]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{12,40}$")]
"""As commands take it: at least twelve digits (rule 1)."""
Reason = Annotated[str, Field(max_length=500), AfterValidator(without_tokens)]
"""Kept and shown, as a comment's is: a token in it is a mistake (rule 17)."""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class NewPromotion(Body):
    """What is wanted where. A person names the commit; a workflow's is in its token."""

    application_id: Guid
    environment_id: Guid
    commit: Sha | None = None
    rollback: bool = False
    break_glass: bool = False
    reason: Reason = ""


class Said(Body):
    """A word about a promotion. `commit`: what the person believes that it is about."""

    commit: Sha | None = None
    reason: Reason = ""


class NewLink(Body):
    subject: Annotated[str, Field(min_length=1, max_length=500)]
    github_id: Annotated[int, Field(gt=0, lt=2**63)]
    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98})$")]


class Unlink(Body):
    subject: Annotated[str, Field(min_length=1, max_length=500)]


async def read(request: web.Request, form: type[B]) -> B:
    """The body as this form. Nothing at all is an empty object."""
    sent, data = await request.read(), {}
    if sent:
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise refusal(Code.REQUEST_MALFORMED, word="Content-Type")
        try:
            data = json.loads(sent.decode("utf-8"), object_pairs_hook=_each_once)
        except (ValueError, RecursionError):
            raise refusal(Code.REQUEST_MALFORMED, word="the body") from None
    try:
        return form.model_validate(data)
    except ValidationError as wrong:
        place = str(next(iter(wrong.errors()[0]["loc"]), ""))
        # A name that nobody knows is the stranger's own word: it is not said back.
        word = place if place in form.model_fields and _PLACE.fullmatch(place) else "the body"
        raise refusal(Code.REQUEST_MALFORMED, word=word) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def cause_of(request: web.Request, principal: Principal) -> str:
    """What this request is told by: the same `Idempotency-Key` of the same principal is the same request.

    Keys of two principals never meet. Without one, each request is its own.
    """
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return f"api:{secrets.token_hex(16)}"
    key = _KEY.fullmatch(given[0]) if len(given) == 1 else None
    if key is None:
        raise refusal(Code.REQUEST_MALFORMED, word="Idempotency-Key")
    who = principal.subject or f"{principal.actor.kind}:{principal.actor.id}"
    # With the length, because some people choose their subject: where one ends and the key begins is nobody's choice.
    return f"api:{len(who)}:{who}:{key[1]}"


def number(request: web.Request, name: str, most: int) -> int:
    """A whole number of the query, at most `most`; 0 where it is left out."""
    text = request.query.get(name, "0")
    if not _NUMBER.fullmatch(text):
        raise refusal(Code.REQUEST_MALFORMED, word=name)
    return min(int(text), most)
