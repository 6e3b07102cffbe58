"""Where a role comes from: GitHub's word of this moment, the policy's teams and accounts, and the sign-in's groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.identity import Deed, Door, Principal, Resource, Role
from bot.domain.model import Stage as Where
from bot.domain.rules import Members
from bot.errors import Refused
from bot.services import access
from bot.services.authorization import about, authorize
from bot.sim.scenarios import REPOSITORY
from tests.flows.elsewhere import signed_in
from tests.flows.stage import Stage
from tests.flows.words import ruled
from tests.people import person


def of(stage: Stage, login: str, door: Door = Door.PORTAL, **more: Any) -> Principal:
    """Somebody linked, with nothing but that, who has just signed in."""
    more = {"roles_us": stage.clock.now_us(), **more}
    return signed_in(login, door, person(stage.world.github.person(login).id, login), **more)


async def here(stage: Stage) -> Resource:
    environment = await stage.miso.store.environment(stage.environments["production"])
    assert environment is not None
    return about(environment)


async def answer(stage: Stage, who: Principal, deed: Deed, where: Resource | None = None, **more: Any) -> str:
    """The code of the refusal; "" where there is none."""
    try:
        await authorize(stage.miso, who, deed, where if where is not None else await here(stage), **more)
    except Refused as no:
        return no.code
    return ""


async def asked(stage: Stage, path: str) -> int:
    return len(await stage.sim.exchanges(server="github", path=path))


async def test_an_operator_is_one_by_access_to_the_repository_or_by_a_team_of_the_policy(stage: Stage) -> None:
    await stage.sim.set_collaborator(REPOSITORY, "bob", "write")
    bob = replace(of(stage, "bob", Door.COMMENT), subject="")
    assert await answer(stage, bob, Deed.CLEAR) == "permission_denied"
    team = await stage.sim.create_team("contoso", "On call", members=["bob", "eve"])
    await ruled(stage, roles={Role.OPERATOR: Members(teams=(team["id"],))})
    assert await answer(stage, bob, Deed.CLEAR) == ""
    eve = replace(of(stage, "eve", Door.COMMENT), subject="")
    assert await answer(stage, eve, Deed.CLEAR) == "permission_denied", "a team gives nobody access to a repository"
    await stage.sim.set_collaborator(REPOSITORY, "bob", "read")
    assert await answer(stage, bob, Deed.CLEAR) == "permission_denied"


async def test_a_team_that_cannot_be_read_makes_nobody_an_operator(stage: Stage) -> None:
    await stage.sim.set_collaborator(REPOSITORY, "bob", "write")
    team = await stage.sim.create_team("contoso", "On call", members=["bob"])
    await ruled(stage, roles={Role.OPERATOR: Members(teams=(team["id"],))})
    await stage.sim.add_fault("github GET .*/team/.*", "status", status=404, times=None)
    assert await answer(stage, replace(of(stage, "bob", Door.COMMENT), subject=""), Deed.CLEAR) == "permission_denied"


async def test_whoever_maintains_a_repository_revokes_its_tokens_and_no_others(stage: Stage) -> None:
    """Nothing but the application is known: GitHub is asked where it lives, by numbers."""
    await stage.sim.set_collaborator(REPOSITORY, "bob", "write")
    await stage.sim.set_collaborator(REPOSITORY, "olga", "maintain")
    assert await answer(stage, of(stage, "olga"), Deed.REVOKE_TOKENS) == ""
    assert await answer(stage, of(stage, "bob"), Deed.REVOKE_TOKENS) == "role_missing"
    assert await answer(stage, of(stage, "olga"), Deed.REVOKE_TOKENS, Resource()) == "role_missing"
    elsewhere = replace(await here(stage), application_id="00000000-0000-4000-8000-000000000001")
    assert await answer(stage, of(stage, "olga"), Deed.REVOKE_TOKENS, elsewhere) == "role_missing"


async def test_the_policy_makes_auditors_by_account_and_the_sign_in_by_group_for_ten_minutes(stage: Stage) -> None:
    eve, olga = of(stage, "eve"), of(stage, "olga")
    assert await answer(stage, eve, Deed.READ_LEDGER, Resource()) == "role_missing"
    await ruled(stage, roles={Role.AUDITOR: Members(users=(eve.actor.id,))})
    assert await answer(stage, eve, Deed.READ_LEDGER, Resource()) == ""
    grouped = replace(olga, roles=frozenset({Role.AUDITOR}), roles_us=stage.clock.now_us())
    before = await asked(stage, ".")
    assert await answer(stage, grouped, Deed.READ_LEDGER, Resource()) == ""
    assert await asked(stage, ".") == before, "GitHub has no part in it"
    stage.clock.pass_(10 * 60 + 1)
    assert await answer(stage, grouped, Deed.READ_LEDGER, Resource()) == "roles_too_old"
    assert await answer(stage, grouped, Deed.LOOK) == "", "whoever is signed in may look"


async def test_rule_05_a_group_is_never_instead_of_access_to_the_repository(stage: Stage) -> None:
    eve = of(stage, "eve", roles=frozenset(Role), roles_us=stage.clock.now_us())
    for deed in (Deed.PROMOTE, Deed.ROLL_BACK, Deed.APPROVE, Deed.REJECT, Deed.REVOKE, Deed.CANCEL, Deed.CANCEL_OTHERS):
        assert await answer(stage, eve, deed) == "permission_denied", deed


async def test_no_group_agrees_to_a_policy(stage: Stage) -> None:
    everything = replace(of(stage, "olga", Door.COMMENT), roles=frozenset(Role), roles_us=stage.clock.now_us())
    assert await answer(stage, everything, Deed.DECIDE_POLICY) == "not_administrator"
    await ruled(stage, administrators=(everything.actor.id,))
    assert await answer(stage, everything, Deed.DECIDE_POLICY) == ""


@pytest.mark.parametrize("deed", [Deed.PROMOTE, Deed.APPROVE, Deed.LOCK])
async def test_github_is_asked_once_for_an_account_and_again_for_the_next_decision(stage: Stage, deed: Deed) -> None:
    ann, bob = (replace(of(stage, login, Door.COMMENT), subject="") for login in ("ann", "bob"))
    application = (await stage.miso.store.applications())[0]
    installation = await stage.miso.github.installation_of(application.repository_id, application.owner_id)
    assert installation is not None
    origin = access.Origin(installation_id=installation, repository_id=application.repository_id)
    path = "/collaborators/ann/permission"
    before = await asked(stage, path)
    place = await access.bind(stage.miso, origin, Where.PRODUCTION, ann.actor)
    assert await answer(stage, ann, deed, place=place) == ""
    assert await asked(stage, path) == before + 1
    assert await answer(stage, bob, deed, place=place) == ""
    assert await asked(stage, "/collaborators/bob/permission") == 1, "what is known of one says nothing of another"
    assert await answer(stage, ann, deed, origin=origin) == ""
    assert await asked(stage, path) == before + 2
