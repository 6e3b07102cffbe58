"""Trust rules of GitHub: every claim counts, none but the listed ones does, and what is wrong has a name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.claims import Profile
from bot.domain.codes import Code
from bot.domain.trust import Book, Matched, Mismatch
from tests.domain.trusting import APPLICATION, CLAIMS, DEFAULT, PRODUCTION, SHA, book, code, judged, subject

PIN = "4f2c1e0b7a6d5c3f9e8b7a6d5c4f3e2b1a0d9c8b"
JUDGED = {
    "repository": Code.TRUST_WORKFLOW,
    "repository_id": Code.TRUST_REPOSITORY,
    "repository_owner_id": Code.TRUST_OWNER,
    "environment": Code.TRUST_ENVIRONMENT,
    "event_name": Code.TRUST_EVENT,
    "ref": Code.TRUST_REF,
    "ref_type": Code.TRUST_REF,
    "job_workflow_ref": Code.TRUST_WORKFLOW,
    "runner_environment": Code.TRUST_RUNNER,
}
"""Claims that are compared, and what another value of the right form is refused with."""
TOLD = {"sha": "commit", "run_id": "run_id", "run_attempt": "run_attempt", "actor_id": "actor_id"}
"""Claims that are handed on, under another name."""
IGNORED = ("sub", "repository_owner", "repository_visibility", "workflow_ref", "actor")

ANY = st.one_of(
    st.text(max_size=60),
    st.sampled_from([str(value) for value in CLAIMS.values()]),
    st.integers(),
    st.booleans(),
    st.none(),
    st.lists(st.sampled_from([str(value) for value in CLAIMS.values()]), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


def test_the_honest_token_becomes_ids() -> None:
    assert judged(book(DEFAULT)) == Matched(rule="default branch", commit=SHA, run_id=99, run_attempt=2, actor_id=1001)


@given(name=st.sampled_from(sorted(JUDGED)), value=ANY)
def test_rule_30_whichever_claim_is_changed_the_token_is_refused(name: str, value: object) -> None:
    if value == CLAIMS[name]:
        return
    found = book(DEFAULT).match(subject({**CLAIMS, name: value}), APPLICATION, PRODUCTION, "main")
    assert code(found) in {JUDGED[name], Code.TOKEN_CLAIM_MISSING}
    assert found.claim == name or (name, found.claim) == ("repository", "job_workflow_ref")  # type: ignore[union-attr]  # a Matched failed above


@given(name=st.sampled_from(sorted(TOLD)), value=ANY)
def test_rule_30_what_is_handed_on_is_what_the_token_says_or_nothing(name: str, value: object) -> None:
    found = book(DEFAULT).match(subject({**CLAIMS, name: value}), APPLICATION, PRODUCTION, "main")
    if isinstance(found, Mismatch):
        assert (found.code, found.claim) == (Code.TOKEN_CLAIM_MISSING, name)
    else:
        assert str(getattr(found, TOLD[name])) == value
        assert replace(found, **{TOLD[name]: getattr(judged(book(DEFAULT)), TOLD[name])}) == judged(book(DEFAULT))


@given(name=st.sampled_from(IGNORED), value=ANY)
def test_rule_30_the_subject_and_names_decide_nothing(name: str, value: object) -> None:
    found = book(DEFAULT).match(subject({**CLAIMS, name: value}), APPLICATION, PRODUCTION, "main")
    assert found == judged(book(DEFAULT))


@pytest.mark.parametrize("name", sorted({*JUDGED, *TOLD} - {"environment"}))
def test_a_claim_that_is_missing_is_named(name: str) -> None:
    without: dict[str, Any] = {name: None}
    found = judged(book(DEFAULT), **without)
    assert found == Mismatch(code=Code.TOKEN_CLAIM_MISSING, claim=name, values={"key": name})


def test_a_job_without_environment_has_a_code_of_its_own() -> None:
    assert code(judged(book(DEFAULT), environment=None)) is Code.TRUST_ENVIRONMENT_MISSING


def test_an_empty_book_trusts_nobody() -> None:
    assert judged(Book()) == Mismatch(code=Code.TRUST_NO_RULE, claim="iss")
    assert code(judged(book())) is Code.TRUST_NO_RULE


def test_an_issuer_of_another_profile_is_another() -> None:
    other = subject(CLAIMS, profile=Profile.GITLAB)
    assert code(book(DEFAULT).match(other, APPLICATION, PRODUCTION, "main")) is Code.TRUST_NO_RULE


def test_an_environment_of_another_application_is_never_this_ones() -> None:
    other = replace(PRODUCTION, application_id="1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77")
    assert code(book(DEFAULT).match(subject(CLAIMS), APPLICATION, other, "main")) is Code.TRUST_ENVIRONMENT


def test_a_rule_is_for_its_stages_and_applications() -> None:
    assert code(judged(book("{name: a, environments: [dev, test]}"))) is Code.TRUST_NO_RULE
    other = "{name: a, environments: [production], applications: [1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77]}"
    assert code(judged(book(other))) is Code.TRUST_NO_RULE
    own = f"{{name: a, environments: [production], applications: [{APPLICATION.id.upper()}]}}"
    assert code(judged(book(own))) is None


def test_the_first_rule_that_fits_is_the_one() -> None:
    found = judged(book(DEFAULT.replace("default branch", "one"), DEFAULT.replace("default branch", "two")))
    assert isinstance(found, Matched)
    assert found.rule == "one"


def test_of_several_rules_the_one_that_got_farthest_is_told() -> None:
    rules = book(
        "{name: never here, environments: [dev]}",
        "{name: wrong event, environments: [production], events: [release]}",
        "{name: nearly, environments: [production], runner: self-hosted}",
        "{name: wrong branch, environments: [production], branches: [trunk]}",
    )
    assert judged(rules) == Mismatch(code=Code.TRUST_RUNNER, claim="runner_environment", rule="nearly")
    assert code(judged(rules, event_name="schedule")) is Code.TRUST_EVENT


def test_what_a_sentence_needs_comes_with_the_mismatch() -> None:
    event, ref = judged(book(DEFAULT), event_name="fork"), judged(book(DEFAULT), ref="refs/heads/x")
    assert isinstance(event, Mismatch)
    assert isinstance(ref, Mismatch)
    assert (event.values, ref.values) == ({"word": "fork"}, {"branch": "refs/heads/x"})


@pytest.mark.parametrize(
    ("branches", "ref", "right"),
    [
        ("[]", "refs/heads/main", True),
        ("[trunk]", "refs/heads/main", False),
        ("[trunk, main]", "refs/heads/main", True),
        ("['release/*']", "refs/heads/release/1", True),
        ("['release/*']", "refs/heads/release/1/2", True),
        ("['release/*']", "refs/heads/release/", False),
        ("['release/*']", "refs/heads/release", False),
        ("['release/*']", "refs/heads/releases/1", False),
        ("['release/*']", "refs/heads/x/release/1", False),
        ("['release/*']", "refs/tags/release/1", False),
        ("['release/*']", "refs/heads/main", False),
    ],
)
def test_rule_19_branches_are_exact_or_a_whole_folder(branches: str, ref: str, right: bool) -> None:
    where = f"acme/shop/.github/workflows/deploy.yml@{ref}"
    found = judged(
        book(f"{{name: a, environments: [production], branches: {branches}}}"), ref=ref, job_workflow_ref=where
    )
    assert code(found) == (None if right else Code.TRUST_REF)


def test_an_unknown_default_branch_is_no_branch() -> None:
    assert code(judged(book(DEFAULT), default_branch="", ref="refs/heads/")) is Code.TRUST_REF
    assert code(judged(book(DEFAULT), default_branch="")) is Code.TRUST_REF


def pinned(*workflows: str) -> Book:
    return book(f"{{name: pinned, environments: [production], workflows: [{', '.join(map(repr, workflows))}]}}")


OWN = ".github/workflows/deploy.yml"
CENTRAL = f"acme/ci/.github/workflows/deploy.yml@{PIN}"


@pytest.mark.parametrize(
    ("where", "claims", "wrong"),
    [
        (OWN, {}, None),
        (OWN, {"job_workflow_ref": "acme/shop/.github/workflows/other.yml@refs/heads/main"}, "job_workflow_ref"),
        (OWN, {"job_workflow_ref": f"acme/shop/{OWN}@refs/heads/x"}, "job_workflow_ref"),
        (OWN, {"job_workflow_ref": f"acme/shop/{OWN}@{SHA}"}, "job_workflow_ref"),
        (OWN, {"job_workflow_ref": f"acme/ci/{OWN}@refs/heads/main"}, "job_workflow_ref"),
        (OWN, {"job_workflow_ref": f"acme/shop/{OWN}"}, "job_workflow_ref"),
        (CENTRAL, {}, "job_workflow_ref"),
        (CENTRAL, {"job_workflow_ref": CENTRAL, "job_workflow_sha": PIN}, None),
        (CENTRAL, {"job_workflow_ref": CENTRAL, "job_workflow_sha": SHA}, "job_workflow_sha"),
        (CENTRAL, {"job_workflow_ref": CENTRAL, "job_workflow_sha": None}, "job_workflow_sha"),
        (CENTRAL, {"job_workflow_ref": CENTRAL.replace(PIN, SHA), "job_workflow_sha": SHA}, "job_workflow_ref"),
        (f"acme/ci/{OWN}@refs/tags/v1", {"job_workflow_ref": f"acme/ci/{OWN}@refs/tags/v1"}, None),
        (f"acme/ci/{OWN}@refs/tags/v1", {"job_workflow_ref": f"acme/ci/{OWN}@refs/tags/v2"}, "job_workflow_ref"),
    ],
)
def test_rule_30_a_workflow_is_a_path_at_a_ref(where: str, claims: dict[str, Any], wrong: str | None) -> None:
    found = judged(pinned(where), **claims)
    assert (found.claim if isinstance(found, Mismatch) else None) == wrong
    # One of several is enough, wherever it stands, and the one that was meant is told.
    found = judged(
        pinned(".github/workflows/never.yml", where, "acme/x/.github/workflows/n.yml@refs/heads/x"), **claims
    )
    assert (found.claim if isinstance(found, Mismatch) else None) == wrong
