"""`config/trust/*.yml`: texts in, `Book` out, or every fault of every file at once with its line.

Read by `bot.settings` at start. One file is one issuer. Nothing of what is written is ever fetched but the issuer's two
documents, and only once the file is in the book (rule 18). Raises for nothing that a text holds; reads no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from bot.domain import yaml_lines
from bot.domain.model import Stage
from bot.domain.trust import Book, IssuerTrust
from bot.domain.trust_keys import ANYBODYS_EVENTS, FIXED_AUDIENCE, ISSUERS, AnyIssuer, spelling, trust_of
from bot.domain.trust_rules import AzureDevOpsRule, GitHubRule, GitLabRule, Rule
from bot.domain.yaml_lines import ConfigFault, Document, faults_of, ordered


def read(texts: Mapping[str, str]) -> tuple[Book, tuple[str, ...]]:
    """The book of these texts by file name, and what is wrong: `github.yml:12: rules[0].events: …`.

    Empty where anything is wrong anywhere. A file that is switched off is checked all the same.
    """
    sentences: list[str] = []
    issuers: dict[str, IssuerTrust] = {}
    read_from: dict[str, str] = {}
    for name, text in sorted(texts.items()):
        keys, faults = _read_one(text)
        if keys is not None and keys.issuer in read_from:
            faults = (ConfigFault(line=1, path="issuer", sentence=f"has a file already, {read_from[keys.issuer]}"),)
        elif keys is not None:
            read_from[keys.issuer] = name
            if keys.enabled:
                issuers[keys.issuer] = trust_of(keys)
        sentences += [f"{name}:{f.line}: {f.path + ': ' if f.path else ''}{f.sentence}" for f in faults]
    return (Book() if sentences else Book(issuers=issuers)), tuple(sentences)


def schema() -> dict[str, Any]:
    """JSON Schema for editors; `config/schemas/trust.yml.schema.json` holds it."""
    found = TypeAdapter(Annotated[AnyIssuer, Field(discriminator="profile")]).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Miso trust", **found}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is allowed as it is written, and dangerous."""

    issuer: str
    rule: str
    sentence: str


def lint(book: Book) -> tuple[Finding, ...]:
    """What an operator should look at again, in the order of the rules. For `miso doctor`."""
    return tuple(
        Finding(issuer=trust.issuer, rule=rule.name, sentence=sentence)
        for trust in book.issuers.values()
        for rule in trust.rules
        for sentence in _dangers(rule, trust)
    )


def _dangers(rule: Rule, trust: IssuerTrust) -> Iterator[str]:
    production = Stage.PRODUCTION in rule.stages
    if production and any(branch.endswith("/*") for branch in rule.branches):
        yield "opens production to every branch of a family: whoever may push one may ask"
    match rule:
        case GitHubRule():
            for event in sorted(rule.events & ANYBODYS_EVENTS):
                yield f"takes runs of {event}, which people without any right to the repository can cause"
            for each in rule.workflows:
                if each.repository and not each.pinned:
                    yield f"trusts {each.repository} to change {each.path} later: pin it to a commit"
        case GitLabRule():
            if not rule.protected:
                yield "takes branches that are not protected"
        case AzureDevOpsRule():
            if "/" in rule.repository:
                yield f"knows the repository by its name, {rule.repository}, which can be taken over"
    if production and trust.audience == FIXED_AUDIENCE:
        yield "opens production to tokens of an audience that everybody has: whoever is handed one can use it here"
    if production and getattr(rule, "runner", "") in ("any", "self-hosted"):
        yield "opens production to jobs on self-hosted runners, where another job may have left something behind"


def _read_one(text: str) -> tuple[AnyIssuer | None, tuple[ConfigFault, ...]]:
    document = yaml_lines.read(text)
    if not isinstance(document, Document):
        return None, document
    profile = document.values.get("profile")
    model = ISSUERS.get(profile) if isinstance(profile, str) else None
    if model is None:
        sentence = f"must be one of {', '.join(ISSUERS)}" if "profile" in document.values else "is missing"
        return None, ordered([*document.faults, document.fault(("profile",), sentence)])
    try:
        keys = model.model_validate(document.values)
    except ValidationError as error:
        return None, ordered([*document.faults, *faults_of(error, document, (), spelling)])
    return (None if document.faults else keys), ordered(list(document.faults))
