"""The contract check itself: planted mistakes are found, and what the SDKs take is read from the SDKs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.mgmt.containerinstance.operations import ContainerGroupsOperations
from azure.mgmt.web.operations import WebAppsOperations

from bot.sim.wire import Exchange
from tests.contracts.arm import accepted, observe

ROOT = "/subscriptions/s/resourceGroups/g/providers/"
GROUPS = ROOT + "Microsoft.ContainerInstance/containerGroups/shop"
SITE = ROOT + "Microsoft.Web/sites/shop"


def exchange(
    method: str, path: str, body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None
) -> Exchange:
    data = json.dumps(body).encode() if body is not None else b""
    return Exchange("arm", method, path, {}, {}, b"", status, headers or {}, data)


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        (GROUPS, {"propertes": {}}, "propertes is unknown to ContainerGroup"),
        (GROUPS, {"properties": {"ostype": "x"}}, "properties.ostype is unknown"),
        (GROUPS, {"properties": {"containers": [{"name": "a", "image": "b"}]}}, "containers[].image is unknown"),
        (GROUPS, {"properties": {"instanceView": {"status": "x"}}}, "instanceView.status is unknown"),
        (SITE, {"properties": {"siteconfig": {}}}, "properties.siteconfig is unknown to SiteProperties"),
        (SITE, {"properties": {"siteConfig": {"linuxVersion": ""}}}, "linuxVersion is unknown to SiteConfig"),
        (SITE, {"properties": {"slotSwapStatus": {"at": ""}}}, "slotSwapStatus.at is unknown"),
        (SITE, {"identity": {"userAssignedIdentities": {"/x": {"id": ""}}}}, "/x.id is unknown"),
        (SITE + "/config/appsettings", {"settings": {}}, "no operation"),
        (GROUPS + "/nonsense", {}, "no operation"),
    ],
)
def test_planted_typo_is_found(path: str, body: Any, found: str) -> None:
    violations = observe(exchange("GET", path, body))
    assert len(violations) == 1
    assert found in violations[0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", SITE, 201),
        ("PUT", GROUPS, 202),
        ("POST", SITE + "/slots/staging/slotsswap", 204),
        ("DELETE", SITE, 202),
        ("POST", GROUPS + "/restart", 202),
    ],
)
def test_status_that_the_sdk_rejects_is_found(method: str, path: str, status: int) -> None:
    found = observe(exchange(method, path, status=status, headers={"location": "x"}))
    assert found == [f for f in found if "the SDK rejects status" in f]
    assert len(found) == 1


def test_accepted_answer_without_link_and_error_without_code_are_found() -> None:
    assert observe(exchange("DELETE", GROUPS, status=202)) == ["202 without a link to poll"]
    assert observe(exchange("GET", GROUPS, {}, status=400)) == ["status 400 without code and message"]
    assert observe(exchange("GET", GROUPS, {"error": {"code": "a", "message": "b"}}, status=400)) == []
    assert observe(exchange("GET", SITE, {"Code": "a", "Message": "b"}, status=409)) == []


def test_recorded_shapes_pass() -> None:
    site = {
        "id": SITE,
        "properties": {"slotSwapStatus": {"timestampUtc": "x", "sourceSlotName": "a", "destinationSlotName": "b"}},
    }
    assert observe(exchange("GET", SITE, site)) == []
    events = [
        {"count": 1, "name": "Pulled", "message": "x", "type": "Normal", "firstTimestamp": "", "lastTimestamp": ""}
    ]
    view = {"restartCount": 0, "currentState": {"state": "Running"}, "events": events}
    group = {"properties": {"containers": [{"name": "a", "properties": {"image": "b", "instanceView": view}}]}}
    assert observe(exchange("GET", GROUPS, group)) == []


def test_accepted_statuses_are_those_of_the_installed_sdk() -> None:
    assert accepted(ContainerGroupsOperations._create_or_update_initial) == {200, 201}
    assert accepted(WebAppsOperations._create_or_update_slot_initial) == {200, 202}
    with pytest.raises(LookupError):
        accepted(observe)
