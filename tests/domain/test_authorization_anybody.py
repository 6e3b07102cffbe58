"""Anybody, at any door, for any deed: whoever is let through is found in the books, and nobody else (rule 16)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.authorization import (
    ALLOWS,
    AT_GITHUB,
    BY_NUMBER,
    FOR_APPS,
    FOR_WORKFLOWS,
    THROUGH,
    UNLINKED,
    Authorized,
    judge,
)
from bot.domain.identity import Deed, Door, Principal, Resource, Role
from bot.domain.model import SYSTEM, Actor, ActorKind, Permission, Stage
from bot.domain.rules import Policy
from tests.domain.test_authorization import COMMIT, GRANT, HERE, NOW, WRITE

ACTORS = st.builds(Actor, kind=st.sampled_from(ActorKind), id=st.sampled_from([0, 1, 2, 5, 9]))
GRANTS = st.builds(
    replace,
    st.just(GRANT),
    environment_id=st.sampled_from(["env", "another"]),
    application_id=st.sampled_from(["app", "another"]),
    commit=st.sampled_from([COMMIT, "f" * 40]),
    expires_us=st.sampled_from([NOW - 1, NOW, NOW + 1]),
)
PRINCIPALS = st.builds(
    Principal,
    actor=ACTORS,
    door=st.sampled_from(Door),
    subject=st.sampled_from(["", "entra:t:o"]),
    device=st.booleans(),
    grant=st.none() | GRANTS,
)
PERMISSIONS = st.none() | st.builds(
    Permission,
    user_id=st.sampled_from([1, 2]),
    role_name=st.sampled_from(["none", "read", "triage", "write", "maintain", "admin", "custom"]),
    permission=st.sampled_from(["none", "read", "write", "admin"]),
)
RESOURCES = st.builds(
    replace,
    st.just(HERE),
    stage=st.sampled_from([*Stage, None]),
    environment_id=st.sampled_from(["env", ""]),
    commit=st.sampled_from([COMMIT, "", "f" * 40]),
)
LISTED = 9


@given_that(
    who=PRINCIPALS,
    deed=st.sampled_from(Deed),
    where=RESOURCES,
    roles=st.frozensets(st.sampled_from(Role)),
    permission=PERMISSIONS,
    by_number=st.booleans(),
    demanded=st.none() | st.builds(Policy, device_approvals=st.booleans()),
)
def test_rule_16_whatever_is_allowed_stands_in_a_table(
    who: Principal,
    deed: Deed,
    where: Resource,
    roles: frozenset[Role],
    permission: Permission | None,
    by_number: bool,
    demanded: Policy | None,
) -> None:
    found = judge(
        who,
        deed,
        where,
        roles,
        now_us=NOW,
        permission=permission,
        listed_apps={LISTED},
        by_number=by_number,
        demanded=demanded,
    )
    if not isinstance(found, Authorized):
        return
    assert deed in THROUGH[who.door]
    match who.actor.kind:
        case ActorKind.SYSTEM:
            assert (who.actor, who.door in (Door.INSIDE, Door.GATE)) == (SYSTEM, True)
        case ActorKind.APP:
            assert (who.actor.id, who.door, deed in FOR_APPS) == (LISTED, Door.COMMENT, True)
        case ActorKind.WORKFLOW:
            workflow_may(who, deed, where)
        case ActorKind.PERSON:
            assert by_number or deed not in BY_NUMBER
            assert roles & ALLOWS[deed] or deed in UNLINKED | BY_NUMBER
            person_may(who, deed, where, permission, demanded)


def workflow_may(who: Principal, deed: Deed, where: Resource) -> None:
    assert deed in FOR_WORKFLOWS
    if who.grant is None:
        assert who.door is Door.INSIDE or deed is Deed.EXCHANGE
        return
    assert who.grant.expires_us > NOW
    assert (who.grant.application_id, who.grant.environment_id) == ("app", where.environment_id)
    assert where.commit == who.grant.commit or (deed is Deed.LOOK and not where.commit)


def person_may(
    who: Principal, deed: Deed, where: Resource, permission: Permission | None, demanded: Policy | None
) -> None:
    assert who.door is not Door.INSIDE
    assert who.grant is None
    assert who.actor.id > 0 or (deed in UNLINKED and who.subject)
    assert deed is not Deed.EXCHANGE
    if deed in AT_GITHUB:
        assert permission is not None
        assert permission.user_id == who.actor.id
        assert permission.can_write or permission.role_name in ("write", "maintain", "admin")
    if deed is Deed.APPROVE and who.device and where.stage not in (Stage.DEV, Stage.TEST):
        assert demanded is not None
        assert demanded.device_approvals


@given_that(who=PRINCIPALS, deed=st.sampled_from(Deed))
def test_nobody_without_any_role_changes_anything(who: Principal, deed: Deed) -> None:
    found = judge(who, deed, HERE, frozenset(), now_us=NOW, permission=WRITE, listed_apps={LISTED})
    if who.actor.kind is ActorKind.PERSON and isinstance(found, Authorized):
        assert deed in UNLINKED
