"""`miso policy` at a shell: what counts, what waits, what is wrong with a file, and what it would have decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.domain import policy_file
from bot.services import policies
from bot.settings.fields import default_config_dir
from tests.cli.conftest import Desk

pytestmark = pytest.mark.full

FILE = (default_config_dir() / "policy.yml").read_text(encoding="utf-8")


def changed(**production: Any) -> str:
    """A file like the one that is in force, with other values for production."""
    values = {"approval_hours": 24, "unknown_author_needs": -1, **production}
    lines = "\n".join(f"    {name}: {json.dumps(value)}" for name, value in values.items())
    return f"administrators: [1001, 1002]\nstages:\n  dev: {{}}\n  test: {{}}\n  production:\n{lines}\n"


class File:
    """A file that an operator is about to change."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def says(self, text: str) -> str:
        Path(self.path).write_text(text, encoding="utf-8")
        return self.path


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "changed.yml")


@pytest.fixture
def other_config(tmp_path: Path) -> str:
    """A configuration that differs from the controller's own."""
    place = tmp_path / "other"
    place.mkdir()
    (place / "policy.yml").write_text(changed(approvals=3), encoding="utf-8")
    return str(place)


async def adopt(desk: Desk, text: str) -> None:
    read, faults = policy_file.read(text)
    assert faults == ()
    await policies.adopt(desk.running.miso, read, "changed.yml")


async def document(desk: Desk, *words: str, exit_code: int = 0) -> Any:
    done = await desk.miso("policy", *words, "--json")
    assert done.exit_code == exit_code, done.output
    return json.loads(done.stdout)


# --- show and history ------------------------------------------------------------------------------------------------


async def test_what_is_in_force_is_told_environment_by_environment(desk: Desk) -> None:
    whole = await document(desk, "show")
    assert (whole["accepted"]["version"], whole["accepted"]["by"], whole["pending"]) == (1, [], None)
    assert any(phrase.startswith("approvals 1") for phrase in whole["accepted"]["says"]["production"])
    shown = (await desk.miso("policy", "show")).output
    assert "Version 1" in shown
    assert "production" in shown


async def test_what_waits_is_told_with_what_it_loosens_and_what_to_type(desk: Desk) -> None:
    await adopt(desk, changed(approvals=2))
    await adopt(desk, changed(approvals=1))
    whole = await document(desk, "show")
    assert whole["accepted"]["version"] == 2
    assert whole["pending"]["loosens"] == ["production.approvals"]
    shown = (await desk.miso("policy", "show")).output
    assert f"/policy accept {whole['pending']['hash'][:12]}" in shown
    assert "production.approvals 2 → 1" in shown
    versions = (await document(desk, "history"))["versions"]
    assert [each["version"] for each in versions] == [1, 2]
    assert "production.approvals 1 → 2" in versions[1]["difference"]
    assert "it loosened nothing" in (await desk.miso("policy", "history")).output


async def test_a_command_that_looks_puts_no_file_in_force(
    desk: Desk, other_config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISO_CONFIG_DIR", other_config)
    for words in (("show",), ("history",), ("lint",)):
        await desk.miso("policy", *words)
    await desk.miso("status")
    await desk.miso("doctor")
    assert (await document(desk, "show"))["accepted"]["version"] == 1


# --- lint ------------------------------------------------------------------------------------------------------------


async def test_every_fault_of_a_file_is_told_with_its_line(desk: Desk, file: File) -> None:
    file.says(changed(approvals=0, moon="full"))
    found = await document(desk, "lint", file.path, exit_code=1)
    assert len(found["faults"]) >= 2
    assert all(fault.startswith(f"{file.path}:") for fault in found["faults"])
    assert found["applications"] == []


def test_a_file_alone_needs_neither_settings_nor_store(no_settings: None, file: File) -> None:
    from typer.testing import CliRunner

    from bot.cli import app

    file.says(FILE)
    done = CliRunner().invoke(app, ["policy", "lint", file.path, "--alone"])
    assert done.exit_code == 0, done.output
    assert "Nothing stands in the way" in done.output
    done = CliRunner().invoke(app, ["policy", "lint", "-", "--alone"], input=changed(approvals=0))
    assert done.exit_code == 1
    assert "approvals" in done.output


async def test_what_nobody_could_ever_approve_is_an_error(registered: Desk, file: File) -> None:
    assert (await registered.miso("policy", "lint")).exit_code == 0
    file.says(changed(approvals=2, approve="admin"))
    found = await document(registered, "lint", file.path, exit_code=1)
    [shop] = found["applications"]
    [error] = [each for each in shop["findings"] if each["level"] == "error"]
    assert (error["code"], error["stage"]) == ("nobody_can_approve", "production")
    assert any(phrase.startswith("production.approvals 1 → 2") for phrase in found["difference"])
    assert "nobody_can_approve" in (await registered.miso("policy", "lint", file.path)).output


async def test_what_the_lint_cannot_see_is_not_fine(registered: Desk) -> None:
    await registered.sim.uninstall("contoso")
    found = await document(registered, "lint", exit_code=1)
    assert "permission_unknown" in [each["code"] for each in found["applications"][0]["findings"]]
    assert "Not everything could be looked at" in (await registered.miso("policy", "lint")).output


# --- test ------------------------------------------------------------------------------------------------------------


async def test_recorded_decisions_are_taken_anew_under_another_policy(registered: Desk, file: File) -> None:
    number = await registered.ships("Add a basket")
    await registered.says("ann", "/promote test", on=number)
    await registered.says("ann", "/promote production", on=number)
    await registered.says("bob", "/approve", on=number)
    file.says(FILE)
    same = await document(registered, "test", file.path, "--all")
    assert (same["decisions"], same["otherwise"], same["untold"]) == (3, 0, 0)
    assert [each["stage"] for each in same["decided"]] == ["dev", "test", "production"]

    file.says(changed(approvals=2, soak="2h"))
    found = await document(registered, "test", file.path)
    [production] = [each for each in found["decided"] if each["stage"] == "production"]
    assert production["then"]["verdict"] == "needs_approval"
    assert (production["now"]["verdict"], production["now"]["codes"]) == ("refuse", ["soak_not_over"])
    assert [account["login"] for account in production["approvals"]] == ["bob"]
    assert production["became"] == "live"
    shown = (await registered.miso("policy", "test", file.path)).output
    assert "approved by bob" in shown
    assert "3 decisions" in shown


async def test_what_nobody_asked_for_that_day_cannot_be_told(registered: Desk, file: File) -> None:
    number = await registered.ships("Add a basket")
    await registered.says("ann", "/promote test", on=number)
    await registered.says("ann", "/promote production", on=number)
    file.says(changed(approvals=1, checks=[{"name": "trivy", "app": 15368}]))
    found = await document(registered, "test", file.path)
    [production] = [each for each in found["decided"] if each["stage"] == "production"]
    assert production["untold"] == ["checks_unknown"]
    assert (found["otherwise"], found["untold"]) == (0, 1)
    assert "cannot be told" in (await registered.miso("policy", "test", file.path)).output


async def test_a_file_with_faults_is_not_tried(registered: Desk, file: File) -> None:
    file.says(changed(approvals=0))
    done = await registered.miso("policy", "test", file.path)
    assert done.exit_code == 1
    assert f"{file.path}:" in done.output


async def test_only_decisions_since_a_day_and_so_many(registered: Desk, file: File) -> None:
    await registered.ships("Add a basket")
    await registered.ships("Add a till")
    file.says(FILE)
    assert (await document(registered, "test", file.path, "--limit", "1"))["decisions"] == 1
    assert (await document(registered, "test", file.path, "--since", "2999-01-01"))["decisions"] == 0
    assert (
        "No decision is recorded"
        in (await registered.miso("policy", "test", file.path, "--since", "2999-01-01")).output
    )
