"""Sign-ins by a code that was typed elsewhere (RFC 8628): what they may approve is the policy's to say."""

from __future__ import annotations

from bot.domain.identity import Door
from bot.domain.model import Stage as Where
from bot.domain.model import Status
from bot.services import promotions
from bot.services.promotions import Word
from bot.sim.scenarios import CONFIG, REPOSITORY
from tests.flows.elsewhere import approves, linked, origin_of, refused
from tests.flows.stage import Stage
from tests.flows.words import ruled, waiting


async def test_a_sign_in_by_code_approves_production_only_where_the_policy_says_so(stage: Stage) -> None:
    await waiting(stage, "By code")
    bob = await linked(stage, "bob", Door.CLI, device=True)
    assert await refused(approves(stage, bob)) == "device_may_not_approve"
    assert (await stage.latest("production")).approvals == ()
    # What is not an approval is not kept from them.
    await promotions.reject(
        stage.miso,
        (await stage.latest("production")).stream,
        Word(principal=bob, cause="no"),
        origin_of(await stage.latest("production")),
        "",
    )
    assert (await stage.latest("production")).status is Status.REJECTED


async def test_a_repository_may_keep_its_production_from_sign_ins_by_code(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, device_approvals=True)
    stricter = (
        CONFIG.format(registry=stage.world.addresses.registry) + "policy:\n  production: {device_approvals: false}\n"
    )
    await stage.sim.push(REPOSITORY, "ann", {".github/miso.yml": stricter})
    await waiting(stage, "Its own file")
    bob = await linked(stage, "bob", Door.CLI, device=True)
    assert await refused(approves(stage, bob)) == "device_may_not_approve"
    assert (await stage.latest("production")).approvals == ()


async def test_a_sign_in_by_code_approves_where_all_let_it(stage: Stage) -> None:
    await ruled(stage, Where.PRODUCTION, device_approvals=True)
    await waiting(stage, "By code")
    await approves(stage, await linked(stage, "bob", Door.CLI, device=True))
    await stage.settle()
    assert (await stage.latest("production")).status is Status.LIVE
