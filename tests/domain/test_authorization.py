"""The one judgement: what is in no table is refused, and nobody gets further by another door (rule 16)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.authorization import (
    ALLOWS,
    AT_GITHUB,
    BY_NUMBER,
    THROUGH,
    Authorized,
    judge,
    roles_at_github,
    roles_by_policy,
    roles_of,
)
from bot.domain.codes import Code
from bot.domain.decision import Standing
from bot.domain.identity import INSIDE, Deed, Door, Grant, Principal, Resource, Role
from bot.domain.model import SYSTEM, Actor, ActorKind, Permission, Stage
from bot.domain.rules import Members, Policy, PolicySet, Who

NOW = 1_795_000_000_000_000
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ANN, BOB = (Actor(kind=ActorKind.PERSON, id=number, login=name) for number, name in ((1, "ann"), (2, "bob")))
HERE = Resource(
    application_id="app", environment_id="env", stage=Stage.PRODUCTION, repository_id=77, commit=COMMIT, stream="p"
)
GRANT = Grant(
    token_hash="f" * 64,
    application_id="app",
    environment_id="env",
    repository_id=77,
    commit=COMMIT,
    run_id=5,
    run_attempt=1,
    expires_us=NOW + 1,
)
RUN = Principal(actor=Actor(kind=ActorKind.WORKFLOW, id=5), door=Door.API, grant=GRANT)
LISTED = Principal(actor=Actor(kind=ActorKind.APP, id=9), door=Door.COMMENT)
WRITE = Permission(user_id=ANN.id, role_name="write", permission="write")
READ = Permission(user_id=ANN.id, role_name="read", permission="read")
ALL = frozenset(Role)


def said(who: Principal, deed: Deed, where: Resource = HERE, roles: frozenset[Role] = ALL, **more: Any) -> Code | None:
    more = {"permission": WRITE, "listed_apps": {9}, "by_number": True, **more}
    found = judge(who, deed, where, roles, now_us=NOW, **more)
    return None if isinstance(found, Authorized) else found


def ann(door: Door = Door.COMMENT, **more: Any) -> Principal:
    return Principal(actor=ANN, door=door, **more)


# --- the tables ------------------------------------------------------------------------------------------------------


def test_every_deed_has_its_line_and_a_door() -> None:
    assert set(ALLOWS) == set(Deed)
    assert set(THROUGH) == set(Door)
    assert frozenset().union(*THROUGH.values()) == set(Deed)
    assert all(roles or deed is Deed.EXCHANGE for deed, roles in ALLOWS.items())


def test_what_concerns_releases_needs_write_access_and_no_group_agrees_to_a_policy() -> None:
    """Whoever adds a deed says here whether a group alone may be enough for it."""
    alone = {Deed.LOOK, Deed.LINK, Deed.LINK_OTHERS, Deed.REVOKE_TOKENS, Deed.READ_TOKENS, Deed.READ_LEDGER}
    assert alone == set(Deed) - AT_GITHUB - BY_NUMBER - {Deed.EXCHANGE}


@pytest.mark.parametrize("deed", Deed)
@pytest.mark.parametrize("role", Role)
def test_a_role_allows_its_own_deeds_and_no_others(role: Role, deed: Deed) -> None:
    door = Door.COMMENT if deed in THROUGH[Door.COMMENT] else Door.API
    found = said(ann(door), deed, roles=frozenset({role}))
    if (
        deed in BY_NUMBER
        or deed is Deed.LINK
        or (role in ALLOWS[deed] and not (deed is Deed.PROMOTE and role is Role.DEVELOPER))
    ):
        assert found is None
    else:
        assert found in (Code.ROLE_MISSING, Code.DOOR_REFUSED)


def test_a_developer_asks_for_dev_and_nothing_beyond() -> None:
    only = frozenset({Role.DEVELOPER})
    assert said(ann(), Deed.PROMOTE, replace(HERE, stage=Stage.DEV), only) is None
    for stage in (Stage.TEST, Stage.PRODUCTION, None):
        assert said(ann(), Deed.PROMOTE, replace(HERE, stage=stage), only) is Code.ROLE_MISSING


# --- one after the other ---------------------------------------------------------------------------------------------

GUEST = Principal(actor=Actor(kind=ActorKind.PERSON, id=0), door=Door.PORTAL, subject="entra:t:o")
NOT_LISTED = replace(LISTED, actor=Actor(kind=ActorKind.APP, id=8))


@pytest.mark.parametrize(
    ("who", "deed", "more", "code"),
    [
        (ann(), Deed.APPROVE, {}, None),
        (ann(), Deed.APPROVE, {"permission": None}, Code.PERMISSION_UNKNOWN),
        (ann(), Deed.APPROVE, {"permission": READ}, Code.PERMISSION_DENIED),
        (ann(), Deed.APPROVE, {"permission": replace(WRITE, user_id=BOB.id)}, Code.PERMISSION_DENIED),
        (ann(), Deed.READ_LEDGER, {}, Code.DOOR_REFUSED),
        (ann(Door.BUTTON), Deed.PROMOTE, {}, Code.DOOR_REFUSED),
        (ann(Door.INSIDE), Deed.PROMOTE, {}, Code.DOOR_REFUSED),
        (ann(Door.GATE), Deed.APPROVE, {}, Code.DOOR_REFUSED),
        (ann(Door.API, grant=GRANT), Deed.PROMOTE, {}, Code.DOOR_REFUSED),
        (ann(Door.PORTAL, subject="s"), Deed.DECIDE_POLICY, {}, Code.DOOR_REFUSED),
        (ann(), Deed.DECIDE_POLICY, {"by_number": False}, Code.NOT_ADMINISTRATOR),
        (ann(Door.API, subject="s"), Deed.READ_LEDGER, {"roles": frozenset(), "permission": None}, Code.ROLE_MISSING),
        (ann(Door.API, subject="s"), Deed.LOOK, {"roles": frozenset(), "permission": None}, None),
        (ann(Door.CLI, subject="s", device=True), Deed.APPROVE, {}, Code.DEVICE_MAY_NOT_APPROVE),
        (ann(Door.CLI, subject="s", device=True), Deed.APPROVE, {"demanded": Policy(device_approvals=True)}, None),
        (ann(Door.CLI, subject="s", device=True), Deed.REJECT, {}, None),
        (GUEST, Deed.LOOK, {}, None),
        (GUEST, Deed.LINK, {}, None),
        (GUEST, Deed.PROMOTE, {}, Code.NOT_LINKED),
        (GUEST, Deed.READ_LEDGER, {}, Code.NOT_LINKED),
        (replace(GUEST, subject=""), Deed.LOOK, {}, Code.NOT_SIGNED_IN),
        (LISTED, Deed.PROMOTE, {}, None),
        (LISTED, Deed.APPROVE, {}, Code.BOT_REFUSED),
        (NOT_LISTED, Deed.PROMOTE, {}, Code.BOT_REFUSED),
        (replace(LISTED, door=Door.BUTTON), Deed.APPROVE, {}, Code.BOT_REFUSED),
        (RUN, Deed.PROMOTE, {}, None),
        (RUN, Deed.EXCHANGE, {}, None),
        (RUN, Deed.APPROVE, {}, Code.BOT_REFUSED),
        (RUN, Deed.ROLL_BACK, {}, Code.BOT_REFUSED),
        (RUN, Deed.REVOKE_TOKENS, {}, Code.BOT_REFUSED),
        (RUN, Deed.PROMOTE, {"where": replace(HERE, environment_id="another")}, Code.TOKEN_SCOPE),
        (RUN, Deed.PROMOTE, {"where": replace(HERE, application_id="another")}, Code.TOKEN_SCOPE),
        (RUN, Deed.PROMOTE, {"where": replace(HERE, repository_id=78)}, Code.TOKEN_SCOPE),
        (RUN, Deed.PROMOTE, {"where": replace(HERE, commit="f" * 40)}, Code.TOKEN_SCOPE),
        (RUN, Deed.PROMOTE, {"where": replace(HERE, commit="")}, Code.TOKEN_SCOPE),
        (RUN, Deed.LOOK, {"where": replace(HERE, commit="")}, None),
        (replace(RUN, grant=replace(GRANT, expires_us=NOW)), Deed.PROMOTE, {}, Code.TOKEN_EXPIRED),
        (replace(RUN, grant=None), Deed.PROMOTE, {}, Code.BOT_REFUSED),
        (replace(RUN, grant=None), Deed.EXCHANGE, {"where": Resource()}, Code.BOT_REFUSED),
        (replace(RUN, grant=None, door=Door.INSIDE), Deed.PROMOTE, {}, None),
        (INSIDE, Deed.PROMOTE, {}, None),
        (INSIDE, Deed.APPROVE, {}, Code.BOT_REFUSED),
        (replace(INSIDE, door=Door.API), Deed.PROMOTE, {}, Code.BOT_REFUSED),
        (replace(INSIDE, actor=replace(SYSTEM, id=1)), Deed.PROMOTE, {}, Code.BOT_REFUSED),
    ],
)
def test_what_is_answered(who: Principal, deed: Deed, more: dict[str, Any], code: Code | None) -> None:
    assert said(who, deed, **more) is code


# --- where roles come from -------------------------------------------------------------------------------------------

POLICIES = PolicySet(
    operators=Who(role="maintain"),
    administrators=(BOB.id,),
    roles={
        Role.AUDITOR: Members(users=(ANN.id,), groups=("g1",)),
        Role.OPERATOR: Members(teams=(7,), app_roles=("Miso.Operator",)),
        Role.ADMINISTRATOR: Members(groups=("g2",)),
    },
)


@pytest.mark.parametrize(
    ("role", "roles"),
    [
        ("none", set()),
        ("read", {Role.VIEWER}),
        ("triage", {Role.VIEWER}),
        ("write", {Role.VIEWER, Role.DEVELOPER, Role.DEPLOYER, Role.APPROVER}),
        ("maintain", {Role.VIEWER, Role.DEVELOPER, Role.DEPLOYER, Role.APPROVER, Role.OPERATOR}),
        ("admin", {Role.VIEWER, Role.DEVELOPER, Role.DEPLOYER, Role.APPROVER, Role.OPERATOR}),
    ],
)
def test_access_to_a_repository_gives_roles_there(role: str, roles: set[Role]) -> None:
    legacy = {"triage": "read", "maintain": "write"}.get(role, role)
    standing = Standing(permission=Permission(user_id=ANN.id, role_name=role, permission=legacy))
    assert roles_at_github(ANN, standing, POLICIES) == roles
    assert roles_at_github(BOB, standing, POLICIES) == set(), "rule 9: it is another account's"
    assert Role.OPERATOR not in roles_at_github(ANN, standing, None), "without a policy nobody is an operator"


def test_the_policy_gives_roles_by_number_and_by_team() -> None:
    assert roles_by_policy(ANN, POLICIES) == {Role.AUDITOR}
    assert roles_by_policy(ANN, POLICIES, {7, 8}) == {Role.AUDITOR, Role.OPERATOR}
    assert roles_by_policy(BOB, POLICIES) == {Role.ADMINISTRATOR}
    assert roles_by_policy(replace(ANN, kind=ActorKind.APP), POLICIES, {7}) == set()
    assert roles_by_policy(replace(ANN, id=0), POLICIES, {7}) == set()
    assert roles_by_policy(ANN, None, {7}) == set()


def test_the_policy_gives_roles_by_group_and_app_role_of_a_sign_in() -> None:
    assert roles_of(POLICIES, set()) == {Role.VIEWER}
    assert roles_of(POLICIES, {"group:g1"}) == {Role.VIEWER, Role.AUDITOR}
    assert roles_of(POLICIES, {"group:g2", "role:Miso.Operator"}) == {Role.VIEWER, Role.ADMINISTRATOR, Role.OPERATOR}
    # A group that is called like an app role is none, and the reverse; nor does a part of a name count.
    assert roles_of(POLICIES, {"role:g1", "group:Miso.Operator", "group:g", "g1", "group:G1"}) == {Role.VIEWER}
    assert roles_of(None, {"group:g1"}) == {Role.VIEWER}
