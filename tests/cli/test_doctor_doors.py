"""What `miso doctor` says of issuers, sign-in and proxies, on a world where exactly one thing is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.sim.wire import Fault
from tests.cli.conftest import Desk
from tests.cli.test_doctor import findings


async def test_issuers_and_sign_in_are_in_order(registered: Desk) -> None:
    found = await findings(registered, fails=False)
    issuer = registered.world.addresses.actions
    public = registered.settings["MISO_PUBLIC_URL"]
    assert found["trust", issuer]["verdict"] == "ok"
    assert public in found["trust", issuer]["found"], "the audience that tokens must be meant for"
    sent = f"issuer {public}, subject miso:signin, audience api://AzureADTokenExchange"
    assert found["sign-in", "assertion"]["found"] == sent
    assert found["sign-in", "federation"]["verdict"] == "ok"
    assert f"{public}/sign-in/callback" in found["sign-in", "redirect URI"]["found"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": "miso:sign-in"}, "700213"),
        ({"issuer": "https://a.example"}, "700211"),
        ({"audience": "a"}, "700212"),
    ],
)
async def test_a_wrong_credential_of_the_sign_in_is_explained(
    registered: Desk, change: dict[str, str], code: str
) -> None:
    credentials = registered.world.entra.credentials
    at = next(number for number, each in enumerate(credentials) if each.subject == "miso:signin")
    credentials[at] = replace(credentials[at], **change)
    found = (await findings(registered, fails=True))["sign-in", "federation"]
    assert f"AADSTS{code}" in found["found"]
    assert "subject miso:signin" in found["next"]


async def test_an_issuer_that_does_not_answer_is_told(registered: Desk) -> None:
    registered.world.wire.faults.append(Fault(route="^actions GET", kind="status", status=503, times=None))
    found = await findings(registered, fails=True)
    assert "issuer_unavailable" in found["trust", registered.world.addresses.actions]["found"]


async def test_a_dangerous_rule_and_a_missing_proxy_are_told(registered: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Path(registered.settings["MISO_CONFIG_DIR"]) / "trust" / "github.yml"
    rules.write_text(rules.read_text("utf-8").replace("runner: github-hosted", "runner: any"), "utf-8")
    monkeypatch.setenv("MISO_TRUSTED_PROXIES", "10.0.0.0/8")
    found = await findings(registered, fails=False)
    assert "self-hosted runners" in found["trust", "rule 'default branch'"]["found"]
    assert found["doors", "proxies"]["found"] == "10.0.0.0/8"


async def test_without_sign_in_and_without_trust_that_is_said(
    registered: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISO_SIGN_IN", "off")
    (Path(registered.settings["MISO_CONFIG_DIR"]) / "trust" / "github.yml").unlink()
    found = await findings(registered, fails=False)
    assert "MISO_SIGN_IN is off" in found["sign-in", "people"]["found"]
    assert "no workflow gets a token" in found["trust", "issuers"]["found"]
