"""Registering says what changed and what is to be set up, as lines to copy."""

from __future__ import annotations

from pathlib import Path

from bot.sim.scenarios import APPLICATION_ID, PLACES, SUBSCRIPTION_ID
from tests.cli.conftest import Desk


async def test_it_prints_the_variables_and_the_credentials_to_set(desk: Desk) -> None:
    done = await desk.miso("register", "-", given=desk.shop.registration)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert f'gh variable set MISO_APPLICATION_ID --repo "$REPO" --body {APPLICATION_ID}' in lines
    assert f'gh variable set MISO_SUBSCRIPTION_ID --repo "$REPO" --body {SUBSCRIPTION_ID}' in lines
    for place in PLACES:
        assert f'gh variable set MISO_ENVIRONMENT_ID --repo "$REPO" --env "{place.stage}" --body {place.id}' in lines
        assert f"  --subject miso:env:{place.id} --audiences api://AzureADTokenExchange" in lines
    assert f"--issuer {desk.settings['MISO_PUBLIC_URL']} " in done.output


async def test_a_second_time_says_what_changed_and_what_did_not(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "shop.yml"
    file.write_text(desk.shop.registration)
    first = await desk.miso("register", str(file))
    assert first.output.count("new  ") == 4
    again = await desk.miso("register", str(file))
    assert again.output.count("as it was") == 4
    file.write_text(desk.shop.registration.replace("dns_label: contoso-shop-dev", "dns_label: contoso-shop-d"))
    changed = await desk.miso("register", str(file))
    assert "changed   environment dev" in changed.output
    assert "dns_label: contoso-shop-dev → contoso-shop-d" in changed.output
    assert changed.output.count("as it was") == 3


async def test_every_fault_is_told_at_once_and_nothing_is_written(desk: Desk) -> None:
    wrong = desk.shop.registration.replace("tenant_id: ", "tenant: ").replace("plan: shop-plan", "plan: ''")
    done = await desk.miso("register", "-", given=wrong)
    assert done.exit_code == 2
    assert done.output.count("tenant_id is missing") == 3
    assert await desk.running.miso.store.applications() == []


async def test_a_file_that_is_not_there(desk: Desk) -> None:
    done = await desk.miso("register", "nowhere.yml")
    assert done.exit_code == 2
    assert "cannot be read" in done.output
