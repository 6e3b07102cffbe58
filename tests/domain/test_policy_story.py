"""The rows of the policy's own stream: what they say together, and that nothing is half understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.canonical import digest_of
from bot.domain.model import Actor, ActorKind, Environment, Row, Stage
from bot.domain.policy_story import VERSION, Accepted, accepted_of, fold, hash_of
from bot.domain.rules import Freeze, Group, Policy, PolicySet, RequiredCheck, Who, set_as_body, set_from_body
from tests.domain.given import DEV, PRODUCTION, TEST, row

ANN = Actor(kind=ActorKind.PERSON, id=1001, login="ann")
BOB = Actor(kind=ActorKind.PERSON, id=1002, login="bob")
WHOLE = PolicySet(
    stages={Stage.DEV: Policy(open_pull_requests=True), Stage.TEST: Policy(), Stage.PRODUCTION: Policy(approvals=2)},
    environments={
        PRODUCTION.id: Policy(
            approvals=4,
            groups=(Group(name="security", count=1, who=Who(teams=(42,))),),
            checks=(RequiredCheck(name="trivy", app_id=7),),
            freezes=(Freeze(name="party", starts="2026-12-24T00:00", minutes=60, exceptions=("2027-12-24",)),),
        )
    },
    environment_stages={PRODUCTION.id: Stage.PRODUCTION},
    administrators=(ANN.id, BOB.id),
)


def says(policies: PolicySet, **more: Any) -> dict[str, Any]:
    return {"version": 1, "hash": hash_of(policies), "document": set_as_body(policies), **more}


def accepted(seq: int = 1, policies: PolicySet = WHOLE, **more: Any) -> Row:
    return row("policy.accepted", seq, **says(policies, **more))


def read(found: Accepted | None) -> Accepted:
    assert found is not None
    return found


def test_a_document_says_everything_that_the_policy_does() -> None:
    assert read(accepted_of(accepted())).policies == WHOLE
    assert set_from_body(set_as_body(WHOLE)) == WHOLE


@pytest.mark.parametrize(("environment", "approvals"), [(DEV, 0), (TEST, 0), (PRODUCTION, 4)])
def test_single_environments_keep_their_own(environment: Environment, approvals: int) -> None:
    found = read(accepted_of(accepted())).policies.of(environment)
    assert found is not None
    assert found.approvals == approvals


def test_who_agreed_is_told_with_the_version() -> None:
    by = [{"id": ANN.id, "login": "ann"}, {"id": BOB.id, "login": "bob"}]
    found = read(accepted_of(accepted(by=by, difference=["a 1 → 2"], loosens=["a"], origin="file")))
    assert [account.id for account in found.by] == [ANN.id, BOB.id]
    assert (found.difference, found.loosens, found.origin) == (("a 1 → 2",), ("a",), "file")


def test_a_proposal_collects_agreement_and_ends_with_whatever_comes_after_it() -> None:
    looser = replace(WHOLE, clear_people=1)
    rows = [accepted(), row("policy.proposed", 2, **says(looser)), row("policy.agreed", 3, actor=ANN, hash="")]
    waits = fold(rows).proposal
    assert waits is not None
    assert [account.id for account in waits.agreed] == [ANN.id]
    rejected = fold([*rows, row("policy.rejected", 4, actor=BOB, hash=hash_of(looser))])
    assert (rejected.proposal, rejected.rejected) == (None, hash_of(looser))
    withdrawn = fold([*rows, row("policy.withdrawn", 4, hash=hash_of(looser))])
    assert (withdrawn.proposal, withdrawn.rejected) == (None, "")
    over = fold([*rows, accepted(4, looser)])
    assert (over.proposal, [each.policies for each in over.versions]) == (None, [WHOLE, looser])


def test_a_document_of_before_a_key_existed_is_read_with_its_default() -> None:
    document = set_as_body(WHOLE)
    del document["break_glass_minutes"]
    old = row("policy.accepted", 1, version=1, hash=digest_of(document), document=document)
    assert read(accepted_of(old)).policies == WHOLE


UNKNOWN = {**set_as_body(WHOLE), "moon": "full"}
DEEPER: dict[str, Any] = set_as_body(WHOLE)
DEEPER["environments"][PRODUCTION.id]["groups"][0]["moon"] = "full"
NONSENSE: dict[str, Any] = {"stages": {"moon": {}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"document": UNKNOWN, "hash": digest_of(UNKNOWN)},
        {"document": DEEPER, "hash": digest_of(DEEPER)},
        {"document": NONSENSE, "hash": digest_of(NONSENSE)},
        {"hash": "0" * 64},
        {"document": None},
    ],
    ids=["a key", "a key deep down", "no policy", "another hash", "nothing"],
)
def test_what_is_not_wholly_understood_is_not_in_force(changes: dict[str, Any]) -> None:
    """A demand that this version does not know would be dropped without a word otherwise."""
    bad = row("policy.accepted", 2, **{**says(WHOLE), **changes})
    assert accepted_of(bad) is None
    story = fold([accepted(), bad])
    assert story.newer


@pytest.mark.parametrize(
    "newer",
    [
        row("policy.accepted", 2, v=VERSION + 1, **says(WHOLE)),
        row("policy.suspended", 2),
        row("policy.proposed", 2, **{**says(WHOLE), "hash": "0" * 64}),
    ],
    ids=["a newer row", "a kind that is not known", "a proposal that is not its hash"],
)
def test_rows_of_a_newer_version_are_not_half_understood(newer: Row) -> None:
    assert fold([accepted(), newer, accepted(3)]).newer
