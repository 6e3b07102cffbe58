"""The README can be followed: its order, its commands, its settings, its address and what it quotes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import typer
import yaml

from bot import settings
from bot.cli import app
from bot.domain import repository_config
from bot.domain.repository_config import RepositoryConfig
from bot.web import health, webhook
from tests.sources import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SNAPSHOTS = ROOT / "tests" / "domain" / "__snapshots__"
ORDER = ["See it run", "Install it", "Use it", "Configure it", "Operate it", "Work on it"]
FOREIGN = {"curl", "docker", "sqlite3"}
"""Programs that are not ours; what is ours in their lines is tested below."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", TEXT)


COMMANDS = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]


def test_it_begins_with_what_it_is_and_shows_it() -> None:
    title, _, rest = TEXT.partition("\n")
    assert title == "# Miso"
    first = rest.strip().partition("\n\n")[0]
    assert 2 <= len(re.findall(r"[.!](?:\s|$)", first)) <= 4
    assert TEXT.index("```mermaid") < TEXT.index("```text") < TEXT.index("## ")


def test_its_parts_stand_in_the_order_in_which_they_are_needed() -> None:
    assert re.findall(r"(?m)^## (.+)$", TEXT) == ORDER


def test_the_first_two_commands_of_a_stranger_are_these() -> None:
    makes = [command for command in COMMANDS if command.startswith("make ")]
    assert makes[0] == "make demo"
    assert "make test" in makes


@pytest.mark.parametrize("command", sorted({c for c in COMMANDS if c.startswith("make ")}))
def test_every_target_exists(command: str) -> None:
    """`make -n` shows what would be done, without doing it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    ran = subprocess.run(
        [*shlex.split(command), "-n"], cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "warning" not in ran.stderr


@pytest.mark.parametrize("command", sorted({c for c in COMMANDS if ".venv/bin/miso" in c}))
def test_every_line_with_miso_parses(command: str) -> None:
    """Command, options and number of arguments are right; nothing is run."""
    words = shlex.split(command)[1:]
    node: Any = typer.main.get_command(app)
    while words and words[0] in getattr(node, "commands", {}):
        node = node.commands[words.pop(0)]
    assert not hasattr(node, "commands") or all(word.startswith("-") for word in words), "no such command"
    with suppress(typer.Exit):  # --help ends like this; what does not parse raises a usage error
        node.make_context(node.name, words)


def test_every_other_command_is_known() -> None:
    others = {shlex.split(c)[0] for c in COMMANDS if not c.startswith("make ") and ".venv/bin/miso" not in c}
    assert others == FOREIGN


def test_the_addresses_that_it_names_are_served() -> None:
    assert webhook.PATH in TEXT
    served = {route.path for route in health.routes({}) if hasattr(route, "path")}
    assert served == {"/livez", "/readyz"}
    assert all(path in TEXT for path in served)


def test_its_settings_are_all_that_a_start_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict(re.findall(r"(?m)^export (MISO_\w+)=(.+)$", "\n".join(blocks("bash"))))
    assert {row.name for row in settings.reference() if row.required} <= set(given)
    key = tmp_path / "app.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
    key.chmod(0o600)
    for name in [name for name in os.environ if name.startswith("MISO_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MISO_APP_PRIVATE_KEY_FILE", str(key))
    monkeypatch.setenv("MISO_DATA_DIR", str(tmp_path / "data"))
    assert settings.load().public_url == given["MISO_PUBLIC_URL"]


def test_its_repository_file_is_valid() -> None:
    text, _ = blocks("yaml")
    assert isinstance(repository_config.parse(text), RepositoryConfig)


def test_its_job_gives_the_action_what_it_asks_for_and_has_no_secret() -> None:
    _, text = blocks("yaml")
    job = yaml.safe_load(text)["deploy"]
    assert (job["permissions"], "environment" in job) == ({"id-token": "write"}, True)
    [step] = job["steps"]
    path = step["uses"].partition("/.github/")[2].partition("@")[0]
    action = yaml.safe_load((ROOT / ".github" / path / "action.yml").read_text(encoding="utf-8"))
    assert set(step["with"]) == {name for name, each in action["inputs"].items() if each.get("required")}
    assert "secrets." not in text


def test_it_says_which_two_secrets_there_are_and_what_they_do_not_open() -> None:
    [told] = re.findall(r"(?ms)^- \*\*Secrets\.\*\*(.*?)^- ", TEXT)
    told = " ".join(told.split())
    assert "Exactly two" in told
    assert "the App's private key and the webhook secret" in told
    assert "Neither opens Azure" in told
    named = {row.name for row in settings.reference() if re.search("SECRET|PRIVATE|PASSWORD|TOKEN$", row.name)}
    assert named == {"MISO_WEBHOOK_SECRET", "MISO_WEBHOOK_SECRET_PREVIOUS", "MISO_APP_PRIVATE_KEY_FILE"}


def test_the_address_that_makes_the_app_asks_for_what_the_manifest_asks_for() -> None:
    manifest = yaml.safe_load((ROOT / "app.yml").read_text(encoding="utf-8"))
    [address] = [line for block in blocks("text") for line in block.splitlines() if line.startswith("https://")]
    given = parse_qsl(urlsplit(address).query, strict_parsing=True)
    assert [value for name, value in given if name == "events[]"] == manifest["default_events"]
    other = {"name", "url", "public", "webhook_active", "webhook_url", "events[]"}
    assert {name: value for name, value in given if name not in other} == manifest["default_permissions"]
    assert urlsplit(dict(given)["webhook_url"]).path == urlsplit(manifest["hook_attributes"]["url"]).path


def test_what_it_quotes_is_what_miso_says() -> None:
    said = "\n".join(path.read_text(encoding="utf-8") for path in SNAPSHOTS.rglob("*.md"))
    [conversation] = [block for block in blocks("text") if block.startswith("ann")]
    quoted = [line[6:].strip() for line in conversation.splitlines() if line.startswith(("Miso  ", "      "))]
    quoted += re.findall(r"(?m)^\| (?:dev|test|production) \| `.*$", TEXT)
    assert len(quoted) == 7
    assert not [line for line in quoted if line not in said]
