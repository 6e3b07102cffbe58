"""GUIDs only select; whatever does not belong is refused, without a hint about others (security rules 20 and 34)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.catalog import Bound, find_environment, parse_guid, select, select_application, skeleton
from bot.domain.codes import Code
from bot.domain.model import Application, Environment, RepositoryFacts, Stage
from tests.domain import given

OWN = given.APPLICATION
FOREIGN = Application(id="10000000-0000-4000-8000-000000000002", name="bank", repository_id=77, owner_id=70)
FOREIGN_ENVIRONMENT = replace(given.PRODUCTION, id="20000000-0000-4000-8000-000000000099", application_id=FOREIGN.id)
NOBODYS = "99999999-0000-4000-8000-000000000099"
APPLICATIONS = (FOREIGN, OWN)
ENVIRONMENTS = (FOREIGN_ENVIRONMENT, given.DEV, given.TEST, given.PRODUCTION)
VARIABLES = {"MISO_APPLICATION_ID": OWN.id, "MISO_SUBSCRIPTION_ID": given.PRODUCTION.subscription_id}
HERE = {"MISO_ENVIRONMENT_ID": given.PRODUCTION.id}


def selecting(
    variables: dict[str, str] | None = None,
    here: dict[str, str] | None = None,
    where: Stage | str = Stage.PRODUCTION,
    identity: RepositoryFacts = given.IDENTITY,
    applications: tuple[Application, ...] = APPLICATIONS,
    environments: tuple[Environment, ...] = ENVIRONMENTS,
) -> Bound | Code:
    everywhere, in_place = {**VARIABLES, **(variables or {})}, {**HERE, **(here or {})}
    return select(everywhere, in_place, identity, applications, environments, where)


def test_variables_select_the_registrys_rows() -> None:
    assert selecting() == Bound(application=OWN, environment=given.PRODUCTION)
    assert selecting(where="production") == Bound(application=OWN, environment=given.PRODUCTION)


def test_every_id_that_is_used_is_the_registrys() -> None:
    shouted = selecting({"MISO_APPLICATION_ID": OWN.id.upper()}, {"MISO_ENVIRONMENT_ID": given.PRODUCTION.id.upper()})
    assert isinstance(shouted, Bound)
    assert shouted.application is OWN
    assert shouted.environment is given.PRODUCTION


def test_rule_20_a_foreign_guid_is_refused_alike_whether_it_exists_or_not() -> None:
    existing = selecting({"MISO_APPLICATION_ID": FOREIGN.id})
    nobodys = selecting({"MISO_APPLICATION_ID": NOBODYS})
    assert existing is nobodys is Code.GUID_NOT_BOUND
    existing = selecting(here={"MISO_ENVIRONMENT_ID": FOREIGN_ENVIRONMENT.id})
    nobodys = selecting(here={"MISO_ENVIRONMENT_ID": NOBODYS})
    assert existing is nobodys is Code.GUID_NOT_BOUND


@given_that(st.uuids().map(str))
def test_rule_20_no_other_guid_ever_selects(guid: str) -> None:
    assert guid == OWN.id or selecting({"MISO_APPLICATION_ID": guid}) in (Code.GUID_NOT_BOUND, Code.GUID_MALFORMED)


def test_rule_20_the_answer_does_not_depend_on_rows_of_others() -> None:
    for variables in ({}, {"MISO_APPLICATION_ID": FOREIGN.id}, {"MISO_APPLICATION_ID": NOBODYS}):
        alone = selecting(variables, applications=(OWN,), environments=ENVIRONMENTS[1:])
        assert selecting(variables) == alone


def test_a_copy_in_another_repository_is_refused() -> None:
    copy = RepositoryFacts(id=43, full_name="acme/copy", owner_id=7, default_branch="main")
    assert selecting(identity=copy) is Code.GUID_NOT_BOUND


def test_a_repository_under_a_new_owner_is_refused_and_a_renamed_one_is_followed() -> None:
    assert selecting(identity=replace(given.IDENTITY, owner_id=8)) is Code.REPOSITORY_TRANSFERRED
    assert isinstance(selecting(identity=replace(given.IDENTITY, full_name="acme/store")), Bound)


def test_another_environments_guid_of_the_same_application_is_refused() -> None:
    assert selecting(here={"MISO_ENVIRONMENT_ID": given.TEST.id}) is Code.GUID_OTHER_ENVIRONMENT


def test_the_subscription_must_be_the_environments() -> None:
    assert selecting({"MISO_SUBSCRIPTION_ID": NOBODYS}) is Code.SUBSCRIPTION_MISMATCH
    overridden = {"MISO_SUBSCRIPTION_ID": given.PRODUCTION.subscription_id}
    assert isinstance(selecting({"MISO_SUBSCRIPTION_ID": NOBODYS}, overridden), Bound), "as for a job"


@pytest.mark.parametrize("name", ["MISO_APPLICATION_ID", "MISO_SUBSCRIPTION_ID"])
@pytest.mark.parametrize(("text", "code"), [("", Code.GUID_MISSING), ("shop", Code.GUID_MALFORMED)])
def test_variables_must_be_there_and_be_guids(name: str, text: str, code: Code) -> None:
    assert selecting({name: text}) is code


def test_the_environments_guid_stands_with_its_environment() -> None:
    everywhere = {**VARIABLES, **HERE}
    arguments: tuple[Any, ...] = (given.IDENTITY, APPLICATIONS, ENVIRONMENTS, Stage.PRODUCTION)
    assert select(everywhere, {}, *arguments) is Code.GUID_MISSING
    assert select(everywhere, None, *arguments) is Code.GUID_MISSING
    assert selecting(here={"MISO_ENVIRONMENT_ID": "prod"}) is Code.GUID_MALFORMED


def test_a_repository_that_is_not_registered_is_told_so() -> None:
    stranger = RepositoryFacts(id=43, full_name="acme/new", owner_id=7, default_branch="main")
    assert select_application({}, stranger, APPLICATIONS) is Code.REPOSITORY_NOT_REGISTERED
    assert select_application({}, given.IDENTITY, APPLICATIONS) is Code.GUID_MISSING


@pytest.mark.parametrize(
    "name",
    [
        "Production",
        "PRODUCTION",
        "production ",
        "prod\u200buction",
        "рroduction",
        "produсtion",
        "pr0duction",
        "ｐroduction",
        "pro-duction",
        "productiön",
    ],
)
def test_rule_34_a_name_that_only_looks_right_is_refused(name: str) -> None:
    assert selecting(where=name) is Code.ENVIRONMENT_LOOKALIKE


@pytest.mark.parametrize("name", ["", "staging", "prod"])
def test_an_environment_that_is_not_registered_is_unknown(name: str) -> None:
    assert selecting(where=name) is Code.ENVIRONMENT_UNKNOWN


def test_a_foreign_environment_of_that_name_is_not_found() -> None:
    assert find_environment((FOREIGN_ENVIRONMENT,), OWN.id, "production") is Code.ENVIRONMENT_UNKNOWN
    assert find_environment((FOREIGN_ENVIRONMENT,), OWN.id, Stage.PRODUCTION) is Code.ENVIRONMENT_UNKNOWN


@given_that(st.text(max_size=60))
def test_a_skeleton_is_its_own(name: str) -> None:
    assert skeleton(skeleton(name)) == skeleton(name) or not skeleton(name).isascii()


# --- GUIDs -----------------------------------------------------------------------------------------------------------


@given_that(st.uuids().filter(lambda u: u.int != 0), st.booleans())
def test_a_guid_is_made_canonical(guid: Any, upper: bool) -> None:
    assert parse_guid(str(guid).upper() if upper else str(guid)) == str(guid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1b4e28ba2fa14d3b8c2a0c5d1f3a9e77",
        "{1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77}",
        "urn:uuid:1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77",
        " 1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77",
        "1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77\n",
        "1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e7",
        "1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e７7",
        "1b4e28bg-2fa1-4d3b-8c2a-0c5d1f3a9e77",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_nothing_else_is_a_guid(text: str) -> None:
    assert parse_guid(text) is None


@given_that(st.text(max_size=60))
def test_whatever_is_accepted_is_canonical(text: str) -> None:
    guid = parse_guid(text)
    assert guid is None or (guid == text.lower() and len(guid) == 36 and guid.isascii())
