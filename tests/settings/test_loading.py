"""Settings from the environment: what is refused, and that everything wrong is told at once."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.domain.model import Stage
from bot.domain.rules import Rules
from bot.errors import ConfigError
from bot.settings import Settings, load
from tests.settings.conftest import Environ

SECRET = "0123456789abcdef0123456789abcdef"


def faults() -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load()
    return refused.value.faults


def fault_of(name: str) -> str:
    found = [fault for fault in faults() if fault.startswith(name)]
    assert len(found) == 1, found
    return found[0]


def test_good_environment_is_read_and_frozen(environ: Environ, tmp_path: Path) -> None:
    settings = load()
    assert settings.app_id == 4711
    assert settings.public_url == "https://miso.example"
    assert settings.listen == ("127.0.0.1", 8080)
    assert settings.registries == {"ghcr.io": "ghcr.io", "docker.io": "auth.docker.io"}
    assert settings.store_path == tmp_path / "data" / "miso.sqlite"
    assert settings.app_private_key().startswith("-----BEGIN")
    with pytest.raises(ValidationError):
        settings.app_id = 1  # type: ignore[misc]  # the point of the test: it is frozen


def test_all_faults_are_told_at_once(environ: Environ) -> None:
    environ(
        MISO_APP_ID="many",
        MISO_PUBLIC_URL="http://miso.example",
        MISO_LISTEN="8080",
        MISO_REGISTRIES=None,
        MISO_WEBHOK_SECRET="x",
        MISO_LEASE_TTL="0",
    )
    told = faults()
    for name in ("APP_ID", "PUBLIC_URL", "LISTEN", "REGISTRIES", "WEBHOK_SECRET", "LEASE_TTL"):
        assert sum(fault.startswith("MISO_" + name) for fault in told) == 1, told
    assert len(told) == 6


def test_unknown_variable_is_a_fault_with_a_suggestion(environ: Environ) -> None:
    environ(MISO_GITHUB_API_ULR="https://ghes.example/api/v3")
    assert "did you mean MISO_GITHUB_API_URL?" in fault_of("MISO_GITHUB_API_ULR")


@pytest.mark.parametrize("value", [None, "", "   ", "short", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", f" {SECRET}"])
def test_rule_22_empty_or_weak_secret_refuses_to_start(environ: Environ, value: str | None) -> None:
    environ(MISO_WEBHOOK_SECRET=value)
    assert fault_of("MISO_WEBHOOK_SECRET")


@pytest.mark.parametrize("value", ["   ", "short", SECRET])
def test_rule_22_the_previous_secret_is_held_to_the_same(environ: Environ, value: str) -> None:
    environ(MISO_WEBHOOK_SECRET_PREVIOUS=value)
    assert fault_of("MISO_WEBHOOK_SECRET_PREVIOUS")


def test_rule_22_two_secrets_while_rotating(environ: Environ) -> None:
    assert load().webhook_secrets == (SECRET.encode(),)
    environ(MISO_WEBHOOK_SECRET_PREVIOUS="the-secret-before-that")
    assert load().webhook_secrets == (SECRET.encode(), b"the-secret-before-that")


def test_rule_17_secrets_never_show(environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    environ(MISO_WEBHOOK_SECRET_PREVIOUS="the-secret-before-that")
    settings = load()
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in text
        assert "the-secret-before-that" not in text
    environ(MISO_WEBHOOK_SECRET="hunter2-hunter2-hunter2 ")
    with caplog.at_level(logging.DEBUG):
        assert "hunter2" not in " ".join(faults()) + caplog.text


def test_private_key_open_to_others_is_refused(environ: Environ, tmp_path: Path) -> None:
    (tmp_path / "app.pem").chmod(0o640)
    assert "chmod 600" in fault_of("MISO_APP_PRIVATE_KEY_FILE")
    environ(MISO_APP_PRIVATE_KEY_FILE=str(tmp_path / "none.pem"))
    assert "cannot be read" in fault_of("MISO_APP_PRIVATE_KEY_FILE")
    environ(MISO_APP_PRIVATE_KEY_FILE=str(tmp_path))
    assert "is not a file" in fault_of("MISO_APP_PRIVATE_KEY_FILE")


def test_files_of_another_user_are_refused(environ: Environ, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    theirs = (tmp_path / "data").stat()
    if theirs.st_uid == 0:
        os.chown(tmp_path / "data", 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert "belongs to another user" in fault_of("MISO_DATA_DIR")


def test_data_dir_is_made_closed_and_refused_open(environ: Environ, tmp_path: Path) -> None:
    made = load().make_data_dir()
    assert made.stat().st_mode & 0o777 == 0o700
    assert load().make_data_dir() == made
    made.chmod(0o755)
    assert "chmod 700" in fault_of("MISO_DATA_DIR")


@pytest.mark.parametrize(
    "url",
    [
        "http://ghes.example",
        "ftp://ghes.example",
        "ghes.example",
        "https://u:p@ghes.example",
        "https://ghes.example/?a=1",
    ],
)
def test_base_addresses_are_https_and_bare(environ: Environ, url: str) -> None:
    environ(MISO_GITHUB_API_URL=url)
    assert "u:p" not in fault_of("MISO_GITHUB_API_URL")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000", "https://a.example/api/v3"]
)
def test_plain_http_is_for_loopback(environ: Environ, url: str) -> None:
    environ(MISO_GITHUB_API_URL=url + "/")
    assert load().github_api_url == url


def test_azure_addresses_are_https_even_on_loopback(environ: Environ) -> None:
    environ(MISO_ENTRA_AUTHORITY="http://127.0.0.1:1", MISO_ARM_URL="http://127.0.0.1:1")
    assert len(faults()) == 2


def test_local_registries_need_the_switch(environ: Environ) -> None:
    environ(MISO_REGISTRIES="127.0.0.1:5000")
    assert "MISO_ALLOW_LOCAL_HOSTS" in fault_of("MISO_REGISTRIES")
    environ(MISO_ALLOW_LOCAL_HOSTS="true")
    assert load().registries == {"127.0.0.1:5000": "127.0.0.1:5000"}


@pytest.mark.parametrize("value", ["https://ghcr.io", "ghcr.io/owner", "ghcr.io, ghcr.io", ",", "ghcr.io:x"])
def test_registries_are_hosts(environ: Environ, value: str) -> None:
    environ(MISO_REGISTRIES=value)
    assert fault_of("MISO_REGISTRIES")


def test_probe_connect_to_is_read_in_order(environ: Environ) -> None:
    assert load().probe_connect_to == {}
    environ(MISO_PROBE_CONNECT_TO="*.azurewebsites.net=127.0.0.1:8443, *.azurecontainer.io=[::1]:8080")
    assert load().probe_connect_to == {
        "*.azurewebsites.net": ("127.0.0.1", 8443),
        "*.azurecontainer.io": ("::1", 8080),
    }


@pytest.mark.parametrize("value", ["*", "*.x.net", "*.x.net=host:80", "*.x.net=127.0.0.1", "a*.net=127.0.0.1:1"])
def test_probe_connect_to_names_addresses(environ: Environ, value: str) -> None:
    environ(MISO_PROBE_CONNECT_TO=value)
    assert fault_of("MISO_PROBE_CONNECT_TO")


def test_stopping_is_for_tests_on_loopback(environ: Environ) -> None:
    environ(MISO_TEST_STOP_AT="slot.put:before")
    assert "loopback" in fault_of("MISO_TEST_STOP_AT")
    environ(MISO_GITHUB_API_URL="http://127.0.0.1:9000")
    assert load().rules().stop_at == "slot.put:before"
    environ(MISO_TEST_STOP_AT="slot.put")
    assert fault_of("MISO_TEST_STOP_AT")


def test_limits_that_contradict_are_told(environ: Environ) -> None:
    environ(MISO_WRITE_DEADLINE="10", MISO_PROBE_ATTEMPTS="2", MISO_PROBE_SUCCESSES="3")
    environ(MISO_BOTS_THAT_MAY_REQUEST="1, x")
    assert {fault.split(" ")[0] for fault in faults()} == {
        "MISO_WRITE_DEADLINE",
        "MISO_PROBE_SUCCESSES",
        "MISO_BOTS_THAT_MAY_REQUEST",
    }


def test_rules_carry_every_decision(environ: Environ) -> None:
    """Each field of `Rules` can be set by an operator: a new one without a setting fails here."""
    elsewhere = {"controller", "api_url", "web_url", "stop_at"}
    assert set(Rules.__dataclass_fields__) - elsewhere <= set(Settings.model_fields)
    environ(
        MISO_CONTROLLER_NAME="blue",
        MISO_GITHUB_WEB_URL="https://ghes.example",
        MISO_BOTS_THAT_MAY_REQUEST="7, 8",
        MISO_COMMANDS_PER_HOUR="3",
    )
    rules = load().rules()
    assert (rules.controller, rules.web_url, rules.commands_per_hour) == ("blue", "https://ghes.example", 3)
    assert rules.bots_that_may_request == {7, 8}
    assert rules.registries == ("ghcr.io", "docker.io")


def test_the_policy_is_read_and_kept_as_written(environ: Environ, tmp_path: Path) -> None:
    assert load().policies.stages[Stage.PRODUCTION].approvals == 1, "of the shipped file"
    text = "stages: {dev: {}, test: {}, production: {approvals: 2}}"
    (tmp_path / "policy.yml").write_text(text)
    environ(MISO_CONFIG_DIR=str(tmp_path))
    settings = load()
    assert settings.policies.stages[Stage.PRODUCTION].approvals == 2
    assert settings.policy_text == text
    (tmp_path / "policy.yml").write_bytes(b"\xff")
    assert "cannot be read as text" in faults()[0]


def test_defaults_agree_with_the_domain(environ: Environ) -> None:
    """What `Rules` assumes in tests of the domain is what an operator gets who sets nothing."""
    rules = load().rules()
    plain = Rules(controller="miso", app_id=4711)
    own = {"public_url", "registries", "token_audience"}
    for name in set(Rules.__dataclass_fields__) - own:
        assert getattr(rules, name) == getattr(plain, name), name


def test_catalog_files_are_the_enabled_ones(environ: Environ, tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text("stages: {dev: {}, test: {}, production: {approvals: 1}}")
    environ(MISO_CONFIG_DIR=str(tmp_path))
    assert load().catalog_files() == {}
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "shop.yml").write_text("name: shop")
    (tmp_path / "catalog" / "other.yml.disabled").write_text("name: other")
    assert load().catalog_files() == {"catalog/shop.yml": "name: shop"}
    (tmp_path / "catalog" / "shop.yml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"shop\.yml"):
        load().catalog_files()


def test_config_dir_without_policy_is_refused(environ: Environ, tmp_path: Path) -> None:
    environ(MISO_CONFIG_DIR=str(tmp_path))
    assert "policy.yml" in fault_of("MISO_CONFIG_DIR")


def test_faults_of_the_policy_join_the_others(environ: Environ, tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text("stages:\n  dev: {aprovals: 1}\n")
    environ(MISO_CONFIG_DIR=str(tmp_path), MISO_NONSENSE="1")
    told = faults()
    assert told[0].startswith("MISO_NONSENSE")
    assert f"{tmp_path}/policy.yml:2: stages.dev.aprovals" in told[1]
