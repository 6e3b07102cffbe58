"""One hostile request: how it is made, what it is answered, and what the ledger tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.services.notes import Note
from tests.flows.workflow import Answer
from tests.hostile.bytes import Reply
from tests.hostile.ground import Ground

Made = Callable[[Ground], Awaitable[Answer | Reply]]
TEXT = ("Content-Type", "text/plain")
NOWHERE = "90d00f1c-0b5a-4a55-8d0b-5d1e5b6f0dff"
TYPE = "urn:ietf:params:oauth:token-type:"
EXCHANGE, DOOR = Note.EXCHANGE_REFUSED, Note.DOOR_REFUSED


@dataclass(frozen=True, kw_only=True)
class Request:
    """One trick. `ledger` is the kind of row that tells of it, `told` the code there where it is not the answer's."""

    what: str
    make: Made
    status: int
    code: str
    ledger: Note | None
    told: str = ""


def row(what: str, status: int, code: str, ledger: Note | None, make: Made, *, told: str = "") -> Request:
    return Request(what=what, make=make, status=status, code=code, ledger=ledger, told=told)


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def assertion(g: Ground) -> str:
    """By which Miso itself signs in to Azure."""
    return g.stage.running.issuer.assertion(g.ids["environment_id"])
