"""The registry's rules: which application and environment a repository's variables select, and which they must not.

Called by `bot.services.access` for every event and by `bot.domain.policy` for its types. GUIDs only select: every id
that is used afterwards is the registry's own. An answer about a foreign GUID is the same whether that GUID exists or
not, so nobody learns of other tenants here (security rules 20 and 34).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.codes import Code
from bot.domain.model import Application, Environment, RepositoryFacts, Stage

APPLICATION_VARIABLE = "MISO_APPLICATION_ID"
SUBSCRIPTION_VARIABLE = "MISO_SUBSCRIPTION_ID"
ENVIRONMENT_VARIABLE = "MISO_ENVIRONMENT_ID"

# RFC 9562, section 4: the one textual form. Braces, URNs, blanks and digits of other scripts are somebody's mistake.
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_NIL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The registry rows that a repository's variables rightly selected."""

    application: Application
    environment: Environment


def parse_guid(text: str) -> str | None:
    """The canonical lower-case form, or None for anything that is not exactly one GUID (the nil GUID is none)."""
    if not _GUID.fullmatch(text):
        return None
    guid = text.lower()
    return None if guid == _NIL else guid


def select_application(
    variables: Mapping[str, str], identity: RepositoryFacts, applications: Iterable[Application]
) -> Application | Code:
    """The application that MISO_APPLICATION_ID selects, if it is this repository's.

    `applications` may be the whole registry or this repository's rows: the answer is the same.
    """
    own = {a.id: a for a in applications if a.repository_id == identity.id}
    text = variables.get(APPLICATION_VARIABLE, "")
    if not text:
        return Code.GUID_MISSING if own else Code.REPOSITORY_NOT_REGISTERED
    guid = parse_guid(text)
    if guid is None:
        return Code.GUID_MALFORMED
    application = own.get(guid)
    if application is None:
        return Code.GUID_NOT_BOUND
    if application.owner_id != identity.owner_id:
        return Code.REPOSITORY_TRANSFERRED
    return application


def find_environment(
    environments: Iterable[Environment], application_id: str, where: Stage | str
) -> Environment | Code:
    """The application's environment of a stage, or with a GitHub environment name (rule 34: exactly that name).

    A name that merely looks like a registered one, by case, width, blanks or script, is refused as such.
    """
    own = [e for e in environments if e.application_id == application_id]
    if isinstance(where, Stage):
        of_stage = [e for e in own if e.stage is where]
        return of_stage[0] if len(of_stage) == 1 else Code.ENVIRONMENT_UNKNOWN
    named = [e for e in own if e.github_name == where]
    if len(named) == 1:
        return named[0]
    looks = skeleton(where)
    alike = any(skeleton(e.github_name) == looks for e in own)
    return Code.ENVIRONMENT_LOOKALIKE if alike else Code.ENVIRONMENT_UNKNOWN


def select(
    variables: Mapping[str, str],
    environment_variables: Mapping[str, str] | None,
    identity: RepositoryFacts,
    applications: Iterable[Application],
    environments: Iterable[Environment],
    where: Stage | str,
) -> Bound | Code:
    """The rows for one environment, or why there are none.

    `environment_variables` are those of the GitHub environment `github_name`; None when GitHub has no such environment.
    They override the repository's, as they do for a job, but MISO_ENVIRONMENT_ID must stand with its environment.
    """
    here = dict(environment_variables or {})
    application = select_application({**variables, **here}, identity, applications)
    if isinstance(application, Code):
        return application
    all_environments = tuple(environments)
    environment = find_environment(all_environments, application.id, where)
    if isinstance(environment, Code):
        return environment
    fault = _environment_fault({**variables, **here}, here, environment, all_environments)
    return fault or Bound(application=application, environment=environment)


def _environment_fault(
    variables: Mapping[str, str],
    environment_variables: Mapping[str, str],
    environment: Environment,
    environments: Iterable[Environment],
) -> Code | None:
    texts = environment_variables.get(ENVIRONMENT_VARIABLE, ""), variables.get(SUBSCRIPTION_VARIABLE, "")
    if not all(texts):
        return Code.GUID_MISSING
    guid, subscription = (parse_guid(text) for text in texts)
    if guid is None or subscription is None:
        return Code.GUID_MALFORMED
    if guid != environment.id:
        # Only the application's own other environments are told apart; every foreign GUID gets one answer.
        own = {e.id for e in environments if e.application_id == environment.application_id}
        return Code.GUID_OTHER_ENVIRONMENT if guid in own else Code.GUID_NOT_BOUND
    return None if subscription == environment.subscription_id else Code.SUBSCRIPTION_MISMATCH


# Letters of other scripts that are drawn like Latin ones, as far as names of environments need them:
# https://www.unicode.org/reports/tr39/#Confusable_Detection. The registry itself admits ASCII names only.
_CYRILLIC_AND_GREEK = "аеорсухіјѕԁһӏԛԝɡιοορνταυκρ"
_LATIN = "aeopcyxijsdhlqwgiooovtaukp"
_DIGITS, _LETTERS = "0135", "oles"
_CONFUSABLE = str.maketrans(_CYRILLIC_AND_GREEK + _DIGITS, _LATIN + _LETTERS)


def skeleton(name: str) -> str:
    """What a name looks like: without case, width, accents, blanks, joiners and separators. For comparison only."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c.isalnum()).translate(_CONFUSABLE)
