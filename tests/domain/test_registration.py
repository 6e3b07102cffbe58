"""What an operator registers is checked whole, so that a registered environment can be deployed to."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.model import Stage, TargetKind
from bot.domain.plan import build
from bot.domain.registration import Registered, RegistrationFault, conflicts, register
from tests.domain import given

HOSTS = ("registry.example",)
IDENTITY = (
    "/subscriptions/50000000-0000-4000-8000-000000000001/resourceGroups/shop-rg"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop-pull"
)


def document() -> dict[str, Any]:
    shared = {
        "tenant_id": given.DEV.tenant_id,
        "client_id": given.DEV.client_id,
        "subscription_id": given.DEV.subscription_id.upper(),
        "resource_group": "shop-rg",
        "location": "westeurope",
    }
    return {
        "id": given.APPLICATION.id,
        "name": "shop",
        "repository_id": 42,
        "owner_id": 7,
        "environments": [
            {
                **shared,
                "id": given.DEV.id,
                "stage": "development",
                "target": "container-instance",
                "name": "shop-dev",
                "dns_label": "shop-dev",
                "cpu": 1,
                "settings": {"MODE": "dev"},
            },
            {
                **shared,
                "id": given.PRODUCTION.id,
                "stage": "production",
                "github_name": "live",
                "target": "web-app",
                "name": "shop",
                "plan": "shop-plan",
                "registry": "registry.example",
                "pull_identity": "60000000-0000-4000-8000-000000000001",
                "pull_identity_resource_id": IDENTITY,
                "settings": {"API_KEY": "@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/api)"},
            },
        ],
    }


def registering(at: int | None = None, **changes: Any) -> Registered | tuple[RegistrationFault, ...]:
    made = copy.deepcopy(document())
    target = made if at is None else made["environments"][at]
    for name, value in changes.items():
        if value is None:
            target.pop(name)
        else:
            target[name] = value
    return register(made, registries=HOSTS, origin="shop.yml")


def paths(found: Registered | tuple[RegistrationFault, ...]) -> list[str]:
    assert isinstance(found, tuple), "it was accepted"
    return [fault.path for fault in found]


def test_a_registration_becomes_rows() -> None:
    found = registering()
    assert isinstance(found, Registered)
    assert found.application == replace(given.APPLICATION, origin="shop.yml")
    dev, production = found.environments
    assert (dev.stage, dev.target, dev.github_name) == (Stage.DEV, TargetKind.CONTAINER_INSTANCE, "dev")
    assert (production.github_name, production.slot, production.origin) == ("live", "staging", "shop.yml")
    assert dev.subscription_id == given.DEV.subscription_id, "canonical, however it was written"
    for environment in found.environments:
        assert build(environment, given.release(), controller="miso-test").hash


def test_all_faults_are_told_at_once() -> None:
    broken = document()
    broken["owner"] = broken.pop("owner_id")
    broken["environments"][0]["stage"] = "moon"
    broken["environments"][1]["tenant_id"] = "acme"
    found = register(broken, registries=HOSTS)
    assert sorted(paths(found)) == ["environments.0.stage", "environments.1.tenant_id", "owner", "owner_id"]


@pytest.mark.parametrize("nothing", [None, [], "shop", {}, {"environments": []}])
def test_a_document_that_is_none_is_refused(nothing: object) -> None:
    assert paths(register(nothing, registries=HOSTS))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"dns_label": None}, "dns_label"),
        ({"dns_label": "Shop"}, "dns_label"),
        ({"plan": "shop-plan"}, "plan"),
        ({"slot": "staging"}, "slot"),
        ({"pull_identity": "60000000-0000-4000-8000-000000000001"}, "pull_identity"),
        ({"pull_identity_resource_id": IDENTITY}, "pull_identity_resource_id"),
        ({"registry": "evil.example"}, "registry"),
        ({"name": "Shop_Dev"}, "name"),
        ({"cpu": 0}, "cpu"),
        ({"cpu": 64}, "cpu"),
        ({"id": "dev"}, "id"),
        ({"resource_group": "rg/../other"}, "resource_group"),
        ({"github_name": "рroduction"}, "github_name"),
        ({"settings": {"A": "@Microsoft.KeyVault(VaultName=v;SecretName=s)"}}, "settings.A"),
    ],
)
def test_container_instances_need_what_azure_needs(changes: dict[str, Any], path: str) -> None:
    assert paths(registering(0, **changes)) == [f"environments.0.{path}"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"plan": None}, "plan"),
        ({"plan": "../other"}, "plan"),
        ({"slot": "production"}, "slot"),
        ({"slot": "a/b"}, "slot"),
        ({"dns_label": "shop"}, "dns_label"),
        ({"pull_identity": IDENTITY}, "pull_identity"),
        ({"pull_identity_resource_id": None}, "pull_identity_resource_id"),
        ({"pull_identity_resource_id": "shop-pull"}, "pull_identity_resource_id"),
        ({"settings": {"WEBSITES_PORT": "80"}}, "settings.WEBSITES_PORT"),
    ],
)
def test_web_apps_need_what_azure_needs(changes: dict[str, Any], path: str) -> None:
    assert paths(registering(1, **changes)) == [f"environments.1.{path}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("ApiKey", "x"),
        ("STORAGE_CONNECTION_STRING", "x"),
        ("GITHUB_TOKEN", "x"),
        ("CLIENT_SECRET", "x"),
        ("MODE", "Server=x;Password=hunter2"),
        ("URL", "postgres://shop:hunter2@db.example/shop"),
        ("PEM", "-----BEGIN PRIVATE KEY-----"),
        ("BLOB", "https://x.blob.core.windows.net/a?sv=1&sig=abc"),
        ("DB_PASSWORD", "@Microsoft.KeyVault(SecretUri=http://not.tls)"),
    ],
)
def test_secrets_are_refused_in_favour_of_references(name: str, value: str) -> None:
    found = registering(1, settings={name: value})
    assert paths(found) == [f"environments.1.settings.{name}"]
    assert isinstance(found, tuple)
    assert value not in found[0].sentence, "a secret that was typed here is not repeated"


@pytest.mark.parametrize("name", ["MONKEY_MODE", "KEYBOARD", "LOG_LEVEL", "AUTHOR", "PASSENGERS"])
def test_harmless_names_are_fine(name: str) -> None:
    assert isinstance(registering(1, settings={name: "1"}), Registered)


@pytest.mark.parametrize("field", ["id", "stage"])
def test_nothing_is_used_twice_in_an_application(field: str) -> None:
    assert f"environments.1.{field}" in paths(registering(1, **{field: document()["environments"][0][field]}))


def test_names_that_look_alike_are_used_twice() -> None:
    assert paths(registering(1, github_name="DEV")) == ["environments.1.github_name"]


def test_guids_and_resources_have_one_owner() -> None:
    wanted = registering()
    assert isinstance(wanted, Registered)
    assert conflicts(wanted, (wanted.application,), wanted.environments) == ()
    moved = replace(wanted.application, repository_id=43)
    assert [f.path for f in conflicts(wanted, (moved,), ())] == ["id"]
    other = "10000000-0000-4000-8000-000000000009"
    same_id = replace(wanted.environments[0], application_id=other, name="elsewhere")
    same_place = replace(wanted.environments[1], application_id=other, id=other, resource_group="SHOP-RG")
    assert [f.path for f in conflicts(wanted, (), (same_id, same_place))] == [
        "environments.0.id",
        "environments.1.name",
    ]
