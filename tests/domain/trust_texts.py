"""Trust files for tests, as short as they can be, and what is wrong with one."""

from __future__ import annotations

import json

from bot.domain.trust import Book
from bot.domain.trust_file import read

GUID = "6f2b7a52-3d0f-4d0e-9a53-0a7d3c1f2b10"
PIN = "4f2c1e0b7a6d5c3f9e8b7a6d5c4f3e2b1a0d9c8b"
RULE = "{name: a, environments: [dev]}"


def faults(text: str) -> tuple[str, ...]:
    book, found = read({"a.yml": text})
    assert found, "it was accepted"
    assert book == Book(), "what is wrong trusts nobody"
    return found


def said(text: str) -> str:
    """The one fault, without file, line and place."""
    (fault,) = faults(text)
    return fault.rpartition(": ")[2]


def issuer(url: str) -> str:
    return f"issuer: {json.dumps(url)}\nprofile: github\nrules: [{RULE}]"


def rule(text: str) -> str:
    return f"issuer: https://a.example\nprofile: github\nrules:\n  - {{name: a, environments: [prod], {text}}}"


DEVOPS = (
    "issuer: https://vstoken.dev.azure.com/{}\nprofile: azure_devops\nrules:\n  - {{name: a, environments: [{}], {}}}"
)
PIPELINE = f"applications: [{GUID}], project: {GUID}, definition: 1, repository: acme/shop"
