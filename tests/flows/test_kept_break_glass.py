"""Rule 36: whoever goes past rules needs people who agreed to just that; no earlier word carries over to it."""

from __future__ import annotations

from bot.domain.model import Stage as Where
from bot.domain.model import Status
from tests.flows.stage import Stage
from tests.flows.test_closures import freeze
from tests.flows.test_kept_approvals import approvers, half_approved, same_again
from tests.flows.words import ruled


async def test_rule_36_a_word_on_a_request_that_keeps_all_rules_is_not_kept_for_one_that_breaks_some(
    stage: Stage,
) -> None:
    await ruled(stage, Where.PRODUCTION, freezes=(freeze(stage, hours=2, lasts=600),))
    pull = await half_approved(stage)
    commit, _ = (await same_again(stage)).split()
    await stage.says("ann", f"/promote test @{commit}", on=pull["number"])
    stage.clock.pass_(2 * 3600)
    await stage.says("ann", f"/promote production @{commit} --break-glass it burns", on=pull["number"])
    now = await stage.latest("production")
    assert (now.status, now.request.skipped) == (Status.REQUESTED, ("freeze",))
    assert await approvers(stage) == []
