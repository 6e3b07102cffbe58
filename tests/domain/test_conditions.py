"""The rules about a release and a place, as `decide` tells them; security rules 1 to 13."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Verdict
from bot.domain.model import CommitRange, EnvironmentState
from bot.domain.policy import decide
from bot.domain.rules import Who
from tests.domain import given
from tests.domain.asking import DEV_POLICY, back, backwards, deciding, held, outcome
from tests.domain.given import NOW, OLD, OLD_DIGEST, POLICY, PRODUCTION, RULES

# --- whose repository ------------------------------------------------------------------------------------------------


def test_rule_20_the_repository_must_be_the_registered_one() -> None:
    transferred = replace(given.IDENTITY, owner_id=8)
    assert outcome(deciding(identity=transferred), "identity").code is Code.REPOSITORY_TRANSFERRED
    assert outcome(deciding(identity=replace(given.IDENTITY, id=43)), "identity").code is Code.GUID_NOT_BOUND
    assert outcome(deciding(binding=Code.GUID_MALFORMED), "identity").code is Code.GUID_MALFORMED
    elsewhere = Bound(application=given.APPLICATION, environment=given.TEST)
    assert outcome(deciding(binding=elsewhere), "identity").code is Code.GUID_NOT_BOUND


def test_a_rename_under_the_same_id_is_followed() -> None:
    renamed = replace(given.IDENTITY, full_name="acme/store")
    assert deciding(identity=renamed).verdict is Verdict.NEEDS_APPROVAL


def test_an_environment_of_another_application_is_refused() -> None:
    foreign = replace(PRODUCTION, application_id="10000000-0000-4000-8000-000000000009")
    assert outcome(deciding(given.asked(environment=foreign)), "identity").code is Code.GUID_NOT_BOUND


# --- the artifact ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"application_id": "10000000-0000-4000-8000-000000000009"},
        {"repository_id": 43},
        {"commit": "b" * 12},
        {"commit": "B" * 40},
        {"digest": "latest"},
        {"digest": "sha256:" + "2" * 63},
    ],
)
def test_rule_2_a_release_is_a_full_commit_and_digest_of_this_repository(changes: dict[str, Any]) -> None:
    decision = deciding(given.asked(release=given.release(**changes)))
    assert outcome(decision, "release").code is Code.RELEASE_UNKNOWN
    assert decision.refused


def test_rule_13_the_digest_must_still_exist() -> None:
    assert deciding(image_exists=False).code is Code.ARTIFACT_GONE


def test_rule_13_a_tag_that_points_elsewhere_refuses() -> None:
    assert deciding(tag_digest=OLD_DIGEST).code is Code.ARTIFACT_MOVED
    assert not deciding(tag_digest="").refused, "a tag that is gone points nowhere else"


@pytest.mark.parametrize("tag", ["latest", "main", "v1.2", "b" * 12])
def test_rule_13_moving_tags_are_refused_for_production(tag: str) -> None:
    moving = given.release(tag=tag)
    assert deciding(given.asked(release=moving)).code is Code.MOVING_TAG
    assert deciding(given.asked(release=moving, environment=given.DEV), DEV_POLICY).allowed


@pytest.mark.parametrize(
    "image",
    ["evil.example/shop", "registry.example.evil/shop", "registry.example", "registry.example:80/shop", "/shop"],
)
def test_images_come_from_the_operators_registries_only(image: str) -> None:
    decision = deciding(given.asked(release=given.release(image=image)))
    assert outcome(decision, "registry").code is Code.IMAGE_HOST_NOT_ALLOWED


def test_an_environments_own_registry_is_the_only_one_for_it() -> None:
    own = replace(PRODUCTION, registry="private.example")
    assert outcome(deciding(given.asked(environment=own)), "registry").code is Code.IMAGE_HOST_NOT_ALLOWED
    rules = replace(RULES, registries=("registry.example", "private.example"))
    release = given.release(image="private.example/shop")
    decision = decide(given.asked(environment=own, release=release), given.facts(own), POLICY, rules, NOW)
    assert outcome(decision, "registry").passed


# --- the order of things ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": OLD_DIGEST},
        {"commit": OLD},
        {"verified": False},
        {"environment_id": given.DEV.id},
        {"application_id": "10000000-0000-4000-8000-000000000009"},
        {"repository_id": 43},
    ],
)
def test_the_very_digest_was_seen_healthy_one_stage_earlier(changes: dict[str, Any]) -> None:
    decision = deciding(verified=(given.promoted(given.TEST, **changes),))
    assert decision.code is Code.NOT_VERIFIED_BEFORE
    assert outcome(decision, "order").command == f"/promote test @{'b' * 12}"


@pytest.mark.parametrize("where", [given.DEV.id, given.TEST.id, PRODUCTION.id])
@pytest.mark.parametrize("changes", [{}, {"commit": OLD}, {"digest": OLD_DIGEST}])
def test_a_release_that_is_held_anywhere_goes_nowhere(where: str, changes: dict[str, Any]) -> None:
    assert deciding(states=held(where, **changes)).code is Code.RELEASE_HELD


def test_somebody_elses_hold_is_no_obstacle() -> None:
    assert not deciding(states=held(given.DEV.id, commit=OLD, digest=OLD_DIGEST)).refused


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("ahead", None),
        ("identical", None),
        ("behind", Code.OLDER_COMMIT),
        ("diverged", Code.OLDER_COMMIT),
        ("unknown", Code.ANCESTRY_UNKNOWN),
    ],
)
def test_what_runs_is_never_newer(status: Any, code: Code | None) -> None:
    between = CommitRange(status=status, commits=(given.commit(),), complete=True)
    assert outcome(deciding(range=between), "fence").code is code


def test_builds_of_pull_requests_stand_beside_one_another_in_dev_only() -> None:
    aside, between = given.release(OLD, OLD_DIGEST, open_pull_request=6), CommitRange(status="diverged", complete=True)
    open_ = replace(DEV_POLICY, open_pull_requests=True)
    dev, facts = given.asked(environment=given.DEV), {"running": aside, "range": between}
    assert outcome(deciding(dev, open_, **facts), "fence").passed
    assert outcome(deciding(dev, DEV_POLICY, **facts), "fence").code is Code.OLDER_COMMIT
    assert outcome(deciding(given.asked(), open_, **facts), "fence").code is Code.OLDER_COMMIT
    behind = {**facts, "range": CommitRange(status="behind", complete=True)}
    assert outcome(deciding(dev, open_, **behind), "fence").code is Code.OLDER_COMMIT


def test_where_nothing_runs_nothing_is_newer() -> None:
    states = {**(given.facts().states or {}), PRODUCTION.id: EnvironmentState(environment_id=PRODUCTION.id)}
    first = deciding(states=states, running=None, range=None)
    assert first.verdict is Verdict.NEEDS_APPROVAL
    assert first.excluded == (11, 12, 13), "the first release's own commit counts"


def test_what_runs_already_is_not_asked_for_again() -> None:
    assert deciding(running=given.release()).code is Code.ALREADY_RUNNING
    same_image = given.release(OLD, given.NEW_DIGEST)
    same_plan = given.facts().plan
    again = deciding(running=same_image, running_plan=same_plan)
    assert not again.refused, "another commit of the same image wants to be seen on its own"
    assert deciding(running=same_image).code is Code.SAME_IMAGE_OTHER_PLAN
    assert deciding(running=same_image, running_plan=None).code is Code.STATE_UNKNOWN


def test_what_is_on_its_way_is_not_asked_for_again() -> None:
    waiting = given.promoted(PRODUCTION, open=True, verified=False, stream="promotion-other")
    assert deciding(open=(waiting,)).code is Code.ALREADY_REQUESTED
    assert not deciding(open=(replace(waiting, stream="promotion-now"),)).refused, "it is no duplicate of itself"
    assert not deciding(open=(replace(waiting, digest=OLD_DIGEST, commit=OLD),)).refused


# --- rollback --------------------------------------------------------------------------------------------------------


def test_rule_12_a_rollback_goes_to_what_was_seen_healthy_here() -> None:
    decision = deciding(back(), **backwards())
    assert decision.verdict is Verdict.ALLOW
    elsewhere = (given.promoted(given.TEST, commit=OLD, digest=OLD_DIGEST),)
    assert deciding(back(), **backwards(verified=elsewhere)).code is Code.ROLLBACK_TARGET_NOT_VERIFIED


def test_rule_12_a_rollback_is_no_way_round_the_other_rules() -> None:
    states = held(given.DEV.id, commit=OLD, digest=OLD_DIGEST)
    assert deciding(back(), **backwards(states=states)).code is Code.RELEASE_HELD
    assert deciding(back(), **backwards(image_exists=False)).code is Code.ARTIFACT_GONE
    assert deciding(back(), **backwards(permission=None)).code is Code.PERMISSION_UNKNOWN
    maintainers = replace(POLICY, rollback=Who(role="maintain"))
    assert deciding(back(), maintainers, **backwards()).code is Code.PERMISSION_DENIED
